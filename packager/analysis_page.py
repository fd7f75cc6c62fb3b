"""An analysis as one HTML page that needs nothing else: a treemap and a table for each artifact."""

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

from packager import sizes
from packager.analysis import Analysis, Artifact, Node
from packager.treemap import Rectangle, squarify
from packager.weight import sum_of

_DATA = Path(__file__).parent / "data"
_CANVAS = Rectangle(0, 0, 1280, 720)
_HEADER = 17
"""Pixels: the line with a box's name, as in the style sheet."""
_SMALLEST = 0.25
"""Square pixels of the whole map below which files are drawn as one box: an eighth of a pixel if zoomed in."""


def page(analysis: Analysis) -> str:
    """The page's text. Its script and style are its own, and it may load nothing (Content Security Policy 3)."""
    script = _data("analysis.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return _filled(
        _data("analysis.html"),
        {
            "policy": escape(policy),
            "title": escape(f"{analysis.app}: what is in its artifacts"),
            "style": _data("analysis.css"),
            "script": script,
            "artifacts": "".join(
                f'<a href="#{escape(row.function)}">{escape(row.function)} {sizes.shown(row.zip_bytes)}</a>'
                for row in analysis.artifacts
            ),
            "sections": "\n".join(_section(row) for row in analysis.artifacts),
        },
    )


def _data(name: str) -> str:
    return (_DATA / name).read_text(encoding="utf-8")


def _filled(template: str, values: Mapping[str, str]) -> str:
    """All places at once: what is put in one may look like another."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], template)


def _section(row: Artifact) -> str:
    routes = f"{len(row.routes)} route{'' if len(row.routes) == 1 else 's'}"
    label = escape(f"{row.file}, areas are shares of the zip")
    return (
        f'<section id="{escape(row.function)}"><h2>{escape(row.function)}</h2>'
        f"<p>{escape(row.file)}, {row.runtime}, {routes}: {sizes.shown(row.zip_bytes)} as a zip, "
        f"{sizes.shown(row.unpacked_bytes)} unpacked</p>"
        '<nav class="path" aria-label="Where you are"></nav>'
        f'<div class="map" role="tree" aria-label="{label}">{"".join(_box(row.tree, _CANVAS, _CANVAS))}</div>'
        '<div class="info" aria-live="polite"></div>'
        f"{_table(row)}</section>"
    )


def _box(node: Node, place: Rectangle, within: Rectangle) -> Iterator[str]:
    """A box at `place`, in pixels of the map, inside of `within`, and those in it."""
    left, top = place.x - within.x, place.y - within.y
    style = ";".join(
        f"{key}:{100 * part / (whole or 1):.4g}%"
        for key, part, whole in (
            ("left", left, within.width),
            ("top", top, within.height),
            ("width", place.width, within.width),
            ("height", place.height, within.height),
        )
    )
    size = f"{sizes.shown(node.weight.zipped)} of the zip, {sizes.shown(node.weight.unpacked)} unpacked"
    name = f"{node.name} {node.version}" if node.version else node.name
    why = f' data-why="{escape("\n".join(node.why))}"' if node.why else ""
    yield (
        f'<div class="box {node.kind}{" inner" if node.children else ""}" role="treeitem"'
        f' tabindex="{0 if node.kind == "artifact" else -1}" aria-label="{escape(f"{name}, {size}")}"'
        f' data-name="{escape(name)}" data-size="{size}" data-zip="{node.weight.zipped}"{why} style="{style}">'
        f'<div class="label">{escape(name)} <small>{sizes.shown(node.weight.zipped)}</small></div>'
    )
    if node.children:
        inside = _inside(place)
        yield '<div class="in" role="group">'
        drawn = _drawn(node, inside)
        weights = [child.weight.zipped for child in drawn]
        for child, part in zip(drawn, squarify(weights, inside), strict=True):
            yield from _box(child, part, inside)
        yield "</div>"
    yield "</div>"


def _inside(place: Rectangle) -> Rectangle:
    if place.width < 2 * _HEADER or place.height < 2 * _HEADER:
        return place
    return Rectangle(place.x + 2, place.y + _HEADER, place.width - 4, place.height - _HEADER - 2)


def _drawn(node: Node, inside: Rectangle) -> list[Node]:
    """The children, with those that nobody could see as one."""
    scale = inside.width * inside.height / (node.weight.zipped or 1)
    seen = [child for child in node.children if child.weight.zipped * scale >= _SMALLEST]
    rest = node.children[len(seen) :]
    if len(rest) < 2:
        return list(node.children)
    return [*seen, Node(f"{len(rest)} smaller", "file", sum_of(child.weight for child in rest))]


def _table(row: Artifact) -> str:
    rows = "".join(
        f'<tr><th scope="row"><span class="swatch {node.kind}"></span>{escape(node.name)}</th>'
        f"<td>{escape(node.version or '')}</td>"
        f'<td class="number">{sizes.shown(node.weight.zipped)}</td>'
        f'<td class="number">{sizes.shown(node.weight.unpacked)}</td>'
        f'<td class="number">{node.weight.zipped / (row.tree.weight.zipped or 1):.1%}</td>'
        f"<td>{_why(node.why)}</td></tr>"
        for node in row.tree.children
    )
    return (
        '<table><thead><tr><th scope="col">part</th><th scope="col">version</th>'
        '<th scope="col" class="number">zip</th><th scope="col" class="number">unpacked</th>'
        f'<th scope="col" class="number">share</th><th scope="col">why</th></tr></thead>{rows}</table>'
    )


def _why(steps: tuple[str, ...]) -> str:
    if len(steps) < 2:
        return escape("".join(steps))
    return f"<ol>{''.join(f'<li>{escape(step)}</li>' for step in steps)}</ol>"
