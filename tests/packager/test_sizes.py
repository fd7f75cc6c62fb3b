import pytest

from packager import sizes


@pytest.mark.parametrize(
    ("text", "count"),
    [("7b", 7), ("1kb", 1024), ("1.5MB", 1_572_864), ("2 gb", 2**31), ("0.5kb", 512)],
)
def test_a_size_is_a_number_and_a_unit(text: str, count: int) -> None:
    assert sizes.parse(text) == count


@pytest.mark.parametrize("text", ["", "10", "mb", "-1mb", "1 tb", "1e3kb", "10mb!"])
def test_other_texts_are_no_sizes(text: str) -> None:
    assert sizes.parse(text) is None


def test_small_sizes_are_shown_in_bytes_and_large_ones_in_megabytes() -> None:
    assert [sizes.shown(count) for count in (0, 9_999, 10_000, 12_345_678)] == [
        "0 B",
        "9,999 B",
        "0.01 MB",
        "12.35 MB",
    ]
