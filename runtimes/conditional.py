"""Entity tags and conditional requests: 304 instead of a body that the client has (RFC 9110, §13 and §15.4.5)."""

import hashlib
import re

from starlette.datastructures import Headers
from starlette.responses import Response

_TAG = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_OF_THE_BODY = frozenset(
    (
        b"content-encoding",
        b"content-language",
        b"content-length",
        b"content-range",
        b"content-type",
        b"last-modified",
    )
)
"""What describes the body that a 304 leaves out; the 200 that the client keeps has them."""


def apply(response: Response, request_headers: Headers, method: str) -> None:
    """Give a 200 to GET or HEAD its `ETag`, or turn it into the 304 that `If-None-Match` asks for.

    A tag that the handler set stays and is compared. Left alone: streams and files, whose bodies are not known
    yet, `no-store`, which no client keeps, and a HEAD without a body, which says nothing about GET's. Comparison
    is weak, as CDNs weaken the tags of what they compress.
    """
    if method not in ("GET", "HEAD") or response.status_code != 200:
        return
    named = dict(response.raw_headers)
    if b"etag" in named:
        tag = named[b"etag"]
    else:
        body = getattr(response, "body", None)
        if body is None or (method == "HEAD" and not body) or b"no-store" in named.get(b"cache-control", b""):
            return
        tag = etag(body, named.get(b"content-type", b""), named.get(b"content-encoding", b""))
        response.raw_headers.append((b"etag", tag))
    wanted = request_headers.get("if-none-match")
    if wanted is not None and _holds(wanted.encode("latin-1"), tag):
        response.status_code = 304
        response.body = b""
        response.raw_headers[:] = [row for row in response.raw_headers if row[0] not in _OF_THE_BODY]


def etag(body: bytes | memoryview, content_type: bytes, content_encoding: bytes) -> bytes:
    """A strong tag of 128 bits: the same for equal bytes of the same type and encoding, on every runtime."""
    digest = hashlib.sha256(body)
    digest.update(b"\0%b\0%b" % (content_type, content_encoding))
    return b'"%b"' % digest.hexdigest()[:32].encode()


def _holds(wanted: bytes, tag: bytes) -> bool:
    """Whether an `If-None-Match` names the tag (RFC 9110, §13.1.2)."""
    return wanted.strip() == b"*" or tag.removeprefix(b"W/") in _TAG.findall(wanted)
