"""MetricTemplate, ``flagger.app/v1beta1`` (spec 1.2)."""

from __future__ import annotations

from enum import StrEnum

from schemas.base import Wire
from schemas.bus_address import ON_THE_BUS
from schemas.canary import Metadata


class ProviderType(StrEnum):
    PROMETHEUS = "prometheus"
    INFLUXDB = "influxdb"
    DATADOG = "datadog"
    EXTERNAL_METRICS = "externalmetrics"
    STACKDRIVER = "stackdriver"
    CLOUDWATCH = "cloudwatch"
    NEWRELIC = "newrelic"
    GRAPHITE = "graphite"
    DYNATRACE = "dynatrace"
    KEPTN = "keptn"
    SPLUNK = "splunk"
    NATS = "nats"
    """Ours: a judge on the bus. Any type with an address ``nats://subject`` is one."""


class SecretRef(Wire):
    """A Secret in the namespace of the object that names it."""

    name: str


class MetricProvider(Wire):
    """``address`` is the base URL, or ``nats://subject``; ``headers``, ``insecure_skip_verify``: for plain HTTP."""

    type: ProviderType
    address: str = ""
    headers: dict[str, tuple[str, ...]] = {}
    secret_ref: SecretRef | None = None
    region: str = ""
    insecure_skip_verify: bool = False

    @property
    def kind(self) -> ProviderType:
        """Who is asked: the address says it for a judge on the bus."""
        return ProviderType.NATS if self.address.startswith(ON_THE_BUS) else self.type


class MetricTemplateSpec(Wire):
    provider: MetricProvider
    query: str


class MetricTemplate(Wire):
    metadata: Metadata
    spec: MetricTemplateSpec
