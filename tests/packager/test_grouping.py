import re

from hypothesis import given
from hypothesis import strategies as st

from packager.grouping import group
from packager.model import Route


def route(path, runtime="nodejs", *, memory=None, max_duration=30, isolate=False):
    memory = memory or {"nodejs": 512, "edge": 256}[runtime]
    file = f"app{path}/route.py"
    return Route(file, path, (), ("GET",), runtime, runtime, max_duration, memory, 1000, isolate=isolate)


def test_routes_of_equal_settings_share_a_function():
    routes = [
        route("/a"),
        route("/b"),
        route("/c", "edge"),
        route("/d", memory=1024, max_duration=60),
        route("/e", memory=1024, max_duration=60),
        route("/f", "edge", max_duration=10),
    ]
    assert group(routes) == {
        "/a": "api",
        "/b": "api",
        "/c": "edge",
        "/d": "api-1024mb-60s",
        "/e": "api-1024mb-60s",
        "/f": "edge-256mb-10s",
    }


def test_an_isolated_route_is_named_after_its_path():
    routes = [route("/api/users/[id]", isolate=True), route("/", "edge", isolate=True), route("/api/users")]
    assert group(routes) == {"/api/users/[id]": "api-users-id", "/": "root", "/api/users": "api"}


def test_an_isolated_route_never_takes_the_name_of_a_shared_function():
    routes = [
        route("/api", isolate=True),
        route("/Edge", isolate=True),
        route("/api/1024mb/60s", isolate=True),
        route("/x", memory=1024, max_duration=60),
    ]
    names = group(routes)
    assert names["/x"] == "api-1024mb-60s"
    assert len({name.lower() for name in [*names.values(), "api", "edge"]}) == 6


def test_paths_that_give_one_name_are_told_apart_and_stay_so():
    routes = [
        route("/users/[id]", isolate=True),
        route("/users/id", isolate=True),
        route("/Users/id", isolate=True),
    ]
    names = group(routes)
    assert len({name.lower() for name in names.values()}) == 3
    assert group(routes[::-1]) == names


SEGMENTS = st.lists(st.text("aB1-_.[]", min_size=1, max_size=30), max_size=5)


@given(st.lists(SEGMENTS, max_size=6))
def test_names_are_unique_short_and_plain(paths):
    routes = [route(path, isolate=True) for path in {"/" + "/".join(parts) for parts in paths}]
    names = group(routes)
    assert len({name.lower() for name in names.values()}) == len(routes)
    assert all(re.fullmatch(r"[A-Za-z0-9-]{1,40}", name) for name in names.values())
