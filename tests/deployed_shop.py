"""A small shop that is really deployed to MiniStack: its functions say which code answers."""

import dataclasses
import hashlib
import json
import os
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

from manifests import function, manifest_of, route
from ministack import MiniStack

from infra import assembly as synthesis
from infra import names
from infra.manifest import Manifest
from infra.stage import Stage
from packager.deploy import assembly, execute, plan, releases, staging, uploads
from packager.deploy import live as lives
from packager.deploy.assembly import Assembly
from packager.deploy.aws import Aws, connect
from packager.deploy.progress import Silent
from packager.deploy.releases import Ledger, Release
from packager.node import node

# Read when aws_cdk is first imported.
os.environ.setdefault("JSII_NODE", str(node()))

HANDLER = "def handler(event, context):\n    return {text!r}\n"
PATHS = ("/api/users/[id]", "/api/files/[...path]")
"""Of the functions `api` and `files`."""


@cache
def _connected(_endpoint: str, region: str) -> Aws:
    """One caller for all tests of a process: making its clients takes a second."""
    return connect(region)


class Shop:
    """The shop and the cloud that it is deployed to; `project` has the builds and assemblies."""

    def __init__(self, cloud: MiniStack, project: Path, stage: Stage | None = None) -> None:
        self.cloud, self.project = cloud, project
        self.stage = stage or Stage("dev", cdn=False)
        self.aws = _connected(cloud.endpoint, self.stage.region)
        self._builds = 0

    @property
    def ledger(self) -> Ledger:
        return Ledger(staging.bucket(self.aws, self.stage.region), "shop", self.stage.name)

    def build(self, *, values: dict[str, str] | None = None, memory: int = 512, **says: str) -> Manifest:
        """A build whose functions say what is given: `api="one", files="two"`. `files` may be left out."""
        rows = []
        self._builds += 1
        for name, text in says.items():
            path = self.folder / f"functions/{name}.zip"
            path.parent.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(zipfile.ZipInfo("index.py"), HANDLER.format(text=text))
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            rows.append(function(name, sha256=sha256, handler="index.handler", memory=memory))
        routes = [
            route(path, name) for path, name in zip(PATHS, ("api", "files"), strict=True) if name in says
        ]
        return manifest_of(routes, functions=rows, values=values)

    @property
    def folder(self) -> Path:
        """The newest build's."""
        return self.project / f"build-{self._builds}"

    def synth(self, built: Manifest, **stage: Any) -> Assembly:
        out = self.project / f"assembly-{self._builds}-{len(list(self.project.iterdir()))}"
        synthesis.synth(built, dataclasses.replace(self.stage, **stage), self.folder, out)
        return assembly.read(out)

    def carry_out(self, synthesized: Assembly) -> None:
        """Upload and deploy an assembly."""
        staged = staging.buckets(self.aws, synthesized)
        assets = [asset for stack in synthesized.stacks for asset in stack.assets]
        uploads.upload(self.aws, assets, staged, lambda *_: None)
        found = plan.survey(self.aws, [(row.name, row.region) for row in synthesized.stacks])
        planned = plan.plan(self.aws, synthesized, found, staged)
        silent = Silent()
        execute.execute(self.aws, planned, synthesized, found, staged, check=lambda: None, progress=silent)

    def deploy(self, **says: Any) -> Release:
        """Build, synthesize, deploy, record."""
        built = self.build(**says)
        self.carry_out(self.synth(built))
        releases.reconcile(self.aws, self.live())
        return self.record(built)

    def record(self, built: Manifest, **more: Any) -> Release:
        made = releases.build_of(built, self.project)
        return releases.record(
            self.aws, self.ledger, **{"kind": "deploy", "build": made, "live": self.live(), **more}
        )

    def live(self) -> lives.Live:
        return lives.read(self.aws, "shop", self.stage.name)

    def name(self, short: str) -> str:
        return names.function_name("shop", self.stage.name, short)

    def says(self, short: str, qualifier: str = lives.ALIAS) -> Any:
        """What the function answers."""
        client = self.cloud.client("lambda", self.stage.region)
        answer = client.invoke(FunctionName=self.name(short), Qualifier=qualifier, Payload=b"{}")
        return json.loads(answer["Payload"].read())

    def alias(self, short: str) -> dict[str, Any]:
        client = self.cloud.client("lambda", self.stage.region)
        found: dict[str, Any] = client.get_alias(FunctionName=self.name(short), Name=lives.ALIAS)
        return found
