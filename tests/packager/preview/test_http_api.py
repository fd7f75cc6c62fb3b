"""Which route of an HTTP API a request takes, beside the model of the same documentation in `front_doors`."""

import pytest
from front_doors import api_functions
from manifests import manifest_of, route

from infra.routes import api_routes
from packager.preview.http_api import HttpApiFront
from packager.preview.template import Place
from packager.preview.topology import HttpApi, RouteKey


def front(*keys: str) -> HttpApiFront:
    rows = tuple(RouteKey(Place("s", str(index)), key, Place("s", key)) for index, key in enumerate(keys))
    return HttpApiFront(HttpApi(Place("s", "Api"), "host", rows), {}, {})


@pytest.mark.parametrize(
    ("method", "path", "key", "params"),
    [
        ("GET", "/a/b", "ANY /a/b", {}),
        ("GET", "/a/c", "GET /a/{x}", {"x": "c"}),
        ("POST", "/a/c", "ANY /a/{x}", {"x": "c"}),
        ("GET", "/b/c", "ANY /{y}/c", {"y": "b"}),
        ("GET", "/a/c/d", "ANY /a/{rest+}", {"rest": "c/d"}),
        ("GET", "/a/b/c/d", "ANY /a/b/{deep+}", {"deep": "c/d"}),
        ("GET", "/a%2Fb", "ANY /a/b", {}),
        ("GET", "/a/%C3%A9", "GET /a/{x}", {"x": "é"}),
        ("GET", "/A/b", "$default", {}),
        ("GET", "/a/b/", "ANY /a/b/{deep+}", {"deep": ""}),
        ("GET", "/a/", "ANY /a/{rest+}", {"rest": ""}),
        ("GET", "/", "ANY /", {}),
        ("GET", "/x", "$default", {}),
    ],
)
def test_the_most_specific_route_is_taken(method: str, path: str, key: str, params: dict[str, str]) -> None:
    keys = (
        *("$default", "ANY /a/{rest+}", "ANY /a/b/{deep+}", "ANY /a/{x}", "GET /a/{x}", "ANY /a/b"),
        *("ANY /{y}/c", "ANY /"),
    )
    found = front(*keys).match(method, path.encode())
    assert found is not None
    assert (found.route.key, found.params) == (key, params)


def test_without_a_default_route_there_may_be_none() -> None:
    assert front("ANY /a").match("GET", b"/b") is None


def test_routes_of_an_app_are_chosen_as_the_documentation_has_it() -> None:
    paths = ("/", "/a", "/a/[x]", "/a/b", "/[y]/b", "/a/[...rest]", "/c/[[...all]]", "/[y]/[z]/d")
    manifest = manifest_of([route(path, f"f{index}") for index, path in enumerate(paths)])
    rows = api_routes(manifest)
    owners = {row.key: row.function for row in rows}
    tried = front(*owners)
    segments = ("a", "b", "c", "d", "e")
    urls = ["/", *(f"/{one}" for one in segments), *(f"/{one}/{two}" for one in segments for two in segments)]
    urls += [f"{url}/{last}" for url in urls[6:] for last in ("d", "e")]
    for url in urls:
        found = tried.match("GET", url.encode())
        assert found is not None
        assert owners[found.route.key] in api_functions(rows, url), url
