"""Sizes in bytes, as people write them in settings and as they read them."""

import re

_UNITS = {"b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30}
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,12})?) ?(b|kb|mb|gb)", re.IGNORECASE | re.ASCII)


def parse(text: str) -> int | None:
    """The bytes that a text such as `"500kb"` or `"2mb"` means (2²⁰ bytes are a MB); None if it is none."""
    match = _SIZE.fullmatch(text)
    return int(float(match[1]) * _UNITS[match[2].lower()]) if match else None


def shown(count: int) -> str:
    """A number of bytes for people, in decimal MB as AWS's console has it."""
    return f"{count / 1e6:.2f} MB" if abs(count) >= 10_000 else f"{count:,} B"
