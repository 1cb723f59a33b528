"""What is true of a watched world when a wake begins: told by the world itself, not by the code that is to decide."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from handlers.core.observation import Observation
from schemas.analysis import SUCCESS_RATE, Check
from schemas.canary import Canary, HookType
from schemas.events import Command, Stimulus, Tick
from schemas.gloo import ROUTE_STEP, Verdict, fence_of, read_report
from schemas.revision import REVISION
from schemas.status import CanaryStatus
from schemas.workload import PRIMARY_STEP, TARGET_STEP, Workload
from tests.handlers.core.shapes import image_of
from tests.handlers.core.world import World

SLACK = timedelta(seconds=1)
DRAIN = 5.0
"""Seconds, as installed."""
Content = tuple[str, tuple[tuple[str, str], ...]]
"""What pods run: an image, and the contents of their configs."""
Answer = Literal["good", "bad", "unknown"]


class Traffic:
    """Where the gateway sends users: the canary's share of the routes that it took last, and since when."""

    def __init__(self) -> None:
        self.share: int | None = None
        self.since: datetime | None = None
        self._written: tuple[int, int] | None = None
        self._written_at: datetime | None = None

    def follow(self, world: World) -> None:
        if world.route is None or not world.route["spec"].get("routes"):
            self._written = None
            return
        written = (world.weight, fence_of(world.route, ROUTE_STEP))
        if written != self._written:
            self._written, self._written_at = written, world.now
        if self._takes(world) and self.share != world.weight:
            self.share, self.since = world.weight, world.now

    def _takes(self, world: World) -> bool:
        assert world.route is not None
        match read_report(world.route).verdict:
            case Verdict.ACCEPTED:
                return True
            case Verdict.SILENT:
                return world.status.gateway_silent
            case _:
                return False

    def follows(self, world: World, status: CanaryStatus) -> bool:
        """Whether it has taken the routes of this status as they were written for it."""
        wanted = (status.canary_weight, status.route_step)
        return self._written == wanted and self._takes(world)

    def left_canary(self, now: datetime, drain: float) -> bool:
        """Whether nobody has been sent to the canary for so long that what was under way has ended."""
        return self.share == 0 and self.since is not None and (now - self.since).total_seconds() >= drain


@dataclass(frozen=True)
class Witness:
    """``decides``: whether anything may be decided at all; ``slot``: one that is judged for the first time.

    ``looks``: whether users are looked after, also where nothing can be decided because it is invalid.
    """

    canary: Canary
    stimulus: Stimulus
    now: datetime
    decides: bool
    looks: bool
    slot: datetime | None
    revision: str
    target_gone: bool
    canary_serves: bool
    primary_serves: bool
    snapshot_lost: bool
    gateway_follows: bool
    hooks: dict[str, bool]
    answers: dict[str, Answer]
    moved: bool

    @property
    def before(self) -> CanaryStatus:
        return self.canary.status

    @property
    def at_once(self) -> bool:
        """Whether the slot has a right clock, and its wake is not late."""
        return self.slot is not None and abs(self.now - self.slot) <= SLACK

    def passes(self, *kinds: HookType) -> bool:
        return all(self.hooks[hook.name] for hook in self.canary.spec.analysis.webhooks if hook.hook_type in kinds)

    def signalled(self) -> bool:
        hooks = self.canary.spec.analysis.hooks(HookType.ROLLBACK)
        return not self.canary.spec.skip_analysis and any(self.hooks[hook.name] for hook in hooks)


def witness(world: World, traffic: Traffic, canary: Canary, seen: Observation, judged: datetime | None) -> Witness:
    """``judged``: the last slot that was."""
    stimulus, status = seen.stimulus, canary.status
    slot = _slot(stimulus, world.now) if isinstance(stimulus, Tick) else None
    fresh = slot is not None and (judged is None or slot > judged)
    hands_off = canary.spec.suspend or canary.deleting or isinstance(stimulus, Command)
    looks = not hands_off and bool(status.route_step)
    target = world.target
    return Witness(
        canary=canary,
        stimulus=stimulus,
        now=world.now,
        decides=looks and not seen.problems,
        looks=looks,
        slot=slot if fresh else None,
        revision=Workload(target).revision(world.configs) if target else "",
        target_gone=_gone(target, status),
        canary_serves=_canary_serves(world, canary),
        primary_serves=_primary_serves(world, canary),
        snapshot_lost=seen.snapshot_missing,
        gateway_follows=traffic.follows(world, status),
        hooks={
            hook.name: world.hooks.get(hook.name, hook.hook_type is not HookType.ROLLBACK)
            for hook in canary.spec.analysis.webhooks
        },
        answers={check.key: _answer(world, check) for check in canary.spec.analysis.checks},
        moved=seen.answers is not None and seen.answers.moved,
    )


def _slot(tick: Tick, now: datetime) -> datetime:
    """Of a watcher whose clock runs ahead the slot that runs now."""
    interval = timedelta(seconds=tick.interval)
    ahead = tick.slot - now
    return tick.slot if ahead <= interval else tick.slot + (-ahead // interval) * interval


def _gone(target: Any, status: CanaryStatus) -> bool:
    """Deleted, or parked by somebody after it was given the size that it should have."""
    if target is None:
        return True
    return Workload(target).replicas == 0 and Workload(target).fence(TARGET_STEP) == status.target_step


def _canary_serves(world: World, canary: Canary) -> bool:
    """Our size was written, and pods of what the target holds are there."""
    if world.target is None or Workload(world.target).fence(TARGET_STEP) != canary.status.target_step:
        return False
    if world.target["kind"] == "Service":
        copied = Workload(world.canary_copy) if world.canary_copy else None
        current = copied is not None and copied.annotations.get(REVISION) == canary.status.canary_revision
        # a deletion leads users to the Service itself, whether or not there ever was a copy
        return current or canary.deleting
    rolled = world.rolled == Workload(world.target).content
    return rolled and _available(world, "target", canary.spec.analysis.canary_ready_threshold)


def _primary_serves(world: World, canary: Canary) -> bool:
    """It was given the revision that the status names, and pods of that are there."""
    status = canary.status
    if world.primary is None:
        return False
    marks = Workload(world.primary)
    given = (marks.fence(PRIMARY_STEP), marks.annotations.get(REVISION))
    if status.primary_step and given != (status.primary_step, status.primary_revision):
        return False
    return _available(world, "primary", canary.spec.analysis.primary_ready_threshold)


def _available(world: World, role: Literal["target", "primary"], threshold: int) -> bool:
    shown = world.shown(role)
    if shown is None or shown["kind"] == "Service":
        return shown is not None
    counted = shown["status"]
    if shown["kind"] == "DaemonSet":
        wanted, available = counted["desiredNumberScheduled"], counted["numberAvailable"]
    else:
        wanted, available = counted["replicas"], counted["availableReplicas"]
    enough: bool = available >= max(1, int(wanted * min(100, max(0, threshold)) / 100))
    return enough


def _answer(world: World, check: Check) -> Answer:
    measured = world.measured.get(check.key)
    if measured is None:
        value: float | None = 100.0
    elif measured.outcome == "empty":
        policies: dict[str, Answer] = {"hold": "unknown", "fail": "bad", "pass": "good"}
        return policies[check.no_data or world.rules.no_data]
    elif measured.outcome == "verdict":
        return "good" if measured.passed else "bad"
    else:
        value = measured.value
    if value is None:
        return "unknown"
    least, most = _limits(check)
    return "good" if least <= value <= most else "bad"


def _limits(check: Check) -> tuple[float, float]:
    least: float | None = None
    most: float | None = None
    if check.threshold_range is not None:
        least, most = check.threshold_range.min, check.threshold_range.max
    elif check.name == SUCCESS_RATE and check.built_in:
        least = check.threshold
    else:
        most = check.threshold
    return float("-inf") if least is None else least, float("inf") if most is None else most


def content_of(revision: str, world: World) -> Content:
    return image_of(world.snapshots[revision]), tuple(sorted(world.kept_configs.get(revision, {}).items()))


def content_now(item: Any, configs: dict[str, str]) -> Content:
    return image_of(Workload(item).content), tuple(sorted(configs.items()))
