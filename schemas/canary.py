"""The Canary resource, ``flagger.app/v1beta1``: what users write. What we write back is in :mod:`schemas.status`.

Every field that the peer's resource has is accepted (spec 1.1); those that Gloo has no use for are kept as they are.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema

from schemas.base import Moment, Wire
from schemas.duration import parse_duration
from schemas.status import CanaryStatus

Labels = dict[str, str]
Whole = Annotated[
    int,
    BeforeValidator(lambda value: int(value) if isinstance(value, float) else value),
    WithJsonSchema({"type": "number"}),
]
"""The API's type for these is ``number``: a fraction is accepted and taken whole."""


class Ref(NamedTuple):
    """Which Canary."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.name}.{self.namespace}"


class Strategy(StrEnum):
    """How traffic is moved: by weight, by who the user is, or all at once."""

    CANARY = "canary"
    AB_TESTING = "ab-testing"
    BLUE_GREEN = "blue-green"


class Metadata(Wire):
    """The part of an object's metadata that we read."""

    name: str
    namespace: str = "default"
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Moment | None = None
    deletion_timestamp: Moment | None = None
    finalizers: tuple[str, ...] = ()
    labels: Labels = {}
    annotations: Labels = {}


class ObjectRef(Wire):
    """An object in the Canary's namespace."""

    api_version: str = ""
    kind: str
    name: str


class TargetRef(ObjectRef):
    kind: str = "Deployment"


class ScalerReplicas(Wire):
    min_replicas: int | None = Field(default=None, ge=1)
    max_replicas: int | None = Field(default=None, ge=1)


class AutoscalerRef(ObjectRef):
    primary_scaler_queries: dict[str, str] = {}
    primary_scaler_replicas: ScalerReplicas | None = None


class UpstreamRef(ObjectRef):
    """``namespace`` empty means the Canary's own."""

    kind: str = "Upstream"
    namespace: str = ""


class CustomMetadata(Wire):
    labels: Labels = {}
    annotations: Labels = {}


class UnmanagedMetadata(Wire):
    labels: tuple[str, ...] = ()
    annotations: tuple[str, ...] = ()


class CanaryService(Wire):
    """``spec.service``. The fields under "not for Gloo" are accepted and have no effect, as with the peer."""

    name: str = ""
    port: Whole = 0
    port_name: str = ""
    target_port: int | str | None = None
    app_protocol: str = ""
    port_discovery: bool = False
    headless: bool = False
    traffic_distribution: str = ""
    apex: CustomMetadata | None = None
    primary: CustomMetadata | None = None
    canary: CustomMetadata | None = None
    unmanaged_metadata: UnmanagedMetadata | None = None
    # not for Gloo
    timeout: Any = None
    backend_timeout: Any = None
    gateways: Any = None
    gateway_refs: Any = None
    hosts: Any = None
    delegation: Any = None
    traffic_policy: Any = None
    match: Any = None
    rewrite: Any = None
    retries: Any = None
    headers: Any = None
    mirror: Any = None
    cors_policy: Any = None
    mesh_name: Any = None
    backends: Any = None


class ThresholdRange(Wire):
    """Inclusive bounds."""

    min: float | None = None
    max: float | None = None


class NamespacedRef(Wire):
    """``namespace`` empty means the Canary's own."""

    name: str
    namespace: str = ""


NoData = Literal["hold", "fail", "pass"]


class Metric(Wire):
    """One check. ``interval`` is the window of the query, 1m unless written (spec B22)."""

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
        """Seconds."""
        return parse_duration(self.interval or "1m")


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
        """Ten unless written; the peer takes anything shorter than two characters for unset."""
        return parse_duration(self.timeout) if len(self.timeout) > 1 else 10.0


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
    def failures_allowed(self) -> int:
        """Failed checks at which the rollout ends; zero and less mean one."""
        return max(1, self.threshold)

    def interval_seconds(self, shortest: float) -> float:
        """The tick period: 60 s unless written and readable, never below ``shortest``."""
        try:
            return max(shortest, parse_duration(self.interval)) if self.interval else 60.0
        except ValueError:
            return 60.0

    def hooks(self, kind: HookType) -> tuple[Webhook, ...]:
        return tuple(hook for hook in self.webhooks if hook.hook_type is kind)


class CanarySpec(Wire):
    provider: str = ""
    metrics_server: str = ""
    target_ref: TargetRef
    autoscaler_ref: AutoscalerRef | None = None
    ingress_ref: ObjectRef | None = None
    route_ref: ObjectRef | None = None
    upstream_ref: UpstreamRef | None = None
    service: CanaryService = CanaryService()
    analysis: Analysis = Analysis()
    progress_deadline_seconds: Whole = 600
    skip_analysis: bool = False
    revert_on_deletion: bool = False
    suspend: bool = False


class Canary(Wire):
    """A Canary as read. ``problems`` are the fields of the spec that could not be read at all, in words."""

    metadata: Metadata
    spec: CanarySpec
    status: CanaryStatus = CanaryStatus()
    problems: tuple[str, ...] = ()

    @classmethod
    def from_object(cls, item: dict[str, Any]) -> Canary:
        """Never raises for a bad spec: that is reported as ``problems``, because somebody has to be told."""
        metadata = Metadata.model_validate(item["metadata"])
        status = CanaryStatus.model_validate(item.get("status") or {})
        spec = item.get("spec") or {}
        try:
            return cls(metadata=metadata, spec=CanarySpec.model_validate(spec), status=status)
        except ValidationError as error:
            problems = tuple(_in_words(detail["loc"], detail["msg"]) for detail in error.errors())
            # whose it is must be known however bad the rest is: another controller's Canary is never touched
            readable = CanarySpec(
                provider=str(spec.get("provider") or ""),
                target_ref=TargetRef(name=str((spec.get("targetRef") or {}).get("name", ""))),
            )
            return cls(metadata=metadata, spec=readable, status=status, problems=problems)

    @property
    def ref(self) -> Ref:
        return Ref(self.metadata.namespace, self.metadata.name)

    @property
    def target(self) -> str:
        return self.spec.target_ref.name

    @property
    def primary(self) -> str:
        return f"{self.target}-primary"

    @property
    def service(self) -> str:
        """The apex name: Services, RouteTable and upstreams are named after it."""
        return self.spec.service.name or self.target

    def upstream(self, role: Literal["primary", "canary"]) -> str:
        return f"{self.metadata.namespace}-{self.service}-{role}upstream-{self.spec.service.port}"

    def belongs_to(self, default_provider: str) -> bool:
        """Ours if the provider starts with ``gloo``; another controller's Canary is never touched."""
        return (self.spec.provider or default_provider).startswith("gloo")


def _in_words(place: tuple[int | str, ...], message: str) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return f"spec{path}: {message[0].lower()}{message[1:]}"
