"""The pipeline: load → discover → analyse → resolve → place → check (all in `examine`) → bundle → manifest.

Each stage is a function of the values before it. Nothing but caches is written until all checks have passed,
and the output folder is replaced as a whole at the end. This module imports no more than a build that has
nothing to do needs; the stages are imported where they run.
"""

import dataclasses
import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from infra import manifest
from infra.manifest import Manifest
from packager import fingerprint
from packager.cache import without_derived
from packager.diagnostics import Diagnostic
from packager.errors import DiagnosticsError, ProjectError
from packager.staging import OUTPUT, check_place, staged

if TYPE_CHECKING:
    from packager.bundle import Part
    from packager.grouping import Grouping
    from packager.model import App, Project
    from packager.plan import Plan
    from packager.targets import Artifact, Target

type Report = Callable[[str], None]

_TREE_RULES = {"ambiguous-route", "catch-all-not-last", "duplicate-param", "invalid-segment"}
"""Errors that leave open which file answers a URL."""


@dataclass(frozen=True, slots=True)
class BuildResult:
    """A finished build.

    `changed` is false if the output was current; `diagnostics` are this run's findings. `previous` is the manifest
    that was there before.
    """

    manifest: Manifest
    out: Path
    changed: bool
    diagnostics: tuple[Diagnostic, ...] = ()
    previous: Manifest | None = None


def build(
    folder: Path, out: Path | None = None, *, check: bool = True, cached: bool = True, report: Report
) -> BuildResult:
    """Build the project `folder` into `out` (default: `.packager` in the project).

    `report` gets one line for each long step. Without `check`, errors in user code do not stop the build;
    errors of the route tree do. Unless `cached`, nothing of earlier builds is used but the lock and the
    downloads. Raises `DiagnosticsError` and other `ProjectError`s, `UsageError` and
    `ToolError`; the previous output then stays as it was.
    """
    root, out = _places(folder, out)
    if not cached:
        with without_derived():
            return _build(root, out, None, check=check, report=report)
    previous = fingerprint.read(out)
    if previous and (previous.checked or not check) and fingerprint.is_current(root, out):
        current = manifest.read(out)
        return BuildResult(current, out, changed=False, previous=current)
    return _build(root, out, previous, check=check, report=report)


def is_current(folder: Path, out: Path | None = None) -> bool:
    """Whether the output is that of the project's present state, built with checks or without."""
    return fingerprint.is_current(*_places(folder, out))


def host_overlay(folder: Path, out: Path | None, function: manifest.Function) -> tuple[Path, ...]:
    """Folders to put before the artifact on `sys.path`, so that `function` runs on this machine.

    They hold this machine's wheels of the same versions as the function's native distributions; there are none
    if the artifact's own run here. Raises `ProjectError` if one has no wheel for this machine, `ToolError` if
    a download fails.
    """
    names = [row.name for row in function.distributions if row.native]
    if not names or function.runtime != "nodejs":
        return ()
    from packager import project, resolve  # noqa: PLC0415

    loaded = project.load(_places(folder, out)[0])
    locked = resolve.locked_for(loaded, _silent)
    return resolve.overlay(loaded, locked, loaded.settings.nodejs, names, _silent)


def _build(
    root: Path, out: Path, previous: fingerprint.Record | None, *, check: bool, report: Report
) -> BuildResult:
    from packager.examine import examine  # noqa: PLC0415
    from packager.plan import patterns, plan  # noqa: PLC0415

    check_place(root, out)
    replaced = _replaced(out)
    before = fingerprint.inputs(root, ())
    examination = examine(root, report, resolving="everything")
    app, sites = examination.app, examination.sites
    broken = not app.routes or any(item.rule in _TREE_RULES for item in examination.diagnostics)
    found = _judge(examination.diagnostics, check=check or broken)
    if not app.routes:
        raise _no_routes(app.project)
    if examination.failure:
        raise examination.failure
    include = patterns(app)
    inputs = fingerprint.inputs(root, include)
    planned = plan(app, sites, report, strict=check)
    inputs = {**fingerprint.hashes(root, planned.watched), **inputs, **before}
    found = (*found, *planned.diagnostics)
    with staged(out) as fresh:
        old = _Old(out, previous)
        built, of_artifacts = _artifacts(app, examination.environment, planned, fresh, old, report)
        found = (*found, *_judge(of_artifacts, check=check))
        (fresh / manifest.FILE_NAME).write_text(manifest.to_json(built), encoding="utf-8")
        record = fingerprint.take(
            fresh,
            inputs,
            checked=check,
            include=include,
            watched=planned.watched,
            keys={part.contents.name: part.key for part in planned.parts},
        )
    fingerprint.write(record, out)
    if out == root / OUTPUT:
        # in somebody's repository, like the caches of other tools: never committed by accident
        (out / ".gitignore").write_text("*\n", encoding="utf-8")
    return BuildResult(built, out, changed=True, diagnostics=found, previous=replaced)


def _artifacts(
    app: "App", environment: manifest.Environment, planned: "Plan", fresh: Path, old: "_Old", report: Report
) -> tuple[Manifest, tuple[Diagnostic, ...]]:
    """Write all but the manifest into `fresh`; with it, what is wrong with the artifacts.

    The nodejs ones are tested, which is waiting for other processes, while the edge functions are frozen.
    """
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    from packager import budget, sbom  # noqa: PLC0415
    from packager.smoke import smoke_test  # noqa: PLC0415

    def written(runtime: manifest.Runtime) -> list[Made]:
        parts = [part for part in planned.parts if part.runtime == runtime]
        return [_write(app.project, part, planned.targets[runtime], fresh, old, report) for part in parts]

    nodejs = written("nodejs")
    untested = [item for item in nodejs if item.fresh or not (old.record and old.record.checked)]
    with ThreadPoolExecutor(1) as meanwhile:
        test = partial(smoke_test, app.project, environment, fresh, untested, report)
        tested = meanwhile.submit(copy_context().run, test)
        made = sorted([*nodejs, *written("edge")], key=lambda item: item.function.name)
        built = _manifest(app, environment, planned.grouping, made)
        carried = {item.function.name: item.part.distributions for item in made}
        sbom.write(fresh, built, carried)
        return built, (*budget.judge(app.project, fresh, built.functions, carried), *tested.result())


def _manifest(
    app: "App", environment: manifest.Environment, grouping: "Grouping", made: Sequence["Made"]
) -> Manifest:
    from packager.grouping import rows  # noqa: PLC0415

    built = Manifest(
        app=manifest.AppInfo(app.project.name, app.project.tree),
        routes=rows(app, grouping),
        middleware=app.middleware,
        functions=tuple(item.function for item in made),
        environment=environment,
        site=site_of(app),
    )
    names = [row.name for row in built.functions]
    assert len(set(names)) == len(names), "two functions have one name"
    lost = [row.path for row in built.routes if row.function not in names]
    assert not lost, f"{lost} are in no artifact"
    return built


def _replaced(out: Path) -> Manifest | None:
    """The manifest that the build is going to replace, if there is one that can be read."""
    try:
        return manifest.read(out)
    except (OSError, ValueError):
        return None


def site_of(app: "App") -> manifest.Site:
    """The rules of the whole site, as the manifest has them."""
    rules = app.project.settings.site
    if rules is None:
        return manifest.Site()
    return manifest.Site(**dataclasses.asdict(rules))


def _places(folder: Path, out: Path | None) -> tuple[Path, Path]:
    root = folder.resolve()
    return root, (out.resolve() if out else root / OUTPUT)


def _judge(diagnostics: tuple[Diagnostic, ...], *, check: bool) -> tuple[Diagnostic, ...]:
    if check and any(item.severity == "error" for item in diagnostics):
        raise DiagnosticsError(diagnostics)
    return diagnostics


def _no_routes(project: "Project") -> ProjectError:
    return ProjectError(
        f"there is no route in {project.tree}/",
        place=project.tree,
        hint=f"Write the first one: {project.tree}/api/hello/route.py with a function GET.",
    )


def _silent(_line: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class _Old:
    out: Path
    record: fingerprint.Record | None


@dataclass(frozen=True, slots=True)
class Made:
    """An artifact in the new output; `fresh` unless it is the one of the build before."""

    function: manifest.Function
    part: "Part"
    fresh: bool


def _write(
    project: "Project", part: "Part", target: "Target", fresh: Path, old: _Old, report: Report
) -> Made:
    contents = part.contents
    kept = made = _reused(part, target, fresh, old)
    if made is None:
        report(f"writing {target.artifact(contents.name)}")
        made = target.bundle(contents, fresh, report)
    written = made.written
    on_lambda = target.RUNTIME == "nodejs"
    function = manifest.Function(
        name=contents.name,
        runtime=target.RUNTIME,
        target=target.NAME,
        artifact=target.artifact(contents.name),
        sha256=written.sha256,
        zip_bytes=written.size,
        unpacked_bytes=written.unpacked,
        handler=target.HANDLER,
        distributions=tuple(
            manifest.Distribution(row.wheel.name, row.wheel.version, row.wheel.native)
            for row in part.distributions
        ),
        max_duration=contents.max_duration,
        memory=contents.memory,
        python=project.settings.nodejs.python if on_lambda else None,
        architecture=project.settings.nodejs.architecture if on_lambda else None,
        snap_start=on_lambda and project.settings.nodejs.snap_start,
        folder=target.folder(contents.name),
        snapshot=made.snapshot,
        middleware=part.middleware,
    )
    return Made(function, part, fresh=kept is None)


def _reused(part: "Part", target: "Target", fresh: Path, old: _Old) -> "Artifact | None":
    """Link the previous artifact into `fresh` if its inputs were the same and it is still what was written."""
    from packager.archive import Written  # noqa: PLC0415
    from packager.targets import Artifact  # noqa: PLC0415

    name = part.contents.name
    if old.record is None or old.record.keys.get(name) != part.key:
        return None
    folder = target.folder(name)
    kept = {target.artifact(name)} | {
        file for file in old.record.outputs if folder and file.startswith(f"{folder}/")
    }
    try:
        row = next(item for item in manifest.read(old.out).functions if item.name == name)
        if hashlib.sha256((old.out / row.artifact).read_bytes()).hexdigest() != row.sha256:
            return None
        if any((old.out / file).stat().st_size != old.record.outputs[file] for file in kept):
            return None
    except (OSError, KeyError, StopIteration, manifest.ManifestError):
        return None
    for file in sorted(kept):
        (fresh / file).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(old.out / file, fresh / file)
        except OSError:
            shutil.copyfile(old.out / file, fresh / file)
    return Artifact(Written(row.sha256, row.zip_bytes, row.unpacked_bytes), row.snapshot)
