"""Rollouts that were played to some moment once, copied for each story that begins there."""

from __future__ import annotations

import copy
from functools import cache

from schemas.status import Phase
from tests.handlers.core.happenings import SPECS, measure
from tests.handlers.core.watched import Watched
from tests.handlers.core.witness import DRAIN

STARTS = (
    "first step",
    "last step",
    "begun",
    "untested",
    "failing",
    "waiting",
    "waiting promotion",
    "promoting",
    "returning",
    "finalising",
    "skipped",
    "failed",
    "refused",
    "succeeded",
    "second rollout",
    "paused",
    "at rest",
    "initialized",
    "new",
)


_GATED = ("waiting", "waiting promotion", "untested")


def specs_for(start: str) -> list[int]:
    """Those of ``SPECS`` that come to this moment."""
    asking = [number for number, spec in enumerate(SPECS) if spec["analysis"].get("webhooks")]
    return asking if start in _GATED else list(range(len(SPECS)))


def begin(number: int, start: str) -> Watched:
    """``SPECS[number]`` at that moment. Blue/green has no gate before promotion, and is being promoted then."""
    return copied(_played(number, start))


def copied(world: Watched) -> Watched:
    """What was decided and told is never changed, so it is shared."""
    made = copy.copy(world)
    told = ("decisions", "notices")
    made.__dict__ |= copy.deepcopy({name: value for name, value in vars(world).items() if name not in told})
    made.__dict__ |= {name: list(getattr(world, name)) for name in told}
    return made


@cache
def _played(number: int, start: str) -> Watched:
    match start:
        case "new":
            world = Watched(SPECS[number], drain=DRAIN)
            measure(world, "good")
        case "initialized":
            world = _until(begin(number, "new"), Phase.INITIALIZED)
        case "at rest":
            world = _settled(begin(number, "initialized"))
        case "waiting" | "begun" | "untested":
            world = begin(number, "at rest")
            world.hooks = {"confirm-rollout": start != "waiting", "pre-rollout": start != "untested"}
            world.push("podinfo:2")
            world.tick()
        case "first step":
            world = _first_step(begin(number, "begun"))
        case "last step":
            world = _before_its_end(begin(number, "first step"))
        case "second rollout":
            world = _settled(begin(number, "succeeded"))
            world.push("podinfo:3")
            _first_step(world)
        case _:
            world = _ended(number, start)
    return world


def _ended(number: int, start: str) -> Watched:
    early = start in ("failed", "failing", "paused", "skipped")
    world = begin(number, "first step" if early else "failed" if start == "refused" else "last step")
    match start:
        case "failed" | "paused":
            world.command("abort" if start == "failed" else "pause")
        case "failing":
            # the third failed check is the last
            measure(world, "bad")
            world.tick(2)
        case "skipped":
            world.not_ready = {"primary"}
            world.edit(skipAnalysis=True)
        case "refused":
            _settled(world)
        case "waiting promotion":
            world.hooks["confirm-promotion"] = False
            world.tick()
        case "succeeded":
            _until(world, Phase.SUCCEEDED)
        case "promoting" | "returning" | "finalising":
            world.tick()
            world.not_ready = {"primary"}
            world.tick()
            if start == "returning":
                world.command("abort")
            elif start == "finalising":
                world.not_ready = set()
                _until(world, Phase.FINALISING).says("Pending")
    return world


def _first_step(world: Watched) -> Watched:
    while not world.weight and not world.status.iterations:
        world.tick()
    return world


def _until(world: Watched, phase: Phase) -> Watched:
    while world.phase is not phase:
        world.tick()
    return world


def _settled(world: Watched) -> Watched:
    while not world.status.settled:
        world.tick()
    return world


def _before_its_end(world: Watched) -> Watched:
    while world.phase is Phase.PROGRESSING:
        last = copied(world)
        world.tick()
    return last
