"""As much of KEDA as a cluster needs to hold its objects: the definition of ScaledObjects."""

from __future__ import annotations

from typing import Any

from schemas.resources import SCALED_OBJECT

Object = dict[str, Any]
_ANY = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_COUNT = {"type": "integer", "format": "int32"}

DEFINITION: Object = {
    "metadata": {"name": f"{SCALED_OBJECT.plural}.{SCALED_OBJECT.group}"},
    "spec": {
        "group": SCALED_OBJECT.group,
        "scope": "Namespaced",
        "names": {"plural": SCALED_OBJECT.plural, "singular": "scaledobject", "kind": SCALED_OBJECT.kind},
        "versions": [
            {
                "name": SCALED_OBJECT.version,
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["scaleTargetRef", "triggers"],
                                "properties": {
                                    "scaleTargetRef": {
                                        "type": "object",
                                        "required": ["name"],
                                        "properties": {
                                            "apiVersion": {"type": "string"},
                                            "kind": {"type": "string"},
                                            "name": {"type": "string"},
                                            "envSourceContainerName": {"type": "string"},
                                        },
                                    },
                                    "pollingInterval": _COUNT,
                                    "cooldownPeriod": _COUNT,
                                    "initialCooldownPeriod": _COUNT,
                                    "idleReplicaCount": _COUNT,
                                    "minReplicaCount": _COUNT,
                                    "maxReplicaCount": _COUNT,
                                    "fallback": _ANY,
                                    "advanced": _ANY,
                                    "triggers": {"type": "array", "items": _ANY},
                                },
                            },
                            "status": _ANY,
                        },
                    }
                },
            }
        ],
    },
}


def scaled_object(name: str = "podinfo", **spec: Any) -> Object:
    """Of a Deployment of the same name."""
    trigger = {
        "type": "prometheus",
        "name": "rps",
        "metadata": {"query": f'sum(rate(requests{{app="{name}"}}[1m]))', "threshold": "5"},
    }
    return {
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"name": name},
            "minReplicaCount": 1,
            "maxReplicaCount": 5,
            "triggers": [trigger],
            **spec,
        },
    }
