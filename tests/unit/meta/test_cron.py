"""Which schedules are schedules."""

import pytest

from knarr.meta.cron import schedule_error

TOO_LONG = f'failed to parse int from {"9" * 5000}: strconv.Atoi: parsing "{"9" * 5000}": value out of range'
CASES = {
    "every five minutes": ("*/5 * * * *", ""),
    "names of days and months": ("0 9-17 1,15 jan-mar mon", ""),
    "a macro": ("@hourly", ""),
    "a word": ("x", "expected exactly 5 fields, found 1: [x]"),
    "an unknown macro": ("@never", "unrecognized descriptor: @never"),
    "a minute too late": ("60 * * * *", "end of range (60) above maximum (59): 60"),
    "a day before the first": ("0 0 0 * *", "beginning of range (0) below minimum (1): 0"),
    "a range that runs backwards": (
        "5-1 * * * *",
        "beginning of range (5) beyond end of range (1): 5-1",
    ),
    "no number": ("a * * * *", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'),
    "a number that is no time": ("9" * 5000 + " * * * *", TOO_LONG),
    "a step too long": ("*/" + "9" * 5000 + " * * * *", TOO_LONG),
    "a step of nothing": ("*/0 * * * *", "step of range should be a positive number: */0"),
}


@pytest.mark.parametrize("text, error", CASES.values(), ids=CASES)
def test_schedules(text, error):
    assert schedule_error(text) == error
