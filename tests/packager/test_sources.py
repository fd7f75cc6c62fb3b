import ast

import pytest

from packager.diagnostics import Diagnostic
from packager.sources import Source, column, read


def parsed(tmp_path, content):
    (tmp_path / "m.py").write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(tmp_path, "m.py")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = 1\ndef f(:\n", 2),
        ("def f():\nreturn 1\n", 2),
        ("x = await y\n", 1),
        ("x = 1\nreturn x\n", 2),
        ("nonlocal x\n", 1),
        ("def f(a, a): pass\n", 1),
        ("'\\N{no such}'\n", 1),
        ("x = 1\0\n", 1),
        (b"# coding: nonsense\n", 1),
        (b"x = '\xff'\n", 1),
        ("(" * 5000, 1),
        ("-" * 100_000 + "1", 1),
    ],
)
def test_what_python_refuses_is_a_syntax_error_with_its_line(tmp_path, text, line):
    found = parsed(tmp_path, text)
    assert isinstance(found, Diagnostic)
    assert (found.rule, found.file, found.line) == ("syntax-error", "m.py", line)
    assert found.column >= 1


@pytest.mark.parametrize("text", ["'\\d'\n", "x is 1\n", "assert (1, 'x')\n"])
def test_what_python_only_warns_about_is_fine(tmp_path, text):
    assert isinstance(parsed(tmp_path, text), Source)


def test_a_file_that_is_not_there(tmp_path):
    found = read(tmp_path, "gone.py")
    assert isinstance(found, Diagnostic)
    assert "cannot be read" in found.message


def test_columns_count_characters(tmp_path):
    source = parsed(tmp_path, "x = 'é€', name\n")
    assert isinstance(source, Source)
    node = next(node for node in ast.walk(source.tree) if isinstance(node, ast.Name) and node.id == "name")
    assert column(source, node) == 11


def test_lines_are_those_of_the_tree_whatever_ends_them(tmp_path):
    source = parsed(tmp_path, b"\xef\xbb\xbfa = 1\r\nb = '\xe2\x80\xa8\x0c'\rc = 3\n")
    assert isinstance(source, Source)
    assert source.lines[2] == "c = 3"
    assert source.tree.body[2].lineno == 3


def test_a_changed_file_is_read_again(tmp_path):
    assert isinstance(parsed(tmp_path, "x = 1\n"), Source)
    assert isinstance(parsed(tmp_path, "x = \n"), Diagnostic)
