"""Stacks as their templates: made in this process from small manifests."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manifests import manifest_of, route, written

from infra import assembly
from infra.manifest import Manifest
from infra.stage import Stage

type Template = dict[str, Any]

SHOP = manifest_of(
    [
        route("/api/users/[id]", "api", "nodejs", "GET", "POST"),
        route("/api/files/[...path]", "files"),
        route("/api/hello", "edge", "edge"),
    ],
    target="regional",
    values={"API_BASE": "https://example.com"},
    references={"SESSION_KEY": "ssm:/shop/{stage}/session-key", "DB_URL": "secretsmanager:{stage}/db#url"},
)
"""Two functions of one runtime, one of the other, all behind the HTTP API."""


@dataclass(frozen=True, slots=True)
class Stacks:
    """A synthesized assembly, read again."""

    folder: Path

    def template(self, name: str) -> Template:
        return read(self.folder / f"{name}.template.json")

    def nested(self) -> Iterator[Template]:
        for path in sorted(self.folder.glob("*.nested.template.json")):
            yield read(path)

    def templates(self) -> Mapping[str, Template]:
        return {path.name: read(path) for path in sorted(self.folder.glob("*.template.json"))}


def synthesized(folder: Path, manifest: Manifest = SHOP, stage: Stage | None = None) -> Stacks:
    """Write zips for the manifest's functions and the stacks of a stage, `dev` without CDN by default."""
    built = written(manifest, folder / "build")
    out = folder / "assembly"
    assembly.synth(built, stage or Stage("dev", cdn=False), folder / "build", out)
    return Stacks(out)


def read(path: Path) -> Template:
    return json.loads(path.read_text(encoding="utf-8"))


def of_type(template: Template, type_: str) -> dict[str, dict[str, Any]]:
    """The resources of a type by their logical ids, each with its properties and attributes such as `Metadata`."""
    return {key: row for key, row in template["Resources"].items() if row["Type"] == type_}


def properties(template: Template, logical_id: str) -> dict[str, Any]:
    return template["Resources"][logical_id]["Properties"]
