"""DaemonSets (spec targets 3.2): sized by the nodes that their selector allows, parked by one that no node has."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.kinds.anatomy import Item, Patience, Readiness, behind, pod_selector, template, template_of_user, waiting

SCALE_TO_ZERO = "flagger.app/scale-to-zero"
"""The node selector that parks a DaemonSet; it is never part of a revision."""


class DaemonSetKind:
    keeps: Item = {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}

    def content(self, item: Item) -> Item:
        """The template without what parks it; no node selector is the same as an empty one."""
        whole = template_of_user(item)
        spec = whole.get("spec")
        if not isinstance(spec, Mapping) or "nodeSelector" not in spec:
            return whole
        selector = {key: value for key, value in (spec["nodeSelector"] or {}).items() if key != SCALE_TO_ZERO}
        rest = {key: value for key, value in spec.items() if key != "nodeSelector"}
        return {**whole, "spec": {**rest, **({"nodeSelector": selector} if selector else {})}}

    def size(self, item: Item) -> int:
        """The nodes that it should run on, at least one: it is not parked because its controller is slow."""
        selector = (template(item).get("spec") or {}).get("nodeSelector") or {}
        return 0 if SCALE_TO_ZERO in selector else max(1, _count(item, "desiredNumberScheduled"))

    def available(self, item: Item) -> int:
        return _count(item, "numberAvailable")

    def resting(self, item: Item) -> bool:
        return not behind(item) and _count(item, "updatedNumberScheduled") >= _count(item, "currentNumberScheduled")

    def selector(self, item: Item) -> Mapping[str, str]:
        return pod_selector(item)

    def readiness(self, item: Item, patience: Patience) -> Readiness:
        """A DaemonSet has no conditions: the deadline runs from when the Canary saw readiness go (spec B19)."""
        if behind(item):
            return waiting("observed daemonset generation less than desired generation")
        desired, updated = _count(item, "desiredNumberScheduled"), _count(item, "updatedNumberScheduled")
        available, threshold = self.available(item), patience.threshold
        if updated >= desired and available >= int(desired * threshold / 100):
            return Readiness(True)
        if patience.exhausted:
            return Readiness(False, True, f"exceeded its progressDeadlineSeconds: {patience.deadline:g}")
        if updated < desired:
            return waiting(f"{updated} out of {desired} new pods have been updated")
        return waiting(f"{available} of {desired} (readyThreshold {threshold}%) updated pods are available")


def _count(item: Item, field: str) -> int:
    return int((item.get("status") or {}).get(field, 0))
