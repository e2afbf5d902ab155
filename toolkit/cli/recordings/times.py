"""Times, ages and sizes as people type them. Pure, but for the local time zone."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

AGO = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d|w)(?: ago)?", re.ASCII)
SECONDS = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.ASCII | re.IGNORECASE)
DAYS = {"today": 0, "yesterday": 1}
EXAMPLES = "2h, 3d, yesterday, 2026-11-23 or 2026-11-23T14:30"


def parse_since(text: str, now: datetime) -> float:
    """The moment that `--since` means, in seconds since 1970: the beginning of a day. Raises ValueError."""
    return _parse(text, now)[0].timestamp()


def parse_until(text: str, now: datetime) -> float:
    """The moment that `--until` means: a day counts whole. Raises ValueError."""
    moment, whole_day = _parse(text, now)
    return (moment + timedelta(days=1) if whole_day else moment).timestamp()


def parse_age(text: str) -> float:
    """Seconds of 90s, 5m, 12h, 30d, 8w. Raises ValueError."""
    found = AGO.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no age such as 12h, 30d or 8w")
    return float(found[1]) * SECONDS[found[2]]


def parse_size(text: str) -> int:
    """Bytes of 500M, 10G or 10GiB; K, M, G and T are powers of 1024. Raises ValueError."""
    found = SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no size such as 500M or 10G")
    return int(float(found[1]) * 1024 ** " KMGT".index(found[2].upper() or " "))


def _parse(text: str, now: datetime) -> tuple[datetime, bool]:
    """A moment in local time, and whether it stands for a whole day."""
    text = text.strip()
    if text in DAYS:
        day = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS[text])
        return day, True
    if text == "now":
        return now, False
    try:
        if AGO.fullmatch(text):
            return now - timedelta(seconds=parse_age(text)), False
        # Without a zone it is local time, as a clock on the wall shows it.
        return datetime.fromisoformat(text).astimezone(), len(text) == len("2026-11-23")
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is no time such as {EXAMPLES}") from None
