import io
import sys

import pytest

from packager.cli.confirm import confirm
from packager.errors import UsageError


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def answer(monkeypatch):
    def give(text):
        monkeypatch.setattr(sys, "stdin", Terminal(text))

    return give


def test_yes_needs_nobody():
    assert confirm("Delete it?", yes=True)


def test_a_person_is_asked_on_stderr(answer, capsys):
    answer("y\n")
    assert confirm("Deploy this?", yes=False)
    answer("\n")
    assert not confirm("Deploy this?", yes=False)
    captured = capsys.readouterr()
    assert (captured.out, "Deploy this?" in captured.err) == ("", True)


def test_a_name_has_to_be_typed_whole(answer):
    answer("prod\n")
    assert confirm("All of it is deleted.", yes=False, expected="prod")
    for other in ("y\n", "pro\n", "\n"):
        answer(other)
        assert not confirm("All of it is deleted.", yes=False, expected="prod")


def test_where_nobody_can_answer_the_way_out_is_said(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(UsageError) as raised:
        confirm("Deploy this?", yes=False)
    assert "--yes" in raised.value.hint
