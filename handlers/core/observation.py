"""What one wake has seen. Time is a value in it; everything in it can be written down and replayed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import ConfigDict

from schemas.base import Moment, Wire
from schemas.canary import HookType
from schemas.events import Change, Command, Tick
from schemas.gloo import ROUTE_STEP, GatewayReport, Verdict, fence_of, read_report
from schemas.measurement import HookAnswer, Measurement
from schemas.workload import PRIMARY_STEP, TARGET_STEP, Workload

SLACK = 1.0
"""Seconds by which a wake may follow the start of its slot and still count as being on time."""

_IMPOSSIBLE = 1_000_000_000
"""More steps than a Canary can take in a lifetime."""


class Rules(Wire):
    """The settings that decisions depend on; durations in seconds."""

    drain: float = 5.0
    gateway_settle: float = 5.0
    min_interval: float = 10.0
    no_data: str = "hold"
    selector_labels: tuple[str, ...] = ("app", "name", "app.kubernetes.io/name")
    include_label_prefix: tuple[str, ...] = ()
    no_cross_namespace_refs: bool = False
    regex_max_program_size: int = 1024


class Answers(Wire):
    """What hooks, metrics and providers said. ``asked`` names what was asked, answered or not."""

    hooks: tuple[HookAnswer, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    providers: str = ""
    moved: bool = False
    asked: tuple[str, ...] = ()

    def of(self, kind: HookType) -> tuple[HookAnswer, ...]:
        return tuple(answer for answer in self.hooks if answer.type is kind)

    def failed(self, kind: HookType) -> HookAnswer | None:
        return next((answer for answer in self.of(kind) if not answer.passed), None)


class Gateway(NamedTuple):
    """Whether the routes that the status asks for are in force; ``refused``: they never will be, in Gloo's words."""

    applied: bool
    refused: bool = False
    words: str = ""


class Orphan(Wire):
    """An object of former names. ``ours``: it was made for this Canary; if not, it leads to something that was.

    ``retired``: since when its routes wait for a word that somebody still uses them; ``verdict`` is what is said.
    """

    kind: str
    name: str
    ours: bool
    retired: Moment | None = None
    verdict: Verdict = Verdict.SILENT


class Observation(Wire):
    """``route``, ``target``, ``primary`` are objects as read (None: missing), before the Canary itself.

    ``route_current``: the RouteTable is what the committed status renders.
    """

    # not frozen for cached_property; nobody assigns to it
    model_config = ConfigDict(**{**Wire.model_config, "ignored_types": (cached_property,)})

    now: Moment
    stimulus: Tick | Change | Command
    rules: Rules = Rules()
    route: Mapping[str, Any] | None = None
    route_current: bool = False
    target: Mapping[str, Any] | None = None
    target_revision: str = ""
    primary: Mapping[str, Any] | None = None
    primary_current: bool = False
    scaler: Mapping[str, Any] | None = None
    """The target's own, which ``autoscalerRef`` names."""
    primary_scaler: Mapping[str, Any] | None = None
    apex_behind: bool = False
    """The apex Service does not lead to the primary yet, and the target is to be parked after initialisation."""
    snapshot_missing: bool = False
    """The revision that the primary should get, or go back to on command, is lost, and the target has another."""
    asked_target: Mapping[str, Any] | None = None
    """The target that the spec names, while another one is in force."""
    orphans: tuple[Orphan, ...] | None = None
    """What is left of former names; None: not looked at."""
    older_twin: str = ""
    """Another Canary on the same target, which was there first."""
    older_namesake: str = ""
    """Another Canary with the same service name, whose RouteTable and Services ours would be, too."""
    missing: tuple[str, ...] = ()
    """Fields of the spec with the object that they name, where that is not there and never was."""
    lost: tuple[str, ...] = ()
    """The same of a Canary at rest that had found them."""
    configs: Mapping[str, str] = {}
    """Checksums of the tracked ConfigMaps and Secrets that the target reads; contents are never written down."""
    config_versions: Mapping[str, str] = {}
    """Resource versions of all that it names, tracked or not; empty for what is missing."""
    primary_configs: Mapping[str, str] = {}
    """Of a primary that is not taken over yet: checksums of what it reads, by the keys of what that was copied from."""
    config_problems: tuple[str, ...] = ()
    """What it cannot do without and is not there, in sentences."""
    problems: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()
    """Those of the problems with which nothing can be made."""
    pod_trouble: Mapping[str, str] = {}
    """Why pods of a workload that is past its deadline are not ready, by the workload's name."""
    answers: Answers | None = None

    @property
    def renderable(self) -> bool:
        """Whether everything that is ours can be made: what only the target's pods miss keeps nothing of it back."""
        return set(self.problems) <= set(self.config_problems)

    @property
    def repairable(self) -> bool:
        """Whether what is there already can be made again, although the Canary may be invalid otherwise."""
        return set(self.obstacles) <= set(self.config_problems)

    @property
    def tick(self) -> Tick | None:
        return self.stimulus if isinstance(self.stimulus, Tick) else None

    @property
    def slot(self) -> datetime | None:
        """The slot that is judged: the tick's own, or of one from a clock that runs ahead the one that runs now.

        Slots follow each other by the interval; one that is less than that ahead is as good as on time.
        """
        tick = self.tick
        if tick is None or not self.ahead(tick.slot):
            return tick.slot if tick else None
        interval = timedelta(seconds=tick.interval)
        return tick.slot + (self.now - tick.slot) // interval * interval

    def ahead(self, slot: datetime) -> bool:
        """Whether nobody whose clock is right can have named ``slot`` yet."""
        return self.tick is not None and -self.since(slot) > self.tick.interval

    @property
    def began(self) -> datetime:
        """When what is decided now begins to count: the slot's start, or now for a tick that comes late."""
        slot = self.slot
        return self.now if slot is None or self.since(slot) > SLACK else slot

    @property
    def target_workload(self) -> Workload | None:
        return Workload(self.target) if self.target else None

    @property
    def primary_workload(self) -> Workload | None:
        return Workload(self.primary) if self.primary else None

    @property
    def route_fence(self) -> int:
        return fence_of(self.route, ROUTE_STEP) if self.route else 0

    @property
    def highest_fence(self) -> int:
        """Of all objects; one that no count of steps can have reached is forged."""
        target, own = self.target_workload, self.primary_workload
        found = (
            self.route_fence,
            target.fence(TARGET_STEP) if target else 0,
            own.fence(PRIMARY_STEP) if own else 0,
        )
        return max(fence for fence in (0, *found) if fence < _IMPOSSIBLE)

    @property
    def report(self) -> GatewayReport | None:
        return read_report(self.route) if self.route else None

    def since(self, moment: datetime | None) -> float:
        """Seconds from ``moment`` until now; 0 when it never happened."""
        return (self.now - moment).total_seconds() if moment else 0.0
