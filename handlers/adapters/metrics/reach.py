"""How far back a query reaches, as it is written: old data must not judge a new revision."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_PROM = r"(?:\d+(?:ms|[smhdwy]))+|\d+(?:\.\d+)?"
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`")
_SELECTED = re.compile(
    rf"\[\s*(?P<range>{_PROM})\s*(?::[^\]]*)?\](?:\s*offset\s+(?P<behind>{_PROM}))?|\boffset\s+(?P<alone>{_PROM})",
    re.IGNORECASE,
)
_PART = re.compile(r"(\d+)(mo|ms|us|µs|ns|[smhdwy])")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SECONDS |= {"mo": 31 * 86_400, "y": 366 * 86_400}

_FLUX = r"-?\s*((?:\d+(?:mo|ms|us|µs|ns|[smhdwy]))+)"
_START = re.compile(rf"\bstart\s*:\s*(?:{_FLUX}|(\d{{4}}-[\dT:.Z+-]+)|(\d+)\b)")
_EVERY = re.compile(rf"\b(?:every|period)\s*:\s*{_FLUX}")

_SINCE = re.compile(
    r"\bsince\s+(.*?)(?=\b(?:until|limit|facet|timeseries|compare|with|where|order)\b|$)", re.IGNORECASE
)
_AGO = re.compile(r"(\d+)\s+(second|minute|hour|day|week|month|quarter|year)s?", re.IGNORECASE)
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_UNITS |= {"month": 31 * 86_400, "quarter": 92 * 86_400, "year": 366 * 86_400}
_NAMED = re.compile(r"(today|yesterday|(?:this|last)\s+(day|week|month|quarter|year))", re.IGNORECASE)


def of_promql(query: str) -> float:
    """Seconds of the longest range selector and what it is set back by; 0 for none. Strings are no ranges."""
    found = [
        _seconds(item["range"] or "0") + _seconds(item["behind"] or item["alone"] or "0")
        for item in _SELECTED.finditer(_STRING.sub('""', query))
    ]
    return max(found, default=0.0)


def of_flux(query: str, now: float) -> float:
    """Seconds back to the earliest ``range(start: …)``."""
    bare = re.sub(r"//.*", "", query)
    return max((_since_start(item, now) for item in _START.findall(bare)), default=0.0)


def flux_window(query: str) -> float:
    """Seconds of the longest window into which points are folded; the time of such a point is the window's end."""
    return max(map(_seconds, _EVERY.findall(query)), default=0.0)


def of_nrql(query: str, now: float) -> float:
    """Seconds back to SINCE, in any of its forms; 0 for one that is not known."""
    since = _SINCE.search(_STRING.sub(_kept_date, query))
    words = since[1].strip() if since else ""
    if ago := _AGO.findall(words):
        return sum(float(number) * _UNITS[unit.lower()] for number, unit in ago)
    if named := _NAMED.match(words):
        unit = _UNITS[(named[2] or "day").lower()]
        return 2.0 * unit if named[1].lower().startswith(("yesterday", "last")) else float(unit)
    if words.isdigit():
        return max(0.0, now - float(words) / (1000 if len(words) > 11 else 1))
    return _age(words, now)


def moment(text: str) -> float | None:
    """Seconds since the epoch of an RFC 3339 time; None for what is none."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _seconds(text: str) -> float:
    """Prometheus takes a number alone for seconds."""
    if parts := _PART.findall(text):
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return float(text)


def _since_start(found: tuple[str, str, str], now: float) -> float:
    relative, time, epoch = found
    if relative:
        return _seconds(relative)
    return _age(time, now) if time else max(0.0, now - float(epoch))


def _age(time: str, now: float) -> float:
    at = moment(time)
    return 0.0 if at is None else max(0.0, now - at)


def _kept_date(found: re.Match[str]) -> str:
    """NRQL writes dates in quotes; other strings may hold the word SINCE."""
    return found[0][1:-1] if moment(found[0][1:-1]) is not None else "''"
