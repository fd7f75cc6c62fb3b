"""Models of how API Gateway and CloudFront choose, written from their documentation alone."""

import re
from collections.abc import Iterable

from infra.behaviours import Behaviour
from infra.routes import DEFAULT_KEY, ApiRoute, Shape, intersection


def api_functions(rows: Iterable[ApiRoute], url: str) -> set[str]:
    """The functions that an HTTP API may choose: a full match before a greedy one, of those the most specific.

    Of two keys that match, one is certainly the more specific only if each of its URLs is the other's as well.
    """
    rows = tuple(rows)
    parts = url.split("/")[1:] if url != "/" else []
    matching = []
    for row in rows:
        names = [part for part in row.key.removeprefix("ANY /").split("/") if part]
        greedy = bool(names) and names[-1].endswith("+}")
        fixed = names[:-1] if greedy else names
        shape = Shape(tuple(None if part[0] == "{" else part for part in fixed), greedy)
        enough = len(parts) > len(fixed) if greedy else len(parts) == len(fixed)
        fits = all(want in (None, got) for want, got in zip(shape.parts, parts, strict=False))
        if row.key != DEFAULT_KEY and enough and fits:
            matching.append((shape, row.function))
    full = [item for item in matching if not item[0].greedy] or matching
    least = {
        owner
        for shape, owner in full
        if not any(other != shape and intersection(other, shape) == other for other, _ in full)
    }
    return least or {row.function for row in rows if row.key == DEFAULT_KEY}


def behaviour_of(rows: Iterable[Behaviour], url: str) -> Behaviour | None:
    """The behaviour that CloudFront takes: the first whose pattern matches; None: the default one."""
    for row in rows:
        text = "".join({"*": ".*", "?": "."}.get(char) or re.escape(char) for char in row.pattern)
        if re.fullmatch(text, url):
            return row
    return None
