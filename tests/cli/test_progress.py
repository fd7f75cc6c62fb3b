import os
import pty
import re
import subprocess
import sys

import pytest

from packager.cli.progress import progress

WORK = """
from packager.cli.progress import progress
with progress() as shown:
    shown.step("uploading 3 files")
    shown.sent(5_000_000, 10_000_000)
    shown.sent(10_000_000, 10_000_000)
    shown.step("updating")
    shown.stack("shop-prod-api", 2)
    shown.resource("shop-prod-api", "Role", "AWS::IAM::Role", "running")
    shown.resource("shop-prod-api", "Role", "AWS::IAM::Role", "done")
    shown.resource("shop-prod-api", "Api\\x1b[2J", "AWS::X", "failed", "it is\\nnot valid")
    shown.note("kept")
    {end}
"""


def on_a_terminal(end="pass", **environment):
    """What is on a terminal of 100 columns when the work has ended, and the exit status."""
    master, slave = pty.openpty()
    kept = {key: value for key, value in os.environ.items() if key not in {"CI", "NO_COLOR"}}
    known = {**kept, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30", **environment}
    with subprocess.Popen(
        [sys.executable, "-c", WORK.format(end=end)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=slave,
        env=known,
    ) as process:
        os.close(slave)
        parts = []
        try:
            while part := os.read(master, 65536):
                parts.append(part)
        except OSError:  # Linux's word for the end of a terminal
            pass
        out = process.stdout.read()
    os.close(master)
    return b"".join(parts).decode(), process.returncode, out


def plain(text):
    """The text without colours, each line that was drawn again on a line of its own."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.replace("\x1b[2K", "\n")).replace("\r", "")


def test_elsewhere_than_on_a_terminal_every_event_is_one_line_of_stderr(capsys):
    exec(WORK.format(end="pass"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "uploading 3 files",
        "updating",
        "shop-prod-api: 2 resources to change",
        "  shop-prod-api Role (AWS::IAM::Role) done",
        "  shop-prod-api Api\\x1b[2J (AWS::X) failed: it is not valid",
        "kept",
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_step_that_was_stopped_is_named(capsys, error):
    def work():
        with progress() as shown:
            shown.step("uploading 3 files")
            raise error

    with pytest.raises(error):
        work()
    assert re.fullmatch(
        r"uploading 3 files\nstopped after .* s: uploading 3 files\n", capsys.readouterr().err
    )


def test_a_terminal_keeps_each_step_with_its_time_and_what_failed():
    text, status, out = on_a_terminal()
    assert (status, out) == (0, b"")
    lines = [line.strip() for line in plain(text).splitlines()]
    assert any(re.fullmatch(r"✓ uploading 3 files, 10.00 MB  \d\.\d s", line) for line in lines)
    assert any(re.fullmatch(r"✓ updating  \d\.\d s", line) for line in lines)
    assert "✗ shop-prod-api Api\\x1b[2J (AWS::X): it is not valid" in lines
    assert "kept" in lines


@pytest.mark.parametrize("end", ["raise KeyboardInterrupt", "raise SystemExit(3)"])
def test_a_terminal_has_its_cursor_back_however_the_work_ends(end):
    text, status, _ = on_a_terminal(end)
    assert status != 0
    assert "✗ updating" in plain(text)
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")


@pytest.mark.parametrize("environment", [{"CI": "true"}, {"TERM": "dumb"}])
def test_in_ci_and_on_simple_terminals_nothing_moves(environment):
    text, _, _ = on_a_terminal(**environment)
    assert "\x1b" not in text.replace("\\x1b", "")
    assert "updating" in text.splitlines()


def test_without_colours_a_terminal_still_shows_the_work():
    text, _, _ = on_a_terminal(NO_COLOR="1")
    assert "\x1b[32m" not in text
    assert "✓ updating" in plain(text)
