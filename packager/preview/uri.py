"""Paths as CloudFront compares them with the patterns of behaviours: normalised as RFC 3986 §6.2.2 has it."""

import re

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def normalised(raw_path: bytes) -> bytes:
    """The path with needless escapes resolved, the others in upper case, and without dot segments."""
    path = _ESCAPE.sub(_resolved, raw_path)
    if b"/." not in path:
        return path
    *folders, last = path.removeprefix(b"/").split(b"/")
    kept: list[bytes] = []
    for part in folders:
        if part == b"..":
            del kept[-1:]
        elif part != b".":
            kept.append(part)
    if last == b"..":
        del kept[-1:]
    kept.append(b"" if last in (b".", b"..") else last)
    return b"/" + b"/".join(kept)


def _resolved(found: re.Match[bytes]) -> bytes:
    code = int(found[1], 16)
    return bytes((code,)) if code in _UNRESERVED else found[0].upper()
