"""The Canary's status: the only state there is. The peer's fields keep their meaning; ours are added (a superset)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import ValidationError

from schemas.asked import Approved, ClosedGate, LastCommand, Paused
from schemas.base import Moment, Wire
from schemas.names import Names
from schemas.reasons import Reason
from schemas.revision import is_our_hash


class Phase(StrEnum):
    """Spec 1.1.5. NEW is a Canary that nobody has looked at yet."""

    NEW = ""
    INITIALIZING = "Initializing"
    INITIALIZED = "Initialized"
    WAITING = "Waiting"
    PROGRESSING = "Progressing"
    WAITING_PROMOTION = "WaitingPromotion"
    PROMOTING = "Promoting"
    FINALISING = "Finalising"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    TERMINATED = "Terminated"


IDLE = frozenset({Phase.INITIALIZED, Phase.SUCCEEDED, Phase.FAILED, Phase.TERMINATED})
"""Phases in which no rollout runs."""

JUDGED = frozenset({Phase.WAITING, Phase.PROGRESSING, Phase.WAITING_PROMOTION, Phase.PROMOTING})
"""Phases in which a tick decides something, so that its slot counts as used."""


HAND_BACK = 180.0
"""Seconds for which a scaler has to see the users who returned before its own minimum holds again: metrics lag."""


WaitingFor = Literal["", "target", "primary", "gateway", "gate", "data", "source"]
"""What the Canary waits for; a change of that object wakes it at once."""


_INDISPENSABLE = frozenset({"phase", "returning", "names"})
"""On the wire: where a Canary is, how that ends, and under which names."""


class UnreadableStatusError(ValueError):
    """A status that another release wrote, in words that this one does not know."""

    def __init__(self, field: str, value: object) -> None:
        what = f"status.{field} is {value!r}, which this release does not know"
        super().__init__(f"{what}: run the release that wrote it, or a newer one")


class Condition(Wire):
    """``Promoted`` as the peer's, ``Held``: whether anything is held (:mod:`handlers.core.conditions`).

    The first three have no defaults, because what is a default is not written, and the API demands them.
    """

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""
    last_update_time: Moment | None = None
    last_transition_time: Moment | None = None


class CheckResult(Wire):
    """One metric or hook, judged. ``value`` and limits in the metric's own unit; ``samples`` where known."""

    name: str
    verdict: Literal["pass", "fail", "insufficient"]
    message: str = ""
    value: float | None = None
    min: float | None = None
    max: float | None = None
    samples: float | None = None
    query: str = ""
    endpoint: str = ""
    unreachable: bool = False
    clears_in: float = 0.0  # seconds until its window holds this revision's traffic alone


Severity = Literal["info", "warn", "error"]


class Notice(Wire):
    """One thing to tell people: a Kubernetes Event, and an alert when it has a severity."""

    type: Literal["Normal", "Warning"] = "Normal"
    reason: Reason
    message: str
    alert: str = ""
    severity: Severity | None = None
    with_facts: bool = False


class LastStep(Wire):
    """The last commit, whole enough to be told again by whoever comes next. ``ended``: a rollout has, in this step."""

    step: int = 0
    stimulus: str = ""
    time: Moment | None = None
    phase: Phase = Phase.NEW
    ended: bool = False
    reason: str = ""
    message: str = ""
    checks: tuple[CheckResult, ...] = ()
    notices: tuple[Notice, ...] = ()
    told: bool = False


class Refused(Wire):
    """What the API server refused for good, in its words; ``held`` is what ``Held`` says once it is carried out."""

    message: str = ""
    held: Condition | None = None


class Returning(Wire):
    """While the primary goes back: how the rollout will end, or why it goes; how a deletion has ended."""

    phase: Phase = Phase.FAILED
    reason: Reason = Reason.PROMOTION_FAILED
    message: str = ""


class HandOver(Wire):
    """While traffic returns to the primary: since when, the pods that it had then, and those that its users need."""

    since: Moment | None = None
    had: int = 0
    needs: int = 0
    given_up: bool = False


class CanaryStatus(Wire):
    """The four ``…Step`` fences say at which step the desired value of an object last changed.

    ``adoptedStep`` is the step at which a primary that somebody else made was last taken over as it was.
    """

    phase: Phase = Phase.NEW
    failed_checks: int = 0
    canary_weight: int = 0
    iterations: int = 0
    tracked_configs: dict[str, str] = {}
    last_applied_spec: str = ""
    last_promoted_spec: str = ""
    last_transition_time: Moment | None = None
    session_affinity_cookie: str = ""
    primary_session_affinity_cookie: str = ""
    previous_session_affinity_cookie: str = ""
    conditions: tuple[Condition, ...] = ()

    step: int = 0
    route_step: int = 0
    served_step: int = 0
    """The ``routeStep`` of the last routes that the gateway had in force, whatever it says of them since."""
    target_step: int = 0
    primary_step: int = 0
    scaler_step: int = 0
    adopted_step: int = 0
    restart_step: int = 0
    """When contents changed that running pods may have read already: with ``targetStep``, those pods start anew."""
    last_step: LastStep | None = None
    last_tick: Moment | None = None
    slots_from: Moment | None = None
    """When the first slot of this analysis began, with its pods ready: the others follow it by the interval."""
    last_command: LastCommand | None = None
    earlier_commands: tuple[LastCommand, ...] = ()
    settled: bool = False
    waiting_for: WaitingFor = ""
    strategy: str = ""
    canary_revision: str = ""
    primary_revision: str = ""
    promoted_revision: str = ""
    previous_revision: str = ""
    revision_since: Moment | None = None
    weight_since: Moment | None = None
    verdict_since: Moment | None = None
    behind_since: Moment | None = None
    silent_since: Moment | None = None
    """While it is initialised: since when routes are there of which the gateway has said nothing."""
    not_ready_since: Moment | None = None
    primary_not_ready_since: Moment | None = None
    no_data_since: Moment | None = None
    invalid_since: Moment | None = None
    traffic_until: Moment | None = None
    approved: Approved | None = None
    closed_gate: ClosedGate | None = None
    skip_to: Literal["", "promotion", "skipAnalysis"] = ""
    """Whether the analysis was left out, by the command ``promote`` or by the spec as it was when that took effect."""
    pre_rollout_passed: bool = False
    gateway_silent: bool = False
    in_a_row: dict[str, int] = {}
    returning: Returning | None = None
    primary_floor: int = 0
    """The fewest replicas that the primary's scaler may make in a rollout and for a while after; 0: its own minimum."""
    primary_replicas: int = 0
    """What the primary had when the last step was made: should it be deleted, it comes back with as many."""
    hand_over: HandOver | None = None
    paused: Paused | None = None
    alerts: dict[str, str] = {}
    """By receiver: the steps that it heard, and the message of the rollout that the next alert edits (Slack's bot)."""
    names: Names | None = None
    """The names in force: an edited spec takes effect on them once no rollout runs under the old ones."""
    former: tuple[Names, ...] = ()
    """Names whose objects are still to be deleted, when those of the names in force serve."""
    former_scalers: tuple[Names, ...] = ()
    """Whose scalers ``autoscalerRef`` names no more: what is ours of those is still to be taken away."""
    observed_generation: int = 0
    surroundings_owed: int = 0
    """The step since which Services and upstreams may not be as the status wants them; each wake compares them then."""
    refused: Refused | None = None
    tracked_config_versions: dict[str, str] = {}

    @classmethod
    def known(cls, item: Mapping[str, Any]) -> CanaryStatus:
        """Without what a newer release may have written and this one cannot read.

        Raises UnreadableStatusError where a decision without it would undo what that release is at.
        """
        try:
            return cls.model_validate(item)
        except ValidationError as error:
            strange = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
            for field in _INDISPENSABLE & strange:
                raise UnreadableStatusError(field, item[field]) from error
            return cls.model_validate({key: value for key, value in item.items() if key not in strange})

    @property
    def invalid(self) -> bool:
        return self.invalid_since is not None

    @property
    def applied_revision(self) -> str:
        """The revision that was last accepted or refused; a hash that the peer wrote stands for ``canaryRevision``."""
        return self.last_applied_spec if is_our_hash(self.last_applied_spec) else self.canary_revision

    @property
    def returned(self) -> bool:
        """A deletion has sent all traffic to the target: its routes are newer than the size that it was given.

        One that another controller began has given it none yet.
        """
        return self.phase in (Phase.TERMINATING, Phase.TERMINATED) and self.route_step > self.target_step > 0

    @property
    def restored(self) -> bool:
        """The deletion is over, and the target serves without us."""
        return self.returning is not None and self.returning.reason is Reason.LEFT_BEHIND

    def to_wire(self) -> dict[str, Any]:
        """As stored; the numbers that ``kubectl get canaries`` shows are written even when zero."""
        shown = {"phase": self.phase.value, "failedChecks": 0, "canaryWeight": 0, "iterations": 0, "settled": False}
        return shown | super().to_wire()


__all__ = [
    "HAND_BACK",
    "IDLE",
    "JUDGED",
    "CanaryStatus",
    "CheckResult",
    "Condition",
    "HandOver",
    "LastStep",
    "Notice",
    "Phase",
    "Reason",
    "Refused",
    "Returning",
    "Severity",
    "UnreadableStatusError",
    "WaitingFor",
]
