import pytest

from deploy.sandbox.durations import seconds


@pytest.mark.parametrize(("text", "value"), [("90s", 90), ("1m30s", 90), ("1h", 3600), ("250ms", 0.25), ("1.5m", 90)])
def test_a_duration_is_the_sum_of_its_parts(text: str, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "5", "s", "5x", "1m 30s", "-5s"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)
