"""What can be set, as it is told and as it is read."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from schemas.settings import Settings, describe

LINE = re.compile(r"^  (CANARYBUS_[A-Z_]+) +(\S.*) \[(.*)\]$")


def test_every_setting_is_described_and_every_default_can_be_written_as_it_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = [LINE.match(line) for line in describe().splitlines()]
    shown = {line[1]: line for line in lines if line}
    assert list(shown) == [f"CANARYBUS_{name.upper()}" for name in Settings.model_fields]
    assert all(field.description for field in Settings.model_fields.values())
    plain = Settings.model_construct()
    for name, line in shown.items():
        monkeypatch.setenv(name, line[3])
    assert Settings() == plain


def test_a_default_is_shown_as_a_duration_is_written() -> None:
    assert "is compared all the same [10m]" in describe()


@pytest.mark.parametrize("name", ["RESYNC", "MIN_INTERVAL"])
@pytest.mark.parametrize("written", ["0s", "99ms"])
def test_what_is_done_again_and_again_needs_a_time_between(
    name: str, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"CANARYBUS_{name}", written)
    with pytest.raises(ValidationError, match=r"is too short; give 100ms or more"):
        Settings()


@pytest.mark.parametrize("name", ["drain", "gateway_settle"])
def test_a_wait_may_be_nothing_but_not_negative(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert getattr(Settings.model_validate({name: 0}), name) == 0
    with pytest.raises(ValidationError, match="-1s is too short; give 0s or more"):
        Settings.model_validate({name: -1})
    monkeypatch.setenv(f"CANARYBUS_{name.upper()}", "-5s")
    with pytest.raises(ValidationError, match="'-5s' is not a duration"):
        Settings()
