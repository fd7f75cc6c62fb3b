"""Fixtures of every room: project folders, and wheels made by hand."""

import compileall
import hashlib
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings

from packager import smoke
from packager.model import Wheel

pytest_plugins = ["ministack"]

# Elsewhere the property tests look for new examples on every run; a change is judged by the same ones each time.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

ROOT = Path(__file__).parents[1]
ROOMS = ("packager", "runtimes", "infra")


def pytest_configure(config: pytest.Config) -> None:
    """Compile the checkout once, before the workers start, whatever this machine says about writing bytecode.

    The tests start hundreds of commands, and each would compile what it imports.
    """
    if not hasattr(config, "workerinput"):
        for room in ROOMS:
            compileall.compile_dir(ROOT / room, quiet=2)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take long first, so that at the end no worker waits for another one's.

    A file's tests stay together, in one worker: what its fixtures build is built once.
    """
    long = {item.path for item in items if item.get_closest_marker("long") or item.get_closest_marker("e2e")}
    items.sort(key=lambda item: item.path not in long)


type Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files, given as a mapping of name to text, into one project folder; returns the folder."""
    root = (tmp_path / "project").resolve()

    def write_files(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return root

    return write_files


@dataclass
class Wheelhouse:
    """A folder of hand-made wheels that uv and the wheel store read as they would read an index."""

    folder: Path
    wheels: list[Wheel] = field(default_factory=list)

    def add(
        self,
        name: str,
        version: str = "1.0",
        *,
        tag: str = "py3-none-any",
        requires: tuple[str, ...] = (),
        extras: tuple[str, ...] = (),
        requires_python: str | None = None,
        files: Mapping[str, str] | None = None,
    ) -> Wheel:
        stem = f"{name.replace('-', '_')}-{version}"
        path = self.folder / f"{stem}-{tag}.whl"
        metadata = [
            *("Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"),
            *(f"Requires-Dist: {row}" for row in requires),
            *(f"Provides-Extra: {extra}" for extra in extras),
            *([f"Requires-Python: {requires_python}"] if requires_python else []),
        ]
        rows = {
            **({f"{name.replace('-', '_')}.py": ""} if files is None else files),
            f"{stem}.dist-info/METADATA": "\n".join(metadata) + "\n",
            f"{stem}.dist-info/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
            f"{stem}.dist-info/RECORD": "",
        }
        with zipfile.ZipFile(path, "w") as archive:
            for entry, text in rows.items():
                archive.writestr(entry, text)
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        self.wheels.append(
            Wheel(name, version, path.name, path.as_uri(), digest, len(content), not tag.endswith("any"))
        )
        return self.wheels[-1]


@pytest.fixture
def wheelhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheelhouse:
    """An empty wheelhouse, the only source of wheels, and caches of this test's own.

    Artifacts made of such wheels cannot be imported, and builds do not try; test_smoke.py has real ones.
    """
    monkeypatch.setattr(smoke, "smoke_test", lambda *_arguments: ())
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_DEFAULT_INDEX", (tmp_path / "no-index").as_uri())
    return Wheelhouse(folder)
