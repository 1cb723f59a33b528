"""The CustomResourceDefinitions: names, printer columns and the constrained schemas of the models."""

from __future__ import annotations

from typing import Any

from schemas.alerts import AlertProviderSpec
from schemas.canary import CanarySpec
from schemas.generate import constraints
from schemas.generate.structural import Schema, constrain, loosened, structural_schema
from schemas.metrics import MetricTemplateSpec
from schemas.resources import ALERT_PROVIDER, CANARY, METRIC_TEMPLATE, Resource
from schemas.status import CanaryStatus

_CONDITIONS_ONLY: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def canary() -> dict[str, Any]:
    spec = structural_schema(CanarySpec)
    constrain(spec, constraints.CANARY_SPEC)
    constrain(spec["properties"]["service"], constraints.CANARY_SERVICE)
    constrain(spec["properties"]["analysis"], constraints.CANARY_ANALYSIS)
    status = loosened(structural_schema(CanaryStatus))
    # written by newer versions of the peer; kept, so that going back to it loses nothing
    status["properties"]["lastTrackedRevision"] = {"type": "string"}
    constrain(status, constraints.CANARY_STATUS)
    # the order is the peer's: people and scripts read these columns by position
    columns = [
        _column("Status", ".status.phase"),
        _column("Weight", ".status.canaryWeight"),
        _column("Suspended", ".spec.suspend", "boolean", priority=1),
        _column("FailedChecks", ".status.failedChecks", priority=1),
        _column("Interval", ".spec.analysis.interval", priority=1),
        _column("Mirror", ".spec.analysis.mirror", "boolean", priority=1),
        _column("StepWeight", ".spec.analysis.stepWeight", priority=1),
        _column("StepWeights", ".spec.analysis.stepWeights", priority=1),
        _column("MaxWeight", ".spec.analysis.maxWeight", priority=1),
        _column("LastTransitionTime", ".status.lastTransitionTime"),
    ]
    return _definition(CANARY, spec, status, columns)


def metric_template() -> dict[str, Any]:
    spec = structural_schema(MetricTemplateSpec)
    constrain(spec, constraints.METRIC_TEMPLATE_SPEC)
    return _definition(METRIC_TEMPLATE, spec, _CONDITIONS_ONLY, [_column("Provider", ".spec.provider.type")])


def alert_provider() -> dict[str, Any]:
    spec = structural_schema(AlertProviderSpec)
    del spec["required"]  # the alternatives say it: type with an address, or type with a Secret
    constrain(spec, constraints.ALERT_PROVIDER_SPEC)
    return _definition(ALERT_PROVIDER, spec, _CONDITIONS_ONLY, [_column("Type", ".spec.type")])


def _column(name: str, path: str, kind: str = "string", priority: int = 0) -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "type": kind, "jsonPath": path}
    return column | ({"priority": priority} if priority else {})


def _definition(resource: Resource, spec: Schema, status: Schema, columns: list[dict[str, Any]]) -> dict[str, Any]:
    properties = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"type": "object"},
        "spec": spec,
        "status": status,
    }
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{resource.plural}.{resource.group}",
            # uninstalling a chart must not delete every Canary
            "annotations": {"helm.sh/resource-policy": "keep"},
        },
        "spec": {
            "group": resource.group,
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "categories": ["all"],
            },
            "scope": "Namespaced",
            "versions": [version],
        },
    }
