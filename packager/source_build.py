"""Wheels built on this machine from source distributions, for the dependencies named in `build_from_source`.

A build runs the package's own code, so that only a project that names it gets it. What has no wheel at all is
built by uv, which serves every platform if it is pure Python. What then has none for edge is built by
`pyodide build`, where Emscripten is installed.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from packaging.pylock import Package, PackageWheel, Pylock
from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_wheel_filename

from packager import lock, wheels
from packager.cache import cache_dir
from packager.edge_lock import EMSCRIPTEN
from packager.errors import ProjectError, ToolError
from packager.model import Project, Wheel
from packager.resolve import PYODIDE_TAG

_TIMEOUT_SECONDS = 1800
_EPOCH = "315532800"
"""1980-01-01, the oldest time that a zip can hold: one source gives one wheel."""


def with_built(
    project: Project,
    locked: Pylock,
    report: Callable[[str], None],
    *,
    edge: Collection[Tag],
    offline: bool,
) -> Pylock:
    """The lock with wheels, kept in the user's cache, of the source distributions that the project has built.

    `edge` are the tags of edge, empty if nothing runs there; without Emscripten `report` gets a line that says
    how to have compiled code there. `offline`, nothing is built. Raises `ProjectError` if a build fails,
    `ToolError` for a failed download and, `offline`, for what is not built yet.
    """
    wanted = {canonicalize_name(name) for name in project.settings.build_from_source}
    if not wanted:
        return locked

    def built(package: Package) -> Package:
        if package.name not in wanted or package.sdist is None:
            return package
        found = list(package.wheels or ())
        if not found:
            found.append(_as_wheel(_by_uv(project, package, report, offline=offline)))
        if edge and not any(parse_wheel_filename(item.filename)[3].intersection(edge) for item in found):
            file = _by_pyodide(project, package, report, offline=offline)
            found += [_as_wheel(file)] if file else []
        return replace(package, wheels=found)

    return replace(locked, packages=[built(package) for package in locked.packages])


def _by_uv(project: Project, package: Package, report: Callable[[str], None], *, offline: bool) -> Path:
    words = [lock.uv(), "build", "--wheel", "--color", "never", "--python", sys.executable, "--out-dir"]
    return _made(project, _sdist(project, package), words, report, offline=offline)


def _by_pyodide(
    project: Project, package: Package, report: Callable[[str], None], *, offline: bool
) -> Path | None:
    beside = Path(sys.executable).parent
    pyodide = shutil.which("pyodide", path=f"{os.environ.get('PATH', '')}{os.pathsep}{beside}")
    if pyodide is None or shutil.which("emcc") is None:
        report(
            f"{package.name} {package.version} has compiled code and is not built for edge: that needs "
            f"pyodide-build and Emscripten {EMSCRIPTEN} (emcc) on the PATH"
        )
        return None
    words = [pyodide, "build", "--skip-emscripten-install", "--outdir"]
    return _made(project, _sdist(project, package), words, report, offline=offline)


def _sdist(project: Project, package: Package) -> Wheel:
    assert package.sdist is not None
    source = package.sdist
    url = source.url or (project.root / (source.path or "")).as_uri()
    sha256 = source.hashes.get("sha256")
    if sha256 is None:
        raise ProjectError(
            f"the index gives no SHA-256 for {source.filename}, so that it cannot be verified",
            place=lock.place(project, package.name),
            hint="Use an index that gives hashes.",
        )
    name = source.filename or Path(urlsplit(url).path).name
    return Wheel(package.name, str(package.version), name, url, sha256.lower())


def _made(
    project: Project,
    sdist: Wheel,
    words: list[str],
    report: Callable[[str], None],
    *,
    offline: bool,
) -> Path:
    """The wheel that a builder makes of a source distribution, from the cache if it was made before."""
    tool = Path(words[0]).stem
    made_for = PYODIDE_TAG if tool == "pyodide" else f"{sys.version} {sys.platform} {platform.machine()}"
    key = hashlib.sha256(f"{sdist.sha256} {tool} {made_for}".encode()).hexdigest()[:32]
    folder = cache_dir() / "built" / key
    if not folder.is_dir():
        if offline:
            raise ToolError(
                f"{sdist.name} is not built yet", hint="Run `packager build` or `packager check` once."
            )
        report(f"building {sdist.name} {sdist.version} with {tool}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as name:
            source, out = Path(name) / sdist.filename, Path(name) / "out"
            wheels.download(sdist, source)
            out.mkdir()
            _run(project, sdist, [*words, str(out), str(source)], Path(name))
            try:
                out.rename(folder)
            except OSError:
                # another build may have been first: its folder has the same contents
                if not folder.is_dir():
                    raise
    found = sorted(folder.glob("*.whl"))
    if len(found) != 1:
        shutil.rmtree(folder)
        raise _failed(project, sdist, f"it made {len(found)} wheels instead of one")
    return found[0]


def _run(project: Project, sdist: Wheel, words: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - the project names the package whose build may run
            words,
            cwd=folder,
            env={**lock.uv_environment(), "SOURCE_DATE_EPOCH": _EPOCH},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _failed(project, sdist, f"it took longer than {_TIMEOUT_SECONDS} s") from error
    if done.returncode:
        # uv closes with what it was doing; the cause is what the build itself said last
        told = done.stderr.partition("\nhint:")[0].partition("error: Failed to build")[0] or done.stderr
        lines = [line.strip() for line in told.splitlines() if line.strip()]
        raise _failed(project, sdist, " / ".join(lines[-3:]) or f"exit status {done.returncode}")


def _failed(project: Project, sdist: Wheel, reason: str) -> ProjectError:
    return ProjectError(
        f"{sdist.filename} could not be built: {reason}",
        place=lock.place(project, sdist.name),
        hint="Mend the build as the package's documentation says, choose another version, or build the wheel "
        "yourself and offer its folder with UV_FIND_LINKS.",
    )


def _as_wheel(file: Path) -> PackageWheel:
    content = file.read_bytes()
    return PackageWheel(
        name=file.name,
        url=file.as_uri(),
        size=len(content),
        hashes={"sha256": hashlib.sha256(content).hexdigest()},
    )
