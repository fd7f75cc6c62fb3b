"""Several middleware functions as the one that `middleware.py` defines."""

from typing import Any

from runtimes.chain import Composed, Part


def compose(*parts: Part | Composed) -> Composed:
    """What `middleware.py` may name `middleware`: `parts` in order, as if each were in a folder of its own.

    A part is what `middleware.py` may define: sync or async, it takes the request and returns None,
    `Response.next(…)`, `Response.rewrite(…)` or an answer. An answer ends the chain, and so does a rewrite to
    another host. What a part sets (cookies, the request's headers, another URL) the later parts and the
    handler see; its headers are on the response also if a later part answers or raises. The file's matcher is
    asked once, before the first part. Raises `TypeError` if a part cannot be called.
    """
    return Composed(tuple(part for item in parts for part in _parts(item)))


def _parts(item: Any) -> tuple[Part, ...]:
    if isinstance(item, Composed):
        return item.parts
    if not callable(item):
        raise TypeError(f"compose() takes middleware functions, not {item!r}")
    return (item,)
