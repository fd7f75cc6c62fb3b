"""The stacks of a stage, as a cloud assembly: build if needed, read the stage, let CDK write, swap in.

CDK runs in this process, on the Node that pip installed; it needs neither network nor credentials.
"""

import difflib
import hashlib
import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from infra import manifest
from infra.errors import Fault, StackError
from infra.manifest import Manifest
from infra.stage import Stage
from packager import build as builds
from packager import fingerprint, plain_secrets, stages
from packager.errors import DiagnosticsError, StacksError, ToolError, UsageError
from packager.model import Project
from packager.project import PYPROJECT, Document, line_of, load
from packager.staging import OUTPUT

if TYPE_CHECKING:
    from infra.assembly import Assembly

MARKER = "cdk.out"
"""The file that CDK puts into every assembly; it holds the version of the format."""

RECORD = "packager.json"
"""The file that this tool adds: the hash of all that an assembly was made from."""

type Report = Callable[[str], None]


def synth(
    folder: Path, name: str | Stage | None, out: Path | None = None, *, validate: bool = False, report: Report
) -> "Assembly":
    """Write the stacks of the stage `name`, or of a stage itself, of the project `folder` to `out`, and say what is
    in them.

    Builds first if the output in `.packager` is absent or stale. `out` is `.packager/cdk.<stage>` by default, which
    later builds leave alone. `validate` has CDK check the templates too, some seconds more. Raises `UsageError`
    without a stage or if `out` holds something else, `StacksError` with every limit that is passed, `ToolError` if
    CDK fails, and what a build and `stages.read` raise; an earlier assembly then stays as it was.
    """
    project = load(folder)
    stage = name if isinstance(name, Stage) else stages.named(project, name)
    place = (out or default_place(project, stage)).resolve()
    _check_place(project.root, place)
    built = _build(project.root, report)
    if faults := _unknown_functions(built, stage):
        raise StacksError(faults, stage.name)
    if isinstance(name, str):
        _check_variables(project, built, name, report)
    report(f"synthesizing {stage.name} for {stage.region}")
    try:
        with _replacing(place) as fresh:
            assembly = _run(built, stage, project.root / OUTPUT, fresh, validate=validate)
            (fresh / RECORD).write_text(_record(built, stage), encoding="utf-8")
    except StackError as error:
        document = Document.read(project.root)
        faults = [replace(fault, place=_place(document, fault.place)) for fault in error.faults]
        raise StacksError(faults, stage.name) from error
    return replace(assembly, folder=place)


def default_place(project: Project, stage: Stage) -> Path:
    """Where the assembly of a stage is, unless another place was asked for."""
    return project.root / OUTPUT / f"cdk.{stage.name}"


def is_current(project: Project, stage: Stage) -> bool:
    """Whether build and default assembly of a stage are those of the project's and the stage's present state."""
    if not builds.is_current(project.root):
        return False
    try:
        written = (default_place(project, stage) / RECORD).read_text(encoding="utf-8")
    except OSError:
        return False
    return written == _record(manifest.read(project.root / OUTPUT), stage)


def _record(built: Manifest, stage: Stage) -> str:
    made_from = [fingerprint.tool(), manifest.to_json(built), repr(stage)]
    return json.dumps({"inputs": hashlib.sha256(json.dumps(made_from).encode()).hexdigest()}) + "\n"


def _build(root: Path, report: Report) -> Manifest:
    if not builds.is_current(root):
        return builds.build(root, report=report).manifest
    return manifest.read(root / OUTPUT)


def _unknown_functions(built: Manifest, stage: Stage) -> list[Fault]:
    known = [row.name for row in built.functions]
    unknown = {name: None for row in stage.permissions for name in row.functions if name not in known}
    return [
        Fault(
            f"the permissions name the function {name!r}, which the app does not have",
            hint=f"Name one of {', '.join(difflib.get_close_matches(name, known) or known)}, or none for all.",
            place=PYPROJECT,
        )
        for name in unknown
    ]


def _check_variables(project: Project, built: Manifest, name: str, report: Report) -> None:
    """Raise `DiagnosticsError` for what must not be a plain variable of the stage; warnings are reported."""
    on_edge = any(row.runtime == "edge" for row in built.functions)
    found = plain_secrets.of_stage(project, name, on_edge=on_edge)
    if any(item.severity == "error" for item in found):
        raise DiagnosticsError(found)
    for item in found:
        report(f"warning[{item.rule}] {item.file}:{item.line} {item.message}")


def _run(built: Manifest, stage: Stage, build: Path, out: Path, *, validate: bool) -> "Assembly":
    from packager.node import node  # noqa: PLC0415

    node()  # without it CDK would take the system's, if there is one
    from jsii.errors import JSIIError  # noqa: PLC0415 - 2 s that nothing else needs

    from infra import assembly  # noqa: PLC0415

    try:
        return assembly.synth(built, stage, build, out, validate=validate)
    except (JSIIError, RuntimeError) as error:
        # jsii raises what JavaScript threw as RuntimeError; below the message comes its stack
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ToolError(
            f"CDK could not make the stacks: {reason[0]}",
            hint="If this names a disk or a permission, mend that; else run with packager --debug and report it.",
        ) from error


def _check_place(root: Path, out: Path) -> None:
    if root.is_relative_to(out):
        raise UsageError(f"{out} holds the project itself", hint="Give --out a folder of its own.")
    above = next(path for path in (out, *out.parents) if path.exists())
    if not above.is_dir():
        raise UsageError(f"{above} is a file, not a folder", hint="Give --out another place.")
    if out.exists() and any(out.iterdir()) and not (out / MARKER).is_file():
        raise UsageError(
            f"{out} exists and is not a cloud assembly", hint="Give --out a new or an empty folder."
        )


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A new folder beside `out` that takes its place when the block ends well, and vanishes otherwise.

    It lies as deep as `out`, so that relative paths in the assembly hold before and after.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    mark = secrets.token_hex(4)
    fresh, retired = (out.with_name(f".{out.name}-{mark}-{state}") for state in ("fresh", "retired"))
    try:
        fresh.mkdir()
        yield fresh
        if out.exists():
            out.rename(retired)
        fresh.rename(out)
    except BaseException:
        if retired.exists() and not out.exists():
            retired.rename(out)
        raise
    finally:
        for folder in (fresh, retired):
            shutil.rmtree(folder, ignore_errors=True)


def _place(document: Document, place: str | None) -> str | None:
    """Where a fault is: a setting by its line in `pyproject.toml`, in the stage's own table or the default one."""
    if place is None:
        return None
    parts = place.split(".")
    stage = len(stages.TABLE.split("."))
    default = ".".join([*parts[:stage], stages.DEFAULT, *parts[stage + 1 :]])
    for setting in (place, default) if place.startswith(f"{stages.TABLE}.") else (place,):
        if _is_written(document, setting):
            table, _, key = setting.rpartition(".")
            return f"{PYPROJECT}:{line_of(document.text_lines, table, key)}"
    return place


def _is_written(document: Document, setting: str) -> bool:
    value: object = document.data
    for part in setting.split("."):
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
    return True
