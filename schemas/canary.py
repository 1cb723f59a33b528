"""The Canary resource, ``flagger.app/v1beta1``: what users write. What we write back is in :mod:`schemas.status`.

Every field that the peer's resource has is accepted (spec 1.1); those that Gloo has no use for are kept as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from pydantic import Field, ValidationError

from schemas.analysis import (
    AlertRef,
    Analysis,
    HookType,
    HttpMatch,
    Metric,
    NamespacedRef,
    NoData,
    Strategy,
    StringMatch,
    ThresholdRange,
    Webhook,
    Whole,
)
from schemas.base import Moment, Wire, in_words
from schemas.duration import LONGEST
from schemas.names import Names
from schemas.status import CanaryStatus

Labels = dict[str, str]

FINALIZER = "finalizer.flagger.app"
"""The peer's own: a Canary that was switched over carries it already (spec lifecycle 2.9)."""


class Ref(NamedTuple):
    """Which Canary."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.name}.{self.namespace}"


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

    @property
    def deadline(self) -> int:
        """Seconds that a rollout may be stuck: those written, 600 where that is no time at all, 292 years at most."""
        return min(LONGEST, self.progress_deadline_seconds) if self.progress_deadline_seconds > 0 else 600


class Canary(Wire):
    """A Canary as read. ``problems`` are the fields of the spec that could not be read at all, in words.

    ``keeper`` is the uid of the object that owns beside the Canary what is made for it, while ``revertOnDeletion`` is
    on: a deletion in the foreground takes away at once whatever the Canary owns alone.

    Its names are those in force; ``asked`` are those of the spec, where they are others.
    """

    metadata: Metadata
    spec: CanarySpec
    status: CanaryStatus = CanaryStatus()
    problems: tuple[str, ...] = ()
    keeper: str = ""
    asked: Names | None = None

    @classmethod
    def from_object(cls, item: dict[str, Any]) -> Canary:
        """Never raises for a bad spec: that is reported as ``problems``, because somebody has to be told.

        Raises UnreadableStatusError for a status that another release wrote: nobody can say what it asks for.
        """
        metadata = Metadata.model_validate(item["metadata"])
        status = CanaryStatus.known(item.get("status") or {})
        spec = item.get("spec") or {}
        try:
            return cls(metadata=metadata, spec=CanarySpec.model_validate(spec), status=status).in_force()
        except ValidationError as error:
            problems = tuple(in_words("spec", detail["loc"], detail["msg"]) for detail in error.errors())
            return cls(metadata=metadata, spec=_readable(spec, error), status=status, problems=problems).in_force()

    @classmethod
    def without_status(cls, item: Mapping[str, Any]) -> Canary:
        """Of one whose status is another release's: who it is and what it asks for can be read."""
        return cls.from_object({**item, "status": {}})

    @classmethod
    def readable(cls, items: Iterable[Mapping[str, Any]]) -> Iterator[Canary]:
        """Of many; one that cannot be read is a matter of whoever works on it, and never stands in others' way."""
        for item in items:
            with suppress(ValueError):
                yield cls.from_object(dict(item))

    def in_force(self) -> Canary:
        """Under the names that the status knows, until a decision has moved on to those of the spec."""
        names = self.status.names
        if names is None or names.same_objects(self.names):
            return self
        return self.under(names).model_copy(update={"asked": self.names})

    def under(self, names: Names) -> Canary:
        """The same under other names."""
        ref, spec = self.spec.autoscaler_ref, self.spec
        if names.scaler:
            found = ref or AutoscalerRef(kind=names.scaler_kind, name=names.scaler)
            ref = found.model_copy(update={"kind": names.scaler_kind, "name": names.scaler})
        renamed = {
            "target_ref": spec.target_ref.model_copy(update={"kind": names.kind, "name": names.target}),
            "service": spec.service.model_copy(update={"name": names.service, "port": names.port}),
            "autoscaler_ref": ref if names.scaler else None,
        }
        return self.model_copy(update={"spec": spec.model_copy(update=renamed), "asked": None})

    @property
    def names(self) -> Names:
        ref, target = self.spec.autoscaler_ref, self.spec.target_ref
        return Names(
            kind=target.kind,
            target=target.name,
            service=self.service,
            port=self.spec.service.port,
            scaler_kind=ref.kind if ref else "",
            scaler=ref.name if ref else "",
        )

    @property
    def ref(self) -> Ref:
        return Ref(self.metadata.namespace, self.metadata.name)

    @property
    def deleting(self) -> bool:
        return self.metadata.deletion_timestamp is not None

    @property
    def finalising(self) -> bool:
        """Being deleted, and it waits for us to let it go."""
        return self.deleting and FINALIZER in self.metadata.finalizers

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


def _readable(spec: dict[str, Any], error: ValidationError) -> CanarySpec:
    """The fields of the spec in which nothing is wrong: whose it is and what it is about must be known all the same."""
    bad = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
    target = spec.get("targetRef")
    name = str(target.get("name", "")) if isinstance(target, dict) else ""
    certain = {"provider": str(spec.get("provider") or ""), "targetRef": {"name": name}}
    return CanarySpec.model_validate(certain | {key: value for key, value in spec.items() if key not in bad})


__all__ = [
    "AlertRef",
    "Analysis",
    "AutoscalerRef",
    "Canary",
    "CanaryService",
    "CanarySpec",
    "CustomMetadata",
    "HookType",
    "HttpMatch",
    "Labels",
    "Metadata",
    "Metric",
    "NamespacedRef",
    "NoData",
    "ObjectRef",
    "Ref",
    "Strategy",
    "StringMatch",
    "TargetRef",
    "ThresholdRange",
    "UpstreamRef",
    "Webhook",
    "Whole",
]
