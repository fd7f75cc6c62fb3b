"""pytest's plugin `runtimes`: the fixtures `client` and `edge_client`, and what a project says of them.

A project gives `env`, `geo` and `cookies` fixtures of its own; off with `-p no:runtimes`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from runtimes.requests import Geo
    from runtimes.testing.client import Client
    from runtimes.testing.project import Runtime


@pytest.fixture
def env() -> Mapping[str, str]:
    """Environment variables of `client` and `edge_client`."""
    return {}


@pytest.fixture
def geo() -> "Geo | None":
    """Where the viewer is."""
    return None


@pytest.fixture
def cookies() -> Mapping[str, str]:
    """The cookies that the clients begin with."""
    return {}


@pytest.fixture
def client(
    request: pytest.FixtureRequest, env: Mapping[str, str], geo: "Geo | None", cookies: Mapping[str, str]
) -> "Iterator[Client]":
    """A client of the project that the test lies in, each route on its own runtime."""
    yield from _client(request.path, None, env, geo, cookies)


@pytest.fixture
def edge_client(
    request: pytest.FixtureRequest, env: Mapping[str, str], geo: "Geo | None", cookies: Mapping[str, str]
) -> "Iterator[Client]":
    """A client of the project that the test lies in, every route on edge."""
    yield from _client(request.path, "edge", env, geo, cookies)


def _client(
    test: Path,
    runtime: "Runtime | None",
    env: Mapping[str, str],
    geo: "Geo | None",
    cookies: Mapping[str, str],
) -> "Iterator[Client]":
    from runtimes.testing.client import Client  # noqa: PLC0415 - most runs of pytest do not use it
    from runtimes.testing.project import found_above  # noqa: PLC0415

    with Client(found_above(test.parent), runtime=runtime, env=env, geo=geo, cookies=cookies) as made:
        yield made
