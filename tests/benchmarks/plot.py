"""Bars as SVG, without a library."""

from collections.abc import Sequence
from html import escape

_ROW, _LABEL, _WIDTH = 24, 330, 560


def bars(title: str, rows: Sequence[tuple[str, float]]) -> str:
    """A chart of horizontal bars, one a row, each with its value; lengths are linear from 0."""
    longest = max(value for _, value in rows) or 1
    height = _ROW * (len(rows) + 1) + 8
    size = f'width="{_LABEL + _WIDTH + 70}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="8" y="17" font-weight="bold">{escape(title)}</text>',
    ]
    for index, (name, value) in enumerate(rows, 1):
        top, length = index * _ROW, value / longest * _WIDTH
        parts += [
            f'<text x="{_LABEL - 6}" y="{top + 17}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{_LABEL}" y="{top + 4}" width="{length:.1f}" height="{_ROW - 8}" fill="#3572a5"/>',
            f'<text x="{_LABEL + length + 5:.1f}" y="{top + 17}">{value:.3g}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"
