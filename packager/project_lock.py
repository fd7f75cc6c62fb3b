"""The lock that a project keeps itself: `uv.lock`, its own or its workspace's, else `pylock.toml` (PEP 751).

Its versions and wheels are taken as they are. What the runtime needs beside them is resolved so that none of
them changes; where that cannot be, the project has to lock anew. Without such a file uv resolves the dependencies.
"""

import hashlib
import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from packaging.markers import Environment
from packaging.pylock import Package, Pylock, PylockValidationError
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from packager import lock
from packager.errors import ProjectError
from packager.model import Project
from packager.workspace import UV_LOCK, workspace_of

PYLOCK = "pylock.toml"

_MEND = {
    UV_LOCK: "Lock again: `uv lock`.",
    PYLOCK: "Lock again: `uv pip compile --universal --format pylock.toml pyproject.toml -o pylock.toml`, or "
    "`uv export --format pylock.toml` of a uv.lock.",
}
_LAST_PATCH = 99
"""Lambda's Python gets patch releases by itself: a lock for a later patch of the minor version is one for it."""


def locked(
    project: Project,
    runtime: Iterable[str],
    cache: Path,
    report: Callable[[str], None],
    *,
    environments: Mapping[str, Environment],
    offline: bool = False,
) -> Pylock:
    """The versions and wheels of the project and of the distributions that `runtime` names.

    `environments` are the platforms, by their names for messages, for which a lock of the project must hold;
    `cache` and `offline` are as in `lock`. Raises `ProjectError` if the project's lock does not fit
    `[project] dependencies`, a platform or the runtime, and what `lock` raises.
    """
    file = name_of(project.root)
    if file is None:
        return lock.lock(project, runtime, cache, report, offline=offline)
    lock.declared(project)  # what is no requirement is told before anything is compared with it
    given = _read(project, file, cache, offline=offline)
    for platform, environment in environments.items():
        _check(project, file, given, platform, environment)
    requirements = _lacking(file, given, lock.own(runtime), environments)
    if not requirements:
        return given
    try:
        added = lock.resolved(project, requirements, _constraints(given), cache, report, offline=offline)
    except ProjectError as error:
        raise _unfit(
            file,
            f"{file} cannot stay as it is beside what the runtime needs: {error.message}",
            hint=f"Allow other versions in [project] dependencies. {_mend(file)}",
        ) from error
    return _merged(given, added)


def name_of(root: Path) -> str | None:
    """The lock that the versions of the project in `root` come from, if it keeps one; its path relative to `root`.

    uv takes no notice of a `uv.lock` in a member of a workspace.
    """
    workspace = workspace_of(root)
    of_uv = Path(os.path.relpath(workspace / UV_LOCK, root)).as_posix() if workspace else UV_LOCK
    return next((name for name in (of_uv, PYLOCK) if (root / name).is_file()), None)


def _mend(file: str) -> str:
    return _MEND[PurePosixPath(file).name]


def _read(project: Project, file: str, cache: Path, *, offline: bool) -> Pylock:
    content = (project.root / file).read_bytes()
    try:
        if file == PYLOCK:
            given = Pylock.from_dict(tomllib.loads(content.decode("utf-8")))
        else:
            pyproject = project.root / "pyproject.toml"
            inputs = content + (pyproject.read_bytes() if pyproject.is_file() else b"")
            key = hashlib.sha256(inputs).hexdigest()[:20]
            kept = cache / f"uv-lock-{key}.toml"
            given = lock.kept(kept, lambda: _export(project, file, content), offline=offline)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, PylockValidationError) as error:
        raise _unfit(file, f"{file} cannot be read: {error}") from error
    packages = [row for row in given.packages if not _is_project(project, row)]
    return replace(given, packages=packages)


def _is_project(project: Project, package: Package) -> bool:
    folder = package.directory
    return folder is not None and (project.root / folder.path).resolve() == project.root


def _export(project: Project, file: str, content: bytes) -> str:
    _check_extras(project, file, tomllib.loads(content.decode("utf-8")))
    words = [
        *(lock.uv(), "export", "--format", "pylock.toml", "--frozen", "--offline", "--no-default-groups"),
        *("--no-emit-project", "--python", sys.executable, "--no-header", "--no-progress", "-q"),
        *("--color", "never"),
    ]
    done = lock.call(project, words, "")
    if done.returncode != 0:
        raise _unfit(file, f"{file} cannot be used: {lock.essence(done.stderr)}")
    return done.stdout


def _check_extras(project: Project, file: str, document: Mapping[str, object]) -> None:
    """An extra that was added later would be left out without a word: its packages are not in the lock."""
    packages = document.get("package")
    rows = [row for row in packages if isinstance(row, dict)] if isinstance(packages, list) else []
    folder = Path(os.path.relpath(project.root, (project.root / file).resolve().parent)).as_posix()
    own = next(
        (row for row in rows if row.get("source") in ({"virtual": folder}, {"editable": folder})), None
    )
    if own is None:
        return
    extras: dict[str, set[str]] = {}
    for row in own.get("dependencies", []):
        extras.setdefault(canonicalize_name(row["name"]), set()).update(row.get("extra", []))
    for text in project.dependencies:
        wanted = Requirement(text)
        name = canonicalize_name(wanted.name)
        known = {canonicalize_name(extra) for extra in extras.get(name, ())}
        for extra in sorted(wanted.extras):
            if name in extras and canonicalize_name(extra) not in known:
                raise _unfit(
                    file,
                    f"{file} has {name} without the extra {extra}, which [project] dependencies ask for",
                    lock.place(project, name),
                )


def _check(project: Project, file: str, given: Pylock, platform: str, environment: Environment) -> None:
    values = {key: str(value) for key, value in environment.items()}
    python = values["python_full_version"]
    if given.requires_python is not None and not _allows(given.requires_python, python):
        raise _unfit(file, f"{file} is for Python {given.requires_python}, not for {platform}")
    if given.environments and not any(row.evaluate(values) for row in given.environments):
        raise _unfit(file, f"{file} is not for {platform}: its environments are others")
    here = _on(given, environment)
    for requirement in map(Requirement, project.dependencies):
        if _applies(requirement, values):
            _check_holds(project, file, requirement, here, platform)
    for row in here:
        _check_wheels(project, file, row)


def _check_holds(
    project: Project, file: str, requirement: Requirement, here: Sequence[Package], platform: str
) -> None:
    name = canonicalize_name(requirement.name)
    found = [row for row in here if row.name == name]
    if not found:
        raise _unfit(
            file,
            f"{file} has no {name}, which [project] dependencies ask for on {platform}",
            lock.place(project, name),
        )
    if wrong := _excluded(requirement, found):
        raise _unfit(
            file,
            f"{file} has {name} {wrong.version}, and [project] dependencies ask for {requirement}",
            lock.place(project, name),
        )


def _check_wheels(project: Project, file: str, package: Package) -> None:
    if not package.wheels and (package.sdist is None or package.name not in lock.from_source(project)):
        what = "a source distribution" if package.sdist else "a repository, a folder or an archive"
        raise ProjectError(
            f"{file} has {package.name} as {what}, and artifacts are made of wheels",
            place=lock.place(project, package.name),
            hint=lock.FROM_SOURCE.format(name=package.name) + f" {_mend(file)}",
        )
    for wheel in package.wheels or ():
        if "sha256" not in wheel.hashes:
            raise _unfit(file, f"{file} has no SHA-256 for {wheel.filename}, so that it cannot be verified")


def _lacking(
    file: str, given: Pylock, requirements: Sequence[str], environments: Mapping[str, Environment]
) -> tuple[str, ...]:
    """Those of our own requirements that the lock does not meet on every platform."""
    lacking = []
    for requirement in map(Requirement, requirements):
        name = canonicalize_name(requirement.name)
        rows = [[row for row in _on(given, here) if row.name == name] for here in environments.values()]
        if wrong := next((row for found in rows if (row := _excluded(requirement, found))), None):
            raise _unfit(
                file,
                f"{file} has {name} {wrong.version}, and the runtime needs {requirement}",
                hint=f'Ask for "{requirement}" in [project] dependencies. {_mend(file)}',
            )
        if not all(rows):
            lacking.append(str(requirement))
    return tuple(lacking)


def _constraints(given: Pylock) -> tuple[str, ...]:
    lines = []
    for row in given.packages:
        if row.version is None:
            continue
        marker = str(row.marker or "")
        # a constraint knows nothing of the extras and groups that a lock may have markers for
        of_lock = re.search(r"\b(extras|dependency_groups)\b", marker)
        lines.append(f"{row.name}=={row.version}" + (f" ; {marker}" if marker and not of_lock else ""))
    return tuple(sorted(lines))


def _merged(given: Pylock, added: Pylock) -> Pylock:
    """All that either has; what both have keeps the files of `given` and is for where either wants it."""
    packages = {(row.name, row.version): row for row in given.packages}
    for row in added.packages:
        key = row.name, row.version
        other = packages.get(key)
        if other is None:
            packages[key] = row
        else:
            both = other.marker | row.marker if other.marker and row.marker else None
            packages[key] = replace(other, marker=both)
    return replace(given, packages=sorted(packages.values(), key=lambda row: (row.name, str(row.version))))


def _on(given: Pylock, environment: Environment) -> list[Package]:
    values = {key: str(value) for key, value in environment.items()}
    return [
        row
        for row in given.packages
        if row.marker is None or row.marker.evaluate(values, context="lock_file")
    ]


def _applies(requirement: Requirement, values: Mapping[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({**values, "extra": ""})


def _excluded(requirement: Requirement, rows: Iterable[Package]) -> Package | None:
    for row in rows:
        if row.version is not None and not requirement.specifier.contains(row.version, prereleases=True):
            return row
    return None


def _allows(specifier: SpecifierSet, python: str) -> bool:
    major, minor, _patch = python.split(".")
    return any(specifier.contains(version) for version in (python, f"{major}.{minor}.{_LAST_PATCH}"))


def _unfit(file: str, message: str, place: str | None = None, *, hint: str | None = None) -> ProjectError:
    return ProjectError(message, place=place or file, hint=hint or _mend(file))
