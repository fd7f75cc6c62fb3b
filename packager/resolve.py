"""From the project's dependencies to unpacked wheels for each platform, all chosen from one lock.

A platform is a set of wheel tags and the values of environment markers. If no wheel fits, none is taken: an
older version or a stub that happens to have one would be a different package under the same name.
"""

import platform as host
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.markers import Environment, default_environment
from packaging.pylock import Package, PackageWheel, Pylock
from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags, platform_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from infra.manifest import Runtime
from packager import project_lock, wheels
from packager.errors import ProjectError
from packager.lock import place
from packager.model import Architecture, Distribution, LambdaSettings, Project, Wheel
from packager.site_packages import Absent, SitePackages
from packager.staging import CACHE, OUTPUT

PYODIDE_PYTHON = "3.14.2"
PYODIDE_TAG = "pyemscripten_2026_0_wasm32"

_LAMBDA_GLIBC_MINOR = 34
"""Amazon Linux 2023, which Python 3.12 and later run on, has glibc 2.34."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What wheels are chosen for: tags, best first, and the environment markers. `name` is for messages."""

    name: str
    tags: tuple[Tag, ...]
    markers: Environment


def lambda_platform(settings: LambdaSettings) -> Platform:
    """CPython on AWS Lambda (Amazon Linux 2023)."""
    machine = _machine(settings.architecture)
    minors = range(_LAMBDA_GLIBC_MINOR, 4, -1)
    platforms = []
    for minor in minors:
        platforms.append(f"manylinux_2_{minor}_{machine}")
        legacy = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}.get(minor)
        if legacy:
            platforms.append(f"{legacy}_{machine}")
    platforms.append(f"linux_{machine}")
    name = f"AWS Lambda (Python {settings.python}, {settings.architecture})"
    markers = _markers(f"{settings.python}.0", "linux", "Linux", machine)
    return Platform(name, _tags(settings.python, platforms), markers)


def edge_platform() -> Platform:
    """Pyodide 314: CPython 3.14 compiled by Emscripten (PEP 783 tag)."""
    markers = _markers(PYODIDE_PYTHON, "emscripten", "Emscripten", "wasm32")
    return Platform("edge (Pyodide)", _tags("3.14", [PYODIDE_TAG]), markers)


def host_platform(python: str) -> Platform:
    """This machine, with CPython `python` ("3.13")."""
    own = default_environment()
    markers = _markers(f"{python}.0", sys.platform, host.system(), host.machine(), own["os_name"])
    return Platform("this machine", _tags(python, list(platform_tags())), markers)


def for_runtimes(
    project: Project, runtimes: Iterable[Runtime], report: Callable[[str], None], *, offline: bool = False
) -> dict[Runtime, SitePackages]:
    """The distributions of each of `runtimes`, of one lock that is kept in the project's own build folder.

    `offline`, only what earlier calls have locked and downloaded counts. Raises `ProjectError` if the
    dependencies are at fault, `ToolError` if something is missing or a download fails.
    """
    locked = locked_for(project, report, edge="edge" in runtimes, offline=offline)
    native, edge = lambda_platform(project.settings.nodejs), edge_platform()
    sites: dict[Runtime, SitePackages] = {}
    if "nodejs" in runtimes:
        sites["nodejs"] = site_packages(project, locked, native, report, naming=edge, offline=offline)
    if "edge" in runtimes:
        sites["edge"] = site_packages(
            project, locked, edge, report, naming=native, same_versions=True, offline=offline
        )
    return sites


def locked_for(
    project: Project, report: Callable[[str], None], *, edge: bool = False, offline: bool = False
) -> Pylock:
    """The project's versions, with what the targets' runtimes need, and the wheels that the project has built.

    `edge`: for edge too. Raises what `project_lock.locked` and `with_built` raise.
    """
    from packager import targets  # noqa: PLC0415 - the targets import the whole bundler

    runtime = {name for target in targets.registry().values() for name in target.DISTRIBUTIONS}
    platforms = [lambda_platform(project.settings.nodejs), *([edge_platform()] if edge else [])]
    locked = project_lock.locked(
        project,
        runtime,
        project.root / OUTPUT / CACHE,
        report,
        environments={platform.name: platform.markers for platform in platforms},
        offline=offline,
    )
    if not project.settings.build_from_source:
        return locked
    from packager.source_build import with_built  # noqa: PLC0415 - few projects have any

    tags = edge_platform().tags if edge else ()
    return with_built(project, locked, report, edge=tags, offline=offline)


def site_packages(
    project: Project,
    lock: Pylock,
    platform: Platform,
    report: Callable[[str], None],
    *,
    naming: Platform,
    same_versions: bool = False,
    offline: bool = False,
) -> SitePackages:
    """The locked distributions for `platform`, downloaded and unpacked.

    The import names of those without a wheel there are read from the wheel for `naming`, if it has one. With
    `same_versions`, one that is locked for `naming` in another version counts as absent, unless the project
    itself asks for it with a marker. Raises `ProjectError` for a distribution that is not a wheel at all,
    `ToolError` for a failed download and, `offline`, for a wheel that is not here yet.
    """
    chosen: dict[str, Wheel] = {}
    lacking: dict[str, Package] = {}
    others = _others(project, lock, naming) if same_versions else {}
    for package in _packages(lock, platform):
        wheel = choose(project, package, platform)
        if wheel is None or others.get(package.name, package).version != package.version:
            lacking[package.name] = package
        else:
            chosen[package.name] = wheel
    named = {name: others.get(name, package) for name, package in lacking.items()}
    substitutes = {name: choose(project, package, naming) for name, package in named.items()}
    wanted = [*chosen.values(), *(wheel for wheel in substitutes.values() if wheel)]
    folders = wheels.fetch(wanted, report, offline=offline)
    metadata = {name: _metadata(folders[wheel]) for name, wheel in chosen.items()}
    requirements = _requirements(project, metadata, {*chosen, *lacking}, platform)
    distributions = {
        name: Distribution(
            wheel, folders[wheel], wheels.top_level(folders[wheel]), tuple(sorted(requirements.get(name, ())))
        )
        for name, wheel in sorted(chosen.items())
    }
    absent = {
        name: _absent(package, lacking[name], _names(name, substitutes[name], folders))
        for name, package in sorted(named.items())
    }
    return SitePackages(platform.name, distributions, absent)


def _others(project: Project, lock: Pylock, platform: Platform) -> dict[str, Package]:
    """The packages locked for another platform, without those that the project declares with a marker."""
    declared = (Requirement(text) for text in project.dependencies)
    split = {canonicalize_name(row.name) for row in declared if row.marker}
    return {row.name: row for row in _packages(lock, platform) if row.name not in split}


def _absent(package: Package, lacking: Package, modules: tuple[str, ...]) -> Absent:
    files = tuple(wheel.filename for wheel in package.wheels or ())
    other = lacking.version != package.version
    return Absent(package.name, str(package.version), modules, files, str(lacking.version) if other else None)


def incomplete(project: Project, site: SitePackages) -> ProjectError | None:
    """The error of the first distribution that has no wheel for the platform of `site`, if there is one."""
    for name, absent in site.absent.items():
        return ProjectError(
            f"{name} {absent.version} has no wheel for {site.platform}",
            place=place(project, name),
            hint=f"Choose a version of {name} that offers one, set python or architecture in "
            "[tool.packager.lambda], or give the dependency a marker.",
        )
    return None


def overlay(
    project: Project,
    lock: Pylock,
    settings: LambdaSettings,
    names: Iterable[str],
    report: Callable[[str], None],
) -> tuple[Path, ...]:
    """Folders with this machine's wheels of the native distributions `names`; none if Lambda's run here.

    Raises `ProjectError` if one has no wheel for this machine.
    """
    here, there = host_platform(settings.python), lambda_platform(settings)
    wanted = set(names)
    chosen = []
    for package in _packages(lock, there):
        if canonicalize_name(package.name) not in wanted:
            continue
        native, own = choose(project, package, there), choose(project, package, here)
        if own is None:
            raise ProjectError(
                f"{package.name} {package.version} has no wheel for this machine (Python {settings.python})",
                place=place(project, package.name),
                hint="It can be deployed, but not be previewed here.",
            )
        if own != native:
            chosen.append(own)
    folders = wheels.fetch(chosen, report)
    return tuple(folders[wheel] for wheel in chosen)


def choose(project: Project, package: Package, platform: Platform) -> Wheel | None:
    """The best wheel of a locked package for a platform, or None. Raises `ProjectError` if it has no wheels."""
    if not package.wheels:
        source = "a source distribution" if package.sdist else "a repository, a folder or an archive"
        raise ProjectError(
            f"{package.name} is locked as {source}, and artifacts are made of wheels",
            place=place(project, package.name),
            hint=f"Depend on a released version of {package.name} that has wheels.",
        )
    ranks = {tag: rank for rank, tag in enumerate(platform.tags)}
    best: tuple[int, PackageWheel] | None = None
    for wheel in package.wheels:
        try:
            tags = parse_wheel_filename(wheel.filename)[3]
        except InvalidWheelFilename:
            continue
        rank = min((ranks[tag] for tag in tags if tag in ranks), default=None)
        if rank is not None and (best is None or rank < best[0]):
            best = rank, wheel
    return None if best is None else _wheel(project, package, best[1])


def _wheel(project: Project, package: Package, wheel: PackageWheel) -> Wheel:
    sha256 = wheel.hashes.get("sha256")
    if sha256 is None:
        raise ProjectError(
            f"the index gives no SHA-256 for {wheel.filename}, so that it cannot be verified",
            place=place(project, package.name),
            hint="Use an index that gives hashes.",
        )
    # uv writes paths relative to the folder it was started in
    url = wheel.url or (project.root / (wheel.path or "")).as_uri()
    tags = parse_wheel_filename(wheel.filename)[3]
    return Wheel(
        name=package.name,
        version=str(package.version),
        filename=unquote(urlsplit(wheel.filename).path),
        url=url,
        sha256=sha256.lower(),
        size=wheel.size,
        native=any(tag.platform != "any" for tag in tags),
    )


def _packages(lock: Pylock, platform: Platform) -> Iterable[Package]:
    for package in lock.packages:
        if package.marker is None or package.marker.evaluate(_mapping(platform), context="lock_file"):
            yield package


def _requirements(
    project: Project, metadata: Mapping[str, tuple[Requirement, ...]], names: set[str], platform: Platform
) -> dict[str, set[str]]:
    """What each distribution requires on the platform, with the extras that anything asked for."""
    extras: dict[str, set[str]] = {name: set() for name in names}
    for text in project.dependencies:
        requirement = Requirement(text)
        extras.get(canonicalize_name(requirement.name), set()).update(requirement.extras)
    result: dict[str, set[str]] = {name: set() for name in names}
    changed = True
    while changed:
        changed = False
        for name, rows in metadata.items():
            for row in rows:
                required = canonicalize_name(row.name)
                if required not in names or not _applies(row, platform, extras[name]):
                    continue
                new = required not in result[name] or not row.extras <= extras[required]
                result[name].add(required)
                extras[required].update(row.extras)
                changed = changed or new
    return {name: required - {name} for name, required in result.items()}


def _applies(requirement: Requirement, platform: Platform, extras: set[str]) -> bool:
    if requirement.marker is None:
        return True
    environments = [{**_mapping(platform), "extra": extra} for extra in ("", *sorted(extras))]
    return any(requirement.marker.evaluate(environment) for environment in environments)


def _metadata(folder: Path) -> tuple[Requirement, ...]:
    text = (wheels.dist_info(folder) / "METADATA").read_text(encoding="utf-8", errors="replace")
    rows = HeaderParser().parsestr(text).get_all("Requires-Dist", [])
    found = []
    for row in rows:
        try:
            found.append(Requirement(row))
        except InvalidRequirement:
            # uv resolved without it too: old metadata is not always well-formed
            continue
    return tuple(found)


def _names(name: str, substitute: Wheel | None, folders: Mapping[Wheel, Path]) -> tuple[str, ...]:
    return wheels.top_level(folders[substitute]) if substitute else (name.replace("-", "_"),)


def _tags(python: str, platforms: list[str]) -> tuple[Tag, ...]:
    version = tuple(int(part) for part in python.split("."))
    short = "".join(str(part) for part in version)
    native = cpython_tags(version, abis=[f"cp{short}"], platforms=platforms)
    return (*native, *compatible_tags(version, interpreter=f"cp{short}", platforms=platforms))


def _markers(python: str, system: str, name: str, machine: str, os_name: str = "posix") -> Environment:
    return Environment(
        implementation_name="cpython",
        implementation_version=python,
        os_name=os_name,
        platform_machine=machine,
        platform_release="",
        platform_system=name,
        platform_version="",
        python_full_version=python,
        platform_python_implementation="CPython",
        python_version=".".join(python.split(".")[:2]),
        sys_platform=system,
    )


def _mapping(platform: Platform) -> dict[str, str]:
    return {key: str(value) for key, value in platform.markers.items()}


def _machine(architecture: Architecture) -> str:
    return {"arm64": "aarch64", "x86_64": "x86_64"}[architecture]
