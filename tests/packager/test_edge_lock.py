import json
from dataclasses import replace
from pathlib import Path

from pyodide_lock import PyodideLockSpec

from packager.edge_lock import edge_lock
from packager.model import Distribution, Wheel

PURE = Distribution(
    Wheel("thing", "1.2", "thing-1.2-py3-none-any.whl", "https://x.example/thing.whl", "a" * 64),
    Path("/nowhere"),
    ("thing", "thing_more"),
    ("core", "elsewhere"),
)
NATIVE = Distribution(
    Wheel("core", "3.0", "core-3.0-cp314-cp314-pyemscripten_2026_0_wasm32.whl", "", "b" * 64, native=True),
    Path("/nowhere"),
    ("_core",),
    (),
)


def read(content: bytes) -> PyodideLockSpec:
    return PyodideLockSpec.from_dict(json.loads(content))


def test_pyodides_own_reader_accepts_it() -> None:
    spec = read(edge_lock([PURE, NATIVE]))
    spec.check_wheel_filenames()
    assert (spec.info.arch, spec.info.abi_version, spec.info.python) == ("wasm32", "2026_0", "3.14.2")
    assert list(spec.packages) == ["core", "thing"]
    thing = spec.packages["thing"]
    assert (thing.version, thing.sha256, thing.package_type) == ("1.2", "a" * 64, "package")
    assert thing.imports == ["thing", "thing_more"]


def test_what_the_artifact_does_not_hold_is_no_dependency() -> None:
    assert read(edge_lock([PURE, NATIVE])).packages["thing"].depends == ["core"]
    assert read(edge_lock([PURE])).packages["thing"].depends == []


def test_the_order_does_not_matter_and_no_path_of_the_machine_is_in_it() -> None:
    assert edge_lock([PURE, NATIVE]) == edge_lock([NATIVE, replace(PURE, folder=Path("/elsewhere"))])
    assert b"nowhere" not in edge_lock([PURE])


def test_an_artifact_without_distributions_has_a_lock_too() -> None:
    assert read(edge_lock([])).packages == {}
