"""The key with which the CDN shows that a request comes through it: nobody gets past it, nor past its limits."""

import hmac
import json
import os
from collections.abc import Mapping
from typing import Any

from runtimes.routing import HOST_HEADER, PATH_HEADER

HEADER = "x-packager-origin-key"

KEY = os.environ.pop("PACKAGER_ORIGIN_KEY", None) or None
"""What the deployment gave to the CDN and to the functions behind it; None without a CDN. The app does not see it."""

FORBIDDEN = {
    "statusCode": 403,
    "headers": {"content-type": "application/json"},
    "body": json.dumps({"message": "Forbidden"}, separators=(",", ":")),
    "isBase64Encoded": False,
}
"""What a request without the key is answered with, as API Gateway spells it."""


def admits(event: Mapping[str, Any], key: str) -> bool:
    """Whether an event of payload format 2.0 has the key, which is taken out of it. Compares in constant time."""
    headers = event.get("headers") or {}
    sent = [headers.pop(name) for name in list(headers) if name.lower() == HEADER]
    return len(sent) == 1 and hmac.compare_digest(sent[0].encode("utf-8", "replace"), key.encode())


def passport(key: str, raw_path: bytes, host: str) -> list[tuple[bytes, bytes]]:
    """What the CDN adds to a request, for one that a function sends on to another of the same API itself."""
    return [
        (HEADER.encode(), key.encode()),
        (PATH_HEADER.encode(), raw_path),
        (HOST_HEADER.encode(), host.encode("latin-1", "replace")),
    ]
