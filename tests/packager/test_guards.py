import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.manifest import Middleware
from packager.guards import can_meet, guards
from packager.model import App, EdgeSettings, Project, Route, Settings
from runtimes.patterns import compile_path


def route(path):
    return Route(f"app{path}/route.py", path, (), ("GET",), "nodejs", "nodejs", 30, 512, 1000)


@pytest.mark.parametrize(
    ("matcher", "path", "meets"),
    [
        ("/api/admin/:path*", "/api/admin", True),
        ("/api/admin/:path*", "/api/admin/stats", True),
        ("/api/admin/:path*", "/api/administrators", False),
        ("/api/admin/:path*", "/api/users/[id]", False),
        ("/api/admin/:path*", "/api/[kind]/stats", True),
        ("/api/admin/:path*", "/[...all]", True),
        ("/:path*", "/api/users/[id]", True),
        ("/(api|trpc)(.*)", "/api/[x]", True),
        ({"source": "/a", "has": [{"type": "header", "key": "x"}]}, "/a", True),
        ("/a{/:b}?", "/a/[id]", True),
        ("/ab/:x", "/a[id]", True),
        ("/caf%C3%A9", "/café", True),
        ("/caf%C3%A9/:path*", "/café/[id]", True),
        ("/caf%C3%A9/:path*", "/tea/[id]", False),
        ("/caf%C3%A9", "/tea", False),
    ],
)
def test_a_matcher_meets_the_routes_it_can_match(matcher, path, meets):
    assert can_meet(Middleware("middleware.py", "/", (matcher,)), route(path)) is meets


def test_middleware_of_a_folder_meets_the_routes_of_that_folder_only():
    team = Middleware("app/area/(team)/middleware.py", "/area", None)
    inside = Route(
        "app/area/(team)/crew/route.py", "/area/crew", (), ("GET",), "nodejs", "nodejs", 30, 512, 1000
    )
    assert can_meet(team, inside)
    assert not can_meet(team, route("/area/crew"))


def test_a_function_that_answers_unknown_urls_has_every_middleware(tmp_path):
    project = Project(tmp_path, "p", "app", "", (), Settings(edge=EdgeSettings()))
    middleware = (
        Middleware("middleware.py", "/", ("/admin/:path*",)),
        Middleware("app/x/middleware.py", "/x", None),
    )
    app = App(project, (route("/a"),), middleware)
    assert guards(app, app.routes, unmatched=True) == middleware
    assert guards(app, app.routes, unmatched=False) == ()


PARTS = st.lists(st.sampled_from(["a", "b", "ab", "[x]"]), min_size=1, max_size=3)
SOURCES = st.lists(
    st.sampled_from(["a", "b", "ab", ":p", ":q*", "(.*)", "a:p"]), min_size=1, max_size=3, unique=True
)
VALUES = st.sampled_from(["a", "b", "ab", "zz"])


@given(PARTS, SOURCES, st.data())
def test_no_request_that_a_matcher_takes_is_missed(parts, pieces, data):
    source, path = "/" + "/".join(pieces), "/" + "/".join(parts)
    request = "/" + "/".join(data.draw(VALUES) if part == "[x]" else part for part in parts)
    if compile_path(source).match(request):
        assert can_meet(Middleware("middleware.py", "/", (source,)), route(path))
