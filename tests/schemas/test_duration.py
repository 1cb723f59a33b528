"""Durations in manifests are read as the peer reads them, and so are those that it cannot read."""

from __future__ import annotations

import pytest

from schemas.canary import Analysis, Metric, Webhook
from schemas.duration import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("1m30s", 90), ("500ms", 0.5), ("2h", 7200), ("1m.5s", 60.5), ("1.s", 1), ("5m1h", 3900), ("0s", 0)]
    + [(f"10{micro}s", 1e-5) for micro in ("u", "\u00b5", "\u03bc")],
)
def test_a_duration_is_what_go_takes_for_one(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


UNREADABLE = ["1min", "1m30", "90 s", "1m 30s", "1mx", "soon", "", "9999999999999m", "1m-30s", "1m.s"]


@pytest.mark.parametrize("text", UNREADABLE)
def test_anything_else_is_none_and_the_words_show_what_one_looks_like(text: str) -> None:
    with pytest.raises(ValueError, match="write it as 30s, 1m or 1m30s"):
        parse_duration(text)


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_cannot_be_read_is_the_default_of_its_field(text: str) -> None:
    assert Analysis(interval=text).interval_seconds(10) == 60
    assert Metric(name="m", interval=text).window == 60
    assert Webhook(name="h", url="http://gate", timeout=text).timeout_seconds == 10


def test_no_time_at_all_is_the_shortest_interval_and_the_default_of_the_others() -> None:
    assert Analysis(interval="0s").interval_seconds(10) == 10
    assert Metric(name="m", interval="0s").window == 60
    assert Webhook(name="h", url="http://gate", timeout="0s").timeout_seconds == 10
