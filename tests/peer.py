"""What the peer leaves in a cluster, phase by phase: its objects and its status to the letter (spec 1.1.4-1.1.6, 3, 4).

Plain data, so that the pure core, the embedded API and a real API server all meet the same.
"""

from __future__ import annotations

import copy
import hashlib
import json
import zlib
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

_SAFE = "bcdfghjklmnpqrstvwxz2456789"
_FLUX_OFF = {
    "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
    "helm.toolkit.fluxcd.io/driftDetection": "disabled",
}
_IDLE = ("Initialized", "Succeeded", "Failed", "Waiting")
_CONDITIONS = {
    "Initializing": ("Unknown", "New Deployment detected, starting initialization."),
    "Initialized": ("True", "Deployment initialization completed."),
    "Waiting": ("Unknown", "Waiting for approval."),
    "WaitingPromotion": ("Unknown", "Waiting for approval."),
    "Progressing": ("Unknown", "New revision detected, progressing canary analysis."),
    "Promoting": ("Unknown", "Canary analysis completed, starting primary rolling update."),
    "Finalising": ("Unknown", "Canary analysis completed, routing all traffic to primary."),
    "Succeeded": ("True", "Canary analysis completed successfully, promotion finished."),
    "Failed": ("False", "Canary analysis failed, Deployment scaled to zero."),
    "Terminating": ("Unknown", "New Deployment detected, starting initialization."),
}
SETTINGS = {"colour": "blue"}
OLD, NEW = "podinfo:1", "podinfo:2"


def peers_hash(template: Object) -> str:
    """A 32-bit number in decimal, its digits in the alphabet that Kubernetes calls safe."""
    number = zlib.crc32(json.dumps(template, sort_keys=True).encode())
    return "".join(_SAFE[ord(digit) % len(_SAFE)] for digit in str(number))


def peers_checksum(data: dict[str, str]) -> str:
    """Of a ConfigMap: the first eight bytes of the SHA-256 of its data (spec targets 3.5)."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


@dataclass
class Left:
    """``weight`` is the one in the RouteTable; the status often names another."""

    phase: str
    spec: Object
    namespace: str = "test"
    uid: str = "u"
    weight: int = 0
    iterations: int = 0
    failed_checks: int = 0
    old: str = OLD
    new: str = NEW
    replicas: int = 2

    @property
    def _analysed(self) -> str:
        return self.old if self.phase in ("Initialized", "Succeeded", "Initializing") else self.new

    @property
    def promoted(self) -> bool:
        """Whether the primary has the new template already."""
        return self.phase in ("Promoting", "Finalising") or (self.phase == "Failed" and self.weight > 0)

    # ---- the status

    @property
    def status(self) -> Object:
        value, message = _CONDITIONS[self.phase]
        found = {
            "phase": self.phase,
            "failedChecks": self.failed_checks,
            "canaryWeight": self._status_weight,
            "iterations": self._status_iterations,
            "lastTransitionTime": "2025-12-31T00:00:00Z",
            "conditions": [
                {
                    "type": "Promoted",
                    "status": value,
                    "reason": self.phase,
                    "message": message,
                    "lastUpdateTime": "2025-12-31T00:00:00Z",
                    "lastTransitionTime": "2025-12-31T00:00:00Z",
                }
            ],
        }
        if self.phase == "Initializing":
            return found
        # in Waiting the last full sync is that of the rollout before
        applied = self.old if self.phase == "Waiting" else self._analysed
        return found | {
            "lastAppliedSpec": peers_hash(template(applied)),
            "lastPromotedSpec": peers_hash(template(self.old)),
            "trackedConfigs": {"configmap/settings": peers_checksum(SETTINGS)},
        }

    @property
    def _status_weight(self) -> int:
        """Only weight steps and failed promotions write it."""
        stepped = self.phase in ("Progressing", "Promoting") and not self.spec["analysis"].get("iterations")
        return self.weight if stepped or self.phase == "Failed" else 0

    @property
    def _status_iterations(self) -> int:
        if self.phase == "WaitingPromotion":
            return int(self.spec["analysis"].get("iterations", 0)) - 1
        return self.iterations

    # ---- workloads

    @property
    def target(self) -> Object:
        parked = self.phase in _IDLE and not self.weight
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "podinfo", "namespace": self.namespace},
            "spec": {
                "replicas": 0 if parked else self.replicas,
                "selector": {"matchLabels": {"app": "podinfo"}},
                "template": template(self._analysed),
            },
        }

    @property
    def primary(self) -> Object:
        made = template(self.new if self.promoted else self.old)
        made["metadata"]["labels"]["app"] = "podinfo-primary"
        made["metadata"]["annotations"]["flagger-id"] = "9b6c1f5e-4a52-4d0e-9f0a-1f6c2f0b7a11"
        spec = made["spec"]
        spec["containers"][0]["envFrom"] = [
            {"configMapRef": {"name": "settings-primary"}},
            {"secretRef": {"name": "of-old-primary", "optional": True}},
        ]
        spread = spec["topologySpreadConstraints"][0]["labelSelector"]
        spread["matchLabels"] = {"app": "podinfo-primary"}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": self._metadata("podinfo-primary", labels={"app": "podinfo-primary"}),
            "spec": {
                "replicas": self.replicas,
                "selector": {"matchLabels": {"app": "podinfo-primary"}},
                "template": made,
            },
        }

    @property
    def configs(self) -> list[Object]:
        """What the target tracks, and the copy that the primary reads."""
        return [
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(SETTINGS)}
            for metadata in ({"name": "settings", "namespace": self.namespace}, self._metadata("settings-primary"))
        ]

    # ---- what leads to them

    @property
    def services(self) -> list[Object]:
        return [self._service("podinfo", "-primary"), *(self._service(f"podinfo{end}", end) for end in _ENDS)]

    def _service(self, name: str, end: str) -> Object:
        port = {"name": "http", "protocol": "TCP", "port": 9898, "targetPort": 9898}
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": self._metadata(name, labels={"app": name}, annotations=_FLUX_OFF),
            "spec": {"type": "ClusterIP", "selector": {"app": _selected(end)}, "ports": [port]},
        }

    @property
    def upstreams(self) -> list[Object]:
        return [
            {
                "apiVersion": "gloo.solo.io/v1",
                "kind": "Upstream",
                "metadata": self._metadata(self._upstream(end)),
                "spec": {
                    "kube": {
                        "serviceName": f"podinfo{end}",
                        "serviceNamespace": self.namespace,
                        "servicePort": 9898,
                        "selector": {"app": _selected(end)},
                    }
                },
            }
            for end in _ENDS
        ]

    @property
    def route(self) -> Object:
        """One route, which in A/B tests has the matcher; a weight of zero is left out."""
        destinations: list[Object] = [
            {"destination": {"upstream": {"name": self._upstream(end), "namespace": self.namespace}}} for end in _ENDS
        ]
        for destination, weight in zip(destinations, (100 - self.weight, self.weight), strict=True):
            if weight:
                destination["weight"] = weight
        route: Object = {"inheritablePathMatchers": True, "routeAction": {"multi": {"destinations": destinations}}}
        headers = [
            {"name": name, "value": wanted["exact"]}
            for item in self.spec["analysis"].get("match", ())
            for name, wanted in item["headers"].items()
        ]
        if headers:
            route["matchers"] = [{"headers": headers}]
        proxy = {"*v1.Proxy.gateway-proxy_gloo-system": {"state": "Accepted", "reportedBy": "gloo"}}
        report = {"state": "Accepted", "reportedBy": "gloo", "subresourceStatuses": proxy}
        return {
            "apiVersion": "gateway.solo.io/v1",
            "kind": "RouteTable",
            "metadata": self._metadata("podinfo", annotations=_FLUX_OFF),
            "spec": {"routes": [route]},
            "status": {"statuses": {"gloo-system": report}},
        }

    def _upstream(self, end: str) -> str:
        return f"{self.namespace}-podinfo{end}upstream-9898"

    def _metadata(self, name: str, **more: Any) -> Object:
        owner = {
            "apiVersion": "flagger.app/v1beta1",
            "kind": "Canary",
            "name": "podinfo",
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
        return {"name": name, "namespace": self.namespace, "ownerReferences": [owner], **copy.deepcopy(more)}


_ENDS = ("-primary", "-canary")


def _selected(end: str) -> str:
    return "podinfo-primary" if end == "-primary" else "podinfo"


def template(image: str) -> Object:
    """With everything in it that the peer changes in a copy."""
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"app": "podinfo"}},
    }
    container = {
        "name": "podinfod",
        "image": image,
        "ports": [{"containerPort": 9898}],
        "envFrom": [
            {"configMapRef": {"name": "settings"}},
            # the user's own name, which is no copy
            {"secretRef": {"name": "of-old-primary", "optional": True}},
        ],
    }
    return {
        "metadata": {"labels": {"app": "podinfo"}, "annotations": {"prometheus.io/scrape": "true"}},
        "spec": {"containers": [container], "topologySpreadConstraints": [spread]},
    }
