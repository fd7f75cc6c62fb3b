"""What of a viewer's request reaches the origin: what the policies of its behaviour name, and what CloudFront adds.

Sources: Amazon CloudFront Developer Guide, "Control origin requests with a policy", "Request and response behavior for
custom origins".
"""

from urllib.parse import unquote_plus

from packager.preview.origin_request import OriginRequest
from packager.preview.topology import Behaviour, Origin
from packager.preview.viewer import ViewerRequest

_OF_BODY = (b"content-length", b"transfer-encoding", b"content-type")


def forwarded(
    viewed: ViewerRequest,
    behaviour: Behaviour,
    origin: Origin,
    distribution: str,
    request_id: str,
    version: str,
) -> OriginRequest:
    """The request for the origin. `distribution` is the host of the distribution, `version` the viewer's of HTTP."""
    cache, policy = behaviour.cache, behaviour.origin_request
    headers = []
    for name, value in viewed.headers:
        text = name.decode("latin-1")
        if name == b"cookie":
            rows = [row.strip() for row in value.split(b";")]
            cookies = [row for row in rows if _takes_cookie(behaviour, row)]
            headers += [(name, value if cookies == rows else b"; ".join(cookies))] if cookies else []
        elif name in _OF_BODY:
            headers.append((name, value))
        elif text.startswith("cloudfront-"):
            headers += [(name, value)] if text in policy.added or cache.headers.takes(text) else []
        elif policy.headers.takes(text) or cache.headers.takes(text):
            headers.append((name, value))
    if not any(name == b"host" for name, _ in headers):
        headers.append((b"host", origin.host.encode()))
    via = f"{version} {distribution} (CloudFront)".encode()
    headers += [(b"via", via), (b"x-amz-cf-id", request_id.encode())]
    parts = viewed.query.split(b"&") if viewed.query else []
    query = b"&".join(part for part in parts if _takes_query(behaviour, part))
    return OriginRequest(viewed.method, viewed.path, query, tuple(headers), viewed.ip)


def _takes_cookie(behaviour: Behaviour, row: bytes) -> bool:
    name = row.partition(b"=")[0].decode("latin-1")
    return behaviour.origin_request.cookies.takes(name) or behaviour.cache.cookies.takes(name)


def _takes_query(behaviour: Behaviour, part: bytes) -> bool:
    name = unquote_plus(part.partition(b"=")[0].decode("latin-1"))
    return behaviour.origin_request.query.takes(name) or behaviour.cache.query.takes(name)
