"""What every answer over HTTP is read for, whoever gives it: its beginning, and how long to leave him alone."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

import httpx

_MOST_BYTES = 64 * 1024


async def beginning(response: httpx.Response) -> bytes:
    """So much of a body that an error can be told, whatever else comes."""
    read = b""
    async for chunk in response.aiter_bytes(_MOST_BYTES):
        read += chunk
        if len(read) >= _MOST_BYTES:
            break
    return read[:_MOST_BYTES]


def retry_after(text: str, now: float | None = None) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date (RFC 9110 10.2.3); None for anything else.

    ``now`` in seconds since the epoch; the clock's unless given.
    """
    if text.isascii() and text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - (time.time() if now is None else now))
    except (ValueError, TypeError, OverflowError):
        return None
