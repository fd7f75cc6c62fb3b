import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.manifest import Function
from packager.errors import ToolError
from packager.preview import server

type Make = Callable[..., Function]
type Built = Callable[..., Path]


def test_unmatched_paths_go_to_the_first_nodejs_function(
    edge: Make, nodejs: Make, built: Built, exercise: Any
) -> None:
    async def use(running: Any) -> None:
        for path in ("/nowhere/echo", "/api/%zz/echo", "/edge/%zz/echo"):
            event = (await running.client.get(path)).json()
            assert (event["rawPath"], event["routeKey"]) == (path, "$default")

    exercise(built(edge(), nodejs()), use)


def test_unmatched_paths_go_to_the_edge_function_where_there_is_no_other(
    edge: Make, built: Built, exercise: Any
) -> None:
    async def use(running: Any) -> None:
        assert (await running.client.get("/nowhere")).json()["target"] == "/nowhere"

    exercise(built(edge()), use)


def test_absolute_form_is_read_as_its_path(nodejs: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        request = b"GET http://example.test/api/echo?a=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert b'"rawPath": "/api/echo"' in await running.raw(request)

    exercise(built(nodejs()), use)


@pytest.mark.parametrize("request_line", [b"CONNECT example.test:443", b"nonsense"])
def test_what_is_no_request_for_a_path_is_400(
    nodejs: Make, built: Built, exercise: Any, request_line: bytes
) -> None:
    async def use(running: Any) -> None:
        answer = await running.raw(request_line + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")

    exercise(built(nodejs()), use)


def test_no_server_and_no_date_are_added(nodejs: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        assert not {"server", "date"} & set((await running.client.get("/api/echo")).headers)

    exercise(built(nodejs()), use)


def test_forwarded_headers_of_a_client_do_not_change_its_address(
    nodejs: Make, built: Built, exercise: Any
) -> None:
    async def use(running: Any) -> None:
        event = (await running.client.get("/api/echo", headers={"x-forwarded-for": "1.2.3.4"})).json()
        assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"

    exercise(built(nodejs()), use)


def test_busy_port_is_a_tool_error_with_the_next_step() -> None:
    with server.listen(0) as taken, pytest.raises(ToolError) as caught:
        server.listen(taken.getsockname()[1])
    assert "in use" in caught.value.message
    assert "--port 0" in caught.value.hint


def test_every_request_is_one_line_of_the_log(nodejs: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        await running.client.get("/api/echo?token=not%20for%20logs")
        lines = [line for line in running.log if line.startswith("GET ")]
        assert [re.sub(r"\d+ ms", "N ms", line) for line in lines] == ["GET /api/echo 200 nodejs N ms cold"]

    exercise(built(nodejs()), use)
