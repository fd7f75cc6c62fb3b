"""The last test of a build: each nodejs artifact is imported, and its routes matched, with nothing else on the path.

It runs in a clean process, of the Python that the artifact is for if that is here, from the unpacked zip; this
machine's wheels stand for native ones of another platform. The environment holds the app's plain variables and what
Lambda itself sets. What is missing is an error with the imports that lead to it; what may only be missing here, such
as a secret or the network, is a warning.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from infra.manifest import Environment, Function
from packager import import_child
from packager.archive import unpack
from packager.bundle import Part
from packager.diagnostics import Diagnostic, in_order
from packager.errors import PackagerError
from packager.model import Project
from packager.smoke_findings import finding

TIME_LIMIT = 60
"""Seconds that an artifact may take; Lambda itself gives ten."""

_CHILD = Path(__file__).with_name("smoke_child.py")
type Report = Callable[[str], None]


class Subject(Protocol):
    """A built artifact: its row of the manifest, and what went into it."""

    @property
    def function(self) -> Function: ...

    @property
    def part(self) -> Part: ...


@dataclass(frozen=True, slots=True)
class _Bench:
    """What the subjects are tested with; `out` is the build output that holds their artifacts."""

    out: Path
    interpreter: str
    environment: Environment


def smoke_test(
    project: Project, environment: Environment, out: Path, subjects: Sequence[Subject], report: Report
) -> tuple[Diagnostic, ...]:
    """Test the artifacts of nodejs functions in the build output `out`, several at a time.

    `report` gets a line for each that cannot be tested. Finds `unresolved-import` and `missing-file` for what is not
    in an artifact, `import-failed` for any other error of a module while it is imported, and the warning
    `import-needs-variable`.
    """
    subjects = [item for item in subjects if item.function.runtime == "nodejs"]
    if not subjects:
        return ()
    python = project.settings.nodejs.python
    interpreter = _interpreter(python)
    if interpreter is None:
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        report(f"the artifacts are tested with Python {here}: there is no Python {python} on this machine")
    jobs: list[tuple[Subject, tuple[Path, ...]]] = []
    for item in subjects:
        overlay = _overlay(project, item, report, exact=interpreter is not None)
        if overlay is not None:
            jobs.append((item, overlay))
    bench = _Bench(out, interpreter or sys.executable, environment)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as threads:
        results = threads.map(lambda job: _tested(project, bench, *job), jobs)
        return in_order([found for rows in results for found in rows])


def _interpreter(python: str) -> str | None:
    if f"{sys.version_info.major}.{sys.version_info.minor}" == python:
        return sys.executable
    from packager.bytecode import find  # noqa: PLC0415 - asks other programs

    found = find(python)
    return found.path if found else None


def _overlay(project: Project, subject: Subject, report: Report, *, exact: bool) -> tuple[Path, ...] | None:
    """This machine's wheels for native ones; None, and a line, if the artifact cannot run here at all."""
    rows = (*subject.part.distributions, *subject.part.provided)
    native = sorted({row.wheel.name for row in rows if row.wheel.native})
    if not native:
        return ()
    skipped = f"{subject.function.artifact} is not tested"
    if not exact:
        report(f"{skipped}: {native[0]} is compiled for Python {project.settings.nodejs.python}")
        return None
    from packager import resolve  # noqa: PLC0415 - 50 ms that artifacts of pure Python do without

    try:
        locked = resolve.locked_for(project, lambda _line: None)
        return resolve.overlay(project, locked, project.settings.nodejs, native, lambda _line: None)
    except PackagerError as error:
        report(f"{skipped}: {error.message}")
        return None


def _tested(project: Project, bench: _Bench, subject: Subject, overlay: tuple[Path, ...]) -> list[Diagnostic]:
    with tempfile.TemporaryDirectory(prefix="packager-smoke-") as area:
        root, result = Path(area, "task").resolve(), Path(area, "result.json").resolve()
        unpack(bench.out / subject.function.artifact, root)
        folders = (*overlay, root, *(row.folder for row in subject.part.provided))
        command = [bench.interpreter, "-I", "-S", "-B", str(_CHILD), str(result), subject.function.handler]
        words = [*command, *map(str, (root, *folders))]
        said = import_child.run(words, root, _variables(bench, subject.function, root), TIME_LIMIT)
        try:
            rows = json.loads(result.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return [_ended(subject, said)]
    return [finding(project, bench.environment, subject.part, row) for row in rows]


def _variables(bench: _Bench, function: Function, root: Path) -> dict[str, str]:
    """Source: docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html (defined runtime variables)."""
    return {
        **bench.environment.values,
        **function.environment,
        "_HANDLER": function.handler,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{function.python}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "build",
        "AWS_REGION": "us-east-1",
        "LAMBDA_TASK_ROOT": str(root),
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TZ": ":UTC",
    }


def _ended(subject: Subject, said: str) -> Diagnostic:
    routes = [entry.name for entry in subject.part.contents.entries if entry.name.endswith("/route.py")]
    return Diagnostic(
        "import-failed",
        routes[0] if routes else "pyproject.toml",
        1,
        1,
        f"{subject.function.artifact} does not start: {said}",
        "`packager preview` shows all that it writes; do slow or risky work in handlers, not in imports.",
    )
