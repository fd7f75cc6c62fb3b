"""The wheel store: `<cache>/wheels/<sha256>/` holds what a wheel would put into site-packages.

A wheel is downloaded to a temporary folder, its hash compared before anything reads it, unpacked, and moved
into the store by one rename. So a folder in the store is complete, and concurrent builds cannot disturb each
other.
"""

import hashlib
import queue
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from packager import archive
from packager.cache import cache_dir
from packager.errors import ToolError
from packager.model import Wheel

if TYPE_CHECKING:
    import httpx

_PARALLEL = 8
_CHUNK = 2**18
_TIMEOUT_SECONDS = 30.0
_INSTALLER_FILES = {"RECORD", "RECORD.jws", "RECORD.p7s", "INSTALLER", "REQUESTED", "direct_url.json"}


def fetch(
    wheels: Iterable[Wheel], report: Callable[[str], None], *, offline: bool = False
) -> dict[Wheel, Path]:
    """The store's folder of each wheel; those that are missing are downloaded, several at a time.

    Proxies, certificates and netrc are taken from the environment. Raises `ToolError` if a download fails,
    its hash is not the locked one, or it is not a proper wheel; `offline`, if one is missing.
    """
    store = cache_dir() / "wheels"
    folders = {wheel: store / wheel.sha256 for wheel in wheels}
    absent = [wheel for wheel, folder in folders.items() if not folder.is_dir()]
    if absent and offline:
        raise ToolError(
            f"{len(absent)} of the locked wheels are not downloaded yet",
            hint="Run `packager build` or `packager check` once.",
        )
    if absent:
        size = sum(wheel.size or 0 for wheel in absent)
        report(f"downloading {len(absent)} wheel{'s' if len(absent) > 1 else ''} ({size / 1e6:.1f} MB)")
        store.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=store, prefix=".new-"))
        try:
            _fetch_all(absent, temporary, store)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folders


def download(item: Wheel, file: Path) -> None:
    """Write one locked file, a wheel or a source distribution, to `file`. Raises `ToolError` as `fetch` does."""
    import httpx  # noqa: PLC0415

    with httpx.Client(timeout=_TIMEOUT_SECONDS, follow_redirects=True) as client:
        _download(client, item, file)


def top_level(folder: Path) -> tuple[str, ...]:
    """The import names at the top of an unpacked wheel, sorted: modules, packages and namespace packages."""
    names = set()
    for path in folder.iterdir():
        name = path.name.partition(".")[0]
        if not name.isidentifier():
            continue
        if path.is_dir():
            if path.name == name and any(_is_module(item) for item in path.rglob("*")):
                names.add(name)
        elif _is_module(path):
            names.add(name)
    return tuple(sorted(names))


def dist_info(folder: Path) -> Path:
    """The `.dist-info` folder of an unpacked wheel. Raises `ToolError` if it does not have exactly one."""
    found = sorted(folder.glob("*.dist-info"))
    if len(found) != 1:
        raise ToolError(
            f"a wheel has {len(found)} .dist-info folders instead of one",
            hint="It is not a proper wheel; pin another version of the package.",
            place=str(folder),
        )
    return found[0]


def _is_module(path: Path) -> bool:
    return path.suffix in {".py", ".so", ".pyd"} or path.name == "py.typed"


def _fetch_all(wheels: list[Wheel], temporary: Path, store: Path) -> None:
    """Threads are daemons: Ctrl-C must not wait for a stalled download."""
    import httpx  # noqa: PLC0415 - 100 ms that only a first build needs

    jobs: queue.SimpleQueue[Wheel] = queue.SimpleQueue()
    for wheel in wheels:
        jobs.put(wheel)
    results: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()

    def work(client: httpx.Client) -> None:
        while True:
            try:
                wheel = jobs.get_nowait()
            except queue.Empty:
                return
            try:
                _fetch_one(client, wheel, temporary, store)
                results.put(None)
            except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
                results.put(error)

    limits = httpx.Limits(max_connections=_PARALLEL)
    with httpx.Client(timeout=_TIMEOUT_SECONDS, follow_redirects=True, limits=limits) as client:
        for _ in range(min(_PARALLEL, len(wheels))):
            threading.Thread(target=work, args=(client,), daemon=True).start()
        for _ in wheels:
            error = results.get()
            if error is not None:
                raise error


def _fetch_one(client: "httpx.Client", wheel: Wheel, temporary: Path, store: Path) -> None:
    file = temporary / f"{wheel.sha256}.whl"
    folder = temporary / wheel.sha256
    _download(client, wheel, file)
    archive.unpack(file, folder, place=_place(wheel))
    folder.chmod(0o755)
    target = store / wheel.sha256
    try:
        folder.rename(target)
    except OSError:
        # another build was first; its folder has the same contents
        if not target.is_dir():
            raise
    file.unlink()


def _download(client: "httpx.Client", wheel: Wheel, file: Path) -> None:
    import httpx  # noqa: PLC0415

    digest = hashlib.sha256()
    try:
        with file.open("wb") as out:
            for chunk in _chunks(client, wheel.url):
                digest.update(chunk)
                out.write(chunk)
    except (httpx.HTTPError, httpx.InvalidURL, FileNotFoundError) as error:
        raise ToolError(
            f"{wheel.filename} could not be downloaded: {error or type(error).__name__}",
            hint="Check the network and the proxy settings and build again; finished downloads are kept.",
        ) from error
    if digest.hexdigest() != wheel.sha256:
        raise ToolError(
            f"{wheel.filename} is not the file that was locked: its SHA-256 is {digest.hexdigest()}, "
            f"expected {wheel.sha256}",
            hint="The download was damaged, or the index changed a released file. Build again; if that does "
            "not help, make the project's lock anew or, if it has none, delete .packager/cache.",
        )


def _chunks(client: "httpx.Client", url: str) -> Iterable[bytes]:
    parts = urlsplit(url)
    if parts.scheme == "file":
        with Path(url2pathname(parts.path)).open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
        return
    with client.stream("GET", url) as response:
        response.raise_for_status()
        # a proxy may add a content encoding; the hash is that of the decoded file
        yield from response.iter_bytes(_CHUNK)


def _place(wheel: Wheel) -> archive.Place:
    """Where an entry of the wheel goes (PyPA binary distribution format, "Installing a wheel")."""
    stem = "-".join(wheel.filename.split("-")[:2])
    data = f"{stem}.data"

    def place(name: str) -> str | None:
        parts = PurePosixPath(name).parts
        if parts[0] == data:
            return "/".join(parts[2:]) if len(parts) > 2 and parts[1] in {"purelib", "platlib"} else None
        if parts[0].endswith(".dist-info") and len(parts) == 2 and parts[1] in _INSTALLER_FILES:
            return None
        return name

    return place
