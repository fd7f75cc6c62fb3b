import pytest

from runtimes.site_rules import HeaderRule, Site
from runtimes.table import Cors, MiddlewareEntry, RouteEntry, Table, answers_unknown, from_json, to_json


def test_a_table_survives_the_way_to_its_file_and_back():
    cors = Cors(("https://a.example",), ("GET",), None, True, 60)
    table = Table(
        "api",
        (
            RouteEntry("/a/[id]", "src/app/a/[id]/route.py", "api", 100, False, cors),
            RouteEntry("/b", "src/app/b/route.py", "edge", 100, 60),
        ),
        (
            MiddlewareEntry("src/middleware.py", "/", ("/a", {"source": "/b", "has": []})),
            MiddlewareEntry("m.py", "/c"),
        ),
        "src",
        "https://api.example",
        Site("/shop", headers=(HeaderRule("/a", (("X-A", "1"),)),)),
    )
    assert from_json(to_json(table)) == table
    assert to_json(from_json(to_json(table))) == to_json(table)


@pytest.mark.parametrize(
    ("functions", "cdn_functions", "answers"),
    [
        (("edge", "api"), (), True),
        (("edge", "api"), ("edge",), False),
        (("edge", "other"), ("edge", "other"), True),
        (("edge",), ("edge",), True),
    ],
)
def test_a_url_without_a_route_is_left_to_the_api_behind_the_cdn(functions, cdn_functions, answers):
    routes = tuple(RouteEntry(f"/{name}", f"app/{name}/route.py", name, 100) for name in functions)
    assert answers_unknown(Table("edge", routes, cdn_functions=cdn_functions)) is answers
