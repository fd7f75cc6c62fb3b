import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.treemap import Rectangle, squarify

WITHIN = Rectangle(10, 20, 600, 400)


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=60))
def test_areas_are_in_proportion_and_fill_the_whole(weights: list[int]) -> None:
    weights.sort(reverse=True)
    found = squarify(weights, WITHIN)
    area = WITHIN.width * WITHIN.height
    for weight, part in zip(weights, found, strict=True):
        assert math.isclose(part.width * part.height, area * weight / sum(weights), rel_tol=1e-6)
        assert part.x >= WITHIN.x - 1e-6
        assert part.y >= WITHIN.y - 1e-6
        assert part.x + part.width <= WITHIN.x + WITHIN.width + 1e-6
        assert part.y + part.height <= WITHIN.y + WITHIN.height + 1e-6


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=12))
def test_no_two_rectangles_overlap(weights: list[int]) -> None:
    found = squarify(sorted(weights, reverse=True), WITHIN)
    for index, one in enumerate(found):
        for other in found[index + 1 :]:
            wide = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
            high = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
            assert wide < 1e-6 or high < 1e-6


def test_equal_weights_become_squares() -> None:
    ratios = [max(part.width / part.height, part.height / part.width) for part in squarify([1] * 6, WITHIN)]
    assert ratios == pytest.approx([1.0] * 6)


def test_nothing_gives_nothing_and_no_room_gives_empty_rectangles() -> None:
    assert squarify([], WITHIN) == []
    assert {part.width * part.height for part in squarify([3, 2, 1], Rectangle(0, 0, 0, 9))} == {0}
