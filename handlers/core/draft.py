"""A decision in the making: an immutable value that each small transition turns into the next one.

Desired values follow from the status alone; a fence (``routeStep``, ``targetStep``, ``primaryStep``) is moved to the
step being made whenever the desired value of its object changes (design section 9, rule 1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from handlers.core import conditions
from handlers.core.observation import Observation
from handlers.core.remarks import remarks
from handlers.core.texts import silent_gateway
from schemas.canary import Canary
from schemas.events import Reply
from schemas.status import CanaryStatus, CheckResult, Condition, LastStep, Notice, Phase, Reason, Severity, WaitingFor


@dataclass(frozen=True)
class Decision:
    """What one wake decided. ``status`` equals the old one when there is nothing to commit."""

    status: CanaryStatus
    notices: tuple[Notice, ...] = ()
    reply: Reply | None = None
    changed: bool = False


@dataclass(frozen=True)
class Draft:
    canary: Canary
    seen: Observation
    status: CanaryStatus
    notices: tuple[Notice, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    reason: str = ""
    message: str = ""
    hold_told: Notice | None = None

    @classmethod
    def begin(cls, canary: Canary, seen: Observation) -> Draft:
        return cls(canary, seen, conditions.unveiled(canary.status))

    @property
    def step(self) -> int:
        """The number that this decision will have if it is committed.

        A status that was lost goes on above the fences that it left: what is named by step is named once.
        """
        return (self.canary.status.step or self.seen.highest_fence) + 1

    @property
    def place(self) -> str:
        return str(self.canary.ref)

    @property
    def target_place(self) -> str:
        return f"{self.canary.target}.{self.canary.metadata.namespace}"

    @property
    def primary_place(self) -> str:
        return f"{self.canary.primary}.{self.canary.metadata.namespace}"

    def set(self, **fields: Any) -> Draft:
        return replace(self, status=self.status.model_copy(update=fields))

    def because(self, reason: Reason, message: str) -> Draft:
        """The one sentence of this step, for the status."""
        return replace(self, reason=reason.value, message=message)

    def with_checks(self, checks: tuple[CheckResult, ...]) -> Draft:
        return replace(self, checks=checks)

    def tell(
        self,
        reason: Reason,
        message: str,
        *,
        warn: bool = False,
        alert: str = "",
        severity: Severity | None = None,
        facts: bool = False,
    ) -> Draft:
        """Add one Event, with an alert when ``severity`` is given (``alert`` is its text, else the event's)."""
        notice = Notice(
            type="Warning" if warn else "Normal",
            reason=reason,
            message=message,
            alert=(alert or message) if severity else "",
            severity=severity,
            with_facts=facts,
        )
        return replace(self, notices=(*self.notices, notice)).because(reason, message)

    def enter(self, phase: Phase, **fields: Any) -> Draft:
        """Change the phase; ``lastTransitionTime`` moves only when it really is another one."""
        if phase is self.status.phase:
            return self.set(**fields)
        whole = self.seen.now.replace(microsecond=0)
        fresh = {"settled": False, "waiting_for": "", "closed_gate": None, **fields}
        return self.set(phase=phase, last_transition_time=whole, **fresh)

    def weigh(self, weight: int, **fields: Any) -> Draft:
        """Give the canary ``weight`` percent. Nothing happens when it has it already."""
        now = self.seen.now
        before = self.status.canary_weight
        if weight == before:
            return self.set(**fields)
        if before > 0 and weight == 0:
            fields = {"traffic_until": now, **fields}
        clocks = {"weight_since": self.seen.began, "verdict_since": None, "behind_since": now}
        return self.set(canary_weight=weight, route_step=self.step, settled=False, **clocks, **fields)

    def take_traffic(self) -> Draft:
        """All of it to the primary. A blue/green canary is load tested without any weight: that ends now, too."""
        before = self.canary.status
        tested = bool(before.iterations) and before.phase in (Phase.PROGRESSING, Phase.WAITING_PROMOTION)
        taken = self.weigh(0)
        return taken.set(traffic_until=self.seen.now) if tested else taken

    def rescale_target(self) -> Draft:
        """The target's desired size changes with the phase that is entered."""
        return self.set(target_step=self.step, settled=False)

    def run_on_primary(self, revision: str) -> Draft:
        fresh = {"primary_not_ready_since": self.seen.now, "hand_over": None, "settled": False}
        return self.set(primary_revision=revision, primary_step=self.step, **fresh)

    def hold(
        self,
        reason: Reason,
        message: str,
        *,
        waiting_for: WaitingFor = "",
        alert: str = "",
        severity: Severity | None = None,
        quiet: bool = False,
        alarmed: bool = True,
        warn: bool = True,
    ) -> Draft:
        """Nothing advances, and people can see why. Told once, and again only when the sentence changes.

        Of several holds in one wake the last is committed, and only that is told: compared with each other they would
        be news in every wake.

        ``alarmed``: whether the same reason, if it is there already, has alerted anybody.
        """
        before = conditions.of_type(conditions.unveiled(self.canary.status), conditions.HELD)
        same = before is not None and before.reason == reason.value and before.message == message
        alone = self._unheld().set(waiting_for=waiting_for)
        held = alone.because(reason, message)._set_held("True", reason.value, message)
        if same or quiet:
            return held
        again = alarmed and before is not None and before.reason == reason.value
        # a new sentence of the same kind is an event, no second alert
        told = held.tell(reason, message, warn=warn, alert=alert, severity=None if again else severity)
        return replace(told, hold_told=told.notices[-1])

    def _unheld(self) -> Draft:
        others = tuple(notice for notice in self.notices if notice is not self.hold_told)
        return replace(self, notices=others, hold_told=None)

    def go_on(self, waiting_for: WaitingFor = "") -> Draft:
        """Nothing is held any more; ``waiting_for`` is what comes next by itself.

        What held it only until later in the same wake has held nothing, and is no news.
        """
        free = self._unheld().set(waiting_for=waiting_for)
        if free.status.gateway_silent:
            text = silent_gateway(self.canary, self.seen.rules.gateway_settle)
            return free._set_held("False", Reason.GATEWAY_SILENT.value, text)
        return free._set_held("False", self.status.phase.value or "New", conditions.FREE)

    @property
    def held_for(self) -> str:
        """The reason of what keeps it from advancing; empty when nothing does."""
        held = self._held()
        return held.reason if held is not None and held.status == "True" else ""

    @property
    def holds_now(self) -> bool:
        """Whether this wake itself found what keeps it from advancing, not only one before it."""
        return bool(self.reason) and self.held_for == self.reason

    def _held(self) -> Condition | None:
        return conditions.of_type(self.status, conditions.HELD)

    def _set_held(self, status: str, reason: str, message: str) -> Draft:
        return self._condition(Condition(type=conditions.HELD, status=status, reason=reason, message=message))  # type: ignore[arg-type]

    def _condition(self, wanted: Condition) -> Draft:
        return self.set(conditions=conditions.with_condition(self.status.conditions, wanted, self.seen.now))

    def done(self, reply: Reply | None = None) -> Decision:
        """Close the books: a step number if anything changed."""
        before, status = self.canary.status, self._said_promoted().status
        generation, tidied = self.canary.metadata.generation, bool(before.former) and not status.former
        accepted = before.promoted_revision and status.canary_revision != before.canary_revision
        if status.observed_generation != generation or tidied or accepted:
            # ports that former names needed, or that another revision brings, are in the surroundings, too
            status = status.model_copy(update={"observed_generation": generation, "surroundings_owed": self.step})
        status = conditions.veiled(before, status, self.seen.now)
        notices = self.notices + self._remarks()
        if status == before and not notices:
            return Decision(before, reply=reply)
        last = LastStep(
            step=self.step,
            stimulus=self.seen.stimulus.label,
            time=self.seen.now,
            phase=status.phase,
            ended=self._ended(),
            reason=self.reason or Reason.SETTLED.value,
            message=self.message,
            checks=self.checks,
            notices=notices,
        )
        noted = {"step": self.step, "last_step": last, "primary_replicas": self._primary_replicas()}
        status = status.model_copy(update=noted | self._configs())
        return Decision(status, notices, reply, changed=True)

    def _remarks(self) -> tuple[Notice, ...]:
        """What is not taken as it is written, told once for each edit of the spec."""
        canary = self.canary
        if canary.deleting or canary.status.observed_generation == canary.metadata.generation:
            return ()
        reason = Reason.NOT_AS_WRITTEN
        return tuple(Notice(type="Warning", reason=reason, message=text) for text in remarks(canary))

    def _primary_replicas(self) -> int:
        """Of one that is missing, what it had before; nothing is known yet of that of another target."""
        primary, names = self.seen.primary_workload, self.status.names
        if names is not None and not names.same_target(self.canary.names):
            return 0
        return primary.replicas if primary is not None else self.status.primary_replicas

    def _said_promoted(self) -> Draft:
        """What ``Promoted`` says follows from the whole step."""
        before, kind = self.canary.status, self.canary.spec.target_ref.kind
        reverted = any(notice.reason is Reason.REVERTED for notice in self.notices)
        revision = self.seen.target_revision
        return self._condition(conditions.promoted(before, self.status, kind, revision, reverted=reverted))

    def _configs(self) -> dict[str, dict[str, str]]:
        """The contents that belong to ``canaryRevision``, and the versions in which they were seen last.

        Of an object with other contents than those no version is noted: whoever compares versions finds it.
        """
        status, seen = self.status, self.seen
        accepted = status.canary_revision == seen.target_revision
        tracked = dict(seen.configs) if accepted else status.tracked_configs
        names = seen.config_versions if seen.target else status.tracked_config_versions
        versions = {
            key: seen.config_versions.get(key, "")
            if tracked.get(key) == seen.configs.get(key)
            else status.tracked_config_versions.get(key, "")
            for key in {*names, *tracked}
        }
        return {"tracked_configs": tracked, "tracked_config_versions": versions}

    def _ended(self) -> bool:
        """Whether a rollout has ended in this step; one that only waited for its start and is taken back has not."""
        before, after = self.canary.status.phase, self.status.phase
        unbegun = before is Phase.WAITING and self.reason == Reason.REVERTED
        taken_over = self.reason == Reason.ADOPTED
        return after in (Phase.SUCCEEDED, Phase.FAILED) and after is not before and not (unbegun or taken_over)
