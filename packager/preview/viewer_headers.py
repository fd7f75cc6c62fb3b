"""What CloudFront knows of a viewer and tells by headers, here by what the command line or the request itself says.

A client may send `x-preview-viewer-country: DE` for `CloudFront-Viewer-Country`, and the like for the other headers;
preview alone reads that. Source: Amazon CloudFront Developer Guide, "Add CloudFront request headers".
"""

from collections.abc import Mapping

from packager.errors import UsageError
from packager.preview.http import Arrival, Headers
from packager.preview.topology import Behaviour

PREFIX = b"x-preview-viewer-"
NAMES = (
    *("address", "asn", "city", "country", "country-name", "country-region", "country-region-name"),
    *("latitude", "longitude", "metro-code", "postal-code", "time-zone"),
)
"""What comes after `CloudFront-Viewer-`."""

_CLOUDFRONT = b"cloudfront-"
_VIEWER = b"cloudfront-viewer-"
_ORDER = b"cloudfront-viewer-header-order"


def read(options: tuple[str, ...]) -> dict[str, str]:
    """`country=DE` and the like as a mapping. Raises `UsageError` for what is not of that form."""
    found = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or name.lower() not in NAMES:
            raise UsageError(
                f"--viewer {option} is not known", hint=f"Write NAME=VALUE with one of {', '.join(NAMES)}."
            )
        found[name.lower()] = value
    return found


class ViewerHeaders:
    """Adds CloudFront's own headers to requests; `known` is what holds for every viewer, by the names above."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = {_VIEWER + name.encode(): value.encode() for name, value in known.items()}

    def added(self, arrival: Arrival, behaviour: Behaviour) -> Headers:
        """The request's headers with CloudFront's, as far as the behaviour's policies name them.

        What the client itself sent in CloudFront's name stays only where a viewer-request function is there to see
        to it, unless CloudFront knows better.
        """
        host, port = arrival.client
        own = {_VIEWER + b"address": f"{host}:{port}".encode(), **self._known}
        sent = []
        for name, value in arrival.headers:
            if name.startswith(PREFIX):
                own[_VIEWER + name.removeprefix(PREFIX)] = value
            elif not name.startswith(_CLOUDFRONT) or behaviour.viewer_function is not None:
                sent.append((name, value))
        own[_ORDER] = b":".join(dict.fromkeys(name for name, _ in sent))
        named = behaviour.origin_request.added
        own = {
            name: value
            for name, value in own.items()
            if (text := name.decode("latin-1")) in named or behaviour.cache.headers.takes(text)
        }
        return (*(pair for pair in sent if pair[0] not in own), *own.items())
