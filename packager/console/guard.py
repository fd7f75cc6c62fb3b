"""Who may talk to the console: this machine, by a name of this machine, and pages of the console itself."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit


def is_local(host: str | None) -> bool:
    """Whether a Host header names this machine alone: another name that leads here is another site's (DNS rebinding).

    Names below `localhost` never leave the machine (RFC 6761 §6.3).
    """
    try:
        name = urlsplit(f"//{host or ''}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def may_read(headers: Mapping[str, str]) -> bool:
    """Whether data may be given: to the console's own pages, to who types the address, to programs.

    Browsers say where a request comes from in `Sec-Fetch-Site`, which no script can set (W3C Fetch Metadata).
    """
    return is_local(headers.get("host")) and headers.get("sec-fetch-site") in {None, "none", "same-origin"}


def may_act(headers: Mapping[str, str]) -> bool:
    """Whether something may be done: for the console's own pages and for programs, which send no Origin."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if not is_local(headers.get("host")) or site not in {None, "same-origin"}:
        return False
    return origin is None or urlsplit(origin).netloc == headers.get("host")
