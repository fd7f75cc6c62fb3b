"""The cloud assembly that synth wrote, as values: stacks in the order in which they are deployed, and their files.

Read are `manifest.json` and the `*.assets.json` that it names (AWS CDK, "cloud-assembly-schema"). What this tool
does not deploy, container images or folders to be zipped, is refused when it is read, not in the middle of a deploy.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packager.errors import ToolError

SCHEMA = 55
"""The oldest version of the format that is read. CDK raises the number with every addition, so newer ones pass."""

_HINT = "Make it again with `packager synth`."
_STACK = "aws:cloudformation:stack"
_ASSETS = "cdk:asset-manifest"
_NESTED_ASSEMBLY = "cdk:cloud-assembly"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file that AWS reads from a bucket: an artifact or a template.

    `bucket_template` is the bucket's name in which `${AWS::AccountId}` stands for the account, `key` the object's.
    `hash` names the content; `sha256` is the file's own, in hexadecimal digits, where the assembly promises it.
    """

    path: Path
    hash: str
    bucket_template: str
    key: str
    region: str
    sha256: str | None = None
    is_template: bool = False


@dataclass(frozen=True, slots=True)
class Stack:
    """One stack. `assets` are all its files: `template` itself, nested templates, artifacts.

    `depends_on` are names of stacks that have to be there before. `tags` are for the stack and what is in it.
    """

    name: str
    region: str
    template: Asset
    assets: tuple[Asset, ...]
    depends_on: tuple[str, ...]
    tags: tuple[tuple[str, str], ...] = ()
    termination_protection: bool = False


@dataclass(frozen=True, slots=True)
class Assembly:
    """Everything that is deployed for a stage. No stack comes before one that it depends on."""

    folder: Path
    stacks: tuple[Stack, ...]


def read(folder: Path) -> Assembly:
    """The assembly in `folder`; of the files that it names, the presence is checked and nothing else.

    Raises `ToolError` if it is not one, is of a version that is too old, or names a file that is missing or outside.
    """
    folder = folder.resolve()
    path = folder / "manifest.json"
    document = _document(path)
    try:
        _check_version(document["version"], path)
        artifacts = document.get("artifacts", {})
        for name, artifact in artifacts.items():
            if artifact["type"] == _NESTED_ASSEMBLY:
                raise _unfit(path, f"{name} is an assembly within the assembly")
        found = {
            name: _stack(folder, name, artifacts)
            for name, artifact in artifacts.items()
            if artifact["type"] == _STACK
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unfit(path, f"its content is not as expected: {error!r}") from error
    if not found:
        raise _unfit(path, "it has no stacks")
    return Assembly(folder, tuple(_ordered(found, path)))


def _document(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ToolError(f"there is no cloud assembly: {path} is missing", hint=_HINT) from error
    except (OSError, ValueError) as error:
        raise _unfit(path, f"it cannot be read: {error}") from error


def _check_version(version: str, path: Path) -> None:
    if int(version.partition(".")[0]) < SCHEMA:
        raise _unfit(path, f"its format is {version}, older than {SCHEMA}")


def _stack(folder: Path, name: str, artifacts: dict[str, Any]) -> Stack:
    artifact = artifacts[name]
    properties = artifact["properties"]
    needed = artifact.get("dependencies", [])
    template = properties["templateFile"]
    assets = [
        asset
        for other in needed
        if artifacts[other]["type"] == _ASSETS
        for asset in _assets(folder, _inside(folder, artifacts[other]["properties"]["file"]), template)
    ]
    path = _inside(folder, template)
    own = next((asset for asset in assets if asset.path == path), None)
    if own is None:
        raise _unfit(path, "it is not among the files to be uploaded")
    return Stack(
        name=properties.get("stackName", name),
        region=_region(artifact["environment"], folder),
        template=own,
        assets=tuple(assets),
        depends_on=tuple(
            artifacts[other]["properties"].get("stackName", other)
            for other in needed
            if artifacts[other]["type"] == _STACK
        ),
        tags=tuple(properties.get("tags", {}).items()),
        termination_protection=properties.get("terminationProtection", False),
    )


def _region(environment: str, folder: Path) -> str:
    region = environment.rpartition("/")[2]
    if region == "unknown-region":
        raise _unfit(folder / "manifest.json", "a stack has no region")
    return region


def _assets(folder: Path, listing: Path, template: str) -> Iterator[Asset]:
    document = _document(listing)
    if document.get("dockerImages"):
        raise _unfit(listing, "it has container images, which only the CDK CLI deploys")
    for name, row in document.get("files", {}).items():
        source = row["source"]
        if source.get("packaging", "file") != "file" or "path" not in source:
            raise _unfit(listing, f"{name} is not a file, and only the CDK CLI deploys others")
        # CDK names a stack's template and what it is given by the hash of the bytes. Of assets that it makes and
        # displays itself, and of nested templates, the hash is of other things too.
        promised = source["path"] == template or "displayName" not in row
        for destination in row["destinations"].values():
            yield Asset(
                path=_inside(folder, source["path"]),
                hash=name,
                bucket_template=destination["bucketName"],
                key=destination["objectKey"],
                region=destination["region"],
                sha256=name if promised else None,
                is_template=source["path"].endswith(".template.json"),
            )


def _inside(folder: Path, name: str) -> Path:
    """The file of that name; an assembly may come from elsewhere, and must not have other files uploaded."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder):
        raise _unfit(folder / "manifest.json", f"it names a file outside its folder: {name}")
    if not path.is_file():
        raise ToolError(f"the cloud assembly is incomplete: {path} is missing", hint=_HINT)
    return path


def _ordered(stacks: dict[str, Stack], path: Path) -> Iterator[Stack]:
    """Each stack after those that it depends on, otherwise in the order of the manifest."""
    waiting = list(stacks.values())
    done: set[str] = set()
    while waiting:
        ready = next((stack for stack in waiting if done.issuperset(stack.depends_on)), None)
        if ready is None:
            names = ", ".join(stack.name for stack in waiting)
            raise _unfit(path, f"these stacks wait for each other: {names}")
        waiting.remove(ready)
        done.add(ready.name)
        yield ready


def _unfit(path: Path, why: str) -> ToolError:
    return ToolError(f"{path} is no cloud assembly that can be deployed: {why}", hint=_HINT)
