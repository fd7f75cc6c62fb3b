import asyncio

import pytest
from starlette.background import BackgroundTask
from starlette.datastructures import Headers
from starlette.responses import FileResponse, StreamingResponse

from runtimes import Response, conditional


def answer(response, wanted=None, method="GET"):
    conditional.apply(response, Headers({} if wanted is None else {"if-none-match": wanted}), method)
    return response


def tag_of(response):
    return answer(response).headers["etag"]


def test_equal_bodies_have_the_same_strong_tag_and_others_another():
    tag = tag_of(Response.json({"a": 1}))
    assert tag == tag_of(Response.json({"a": 1}))
    assert tag != tag_of(Response.json({"a": 2}))
    assert tag.startswith('"')
    assert len(tag) == 34


def test_type_and_encoding_are_part_of_the_tag():
    tags = {
        tag_of(Response("x")),
        tag_of(Response("x", media_type="text/html")),
        tag_of(Response("x", headers={"content-encoding": "gzip"})),
    }
    assert len(tags) == 3


@pytest.mark.parametrize(
    "form", ["{0}", "W/{0}", '"a", {0}', '"a,b",W/"c" ,{0}', "*", " * ", '"", {0}', "bad, {0}"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_tag_that_the_client_has_gives_304(form, method):
    tag = tag_of(Response("x"))
    response = answer(Response("x"), form.format(tag), method)
    assert (response.status_code, response.body, response.headers["etag"]) == (304, b"", tag)


@pytest.mark.parametrize("wanted", ['"a"', "", "bad", '"*"', '*, "a"', 'W/"', '"a', "w/{0}x"])
def test_another_tag_gives_the_whole_answer(wanted):
    tag = tag_of(Response("x"))
    response = answer(Response("x"), wanted.format(tag[:-1]))
    assert (response.status_code, response.body, response.headers["content-length"]) == (200, b"x", "1")


def test_304_keeps_all_headers_but_those_of_the_body():
    headers = {
        "cache-control": "s-maxage=60",
        "vary": "Origin",
        "content-location": "/x",
        "expires": "0",
        "x-own": "1",
        "last-modified": "Thu, 01 Jan 1970 00:00:00 GMT",
        "content-language": "en",
    }
    first = Response("x", headers=headers)
    first.cookies.set("a", "1").set("b", "2")
    second = Response("x", headers=headers)
    second.cookies.set("a", "1").set("b", "2")
    response = answer(second, tag_of(first))
    assert [name.decode() for name, _ in response.raw_headers] == [
        *(
            "cache-control",
            "vary",
            "content-location",
            "expires",
            "x-own",
            "set-cookie",
            "set-cookie",
            "etag",
        ),
    ]
    assert [cookie.name for cookie in response.cookies.get_all()] == ["a", "b"]


def test_304_is_sent_without_body_and_length_and_runs_its_background_task():
    ran, messages = [], []

    async def send(message):
        messages.append(message)

    response = Response("x", background=BackgroundTask(ran.append, 1))
    asyncio.run(answer(response, "*")({"type": "http"}, None, send))
    assert messages[0]["status"] == 304
    assert b"content-length" not in dict(messages[0]["headers"])
    assert messages[1]["body"] == b""
    assert ran == [1]


@pytest.mark.parametrize("own", ['"v1"', 'W/"v1"'])
def test_a_tag_of_the_handler_stays_and_is_compared(own):
    assert tag_of(Response("x", headers={"ETag": own})) == own
    assert answer(Response("x", headers={"ETag": own}), '"v1"').status_code == 304
    assert answer(Response("x", headers={"ETag": own}), '"v2"').status_code == 200


@pytest.mark.parametrize(
    ("response", "method"),
    [
        *((Response("x"), "POST"), (Response("x", 201), "GET"), (Response(None, 404), "GET")),
        (Response("x", headers={"cache-control": "private, no-store"}), "GET"),
        *((Response(None), "HEAD"), (StreamingResponse(iter(["x"])), "GET"), (FileResponse(__file__), "GET")),
    ],
)
def test_other_answers_are_left_alone(response, method):
    before, status = list(response.raw_headers), response.status_code
    answer(response, "*", method)
    assert (response.raw_headers, response.status_code) == (before, status)


def test_headers_that_were_looked_at_before_show_the_change():
    response = Response("x")
    headers = response.headers
    answer(response, "*")
    assert "content-length" not in headers
    assert "etag" in headers
