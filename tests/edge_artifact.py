"""Edge artifacts as the build makes them, each served alone by a real Node."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from infra.manifest import Function
from packager.build import build
from packager.node import node


@dataclass(frozen=True, slots=True)
class Artifact:
    """The edge function of a build, its folder, and what the build reported."""

    function: Function
    folder: Path
    lines: list[str]


def write_project(
    folder: Path,
    files: Mapping[str, str],
    *,
    loader: str = "snapshot",
    dependencies: tuple[str, ...] = (),
    include: tuple[str, ...] = (),
) -> Path:
    """A project of these files, each `route.py` of them an edge route unless it says otherwise."""
    settings = [
        "[project]\nname = 'shop'\nversion = '0'",
        f"dependencies = {json.dumps(dependencies)}",
        f"[tool.packager]\ninclude = {json.dumps(include)}",
        f"[tool.packager.edge]\nloader = '{loader}'",
    ]
    for name, text in {"pyproject.toml": "\n".join(settings), **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        is_edge = name.endswith("route.py") and "\nruntime = " not in f"\n{text}"
        (folder / name).write_text(f'{text}\n\nruntime = "edge"\n' if is_edge else text, encoding="utf-8")
    return folder


def build_artifact(project: Path, out: Path | None = None, *, check: bool = False) -> Artifact:
    """Build the project and give its edge function, of which there is one."""
    lines: list[str] = []
    result = build(project, out, check=check, report=lines.append)
    [function] = [row for row in result.manifest.functions if row.runtime == "edge"]
    return Artifact(function, result.out / str(function.folder), lines)


def changed(artifact: Path, target: Path, change: Callable[[Path], object]) -> Path:
    """A copy of an artifact's folder after `change`."""
    shutil.copytree(artifact, target)
    change(target)
    return target


@dataclass(frozen=True, slots=True)
class Served:
    """A running server; `environment` is all that it was given."""

    url: str
    process: subprocess.Popen[str]
    stderr: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", timeout=30, trust_env=False)

    def post(self, path: str, value: Any) -> Any:
        """What the route answers as JSON to a body of JSON."""
        return httpx.post(f"{self.url}{path}", json=value, timeout=30, trust_env=False).json()

    def log(self) -> str:
        return self.stderr.read_text()


def start(artifact: Path, stderr: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    """`node serve.mjs` in the artifact's folder, with exactly this environment."""
    words = [str(node()), "serve.mjs", *options]
    with stderr.open("w") as log:
        return subprocess.Popen(
            words, cwd=artifact, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )


@contextmanager
def served(artifact: Path, stderr: Path, *options: str, **environment: str) -> Iterator[Served]:
    """The artifact on a free port, its process ended afterwards."""
    with start(artifact, stderr, "--port", "0", *options, **environment) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("ready http://127.0.0.1:"), stderr.read_text()
            yield Served(line.split()[1], process, stderr, environment)
        finally:
            process.kill()
