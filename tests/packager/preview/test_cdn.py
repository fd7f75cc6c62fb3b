"""Edge functions through the front door: a real Node with a small worker of the same contract."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving import alive

from infra.manifest import Function

type Make = Callable[..., Function]
type Built = Callable[..., Path]


def test_request_arrives_exactly_as_sent(edge: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        for method in (b"GET-it", b"get", b"REPORT"):
            refused = await running.raw(method + b" /edge/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert refused.startswith(b"HTTP/1.1 400 ")
            assert b"content-length: 0\r\n" in refused
        answer = await running.raw(
            b"QUERY /edge/a%2Fb/%zz/%7e?x=%zz&y=1;2 HTTP/1.1\r\nHost: example.test\r\nX-Two: 1\r\nx-two: 2\r\n"
            b"X-Nextjs-A: 1\r\nCloudfront-Viewer-Address: 1.2.3.4:5\r\nConnection: close\r\n\r\n"
        )
        seen = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert seen["method"] == "QUERY"
        assert seen["target"] == "/edge/a%2Fb/%zz/%7e?x=%zz&y=1;2"
        *headers, name, address = seen["headers"]
        assert headers == ["host", "example.test", "x-two", "1", "x-two", "2"]
        assert (name, address.rpartition(":")[0]) == ("cloudfront-viewer-address", "127.0.0.1")

    exercise(built(edge()), use)


def test_worker_gets_the_apps_variables_and_nothing_else(
    edge: Make, built: Built, exercise: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_BUILDER", "private")

    async def use(running: Any) -> None:
        seen = (await running.client.get("/edge/x")).json()
        assert seen["environment"] == {"PLAIN": "value", "API_KEY": "local secret"}
        assert seen["arguments"] == ["--port", "0", "--behind-cdn"]

    exercise(built(edge()), use)


def test_bodies_pass_with_length_and_chunked(edge: Make, built: Built, exercise: Any) -> None:
    async def chunks() -> Any:
        yield b"one,"
        yield b"two"

    async def use(running: Any) -> None:
        large = "x" * 300_000
        assert (await running.client.post("/edge/x", content=large)).json()["body"] == large
        assert (await running.client.post("/edge/x", content=chunks())).json()["body"] == "one,two"

    exercise(built(edge()), use)


def test_response_streams_while_the_request_is_still_sent(edge: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(
            b"POST /edge/stream HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"
        )
        await reader.readuntil(b"first,")
        writer.write(b"two,")
        assert b"two," in await reader.readuntil(b"last")
        writer.close()
        await writer.wait_closed()

    exercise(built(edge()), use)


def test_early_answer_reaches_a_client_that_is_still_sending(edge: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        answer = await running.client.post("/edge/early", content=b"x" * 5_000_000)
        assert (answer.status_code, answer.text) == (413, "early")

    exercise(built(edge()), use)


def test_headers_pass_as_given_but_for_what_cloudfront_forbids(
    edge: Make, built: Built, exercise: Any
) -> None:
    async def use(running: Any) -> None:
        answer = await running.raw(b"GET /edge/headers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert body == b"raw"
        assert head.lower().split(b"\r\n") == [
            b"http/1.1 200 ok",
            *(b"set-cookie: a=1", b"set-cookie: b=2", b"x-own: yes", b"content-encoding: gzip"),
            *(b"content-length: 3", b"connection: close"),
        ]

    exercise(built(edge()), use)


def test_regional_function_may_set_any_header(edge: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        answer = await running.raw(b"GET /edge/headers HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"x-cache: no" in answer

    exercise(built(edge(target="regional")), use)


def test_head_and_204_have_no_body(edge: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        head = await running.client.head("/edge/x")
        assert int(head.headers["content-length"]) > 0
        assert head.content == b""
        empty = await running.client.get("/edge/empty")
        assert (empty.status_code, empty.headers.get("content-length"), empty.content) == (204, None, b"")

    exercise(built(edge()), use)


def test_crash_is_502_and_the_next_request_gets_a_fresh_worker(
    edge: Make, built: Built, exercise: Any
) -> None:
    async def use(running: Any) -> None:
        first = (await running.client.get("/edge/x")).json()["pid"]
        crashed = await running.client.get("/edge/exit")
        assert (crashed.status_code, crashed.json()) == (502, {"message": "Bad Gateway"})
        assert [line for line in running.log if "exit status 3" in line]
        assert (await running.client.get("/edge/x")).json()["pid"] != first

    exercise(built(edge()), use)


def test_connection_breaks_off_if_the_worker_dies_within_its_answer(
    edge: Make, built: Built, exercise: Any
) -> None:
    async def use(running: Any) -> None:
        answer = await running.raw(b"GET /edge/break HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.endswith(b"\r\n\r\nsome")
        assert (await running.client.get("/edge/x")).status_code == 200

    exercise(built(edge()), use)


def test_client_that_leaves_does_not_harm_the_worker(edge: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        first = (await running.client.get("/edge/x")).json()["pid"]
        _, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(b"GET /edge/hold HTTP/1.1\r\nHost: x\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert (await running.client.get("/edge/x")).json()["pid"] == first

    exercise(built(edge()), use)


def test_worker_that_does_not_start_is_502_and_its_words_are_logged(
    edge: Make, built: Built, exercise: Any
) -> None:
    async def use(running: Any) -> None:
        for _ in range(2):
            assert (await running.client.get("/edge/x")).status_code == 502
        assert [line for line in running.log if "broken on purpose" in line]

    exercise(built(edge(), worker='throw new Error("broken on purpose");'), use)


def test_sixty_four_requests_in_flight_are_served(edge: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        answers = await asyncio.gather(*(running.client.get("/edge/x") for _ in range(64)))
        assert {answer.status_code for answer in answers} == {200}

    exercise(built(edge()), use)


def test_no_worker_is_left_when_the_door_closes(edge: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> int:
        return int((await running.client.get("/edge/x")).json()["pid"])

    assert not alive(exercise(built(edge()), use))


def test_every_request_is_a_cold_start_if_asked_for(edge: Make, built: Built, exercise: Any) -> None:
    async def use(running: Any) -> None:
        pids = [(await running.client.get("/edge/x")).json()["pid"] for _ in range(3)]
        assert len(set(pids)) == 3

    exercise(built(edge()), use, cold=True)
