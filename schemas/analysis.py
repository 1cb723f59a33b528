"""``spec.analysis`` of a Canary: strategy, checks, hooks, users (spec 1.1.3)."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from schemas.base import Wire
from schemas.bus_address import ON_THE_BUS, subject_of
from schemas.duration import is_duration, lasting, parse_duration
from schemas.hooks import shown_url
from schemas.namesakes import told_apart

Whole = Annotated[
    int,
    BeforeValidator(lambda value: int(value) if isinstance(value, float) else value),
    WithJsonSchema({"type": "number"}),
]
"""The API's type for these is ``number``: a fraction is accepted and taken whole."""


class Strategy(StrEnum):
    """How traffic is moved: by weight, by who the user is, or all at once."""

    CANARY = "canary"
    AB_TESTING = "ab-testing"
    BLUE_GREEN = "blue-green"


class ThresholdRange(Wire):
    """Inclusive bounds."""

    min: float | None = None
    max: float | None = None


class NamespacedRef(Wire):
    """``namespace`` empty means the Canary's own."""

    name: str
    namespace: str = ""


NoData = Literal["hold", "fail", "pass"]
SUCCESS_RATE, DURATION = "request-success-rate", "request-duration"
BUILT_IN = (SUCCESS_RATE, DURATION)
"""Names of metrics that have a query of their own."""


class Metric(Wire):
    """What is measured. ``interval`` is the window of the query, 1m unless written (spec B22)."""

    name: str
    interval: str = ""
    threshold: float = 0
    threshold_range: ThresholdRange | None = None
    query: str = ""
    template_ref: NamespacedRef | None = None
    template_variables: dict[str, str] = {}
    no_data: NoData | None = None
    consecutive: int = Field(default=1, ge=1)

    @property
    def window(self) -> float:
        """Seconds; a minute also where the interval cannot be read (:mod:`handlers.core.remarks`)."""
        return lasting(self.interval, 60.0)

    @property
    def parts(self) -> Iterator[Metric]:
        """The questions in it: the built-in one of its name, its query, its template (spec lifecycle 2.7)."""
        if self.name in BUILT_IN:
            yield self.model_copy(update={"query": "", "template_ref": None})
        if self.query:
            yield self.model_copy(update={"template_ref": None})
        if self.template_ref is not None:
            yield self.model_copy(update={"query": ""})


class Check(Metric):
    """One question of a metric. ``key`` tells it from others of the same name: ``latency``, ``latency #2``."""

    key: str

    @property
    def built_in(self) -> bool:
        return not self.query and self.template_ref is None


class HookType(StrEnum):
    """When a webhook is asked (spec lifecycle 2.8)."""

    ROLLOUT = "rollout"
    CONFIRM_ROLLOUT = "confirm-rollout"
    PRE_ROLLOUT = "pre-rollout"
    CONFIRM_TRAFFIC_INCREASE = "confirm-traffic-increase"
    CONFIRM_PROMOTION = "confirm-promotion"
    POST_ROLLOUT = "post-rollout"
    ROLLBACK = "rollback"
    EVENT = "event"


class Webhook(Wire):
    """``timeout`` is per attempt; ``retries`` are extra attempts. An empty ``type`` is a rollout hook."""

    name: str
    url: str
    type: str = ""
    timeout: str = ""
    retries: Whole = 0
    mute_alert: bool = False
    disable_tls: bool = Field(default=False, alias="disableTLS")
    metadata: dict[str, str] = {}

    @property
    def hook_type(self) -> HookType:
        return HookType(self.type or "rollout")

    @property
    def timeout_seconds(self) -> float:
        """Ten unless written and readable."""
        return lasting(self.timeout, 10.0)

    @property
    def shown_url(self) -> str:
        """For people: without the password and other secrets that it may have."""
        return shown_url(self.url)

    @property
    def addressed(self) -> bool:
        """Whether anybody can be asked at this address."""
        return self.url.lower().startswith(("http://", "https://", ON_THE_BUS))

    @property
    def subject(self) -> str:
        """Of ``nats://subject``; empty for another url. Raises ValueError with words for people."""
        return subject_of(self.url)


class StringMatch(Wire):
    """Exactly one of the four is set."""

    exact: str | None = None
    prefix: str | None = None
    suffix: str | None = None
    regex: str | None = None


class HttpMatch(Wire):
    """All headers of one item must match; several items are alternatives."""

    headers: dict[str, StringMatch] = {}
    query_params: Any = None
    source_labels: Any = None


class AlertRef(Wire):
    name: str
    severity: Literal["", "info", "warn", "error"] = ""
    provider_ref: NamespacedRef | None = None


class Analysis(Wire):
    interval: str = ""
    threshold: Whole = 0
    iterations: Whole = 0
    step_weight: Whole = 0
    step_weights: tuple[Whole, ...] = ()
    max_weight: Whole = 0
    step_weight_promotion: Whole = 0
    mirror: bool = False
    mirror_weight: Whole = 0
    primary_ready_threshold: Whole = 100
    canary_ready_threshold: Whole = 100
    match: tuple[HttpMatch, ...] = ()
    metrics: tuple[Metric, ...] = ()
    alerts: tuple[AlertRef, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    session_affinity: Any = None

    @property
    def strategy(self) -> Strategy:
        if self.iterations > 0:
            return Strategy.AB_TESTING if self.match else Strategy.BLUE_GREEN
        return Strategy.CANARY

    @property
    def selects(self) -> bool:
        """Whether it says whom Gloo sends to the canary: that matches by headers and nothing else."""
        return any(match.headers for match in self.match)

    @property
    def failures_allowed(self) -> int:
        """Failed checks at which the rollout ends; zero and less mean one."""
        return max(1, self.threshold)

    def interval_seconds(self, shortest: float) -> float:
        """The tick period: 60 s unless written and readable, never below ``shortest``."""
        return max(shortest, parse_duration(self.interval)) if is_duration(self.interval) else 60.0

    @property
    def checks(self) -> tuple[Check, ...]:
        """What is asked at a step, as it is listed. Nobody has to give each metric a name of its own."""
        parts = [part for metric in self.metrics for part in metric.parts]
        keys = told_apart((part.name for part in parts), " #")
        return tuple(Check(**dict(part), key=key) for part, key in zip(parts, keys, strict=True))

    def hooks(self, kind: HookType) -> tuple[Webhook, ...]:
        # by name: a type that nobody knows is for validation to tell, not for everybody to stumble over
        return tuple(hook for hook in self.webhooks if (hook.type or HookType.ROLLOUT) == kind)
