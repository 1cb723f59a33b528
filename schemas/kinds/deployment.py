"""Deployments (spec targets 3.1): sized by replicas, their own conditions tell a deadline."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from schemas.kinds.anatomy import Item, Patience, Readiness, behind, pod_selector, template_of_user, waiting


class DeploymentKind:
    keeps: Item = {"paused": True}

    def content(self, item: Item) -> Item:
        return template_of_user(item)

    def size(self, item: Item) -> int:
        wanted = item["spec"].get("replicas")
        return 1 if wanted is None else int(wanted)

    def available(self, item: Item) -> int:
        return int((item.get("status") or {}).get("availableReplicas", 0))

    def resting(self, item: Item) -> bool:
        status = item.get("status") or {}
        return not behind(item) and int(status.get("updatedReplicas", 0)) == int(status.get("replicas", 0))

    def selector(self, item: Item) -> Mapping[str, str]:
        return pod_selector(item)

    def readiness(self, item: Item, patience: Patience) -> Readiness:
        """The deadline runs from when the Deployment lost its availability, not from before anybody waited for it."""
        if behind(item):
            return waiting("observed deployment generation less than desired generation")
        if _condition(item, "Progressing").get("reason") == "ProgressDeadlineExceeded":
            return Readiness(False, True, f'deployment "{item["metadata"]["name"]}" exceeded its progress deadline')
        found = self._counted(item, patience.threshold)
        return found if found.ready else found._replace(stuck=_unavailable_for(item, patience) > patience.deadline)

    def _counted(self, item: Item, threshold: int) -> Readiness:
        status, wanted = item.get("status") or {}, self.size(item)
        updated, available = int(status.get("updatedReplicas", 0)), self.available(item)
        old = int(status.get("replicas", 0)) - updated
        if updated < wanted:
            return waiting(f"{updated} out of {wanted} new replicas have been updated")
        if old > 0:
            return waiting(f"{old} old replicas are pending termination")
        if available < int(updated * threshold / 100):
            return waiting(f"{available} of {updated} (readyThreshold {threshold}%) updated replicas are available")
        return Readiness(True)


def _unavailable_for(item: Item, patience: Patience) -> float:
    available = _condition(item, "Available")
    if available.get("status") != "False" or not _condition(item, "Progressing"):
        return 0.0
    told = available.get("lastUpdateTime") or available.get("lastTransitionTime")
    if not told or available.get("reason") != "MinimumReplicasUnavailable":
        return 0.0
    since = datetime.fromisoformat(told).astimezone(UTC)
    return (patience.now - max(since, patience.since or since)).total_seconds()


def _condition(item: Item, kind: str) -> Mapping[str, Any]:
    conditions = (item.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == kind), {})
