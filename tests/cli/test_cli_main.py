import errno
import os
import platform
import signal
import subprocess
import sys

import pytest

from packager import examine as examine_module
from packager.cli import COMMANDS
from packager.errors import ToolError


def test_help_lists_every_command_without_importing_it():
    program = (
        "import sys; sys.argv = ['packager', '--help']\n"
        "import packager.cli\n"
        "try: packager.cli.main()\n"
        "except SystemExit: pass\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\n"
        "print([name for name in sys.modules if name.startswith('packager.')], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert all(f"  {name}" in done.stdout for name in COMMANDS)
    tops, modules = map(eval, done.stderr.splitlines())
    assert not {
        "rich",
        "starlette",
        "httpx",
        "uvicorn",
        "boto3",
        "aws_cdk",
        "packaging",
        "dotenv",
    }.intersection(tops)
    assert not {f"packager.cli.{name}" for name in COMMANDS}.intersection(modules)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_json_or_a_port(packager, name):
    ended = packager(name, "--help")
    assert ended.status == 0
    assert ended.out.startswith(f"Usage: packager {name} ")


def test_version(packager):
    lines = packager("--version").out.splitlines()
    assert lines[0] == "packager 0.1.0"
    rows = dict(line.split(" ", 1) for line in lines)
    assert {"Python", "Node", "Pyodide", "uv", "aws-cdk-lib", "starlette", "mangum"} <= set(rows)
    assert rows["Python"].startswith(platform.python_version())


@pytest.mark.parametrize("arguments", [["nonsense"], ["routes", "--nonsense"], ["routes", "a", "b"], []])
def test_wrong_usage(packager, arguments):
    ended = packager(*arguments)
    assert (ended.status, ended.out) == (2, "")
    assert "Usage:" in ended.err


def failing(monkeypatch, error):
    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr(examine_module, "examine", fail)


def test_an_error_of_a_tool(packager, monkeypatch):
    failing(monkeypatch, ToolError("uv ended with status 1", hint="Look at its message above."))
    ended = packager("check")
    assert (ended.status, ended.err) == (
        3,
        "error uv ended with status 1\n    hint: Look at its message above.\n",
    )


def test_a_full_disk(packager, monkeypatch):
    failing(monkeypatch, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/out/x"))
    ended = packager("check")
    assert ended.status == 3
    assert ended.err.splitlines()[0] == "error /out/x No space left on device"
    assert "Free some space" in ended.err


def test_a_bug_is_one_line_without_a_traceback(packager, monkeypatch):
    failing(monkeypatch, KeyError("x"))
    ended = packager("check")
    assert ended.status == 3
    assert ended.err.startswith("this is a bug in packager: KeyError: 'x'; run again with --debug")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("error", [KeyError("x"), ToolError("x", hint="y")])
def test_debug_shows_the_traceback(packager, monkeypatch, error):
    failing(monkeypatch, error)
    ended = packager("--debug", "check")
    assert ended.status == 3
    assert "Traceback (most recent call last)" in ended.err


def test_an_interruption_is_one_line(packager, monkeypatch):
    failing(monkeypatch, KeyboardInterrupt())
    ended = packager("check")
    assert (ended.status, ended.out, ended.err) == (130, "", "interrupted\n")


def test_a_reader_that_goes_away_is_no_error(write):
    root = write({f"app/r{number}/route.py": "def GET(): pass\n" for number in range(3)})
    command = [sys.executable, "-m", "packager", "routes", str(root)]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_ctrl_c_in_a_real_process(write):
    root = write({"app/route.py": ""})
    os.mkfifo(root / "wait")
    (root / "pyproject.toml").symlink_to("wait")
    with (
        subprocess.Popen(
            [sys.executable, "-m", "packager", "check", str(root)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
        (root / "wait").open("w"),
    ):  # opens once the command reads the other end
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, b"", b"interrupted\n")
