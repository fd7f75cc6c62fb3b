import stat
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.manifest import Function
from packager.preview import lambda_image

type Make = Callable[..., Function]

THIS = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_client_folder_holds_the_runtime_client_and_what_it_needs_alone(
    nodejs: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path / "cache"))
    log: list[str] = []
    first = lambda_image.prepare(nodejs(python=THIS), tmp_path, (), {}, log.append)
    modules = {path.name.partition(".")[0].partition("-")[0] for path in first.client.iterdir()}
    assert modules - {"__pycache__"} == {
        "awslambdaric",
        "runtime_client",
        "simplejson",
        "snapshot_restore_py",
    }
    assert lambda_image.prepare(nodejs(python=THIS), tmp_path, (), {}, log.append).client == first.client
    assert [path.name for path in (tmp_path / "cache" / "preview").iterdir()] == [first.client.name]
    assert log == []


def test_python_that_is_not_here_is_replaced_with_one_line(nodejs: Make, tmp_path: Path) -> None:
    log: list[str] = []
    image = lambda_image.prepare(nodejs(python="3.7"), tmp_path, (), {}, log.append)
    assert image.interpreter == sys.executable
    assert log == [f"warning: no Python 3.7 with awslambdaric here; the functions run on Python {THIS}"]


def test_lambdas_own_variables_win_over_the_apps(nodejs: Make, tmp_path: Path) -> None:
    values = {"LANG": "C", "SET_BY_TOOL": "no", "OWN": "x"}
    environment = lambda_image.prepare(nodejs(python=THIS), tmp_path, (), values, print).environment
    assert (environment["LANG"], environment["SET_BY_TOOL"], environment["OWN"]) == (
        "en_US.UTF-8",
        "yes",
        "x",
    )
    assert environment["AWS_EXECUTION_ENV"] == f"AWS_Lambda_python{THIS}"


def test_unpacked_artifact_is_read_only_and_can_be_removed(tmp_path: Path) -> None:
    artifact, folder = tmp_path / "a.zip", tmp_path / "unpacked"
    with zipfile.ZipFile(artifact, "w") as archive:
        archive.writestr("package/module.py", "")
    lambda_image.unpack_read_only(artifact, folder)
    for path in (folder, folder / "package", folder / "package" / "module.py"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o222
    lambda_image.remove(folder)
    assert not folder.exists()
