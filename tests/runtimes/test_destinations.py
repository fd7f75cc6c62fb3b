from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtimes.destinations import (
    compile_destination,
    fill_destination,
    fill_text,
    parameters,
    text_template,
)
from runtimes.patterns import PatternError
from runtimes.site import Redirect, compile_site, redirect_for
from runtimes.site_rules import Has, RedirectRule, RewriteRule, Site


class Sender:
    """A request with one header, `to`."""

    def __init__(self, value):
        self.value = value

    def header(self, _name):
        return self.value

    def cookie(self, _name):
        return None

    query = cookie

    def host(self):
        return ""


def sent(destination, value):
    rule = RedirectRule("/a", destination, 307, has=(Has("header", "to"),))
    found = redirect_for(compile_site(Site(redirects=(rule,))), "/a", "", Sender(value))
    assert isinstance(found, Redirect)
    return found.location


texts = st.text(st.characters(codec="utf-8"), min_size=1)


@given(texts)
def test_a_text_in_a_path_stays_a_path_of_this_site(value):
    location = sent("/x/:to", value)
    assert location.isascii()
    assert location.isprintable()
    found = urlsplit(location)
    assert (found.scheme, found.netloc, found.query, found.fragment) == ("", "", "", "")
    assert location.startswith("/x")


@given(texts)
def test_a_text_in_a_query_stays_one_value(value):
    assert parse_qsl(urlsplit(sent("/x?a=1&to=:to", value)).query) == [("a", "1"), ("to", value)]


@given(texts)
def test_a_text_in_a_host_adds_no_path_port_or_user(value):
    found = urlsplit(sent("https://:to.example/p", value))
    assert unquote(found.netloc) == f"{value}.example"
    assert not {*"/@:?#[]\\"} & {*found.netloc}
    assert found.path == "/p"


@given(texts, st.text(max_size=5))
def test_a_text_in_a_header_is_one_line_of_latin_1(value, around):
    filled = fill_text(text_template(f"{around}=:to", ["to"]), {"to": value})
    assert not {*"\r\n\0"} & {*filled}
    filled.encode("latin-1")


def test_only_known_names_are_parameters_of_a_text():
    assert (
        fill_text(text_template("12:30 :to:other :too (x)*", ["to"]), {"to": "x"})
        == "12:30 x:other :too (x)*"
    )


def test_names_come_from_the_source_and_from_has():
    has = (
        Has("header", "X-User"),
        Has("cookie", "b", "(?<c>x)"),
        Has("host", None, "d"),
        Has("query", "e", "f"),
    )
    rule = RewriteRule("/:path*/:id(\\d+)/(.*)", "/x", has=has)
    assert parameters(rule) == {"path": True, "id": False, "xuser": False, "c": False, "host": False}


def test_all_parameters_go_to_the_query_only_if_none_is_in_path_or_host():
    for destination, query in (
        ("/x", "a=1&b=2"),
        ("/x/:a", ""),
        ("https://:b.example/x", ""),
        ("/x?b=9", "b=9&a=1"),
    ):
        compiled = compile_destination(RewriteRule("/:a/:b", destination), "")
        assert fill_destination(compiled, {"a": "1", "b": "2"}, "", append=True).query == query


@pytest.mark.parametrize("destination", ["x", "", "mailto:x@example.com", "/:a:b", "/("])
def test_what_is_no_destination_is_refused(destination):
    with pytest.raises(PatternError):
        compile_destination(RedirectRule("/:a/:b", destination, 308), "")
