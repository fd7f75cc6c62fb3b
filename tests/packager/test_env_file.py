import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.env_file import quoted, read, replaced, values, write
from packager.errors import ProjectError, ToolError

NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{1,8}", fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\r\t'\"\\#$ ={}`"))


@given(st.dictionaries(NAMES, VALUES, max_size=4), st.dictionaries(NAMES, VALUES, max_size=4))
def test_values_are_read_as_they_were_written(first, second):
    text = replaced(replaced("", first), second)
    assert values(text) == {**first, **second}


@given(st.text(st.sampled_from("AB='\"# \n\\x"), max_size=30), st.dictionaries(NAMES, VALUES, max_size=2))
def test_any_file_takes_values_and_keeps_its_others_or_is_refused(text, changes):
    try:
        made = replaced(text, changes)
    except ToolError:
        return
    assert {name: values(made).get(name) for name in changes} == changes


def test_comments_order_and_other_lines_stay():
    before = "# my keys\nexport TOKEN=old # from Ada\n\nOTHER='x # y'\nTWICE=1\nTWICE=2\nPLAIN\n"
    after = replaced(before, {"TOKEN": "new", "OTHER": "a b", "TWICE": "3", "ADDED": "it's"})
    assert after == (
        "# my keys\nexport TOKEN=new # from Ada\n\nOTHER='a b'\nTWICE=1\nTWICE=3\nPLAIN\nADDED='it\\'s'\n"
    )


def test_a_last_line_without_an_end_gets_one():
    assert replaced("A1=1", {"B1": "2"}) == "A1=1\nB1=2\n"


def test_line_ends_of_windows_stay():
    assert replaced("A1=1\r\nB1=2\r\n", {"A1": "3", "C1": "4"}) == "A1=3\r\nB1=2\r\nC1=4\r\n"


def test_values_over_several_lines_are_replaced_whole():
    assert replaced('KEY="a\nb"\nB1=2\n', {"KEY": "c\nd"}) == 'KEY="c\\nd"\nB1=2\n'


@pytest.mark.parametrize(
    ("value", "written"),
    [("abc-1.2/3", "abc-1.2/3"), ("", "''"), ("${HOME}", "'${HOME}'"), ("a b", "'a b'"), ("x#y", "'x#y'")],
)
def test_quotes_are_there_where_something_would_mean_something(value, written):
    assert quoted(value) == written


def test_a_file_that_would_swallow_a_value_is_refused_without_showing_it():
    with pytest.raises(ToolError, match="TOKEN") as raised:
        replaced("X1=1\n'\n", {"TOKEN": "'secret\n"})
    assert "secret" not in str(raised.value)


def test_a_written_file_is_its_owners_alone(tmp_path):
    path = tmp_path / ".env.prod.local"
    path.write_text("A1=1\n")
    path.chmod(0o644)
    write(path, "A1=2\r\n")
    assert read(path) == "A1=2\r\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_a_linked_file_stays_a_link(tmp_path):
    (tmp_path / "real").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write(tmp_path / "link", "A1=1\n")
    assert (tmp_path / "link").is_symlink()
    assert read(tmp_path / "real") == "A1=1\n"


def test_a_missing_file_is_empty_and_one_that_is_no_text_is_told(tmp_path):
    assert read(tmp_path / ".env.local") == ""
    (tmp_path / ".env.local").write_bytes(b"\xff")
    with pytest.raises(ProjectError, match="cannot be read"):
        read(tmp_path / ".env.local")
