"""Runs in Pyodide near the reader: few APIs, no files, no sockets, a start in a blink."""

import hashlib
import sys

from runtimes import Request

runtime = "edge"


async def GET(request: Request):
    return {
        "runtime": sys.platform,
        "python": ".".join(map(str, sys.version_info[:2])),
        "country": request.geo.country,
        "digest": hashlib.sha256(request.url.path.encode()).hexdigest()[:16],
    }
