"""One lock per project: uv resolves the dependencies once, for every platform, into a pylock (PEP 751).

So a version is the same in every artifact. The lock is kept in the project's cache under the hash of all that
uv was given; while that does not change, neither uv nor a network is needed.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from packaging.pylock import Package, Pylock, PylockValidationError
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from packager.errors import ProjectError, ToolError
from packager.model import Project
from packager.workspace import settings_of

TIMEOUT_SECONDS = 300

_FOLDERS = ("PATH", "HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP")
_CONFIGURATION = ("NETRC", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME")
_CONNECTION = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
_INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
_CHOICE = (
    "UV_INDEX_STRATEGY",
    "UV_EXCLUDE_NEWER",
    "UV_PRERELEASE",
    "UV_RESOLUTION",
    "UV_CONSTRAINT",
    "UV_OVERRIDE",
)
_WHEELS_ALONE = ("--no-deps",)
"""What uv is given to look for the wheels of one version; to find none is no error then."""
_NO_WHEELS = 'lock-version = "1.0"\ncreated-by = "uv"\npackages = []\n'
_NETWORK = re.compile(r"error sending request|client error|dns error|network was disabled|timed out")

FROM_SOURCE = (
    "Choose another version or another package; or build the wheel yourself (`uv build --wheel` if it is pure "
    "Python, `pyodide build` for edge and a Linux build for nodejs if it is compiled) and offer its folder with "
    'UV_FIND_LINKS; or add "{name}" to build_from_source in [tool.packager], which runs its build on this machine.'
)


def lock(
    project: Project,
    runtime: Iterable[str],
    cache: Path,
    report: Callable[[str], None],
    *,
    offline: bool = False,
) -> Pylock:
    """The locked versions and wheels of the project's dependencies and of the distributions `runtime` names.

    The latter come with the version specifiers of this tool's own metadata. `cache` is a folder, made if
    needed; `offline`, only a lock that is there already counts. Raises `ProjectError` if the requirements are
    wrong or cannot be met with wheels, `ToolError` if uv or the network is missing.
    """
    requirements = (*_checked(project), *own(runtime))
    return resolved(project, requirements, (), cache, report, offline=offline)


def resolved(
    project: Project,
    requirements: tuple[str, ...],
    constraints: tuple[str, ...],
    cache: Path,
    report: Callable[[str], None],
    *,
    offline: bool,
) -> Pylock:
    """What uv locks for `requirements`, of exactly the versions that `constraints` allow.

    `cache` and `offline` are as in `lock`, and so are the errors.
    """
    locked = _cached(project, requirements, cache, report, constraints=constraints, offline=offline)
    return replace(
        locked,
        packages=[_with_wheels(project, row, cache, report, offline=offline) for row in locked.packages],
    )


def kept(file: Path, make: Callable[[], str], *, offline: bool) -> Pylock:
    """The lock in `file`; without a sound one there, that of the text that `make` gives, which is kept.

    Raises `ToolError` if it had to be made `offline`, and what `make` raises.
    """
    with suppress(OSError, tomllib.TOMLDecodeError, PylockValidationError):
        return _read(file.read_text(encoding="utf-8"))
    if offline:
        raise ToolError(
            "the dependencies are not locked yet", hint="Run `packager build` or `packager check` once."
        )
    text = make()
    result = _read(text)
    # a project in a read-only place can be built with --out; it is locked on each build then
    with suppress(PermissionError):
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(f".{os.getpid()}")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(file)
    return result


def _cached(
    project: Project,
    requirements: tuple[str, ...],
    cache: Path,
    report: Callable[[str], None],
    *options: str,
    constraints: tuple[str, ...] = (),
    offline: bool,
) -> Pylock:
    def make() -> str:
        report(f"resolving {len(requirements)} requirement{'s' if len(requirements) > 1 else ''}")
        return _compile(project, requirements, constraints, report, *options)

    key = _key(project, requirements, (*options, *constraints))
    return kept(cache / f"pylock-{key}.toml", make, offline=offline)


def _with_wheels(
    project: Project, package: Package, cache: Path, report: Callable[[str], None], *, offline: bool
) -> Package:
    """A package with the wheels that it has beside its source: uv locks one or the other."""
    if package.name not in from_source(project) or package.sdist is None:
        return package
    exactly = (f"{package.name}=={package.version}",)
    found = _cached(project, exactly, cache, report, *_WHEELS_ALONE, offline=offline)
    return replace(package, wheels=found.packages[0].wheels) if found.packages else package


def from_source(project: Project) -> set[str]:
    """The normalised names of the dependencies that the project lets be built on this machine."""
    return {canonicalize_name(name) for name in project.settings.build_from_source}


@dataclass(frozen=True, slots=True)
class Source:
    """Where uv looks for wheels: an index, or (`flat`) a folder or page with links to all of them."""

    url: str
    flat: bool


def sources(project: Project) -> tuple[Source, ...]:
    """The project's package indexes and folders of wheels, as uv reads them from its settings; empty if it fails."""
    words = [*(uv(), "pip", "compile", "-", "--emit-index-url", "--emit-find-links", "--no-header", "-q")]
    try:
        done = call(project, words, "")
    except ToolError:
        return ()
    found = []
    for line in done.stdout.splitlines():
        option, _, url = line.partition(" ")
        if option in {"--index-url", "--extra-index-url", "--find-links"}:
            found.append(Source(url.strip(), option == "--find-links"))
    return tuple(found)


def declared(project: Project) -> tuple[str, ...]:
    """The normalised names in `[project] dependencies`. Raises `ProjectError` for what is no requirement (PEP 508)."""
    return tuple(canonicalize_name(Requirement(text).name) for text in _checked(project))


def place(project: Project, name: str) -> str:
    """`pyproject.toml`, with the line on which the requirement `name` stands if it can be found."""
    file = project.root / "pyproject.toml"
    loose = re.sub(r"[-_.]+", "[-_.]+", re.escape(name).replace(r"\-", "-"))
    pattern = re.compile(rf"""["']\s*{loose}(?![\w.-]*\w)""", re.IGNORECASE)
    with suppress(OSError):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if pattern.search(line):
                return f"pyproject.toml:{number}"
    return "pyproject.toml"


def _checked(project: Project) -> tuple[str, ...]:
    for text in project.dependencies:
        try:
            Requirement(text)
        except InvalidRequirement as error:
            reason = str(error).splitlines()[0]
            name = re.match(r"[\w.-]*", text)
            raise ProjectError(
                f"{text!r} is not a requirement: {reason}",
                place=place(project, name[0] if name else text),
                hint='Write it as "name>=1.2" (PEP 508).',
            ) from error
    return project.dependencies


def own(names: Iterable[str]) -> tuple[str, ...]:
    """The requirements of this tool's own metadata for the distributions `names`, sorted."""
    wanted = set(names)
    parsed = (Requirement(text) for text in metadata.requires("packager") or ())
    return tuple(sorted(str(item) for item in parsed if canonicalize_name(item.name) in wanted))


def _key(project: Project, requirements: tuple[str, ...], options: tuple[str, ...]) -> str:
    settings = {}
    with suppress(OSError, tomllib.TOMLDecodeError):
        settings = tomllib.loads((project.root / "pyproject.toml").read_text(encoding="utf-8"))
    own = None
    with suppress(OSError):
        own = (project.root / "uv.toml").read_text(encoding="utf-8")
    inputs = {
        "requirements": requirements,
        "options": options,
        "python": project.settings.nodejs.python,
        "from source": sorted(from_source(project)),
        "uv": [metadata.version("uv"), settings.get("tool", {}).get("uv"), own, settings_of(project.root)],
        "sources": {name: os.environ[name] for name in (*_INDEXES, *_CHOICE) if name in os.environ},
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest()[:20]


def _read(text: str) -> Pylock:
    return Pylock.from_dict(tomllib.loads(text))


def _compile(
    project: Project,
    requirements: tuple[str, ...],
    constraints: tuple[str, ...],
    report: Callable[[str], None],
    *options: str,
) -> str:
    """The pylock that uv makes; without a network, of what its cache knows from an earlier resolution."""
    # what may be built is locked as its source; a later call for that one asks for its wheels
    sources = (
        [] if options else [word for name in sorted(from_source(project)) for word in ("--no-binary", name)]
    )
    result = _run_uv(project, requirements, constraints, *options, *sources)
    if result.returncode != 0 and _NETWORK.search(result.stderr):
        cached = _run_uv(project, requirements, constraints, *options, *sources, "--offline")
        if cached.returncode == 0:
            report("the package index cannot be reached: resolved from uv's cache")
            return cached.stdout
    if result.returncode != 0:
        failure = _failure(project, (*requirements, *constraints), result.stderr)
        if options == _WHEELS_ALONE and isinstance(failure, ProjectError):
            return _NO_WHEELS
        raise failure
    return result.stdout


def _run_uv(
    project: Project, requirements: tuple[str, ...], constraints: tuple[str, ...], *options: str
) -> subprocess.CompletedProcess[str]:
    command = [
        *(uv(), "pip", "compile", "-", "--format", "pylock.toml", "--universal", "--only-binary", ":all:"),
        # one version for every Python, as long as there is one: nodejs has an older Python than edge
        *("--fork-strategy", "fewest"),
        *("--python-version", project.settings.nodejs.python, "--python", sys.executable),
        *("--no-header", "--no-progress", "--color", "never", *options),
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "constraints.txt"
        file.write_text("\n".join(constraints), encoding="utf-8")
        return call(project, [*command, "--constraints", str(file)], "\n".join(requirements) + "\n")


def call(project: Project, command: list[str], text: str) -> subprocess.CompletedProcess[str]:
    """Run uv in the project's folder with `text` as its input. Raises `ToolError` if it takes too long."""
    try:
        return subprocess.run(  # noqa: S603 - our own argument list
            command,
            input=text,
            cwd=project.root,
            env=uv_environment(),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(
            f"uv did not resolve the dependencies within {TIMEOUT_SECONDS} seconds",
            hint="Check the network and the proxy settings and build again.",
        ) from error


def uv() -> str:
    """The path of uv. Raises `ToolError` if it is not installed."""
    from uv import find_uv_bin  # noqa: PLC0415 - only a build that locks needs it

    try:
        return find_uv_bin()
    except FileNotFoundError as error:
        raise ToolError(
            "uv, which resolves the dependencies, is not installed beside packager",
            hint="Install packager again, with its dependencies.",
        ) from error


def uv_environment() -> dict[str, str]:
    """What uv, and the builds that it starts, see of this process's environment: no secrets."""
    allowed = {*_FOLDERS, *_CONFIGURATION, *_CONNECTION}
    own = {
        name: value for name, value in os.environ.items() if name.upper() in allowed or name.startswith("UV_")
    }
    return {**own, "UV_PYTHON_DOWNLOADS": "never"}


def _failure(project: Project, requirements: tuple[str, ...], stderr: str) -> ProjectError | ToolError:
    reason = essence(stderr)
    without_wheel = re.search(r"([\w.-]+)(?:[=<>!~]=?\S*)? has no usable wheels", reason) or re.search(
        r"(?:all versions of|versions of) ([\w.-]+) have no usable wheels", reason
    )
    if _NETWORK.search(stderr):
        return ToolError(
            f"the dependencies could not be resolved, since the package index cannot be reached: {reason}",
            hint="Connect to the network, or set HTTPS_PROXY or UV_DEFAULT_INDEX; once built, the project "
            "builds offline until its dependencies change.",
        )
    if without_wheel:
        name = without_wheel[1]
        return ProjectError(
            f"{name} has only a source distribution, and artifacts are made of wheels: {reason}",
            place=place(project, name),
            hint=FROM_SOURCE.format(name=name),
        )
    named = (item for item in requirements if _name(item) in reason)
    return ProjectError(
        f"the dependencies cannot be resolved: {reason}",
        place=place(project, _name(next(named, ""))),
        hint="Mend [project] dependencies or the lock; the runtime needs starlette, mangum and python-multipart.",
    )


def _name(requirement: str) -> str:
    match = re.match(r"[\w.-]+", requirement)
    return match[0] if match else "\0"


def essence(stderr: str) -> str:
    """uv's reason in one line: the innermost cause it gives, or the error itself."""
    lines = stderr.partition("\nhint:")[0].splitlines()
    starts = [number for number, line in enumerate(lines) if re.match(r"error:|\s*cause:", line)]
    if not starts:
        return stderr.strip().splitlines()[-1] if stderr.strip() else "uv gave no reason"
    network = [number for number in starts if "Failed to fetch" in lines[number]]
    first = (network or starts)[0] if network else starts[-1]
    text = [lines[first]]
    for line in lines[first + 1 :]:
        if re.match(r"error:|\s*cause:|\s*$", line):
            break
        text.append(line)
    return re.sub(r"^(error|cause): ", "", " ".join(" ".join(text).split()))
