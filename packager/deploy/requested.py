"""Which route of a build a requested path means."""

import os

from infra.manifest import Manifest, Route
from runtimes.routing import BadPathError, Match, Router


def matching(built: Manifest, path: str) -> Match[Route] | None:
    """The route that answers a URL's path (`/api/users/7?full=1`), with or without the base path; None without one."""
    plain, base = path.partition("?")[0], built.site.base_path
    if base and f"{plain}/".startswith(f"{base}/"):
        plain = plain.removeprefix(base) or "/"
    try:
        # what the shell gave that is no UTF-8 is sent as it is, and then no path
        return Router([(row.path, row) for row in built.routes]).match(os.fsencode(plain))
    except BadPathError:
        return None
