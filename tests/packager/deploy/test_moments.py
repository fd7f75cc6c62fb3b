from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.deploy.moments import moment
from packager.errors import UsageError

NOW = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)


def of(text):
    return moment(text, NOW, "--since")


@pytest.mark.parametrize(
    ("text", "ago"),
    [("90s", 90), ("10m", 600), ("2h", 7200), ("1h30m", 5400), ("1d", 86400), ("1D", 86400), ("0s", 0)],
)
def test_a_span_counts_back_from_now(text, ago):
    assert of(text) == NOW - timedelta(seconds=ago)


def test_a_clock_means_the_last_time_that_it_showed_so():
    here = NOW.astimezone()
    earlier, later = here - timedelta(hours=1), here + timedelta(hours=1)
    assert of(f"{earlier:%H:%M}") == earlier
    assert of(f"{later:%H:%M:%S}") == later - timedelta(days=1)


def test_a_date_without_a_zone_is_meant_here_and_one_with_a_zone_there():
    assert of("2026-11-22T14:30Z") == datetime(2026, 11, 22, 14, 30, tzinfo=UTC)
    assert of("2026-11-22T14:30+02:00") == datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
    assert of("2026-11-20") == datetime(2026, 11, 20).astimezone(UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "m",
        "10",
        "10x",
        "ten minutes",
        "25:00",
        "2026-13-01",
        "-5m",
        "1m1h",
        "9" * 30 + "d",
        "0001-01-01T00:00+23:00",
    ],
)
def test_what_is_no_time_is_refused_with_the_forms(text):
    with pytest.raises(UsageError, match="--since") as raised:
        of(text)
    assert "10m" in raised.value.hint


def test_the_future_is_refused():
    with pytest.raises(UsageError, match="future"):
        of("2026-11-22T15:01Z")


@given(st.text(max_size=20))
def test_any_text_is_a_time_in_the_past_or_refused(text):
    with suppress(UsageError):
        assert of(text) <= NOW
