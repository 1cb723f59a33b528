"""What every answer over HTTP is read for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from handlers.adapters.http_answer import retry_after

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("9", 9),
        (" 9 ", 9),
        (format_datetime(datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=40), usegmt=True), 40),
        (format_datetime(datetime.fromtimestamp(NOW, UTC) - timedelta(seconds=40), usegmt=True), 0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("²", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after(text, NOW) == seconds
