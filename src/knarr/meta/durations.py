"""Durations in Go's notation, as `metav1.Duration` has them: "15s", "1m30s", "250ms". Pure."""

import re

UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", re.ASCII)


def seconds_of(text: str) -> float:
    """The seconds of a duration that is not negative; ValueError when it is none."""
    parts = list(_PART.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        if text == "0":
            return 0.0
        raise ValueError(f"{text!r} is no duration: it must be a number and its unit, as 15s or 1m30s")
    return sum(float(part[1]) * UNITS[part[2]] for part in parts)


def shown(seconds: float) -> str:
    """A duration as Go prints it, to the millisecond: "1m0s", "15s", "1.5s", "250ms"."""
    whole, rest = divmod(round(seconds * 1000), 1000)
    if not whole:
        return f"{rest}ms" if rest else "0s"
    minutes, last = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{rest:03}".rstrip("0") if rest else ""
    front = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{front}{last}{fraction}s"
