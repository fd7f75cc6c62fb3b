import hashlib
import http.server
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from packager import wheels
from packager.errors import ToolError
from packager.model import Wheel

REPORT: list[str] = []


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache" / "wheels"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "www").mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object, **more: object) -> None:
            super().__init__(*args, directory=str(tmp_path / "www"), **more)  # type: ignore[arg-type]

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def made(folder: Path, files: dict[str, str], name: str = "thing") -> Wheel:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for entry, text in {f"{name}-1.0.dist-info/METADATA": "Name: thing\n", **files}.items():
            file.writestr(entry, text)
    content = path.read_bytes()
    return Wheel(name, "1.0", path.name, path.as_uri(), hashlib.sha256(content).hexdigest(), len(content))


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_wheel_lies_in_the_store_as_it_would_in_site_packages(tmp_path: Path, store: Path) -> None:
    wheel = made(
        tmp_path,
        {
            "thing/__init__.py": "",
            "thing-1.0.data/purelib/pure.py": "",
            "thing-1.0.data/platlib/thing/fast.so": "",
            "thing-1.0.data/scripts/thing": "#!python",
            "thing-1.0.data/headers/thing.h": "",
            "thing-1.0.data/data/etc/thing.conf": "",
            "thing-1.0.dist-info/RECORD": "",
            "thing-1.0.dist-info/INSTALLER": "pip",
            "thing-1.0.dist-info/licenses/RECORD": "kept: not the installer's",
            "thing-1.0.dist-info/entry_points.txt": "",
        },
    )
    folder = wheels.fetch([wheel], REPORT.append)[wheel]
    assert folder == store / wheel.sha256
    assert names(folder) == {
        "thing/__init__.py",
        "thing/fast.so",
        "pure.py",
        "thing-1.0.dist-info/METADATA",
        "thing-1.0.dist-info/licenses/RECORD",
        "thing-1.0.dist-info/entry_points.txt",
    }
    assert wheels.top_level(folder) == ("pure", "thing")
    assert wheels.dist_info(folder).name == "thing-1.0.dist-info"


def test_several_wheels_are_downloaded_over_http(tmp_path: Path, served: str) -> None:
    rows = [made(tmp_path / "www", {f"m{number}.py": ""}, f"m{number}") for number in range(12)]
    rows = [Wheel(w.name, w.version, w.filename, f"{served}/{w.filename}", w.sha256) for w in rows]
    folders = wheels.fetch(rows, REPORT.append)
    assert [wheels.top_level(folders[row]) for row in rows] == [(row.name,) for row in rows]


def test_what_is_in_the_store_is_not_downloaded_again(tmp_path: Path) -> None:
    wheel = made(tmp_path, {"thing.py": ""})
    first = wheels.fetch([wheel], REPORT.append)
    (tmp_path / wheel.filename).unlink()
    lines: list[str] = []
    assert wheels.fetch([wheel], lines.append) == first
    assert lines == []


def test_a_changed_file_never_reaches_the_store(tmp_path: Path, store: Path) -> None:
    wheel = made(tmp_path, {"thing.py": ""})
    made(tmp_path, {"thing.py": "changed"})
    with pytest.raises(ToolError, match="not the file that was locked"):
        wheels.fetch([wheel], REPORT.append)
    assert list(store.iterdir()) == []


@pytest.mark.parametrize("name", ["../escape.py", "/escape.py", "thing-1.0.data/purelib/../../escape.py"])
def test_a_wheel_that_escapes_never_reaches_the_store(tmp_path: Path, store: Path, name: str) -> None:
    with pytest.raises(ToolError, match="outside its folder"):
        wheels.fetch([made(tmp_path, {name: ""})], REPORT.append)
    assert list(store.iterdir()) == []
    assert not list(tmp_path.rglob("escape.py"))


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/thing.whl", "file:///nowhere/thing.whl", "gopher://x/y"])
def test_a_failed_download_says_what_to_do(tmp_path: Path, store: Path, url: str) -> None:
    wheel = Wheel("thing", "1.0", "thing-1.0-py3-none-any.whl", url, "0" * 64)
    with pytest.raises(ToolError, match=r"thing-1\.0-py3-none-any\.whl could not be downloaded") as caught:
        wheels.fetch([wheel], REPORT.append)
    assert "network" in caught.value.hint
    assert list(store.iterdir()) == []


def test_an_answer_that_is_not_200_is_a_failed_download(tmp_path: Path, served: str) -> None:
    wheel = Wheel("gone", "1.0", "gone-1.0-py3-none-any.whl", f"{served}/gone.whl", "0" * 64)
    with pytest.raises(ToolError, match="404"):
        wheels.fetch([wheel], REPORT.append)


def test_concurrent_fetches_of_one_wheel_agree(tmp_path: Path, store: Path) -> None:
    wheel = made(tmp_path, {f"thing/m{number}.py": "x" for number in range(50)})
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: wheels.fetch([wheel], REPORT.append)[wheel], range(8)))
    assert set(results) == {store / wheel.sha256}
    assert len(names(results[0])) == 51
    assert [path.name for path in store.iterdir()] == [wheel.sha256]


def test_import_names_are_modules_packages_and_namespaces_only(tmp_path: Path) -> None:
    for file in (
        "mod.py",
        "fast.cpython-313-aarch64-linux-gnu.so",
        "stable.abi3.so",
        "pkg/__init__.py",
        "space/deep/inner.py",
        "data/file.txt",
        "thing-1.0.dist-info/METADATA",
        "not-a-name/x.py",
        "README.md",
    ):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    assert wheels.top_level(tmp_path) == ("fast", "mod", "pkg", "space", "stable")
