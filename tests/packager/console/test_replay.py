"""How a request is made again."""

from typing import Any

import pytest

from packager.console.replay import ReplayError, edited, read
from packager.traffic.history import Exchange
from packager.traffic.secrecy import Secrets
from packager.traffic.trace import Trace

SECRETS = Secrets({"KEY": "hush-hush"})


def exchange(body: bytes = b"given") -> Exchange:
    """A request that was kept."""
    headers = ((b"host", b"x"), (b"authorization", b"Bearer \xe9"), (b"content-length", b"5"))
    kept = Exchange(7, "POST", b"/a?b=1", "1.1", headers, Trace())
    kept.request_body.add(body)
    return kept


def document(**changes: Any) -> dict[str, Any]:
    """What the page sends."""
    headers = [{"name": "host", "value": "x"}, {"name": "Authorization", "value": None, "keep": 1}]
    return {"method": "POST", "target": "/a?b=1", "headers": headers, "body": None, **changes}


def test_what_is_not_changed_is_as_it_was() -> None:
    again = edited(exchange(), document(), SECRETS)
    assert (again.method, again.target, again.body) == ("POST", "/a?b=1", b"given")
    lengths = (b"content-length", b"5")
    assert again.headers == ((b"host", b"x"), (b"authorization", b"Bearer \xe9"), lengths)


def test_texts_are_sent_as_they_were_edited_secrets_with_their_values() -> None:
    headers = [{"name": "X-Key", "value": "‹KEY›"}, {"name": "content-length", "value": "999"}]
    again = edited(
        exchange(), document(method="PUT", target="/‹KEY›", headers=headers, body="ü‹KEY›"), SECRETS
    )
    assert (again.method, again.target, again.body) == ("PUT", "/hush-hush", "ühush-hush".encode())
    assert again.headers == ((b"x-key", b"hush-hush"), (b"content-length", b"11"))


def test_a_request_without_a_body_gets_no_length() -> None:
    again = edited(exchange(b""), document(method="GET", headers=[]), SECRETS)
    assert again.headers == ()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"method": "GET /x HTTP/1.1"}, "method"),
        ({"target": "http://elsewhere/"}, "begin with /"),
        ({"target": "/a b"}, "visible"),
        ({"headers": [{"name": "a\r\nb", "value": ""}]}, "not the name"),
        ({"headers": [{"name": "a", "value": "x\r\ny: z"}]}, "line break"),
        ({"headers": [{"name": "a", "value": "…"}]}, "characters"),
        ({"headers": [{"name": "a", "keep": 9}]}, "not a request"),
        ({"headers": "no"}, "not a request"),
    ],
)
def test_what_cannot_be_sent_is_refused(changes: Any, why: str) -> None:
    with pytest.raises(ReplayError, match=why):
        edited(exchange(), document(**changes), SECRETS)


def test_a_body_that_was_cut_is_not_sent_as_if_it_were_whole() -> None:
    with pytest.raises(ReplayError, match="64 KB"):
        edited(exchange(b"x" * 70_000), document(), SECRETS)
    assert edited(exchange(b"x" * 70_000), document(body="short"), SECRETS).body == b"short"


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff"])
def test_a_document_is_a_json_object(body: bytes) -> None:
    with pytest.raises(ReplayError):
        read(body)
