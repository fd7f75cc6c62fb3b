"""Random route trees and URLs for property tests: few names, so that much collides."""

from hypothesis import strategies as st

from runtimes.routing import segments

STATIC = ("a", "b", "c")

PARTS = st.sampled_from([*STATIC, "[x]", "a", "[x]"])
LAST = st.sampled_from(["", "", "", "[...r]", "[[...o]]"])


@st.composite
def paths(draw: st.DrawFn, most: int = 8) -> list[str]:
    """Paths of routes that can be in one app: no two for the same URLs, one name for a parameter at its place."""
    found: dict[str, str] = {}
    for _ in range(draw(st.integers(1, most))):
        parts = [
            f"[x{index}]" if part == "[x]" else part
            for index, part in enumerate(draw(st.lists(PARTS, max_size=3)))
        ]
        last = draw(LAST)
        path = "/" + "/".join([*parts, *([last] if last else [])])
        claims = {_shape(path)} | ({_shape("/" + "/".join(parts))} if last == "[[...o]]" else set())
        if not claims & set(found):
            found |= dict.fromkeys(claims, path)
    return sorted(set(found.values()))


def _shape(path: str) -> str:
    kinds = [
        part.text if part.kind == "static" else "*" if part.kind == "single" else "**"
        for part in segments(path)
    ]
    return "/" + "/".join(kinds)


URLS = st.lists(st.sampled_from([*STATIC, "z", "~", "a%62"]), max_size=5).map(
    lambda parts: "/" + "/".join(parts)
)
