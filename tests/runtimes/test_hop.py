"""Where a request goes whose route another function serves."""

import pytest

from runtimes import hop, origin_key
from runtimes.requests import CDN, ORIGIN, VIEWER_ORIGIN, Request

API = "https://a1b2.execute-api.eu-west-1.amazonaws.com"
SITE = "https://shop.example"


def request(**scope: object) -> Request:
    base = {"type": "http", "method": "GET", "path": "/a/b", "raw_path": b"/a%2Fb", "query_string": b"q=1"}
    return Request({**base, "headers": [(b"host", b"shop.example")], **scope})


BEHIND_CDN = {CDN: True, ORIGIN: API, VIEWER_ORIGIN: SITE}
ON_EDGE = {CDN: True, VIEWER_ORIGIN: SITE}


def test_without_a_cdn_the_api_itself_is_asked_which_decodes_the_path_once() -> None:
    assert hop.destination(request(**{ORIGIN: API}), None, in_api=True) == (f"{API}/a%252Fb?q=1", [])


def test_behind_the_cdn_a_function_of_the_api_is_asked_there_in_the_cdns_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(origin_key, "KEY", "k3y")
    way = hop.destination(request(**BEHIND_CDN), "https://public.example", in_api=True)
    assert way is not None
    assert way[0] == f"{API}/a%252Fb?q=1"
    assert dict(way[1]) == {
        b"x-packager-origin-key": b"k3y",
        b"x-packager-path": b"/a%2Fb",
        b"x-packager-host": b"shop.example",
    }


def test_what_is_not_in_the_api_is_asked_for_at_the_cdn_without_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(origin_key, "KEY", "k3y")
    assert hop.destination(request(**BEHIND_CDN), None, in_api=False) == (f"{SITE}/a%2Fb?q=1", [])
    public = "https://public.example"
    assert hop.destination(request(**BEHIND_CDN), public, in_api=False) == (f"{public}/a%2Fb?q=1", [])


def test_edge_functions_go_through_the_cdn() -> None:
    assert hop.destination(request(**ON_EDGE), None, in_api=True) == (f"{SITE}/a%2Fb?q=1", [])


def test_the_emulations_own_origin_goes_before_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin_key, "KEY", "k3y")
    monkeypatch.setenv(hop.ORIGIN_VARIABLE, "http://127.0.0.1:3000")
    way = hop.destination(request(**BEHIND_CDN), SITE, in_api=True)
    assert way == ("http://127.0.0.1:3000/a%2Fb?q=1", [])


def test_the_clients_host_is_no_origin(caplog: pytest.LogCaptureFixture) -> None:
    assert hop.destination(request(), None, in_api=True) is None
    assert "no origin to forward to is known" in caplog.text
