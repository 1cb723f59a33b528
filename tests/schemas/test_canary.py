"""Canaries as they are read, also those that another release has written."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.canary import Canary
from schemas.events import StepResult
from schemas.status import Phase, UnreadableStatusError


def item(name: str = "podinfo", **status: Any) -> dict[str, Any]:
    spec = {"targetRef": {"name": name}, "service": {"port": 80}}
    return {"metadata": {"name": name, "namespace": "test", "uid": name}, "spec": spec, "status": status}


NOTICE = {"reason": "Eclipse", "message": "the moon is in the way"}
STEP = {"step": 4, "time": "2026-01-01T00:00:00Z", "stimulus": "tick", "phase": "Progressing", "reason": "Eclipse"}


RESULT = {
    "namespace": "test",
    "name": "podinfo",
    "uid": "u",
    "step": 4,
    "stimulus": "tick",
    "reason": "Eclipse",
    "time": "2026-01-01T00:00:00Z",
    "phase": "Progressing",
    "weight": 20,
    "message": "the moon is in the way",
}


def test_words_of_a_newer_release_are_left_out_and_the_rest_is_read() -> None:
    known = Canary.from_object(item(phase="Progressing", canaryWeight=20, waitingFor="moon", step=4)).status
    assert (known.phase, known.canary_weight, known.waiting_for, known.step) == (Phase.PROGRESSING, 20, "", 4)


def test_a_reason_that_nobody_knows_is_told_as_it_is() -> None:
    step = {**STEP, "message": "", "notices": [NOTICE]}
    last = Canary.from_object(item(phase="Progressing", lastStep=step)).status.last_step
    assert last is not None
    assert [str(notice.reason) for notice in last.notices] == ["Eclipse"]


def test_a_phase_that_nobody_knows_is_no_phase_to_begin_with() -> None:
    with pytest.raises(UnreadableStatusError, match=r"status.phase is 'Orbiting', which this release does not know"):
        Canary.from_object(item(phase="Orbiting"))
    assert [canary.metadata.name for canary in Canary.readable([item(phase="Orbiting"), item("other")])] == ["other"]


@pytest.mark.parametrize(("strange", "left"), [({"waitingFor": "moon"}, "Progressing"), ({"phase": "Orbiting"}, None)])
def test_a_result_of_a_newer_release_is_read_whatever_its_statuses_say(
    strange: dict[str, Any], left: str | None
) -> None:
    result = StepResult.model_validate({**RESULT, "after": {"phase": "Progressing", **strange}})
    assert (result.after.phase.value if result.after else None) == left
