"""Which modules are there without a dependency: those of Python itself, by version, and of our runtime."""

import sys

from packager.branches import Platform

ALWAYS_THERE = frozenset(
    (
        *("__main__", "runtimes", "starlette", "anyio", "idna", "typing_extensions"),
        *("multipart", "python_multipart"),
    )
)
"""Import names that every artifact provides."""

# Python's "What's New": what the standard library gained and lost since 3.12, this tool's oldest Python.
_STDLIB_SINCE = {"annotationlib": (3, 14), "compression": (3, 14)}
_STDLIB_UNTIL = {
    "_compression": (3, 13),
    **dict.fromkeys(
        (
            *("_crypt", "_msi", "aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3"),
            *("mailcap", "msilib", "nis", "nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau"),
            *("telnetlib", "uu", "xdrlib"),
        ),
        (3, 12),
    ),
}


def has_module(platform: Platform, name: str) -> bool:
    """Whether the standard library of a platform's Python has the top-level module `name`."""
    if name in _STDLIB_UNTIL:
        return platform.version <= _STDLIB_UNTIL[name]
    if name in _STDLIB_SINCE:
        return platform.version >= _STDLIB_SINCE[name]
    return name in sys.stdlib_module_names
