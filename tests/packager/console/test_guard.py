"""Who may read from the console, and who may act."""

import pytest

from packager.console.guard import is_local, may_act, may_read

LOCAL = "127.0.0.1:3000"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", LOCAL, "127.9.9.9", "localhost", "LOCALHOST:3000", "shop.localhost:3000", "[::1]:3000"],
)
def test_names_of_this_machine(host: str) -> None:
    assert is_local(host)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "10.0.0.1",
        "0.0.0.0",
        "[::1",
        "x@",
    ],
)
def test_other_names_are_those_of_another_site(host: str | None) -> None:
    assert not is_local(host)


@pytest.mark.parametrize("site", [None, "none", "same-origin"])
def test_own_pages_addresses_and_programs_may_read(site: str | None) -> None:
    assert may_read({"host": LOCAL, **({"sec-fetch-site": site} if site else {})})


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pages_of_others_may_neither_read_nor_act(site: str) -> None:
    assert not may_read({"host": LOCAL, "sec-fetch-site": site})
    assert not may_act({"host": LOCAL, "sec-fetch-site": site})


def test_acting_takes_the_same_origin() -> None:
    assert may_act({"host": LOCAL})
    assert may_act({"host": LOCAL, "origin": f"http://{LOCAL}", "sec-fetch-site": "same-origin"})
    assert not may_act({"host": LOCAL, "origin": "http://127.0.0.1:4000"})
    assert not may_act({"host": LOCAL, "origin": "null"})
    assert not may_act({"host": LOCAL, "sec-fetch-site": "none"})
    assert not may_act({"host": "evil.example"})
