"""What the watcher keeps of a Canary: only what its decisions need, because it keeps it of every one there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.analysis import DURATION
from schemas.canary import Canary, Ref
from schemas.status import IDLE, JUDGED, CanaryStatus, Phase, WaitingFor
from watcher.index import Key, Role, dependencies
from watcher.schedule import milliseconds


@dataclass(frozen=True, slots=True)
class Watched:
    """One Canary. ``interval``, ``last_tick``, ``first_slot`` in milliseconds, ``deadline`` in seconds, thresholds in
    percent.

    ``compared`` is the revision that the target is compared with in this phase; None when it is not compared.
    ``floor``: replicas below which its primary's scaler may not go, to be given back a while after a rollout.
    ``silent``: its gateway has never reported on its routes.
    ``weight`` in percent; ``measured``: the last value of each metric, in the peer's units.
    ``projection`` are the steps at which routes, target and primary last changed by our will.
    ``finalising``: it is being deleted and waits for us to let it go.
    ``complete``: all that we make for it was made, so that whatever is not there was taken away.
    """

    ref: Ref
    uid: str
    generation: int
    observed_generation: int
    phase: Phase
    step: int
    settled: bool
    invalid: bool
    suspended: bool
    deleting: bool
    finalising: bool
    interval: int
    last_tick: int | None
    first_slot: int | None
    waiting_for: WaitingFor
    compared: str | None
    projection: tuple[int, int, int]
    configs: Mapping[str, str]
    config_versions: Mapping[str, str]
    deadline: float
    primary_threshold: int
    canary_threshold: int
    floor: int
    silent: bool
    weight: int
    measured: Mapping[str, float]
    complete: bool
    target: Key
    objects: Mapping[Key, Role]

    @classmethod
    def of(
        cls, canary: Canary, *, min_interval: float, config_tracking: bool = True, before: Watched | None = None
    ) -> Watched:
        """``min_interval`` in seconds: the shortest that a Canary may ask for. ``before``: what was known of it."""
        metadata, spec, status = canary.metadata, canary.spec, canary.status
        objects = dependencies(canary)
        if not config_tracking:
            objects = {key: role for key, role in objects.items() if role not in (Role.CONFIG, Role.COPY)}
        return cls(
            ref=canary.ref,
            uid=metadata.uid,
            generation=metadata.generation,
            observed_generation=status.observed_generation,
            phase=status.phase,
            step=status.step,
            settled=status.settled,
            invalid=status.invalid,
            suspended=spec.suspend,
            deleting=canary.deleting,
            finalising=canary.finalising,
            interval=max(1, round(_interval(canary, min_interval) * 1000)),
            last_tick=milliseconds(status.last_tick) if status.last_tick else None,
            first_slot=milliseconds(status.slots_from) if status.slots_from and status.phase in JUDGED else None,
            waiting_for=status.waiting_for,
            compared=_compared(canary),
            projection=(status.route_step, status.target_step, status.primary_step),
            configs=status.tracked_configs,
            config_versions=status.tracked_config_versions if config_tracking else {},
            deadline=spec.deadline,
            primary_threshold=spec.analysis.primary_ready_threshold,
            canary_threshold=spec.analysis.canary_ready_threshold,
            floor=status.primary_floor,
            silent=status.gateway_silent,
            weight=status.canary_weight,
            measured=_measured(canary, before.measured if before else {}),
            complete=_complete(status),
            target=Key(spec.target_ref.kind, metadata.namespace, canary.target),
            objects=objects,
        )

    @property
    def moves(self) -> bool:
        """Whether it is ticked: a rollout runs, or something is not finished (design section 2)."""
        if self.deleting:
            return self.finalising
        if self.suspended:  # what is committed is still projected once, then hands off
            return not self.settled and self.step > 0
        return self.phase not in IDLE or not self.settled or self.invalid

    @property
    def at_rest(self) -> bool:
        """Nothing runs and everything is as we want it: a change of what we made is foreign."""
        return not (self.moves or self.suspended or self.deleting)

    @property
    def misses_a_source(self) -> bool:
        """Whether an object that its spec names was not there: its coming is news."""
        return self.invalid or self.waiting_for == "source"

    @property
    def awaited(self) -> Key | None:
        """The object whose change it waits for."""
        roles = {"target": Role.TARGET, "primary": Role.PRIMARY, "gateway": Role.GATEWAY}
        role = roles.get(self.waiting_for)
        return next((key for key, its in self.objects.items() if its is role), None) if role else None

    @property
    def episode(self) -> tuple[Any, ...]:
        """Moves when it begins to wait for something else, or for the same object in another state."""
        return self.waiting_for, self.phase, self.projection


def _complete(status: CanaryStatus) -> bool:
    """The apex Service is made last, by the wake that initialises or one soon after it."""
    initialising = status.phase in (Phase.NEW, Phase.INITIALIZING)
    fresh = status.phase is Phase.INITIALIZED and not status.settled
    making = initialising or fresh or status.surroundings_owed > 0 or status.invalid
    return status.route_step > 0 and not making


def _measured(canary: Canary, before: Mapping[str, float]) -> Mapping[str, float]:
    """A status has the checks of its last step only, and most steps have none: what was measured before stays.

    The built-in ``request-duration`` is told in seconds, a template of that name as it is (spec lifecycle 2.12).
    """
    checks = canary.status.last_step.checks if canary.status.last_step else ()
    values = {check.name: check.value for check in checks if check.value is not None}
    found = {}
    for check in canary.spec.analysis.checks:
        if check.key in values:
            seconds = check.built_in and check.name == DURATION
            found[check.key] = values[check.key] / 1000 if seconds else values[check.key]
        elif check.key in before:
            found[check.key] = before[check.key]
    return found


def _interval(canary: Canary, shortest: float) -> float:
    """The analysis' own, in seconds; what is only to be finished (a drain, a gateway that says nothing) is soon."""
    status = canary.status
    finishing = status.phase is Phase.INITIALIZING or (status.phase in IDLE and not status.settled) or canary.finalising
    soon = finishing and (canary.finalising or not status.invalid)
    return shortest if soon else canary.spec.analysis.interval_seconds(shortest)


def _compared(canary: Canary) -> str | None:
    """Design section 2, "level-triggered"; what is suspended or ending starts nothing, and NEW is announced anyway.

    At rest a suspended one is told all the same: its condition must not say that another revision is promoted.
    """
    status = canary.status
    suspended = canary.spec.suspend and status.phase not in (Phase.INITIALIZED, Phase.SUCCEEDED)
    if suspended or canary.deleting or canary.problems:
        return None
    match status.phase:
        case Phase.NEW | Phase.TERMINATING | Phase.TERMINATED:
            return None
        case Phase.INITIALIZING:
            return status.primary_revision
        case Phase.INITIALIZED | Phase.SUCCEEDED | Phase.FAILED:
            return status.applied_revision
        case _:
            return status.canary_revision
