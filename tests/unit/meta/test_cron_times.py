"""When a schedule is due, on the clock of a time zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knarr.meta.cron import parse, schedule_error


def at(text):
    return datetime.fromisoformat(text).astimezone(UTC) if "+" in text else datetime.fromisoformat(text + "+00:00")


NEXT = {
    "every minute": ("* * * * *", "2026-01-01T10:00:30", "2026-01-01T10:01"),
    "never the same time again": ("0 10 * * *", "2026-01-01T10:00", "2026-01-02T10:00"),
    "steps": ("*/15 * * * *", "2026-01-01T10:16", "2026-01-01T10:30"),
    "a number with a step goes on to the end": ("5/20 * * * *", "2026-01-01T10:26", "2026-01-01T10:45"),
    "a range": ("0 9-17 * * *", "2026-01-01T17:00", "2026-01-02T09:00"),
    "a list": ("0 3,15 * * *", "2026-01-01T03:00", "2026-01-01T15:00"),
    "names": ("0 0 * feb mon", "2026-01-15T00:00", "2026-02-02T00:00"),
    "Sunday is 0": ("0 0 * * 0", "2026-01-01T00:00", "2026-01-04T00:00"),
    "the end of a year": ("0 0 1 1 *", "2026-06-01T00:00", "2027-01-01T00:00"),
    "a leap day": ("0 0 29 2 *", "2026-01-01T00:00", "2028-02-29T00:00"),
    "a date or a weekday, where both are restricted": ("0 0 13 * 5", "2026-01-01T00:00", "2026-01-02T00:00"),
    "a date and a weekday, where one is a star": ("0 0 13 * *", "2026-01-01T00:00", "2026-01-13T00:00"),
    "a star with a step restricts": ("0 0 */30 * 5", "2026-01-01T00:00", "2026-01-02T00:00"),
    "a question mark is a star": ("0 0 ? * ?", "2026-01-01T00:00", "2026-01-02T00:00"),
    "@hourly": ("@hourly", "2026-01-01T10:20", "2026-01-01T11:00"),
    "@daily": ("@daily", "2026-01-01T10:20", "2026-01-02T00:00"),
    "@weekly": ("@weekly", "2026-01-01T10:20", "2026-01-04T00:00"),
    "@monthly": ("@monthly", "2026-01-01T10:20", "2026-02-01T00:00"),
    "@yearly": ("@yearly", "2026-01-01T10:20", "2027-01-01T00:00"),
    "@every": ("@every 1h30m", "2026-01-01T10:00:30", "2026-01-01T11:30:30"),
    "@every is never less than a second": ("@every 10ms", "2026-01-01T10:00", "2026-01-01T10:00:01"),
}


@pytest.mark.parametrize("schedule, after, due", NEXT.values(), ids=NEXT)
def test_next(schedule, after, due):
    assert parse(schedule).next(at(after)) == at(due)


def test_a_date_that_no_month_has_never_comes():
    assert parse("0 0 31 2 *").next(at("2026-01-01T00:00")) is None


ZONES = {
    "the wall clock's time": ("0 9 * * *", "Asia/Kolkata", "2026-01-01T00:00", "2026-01-01T03:30"),
    "summer time: an hour that is skipped does not come": (
        "30 2 * * *",
        "Europe/Berlin",
        "2026-03-28T12:00",
        "2026-03-30T00:30",
    ),
    "summer time: the hours after it come": (
        "30 3 * * *",
        "Europe/Berlin",
        "2026-03-28T12:00",
        "2026-03-29T01:30",
    ),
    "winter time: an hour that is repeated comes": (
        "30 2 * * *",
        "Europe/Berlin",
        "2026-10-24T12:00",
        "2026-10-25T00:30",
    ),
    "winter time: and comes again": ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30", "2026-10-25T01:30"),
    "a day without a midnight": ("0 1 * * *", "America/Havana", "2026-03-07T12:00", "2026-03-08T05:00"),
}


@pytest.mark.parametrize("schedule, zone, after, due", ZONES.values(), ids=ZONES)
def test_time_zones(schedule, zone, after, due):
    assert parse(schedule).next(at(after), ZoneInfo(zone)) == at(due)


SCHEDULES = ("*/7 * * * *", "0 0 * * *", "30 6-16/4 * * 1-5", "@every 7m", "15 2 1,15 * *", "0 0 29 2 *")


@given(st.sampled_from(SCHEDULES), st.integers(0, 5000), st.integers(0, 400))
def test_the_latest_is_the_last_of_all(text, begin, length):
    schedule = parse(text)
    since = at("2026-03-20T00:00") + timedelta(minutes=begin * 7)
    until = since + timedelta(minutes=length * 11, seconds=13)
    last, following = None, schedule.next(since)
    while following is not None and following <= until:
        last, following = following, schedule.next(following)
    assert schedule.latest(since, until) == last


DURATIONS = {
    "hours and minutes": ("1h30m", ""),
    "parts": ("1.5h", ""),
    "no unit": ("10", 'failed to parse duration @every 10: time: missing unit in duration "10"'),
    "an unknown unit": ("3d", 'failed to parse duration @every 3d: time: unknown unit "d" in duration "3d"'),
    "no duration": ("x", 'failed to parse duration @every x: time: invalid duration "x"'),
}


@pytest.mark.parametrize("text, error", DURATIONS.values(), ids=DURATIONS)
def test_durations(text, error):
    assert schedule_error(f"@every {text}") == error


def test_what_is_no_schedule_is_refused():
    with pytest.raises(ValueError, match="expected exactly 5 fields"):
        parse("x")
