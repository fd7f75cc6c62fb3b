import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtimes.routing import BadPathError, Router, Segment, canonical, decode, resolve_dots, segments


def found(paths, path):
    match = Router((route, route) for route in paths).match(path.encode())
    return None if match is None else (match.value, match.params)


def test_segments_of_every_kind():
    assert segments("/a/[b]/[...c]") == (
        Segment("static", "a"),
        Segment("single", "b"),
        Segment("catch-all", "c"),
    )
    assert segments("/[[...d]]") == (Segment("optional-catch-all", "d"),)
    assert segments("/") == ()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/pri/static", ("/pri/static", {})),
        ("/pri/1", ("/pri/[id]", {"id": "1"})),
        ("/pri/1/sub", ("/pri/[id]/sub", {"id": "1"})),
        ("/pri/1/other", ("/pri/[...rest]", {"rest": ["1", "other"]})),
        ("/pri/static/x", ("/pri/[...rest]", {"rest": ["static", "x"]})),
        ("/pri", None),
        ("/pri//x", None),
        ("/Pri/static", None),
    ],
)
def test_a_static_segment_goes_before_a_dynamic_one_and_that_before_a_catch_all(path, expected):
    assert found(["/pri/static", "/pri/[id]", "/pri/[id]/sub", "/pri/[...rest]"], path) == expected


def test_an_optional_catch_all_takes_its_own_folder_without_a_parameter():
    assert found(["/opt/[[...path]]"], "/opt") == ("/opt/[[...path]]", {})
    assert found(["/opt/[[...path]]"], "/opt/a/b") == ("/opt/[[...path]]", {"path": ["a", "b"]})


def test_dynamic_segments_are_decoded_once_and_static_ones_never():
    assert found(["/u/[id]"], "/u/a%2Fb%2520") == ("/u/[id]", {"id": "a/b%20"})
    assert found(["/admin"], "/%61dmin") is None


@pytest.mark.parametrize("path", ["/u/%zz", "/u/%", "/u/%ff", "/u/a%2"])
def test_a_dynamic_segment_that_cannot_be_decoded_is_refused(path):
    with pytest.raises(BadPathError):
        found(["/u/[id]"], path)


def test_a_bad_escape_matters_only_where_it_is_decoded():
    assert found(["/u/static"], "/u/%zz") is None


@pytest.mark.parametrize(
    ("raw", "resolved"),
    [
        (b"/a/../b", b"/b"),
        (b"/a/%2e%2E/b", b"/b"),
        (b"/a/./b/.", b"/a/b/"),
        (b"/../../x", b"/x"),
        (b"/a/..", b"/"),
        (b"/a/...", b"/a/..."),
        (b"/a.b/c%20d", b"/a.b/c%20d"),
    ],
)
def test_dots_are_resolved_as_in_a_url(raw, resolved):
    assert resolve_dots(raw) == resolved


@pytest.mark.parametrize(
    ("raw", "target"),
    [
        (b"/a/", b"/a"),
        (b"//a///b", b"/a/b"),
        (b"/a\\b", b"/a/b"),
        (b"/", b"/"),
        (b"//", b"/"),
        (b"/a", b"/a"),
    ],
)
def test_the_canonical_path_has_single_slashes_and_none_at_the_end(raw, target):
    assert canonical(raw) == target


PARTS = st.sampled_from(["a", "b", "[x]", "[y]"])
TAILS = st.sampled_from([[], ["[...r]"], ["[[...o]]"]])
ROUTES = st.builds(lambda parts, tail: "/" + "/".join([*parts, *tail]), st.lists(PARTS, max_size=3), TAILS)
PATHS = st.lists(st.sampled_from(["a", "b", "c", "%20"]), max_size=4).map(lambda parts: "/" + "/".join(parts))


def shape(route):
    return tuple((part.kind, part.text if part.kind == "static" else "") for part in segments(route))


def naive(routes, path):
    """Try every route; among those that fit, the one whose kinds come first, level by level."""
    rank = {"static": 0, "single": 1, "catch-all": 2, "optional-catch-all": 3}
    given_parts = [part for part in path.split("/") if part]
    fitting = []
    for route in routes:
        parts = segments(route)
        rest = parts[-1].kind if parts and "catch-all" in parts[-1].kind else None
        fixed = parts[:-1] if rest else parts
        if len(given_parts) < len(fixed) or (not rest and len(given_parts) != len(fixed)):
            continue
        if rest == "catch-all" and len(given_parts) == len(fixed):
            continue
        if all(
            part.kind == "single" or part.text == raw for part, raw in zip(fixed, given_parts, strict=False)
        ):
            levels = [rank[part.kind] for part in parts]
            if rest == "optional-catch-all" and len(given_parts) == len(fixed):
                levels = [*levels[:-1], 9]
            fitting.append((levels, route))
    return min(fitting)[1] if fitting else None


@given(st.lists(ROUTES, max_size=8, unique_by=shape), PATHS)
def test_the_trie_agrees_with_trying_every_route(routes, path):
    match = found(routes, path)
    assert (match and match[0]) == naive(routes, path)


@given(st.binary(max_size=30))
def test_no_path_breaks_the_router(raw):
    path = b"/" + raw
    router = Router((route, route) for route in ["/a/[b]", "/[...c]", "/a/b/[[...d]]"])
    with contextlib.suppress(BadPathError):
        router.match(canonical(resolve_dots(path)))


@given(st.text(max_size=10))
def test_decoding_undoes_percent_encoding(text):
    encoded = "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))
    try:
        text.encode()
    except UnicodeEncodeError:
        with pytest.raises(BadPathError):
            decode(encoded.encode())
    else:
        assert decode(encoded.encode()) == text
