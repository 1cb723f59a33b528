"""The primary and its scaler, rendered: the second half of :mod:`handlers.core.desired` (spec targets 3.1, 3.4)."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from handlers.core.desired import Object, owner, selectors
from schemas.canary import Canary
from schemas.revision import REVISION, TEMPLATE, digest
from schemas.status import CanaryStatus
from schemas.workload import PRIMARY_STEP, Workload

_COPIED_FIELDS = ("strategy", "minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit")
_COPIED_SCALER_FIELDS = ("minReplicas", "maxReplicas", "metrics", "behavior")


def primary(
    canary: Canary, status: CanaryStatus, target: Workload, template: Mapping[str, Any], keys: Sequence[str]
) -> Object:
    """A new primary that runs ``template``, the snapshot of ``primaryRevision``; the rest is the target's own."""
    key, value = next(iter(selectors(target, keys)["primary"].items()))
    labels = {key: value}
    made = primary_template(canary, template, key, value)
    return {
        "metadata": {
            "name": canary.primary,
            "namespace": canary.metadata.namespace,
            "labels": labels,
            "annotations": _without_toolkit(target.annotations) | primary_marks(status, made),
            "ownerReferences": [owner(canary)],
        },
        "spec": {
            **_copied(target),
            "replicas": target.replicas or 1,
            "selector": {"matchLabels": labels},
            "template": made,
        },
    }


def primary_again(
    canary: Canary,
    status: CanaryStatus,
    existing: Workload,
    target: Workload,
    template: Mapping[str, Any],
    keys: Sequence[str],
) -> Object:
    """The existing primary with the template of another revision; its replicas and what others wrote stay.

    Without a scaler the primary follows the target's size, unless that is parked (spec targets 3.1).
    """
    key, value = next(iter(selectors(target, keys)["primary"].items()))
    made = primary_template(canary, template, key, value)
    again: Object = copy.deepcopy(dict(existing.item))
    again["metadata"]["annotations"] = {**existing.annotations, **primary_marks(status, made)}
    again["spec"] |= _copied(target)
    again["spec"]["template"] = made
    if canary.spec.autoscaler_ref is None and target.replicas:
        again["spec"]["replicas"] = target.replicas
    return again


def primary_marks(status: CanaryStatus, template: Mapping[str, Any]) -> dict[str, str]:
    """The fence, the revision, and what the template was when we wrote it."""
    return {PRIMARY_STEP: str(status.primary_step), REVISION: status.primary_revision, TEMPLATE: digest(template)}


def primary_template(canary: Canary, template: Mapping[str, Any], key: str, value: str) -> Object:
    """The template of a revision as the primary runs it: selected by its own label, spread against its own pods."""
    made: Object = copy.deepcopy(dict(template))
    metadata = made.setdefault("metadata", {})
    metadata["labels"] = _without_toolkit(metadata.get("labels") or {}) | {key: value}
    annotations = _without_toolkit(metadata.pop("annotations", None) or {})
    if annotations:
        metadata["annotations"] = annotations
    _spread(made.get("spec") or {}, canary.target, canary.primary)
    return made


def _copied(target: Workload) -> Object:
    return {name: target.item["spec"][name] for name in _COPIED_FIELDS if name in target.item["spec"]}


def _without_toolkit(values: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in values.items() if "toolkit.fluxcd.io" not in key}


def _spread(spec: Object, target: str, primary_name: str) -> None:
    """Anti-affinity and topology spread that name the target's pods name the primary's instead."""
    rules = (spec.get("affinity") or {}).get("podAntiAffinity") or {}
    terms = list(rules.get("requiredDuringSchedulingIgnoredDuringExecution") or ())
    terms += [item["podAffinityTerm"] for item in rules.get("preferredDuringSchedulingIgnoredDuringExecution") or ()]
    for term in [*terms, *(spec.get("topologySpreadConstraints") or ())]:
        selector = term.get("labelSelector") or {}
        for expression in selector.get("matchExpressions") or ():
            expression["values"] = [primary_name if item == target else item for item in expression.get("values") or ()]
        labels = selector.get("matchLabels") or {}
        labels.update({key: primary_name for key, item in labels.items() if item == target})


def scaler(canary: Canary, source: Mapping[str, Any]) -> Object:
    """The HorizontalPodAutoscaler of the primary, after the target's own."""
    ref = canary.spec.autoscaler_ref
    spec = {key: source["spec"][key] for key in _COPIED_SCALER_FIELDS if key in source["spec"]}
    override = ref.primary_scaler_replicas if ref else None
    if override and override.min_replicas is not None:
        spec["minReplicas"] = override.min_replicas
    if override and override.max_replicas is not None:
        spec["maxReplicas"] = override.max_replicas
    spec["scaleTargetRef"] = {**source["spec"]["scaleTargetRef"], "name": canary.primary}
    metadata = {
        "name": f"{source['metadata']['name']}-primary",
        "namespace": canary.metadata.namespace,
        "labels": _without_toolkit(source["metadata"].get("labels") or {}),
        "ownerReferences": [owner(canary)],
    }
    return {"metadata": metadata, "spec": spec}
