import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtimes.patterns import (
    PatternError,
    compile_path,
    compile_source,
    compile_value,
    fill,
    javascript_regex,
    match_source,
    parse_path,
)


@pytest.mark.parametrize(
    ("source", "text", "matches"),
    [
        (r"\d+", "12", True),
        (r"\d+", "٣", False),
        (r"a$", "a\n", False),
        (r"a.b", "a\u2028b", False),
        (r"a\sb", "a\u00a0b", True),
        (r"(?<n>x)\k<n>", "xx", True),
        (r"[^]", "\n", True),
        (r"[]", "a", False),
        (r"a{,2}", "a{,2}", True),
        (r"\/\-\@", "/-@", True),
        (r"[[]", "[", True),
        (r"[\s-]", "-", True),
    ],
)
def test_a_value_means_what_it_means_in_javascript(source, text, matches):
    assert bool(compile_value(source).match(text)) is matches


@pytest.mark.parametrize("source", ["(?P<n>x)", "(?i)x", "a++", "[a", "(", "\\", "(?#x)", "a{1}+"])
def test_what_only_python_would_take_is_refused(source):
    with pytest.raises(PatternError):
        compile_value(source)


@pytest.mark.parametrize("source", ["/:a*:b", "/a/:b()", "/{a", "/:", "/(a(b))", "/a*"])
def test_a_broken_path_pattern_says_so(source):
    with pytest.raises(PatternError):
        compile_path(source)


def test_a_group_repeats_with_its_prefix():
    pattern = compile_path("/x{-:part}+")
    assert pattern.match("/x-1-2")
    assert not pattern.match("/x")


@pytest.mark.parametrize(
    ("source", "path", "params"),
    [
        ("/a/:b", "/a/x", {"b": "x"}),
        ("/a/:b", "/A/x/", {"b": "x"}),
        ("/a/:b", "/a", None),
        ("/a/:b*", "/a", {}),
        ("/a/:b*", "/a/x%2Fy/z", {"b": ["x%2Fy", "z"]}),
        ("/a/:b?", "/a", {}),
        ("/:b-:c", "/x-y", {"b": "x", "c": "y"}),
        ("/:b(\\d+)/(.*)", "/12/rest", {"b": "12"}),
        ("/:b((?<c>x)y)", "/xy", {"b": "xy"}),
        ("/x{-:part}+", "/x-1-2", {"part": ["1", "2"]}),
        ("/:0/:0", "/a/b", {"0": "b"}),
    ],
)
def test_a_source_gives_its_named_parameters_as_sent(source, path, params):
    assert match_source(compile_source(source), path) == params


@pytest.mark.parametrize(
    ("pattern", "params", "text"),
    [
        ("/a/:b/c", {"b": "x"}, "/a/x/c"),
        ("/a/:b*", {"b": ["x", "y"]}, "/a/x/y"),
        ("/a/:b*", {}, "/a"),
        ("/a{-:b}?", {"b": "x"}, "/a-x"),
        ("/a{b}?{c}", {}, "/ac"),
        ("/a\\:b", {}, "/a:b"),
    ],
)
def test_a_pattern_is_filled_with_parameters(pattern, params, text):
    assert fill(parse_path(pattern), params.get) == text


@given(st.text(alphabet="ab/:*+?(){}[]\\|^$.<>=!-", max_size=12))
def test_any_text_is_compiled_or_refused(source):
    for compile_it in (compile_path, compile_source, compile_value):
        with contextlib.suppress(PatternError):
            compile_it(source)


@given(st.text(max_size=10))
def test_an_escaped_literal_matches_itself(text):
    literal = "".join(f"\\u{ord(char):04x}" if ord(char) < 0x10000 else char for char in text)
    assert re.fullmatch(javascript_regex(literal), text)
