"""Squarified treemaps (Bruls, Huizing, van Wijk, 2000): rectangles of given areas, as square as they can be."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A place in any unit; `x` and `y` are those of the corner at the top left."""

    x: float
    y: float
    width: float
    height: float


def squarify(weights: Sequence[float], within: Rectangle) -> list[Rectangle]:
    """One rectangle for each weight, in their order, which together fill `within`.

    Weights are positive; the result is best if they are sorted, the heaviest first.
    """
    scale = within.width * within.height / (sum(weights) or 1)
    areas = [weight * scale for weight in weights]
    found: list[Rectangle] = []
    start, space = 0, within
    while start < len(areas):
        side = min(space.width, space.height)
        end, total = start + 1, areas[start]
        while end < len(areas):
            longer = total + areas[end]
            if _worst(areas[start : end + 1], longer, side) > _worst(areas[start:end], total, side):
                break
            end, total = end + 1, longer
        row, space = _row(areas[start:end], total, space)
        found += row
        start = end
    return found


def _worst(areas: Sequence[float], total: float, side: float) -> float:
    """The least square of the rectangles that fill a row of that `total` along `side`: its ratio of sides."""
    if not total or not side:
        return 1.0
    squared = (total / side) ** 2
    return max(max(squared / area, area / squared) for area in (max(areas), min(areas)))


def _row(areas: Sequence[float], total: float, space: Rectangle) -> tuple[list[Rectangle], Rectangle]:
    """Rectangles along the shorter side of `space`, and what is left of it."""
    found = []
    across = space.width >= space.height
    depth = total / (space.height if across else space.width) if total else 0.0
    at = space.y if across else space.x
    for area in areas:
        length = area / depth if depth else 0.0
        found.append(
            Rectangle(space.x, at, depth, length) if across else Rectangle(at, space.y, length, depth)
        )
        at += length
    if across:
        return found, Rectangle(space.x + depth, space.y, space.width - depth, space.height)
    return found, Rectangle(space.x, space.y + depth, space.width, space.height - depth)
