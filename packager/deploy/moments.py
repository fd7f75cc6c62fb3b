"""Points in time as people write them: `10m` ago, today at `14:30`, `2026-11-22T14:30Z`."""

import re
from datetime import UTC, datetime, time, timedelta

from packager.errors import UsageError

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_AGO = re.compile(r"(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_CLOCK = re.compile(r"\d\d?:\d\d(:\d\d)?", re.ASCII)
_FORMS = "10m, 2h, 1d or 1h30m ago; a time of today, 14:30; or a date, 2026-11-22 or 2026-11-22T14:30Z"


def moment(text: str, now: datetime, option: str) -> datetime:
    """The point in time that `text` means, in UTC; what names no time zone is meant in that of this machine.

    `now` has a time zone. Raises `UsageError`, naming `option`, for what is no point in time or lies in the future.
    """
    found = _ago(text, now) or _clock(text, now) or _date(text)
    if found is None:
        raise UsageError(f"{option} {text!r} is no point in time", hint=f"Give {_FORMS}.")
    if found > now:
        raise UsageError(
            f"{option} {text} lies in the future: it means {found.astimezone(now.tzinfo):%Y-%m-%d %H:%M:%S %Z}",
            hint=f"Give {_FORMS}. Z at the end means UTC.",
        )
    return found.astimezone(UTC)


def _ago(text: str, now: datetime) -> datetime | None:
    match = _AGO.fullmatch(text.strip().lower())
    if match is None:
        return None
    seconds = sum(int(count or 0) * unit for count, unit in zip(match.groups(), _UNITS.values(), strict=True))
    try:
        return now - timedelta(seconds=seconds)
    except OverflowError:
        return None


def _clock(text: str, now: datetime) -> datetime | None:
    """The last time that the clock showed it."""
    if not _CLOCK.fullmatch(text.strip()):
        return None
    try:
        shown = time.fromisoformat(text.strip().zfill(5 if text.count(":") == 1 else 8))
    except ValueError:
        return None
    here = now.astimezone()
    today = datetime.combine(here.date(), shown).astimezone()
    return today if today <= now else datetime.combine(here.date() - timedelta(days=1), shown).astimezone()


def _date(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
