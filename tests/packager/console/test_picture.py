"""What is drawn of a deployment."""

from pathlib import Path
from typing import Any

from packager.console.picture import MAX_ROWS, of_topology
from packager.preview.template import Place
from packager.preview.topology import (
    Behaviour,
    CachePolicy,
    Distribution,
    FunctionConfig,
    HttpApi,
    Origin,
    OriginFunction,
    OriginRequestPolicy,
    RouteKey,
    Topology,
)

API, EDGE = Place("shop", "Api"), Place("shop-edge", "Edge")


def function(place: Place, runtime: str, label: str) -> FunctionConfig:
    """A function as it is configured."""
    return FunctionConfig(place, label, label, "function", Path("x.zip"), runtime, "h", 512, 30, {}, "arm64")


def behaviour(pattern: str, edge: Place | None = None) -> Behaviour:
    """A cache behaviour whose origin is the HTTP API."""
    association = OriginFunction(edge, include_body=True) if edge else None
    policies = (CachePolicy(max_ttl=60 if edge else 0), OriginRequestPolicy())
    return Behaviour(pattern, "api", frozenset(), frozenset(), *policies, origin_function=association)


def topology(routes: int = 1) -> Topology:
    """A distribution before an edge function and an HTTP API."""
    keys = tuple(RouteKey(Place("shop", f"R{at}"), f"ANY /api/{at}", API) for at in range(routes))
    return Topology(
        (function(API, "python3.13", "api"), function(EDGE, "nodejs24.x", "edge")),
        HttpApi(Place("shop", "Http"), "x.example", keys),
        Distribution(
            Place("shop-edge", "Cdn"),
            "d.example",
            (Origin("api", "x.example", (), 30),),
            (behaviour("/api/fast", EDGE), behaviour("*")),
            {},
        ),
    )


def test_templates_are_drawn_from_the_viewer_to_the_functions() -> None:
    picture = of_topology(topology())
    assert [(box.title, box.column, box.kind) for box in picture.boxes] == [
        ("Viewer", 0, ""),
        ("CloudFront", 1, ""),
        ("api", 3, "nodejs"),
        ("edge", 2, "edge"),
        ("HTTP API", 2, ""),
    ]
    assert picture.boxes[1].rows == ("/api/fast  (cached)", "*")
    assert [(wire.source, wire.row, wire.target) for wire in picture.wires] == [
        ("viewer", None, "cdn"),
        ("cdn", 0, str(EDGE)),
        ("cdn", 1, "api"),
        (str(EDGE), None, "api"),
        ("api", 0, str(API)),
    ]


def test_more_rows_than_fit_are_counted_and_share_a_wire() -> None:
    picture = of_topology(topology(routes=40))
    [api] = [box for box in picture.boxes if box.title == "HTTP API"]
    assert (len(api.rows), api.rows[-1]) == (MAX_ROWS, f"{40 - MAX_ROWS + 1} more")
    assert sum(wire.source == "api" for wire in picture.wires) == MAX_ROWS


def test_without_a_distribution_the_viewer_asks_the_api() -> None:
    whole = topology()
    picture = of_topology(Topology(whole.functions, whole.api, None))
    assert ("viewer", "api") in [(wire.source, wire.target) for wire in picture.wires]


def test_a_build_without_stacks_is_its_functions(stand: Any) -> None:
    picture = stand.ask("GET", "/_packager/data/project").json()["picture"]
    assert [box["title"] for box in picture["boxes"]] == ["Viewer", "api", "edge"]
    assert picture["boxes"][2]["rows"] == ["/api/hello", "/api/users/[id]"]
