"""How a scenario gets to where it begins: by playing there, with the same steps that scenarios are made of."""

from __future__ import annotations

from typing import Any

from schemas.status import IDLE, Phase
from tests.scenarios.format import Start
from tests.scenarios.play import Stage

NEW = "podinfo:2"
"""The image of the rollout that a scenario begins in; the one before is podinfo:1."""
_MOST = 40


async def play_to(stage: Stage, start: Start) -> None:
    """Raises AssertionError when the phase is never reached."""
    if start.left_by:
        return
    if start.phase in (Phase.NEW, Phase.INITIALIZING):
        if start.phase is Phase.INITIALIZING:
            await stage.do("wake", "spec")
        return
    await _until(stage, phase=Phase.INITIALIZED)
    for action, value in _before_the_push(start.phase):
        await stage.do(action, value)
    if start.phase is Phase.INITIALIZED:
        return
    await stage.do("push", NEW)
    if start.phase is Phase.FAILED:
        await stage.do("command", "abort")
    if start.phase is Phase.FINALISING:
        await _until(stage, phase=Phase.PROMOTING)
        await stage.do("gateway", "Pending")
    await _until(stage, phase=start.phase)
    if start.weight is not None:
        await _until(stage, weight=start.weight)
    if start.iterations is not None:
        await _until(stage, iterations=start.iterations)


def _before_the_push(phase: Phase) -> list[tuple[str, Any]]:
    gates = {Phase.WAITING: "confirm-rollout", Phase.WAITING_PROMOTION: "confirm-promotion"}
    return [("hooks", {gates[phase]: "closed"})] if phase in gates else []


async def _until(stage: Stage, **wanted: Any) -> None:
    for _ in range(_MOST):
        seen = await stage.see()
        there = all(getattr(seen, name) == value for name, value in wanted.items())
        if there and (seen.settled or wanted.get("phase") not in IDLE):
            return
        await stage.do("tick", 1)
    raise AssertionError(f"waited for {wanted}, the status is {seen.last}")
