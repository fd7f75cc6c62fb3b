"""What nobody is shown: the values of secrets, wherever they turn up in what passes through."""

import json
import re
from collections.abc import Mapping
from urllib.parse import quote

SHORTEST = 4
"""Characters: shorter values would be found in half of all texts, and protect nothing."""

HIDDEN_HEADERS = frozenset(("authorization", "cookie", "proxy-authorization", "set-cookie"))
"""Headers whose values are credentials: shown only to who asks for one of them."""


class Secrets:
    """The values of secrets by name. A masked text has `‹NAME›` in place of a value."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name: value for name, value in values.items() if len(value) >= SHORTEST}
        self._names = {form: name for name, value in self._values.items() for form in _forms(value)}
        # The longest first: one secret may begin with another.
        forms = sorted(self._names, key=len, reverse=True)
        self._found = re.compile("|".join(map(re.escape, forms))) if forms else None
        marks = "|".join(map(re.escape, self._values))
        self._marks = re.compile(f"‹({marks})›") if marks else None

    def mask(self, text: str) -> str:
        """The text without the values, also where they are escaped as in a URL or in JSON."""
        if self._found is None:
            return text
        return self._found.sub(lambda match: f"‹{self._names[match[0]]}›", text)

    def unmask(self, text: str) -> str:
        """The text with the values again: what was masked may be edited and sent."""
        if self._marks is None:
            return text
        return self._marks.sub(lambda match: self._values[match[1]], text)


def _forms(value: str) -> set[str]:
    return {
        value,
        quote(value, safe=""),
        quote(value),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
    }
