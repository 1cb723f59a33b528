"""The shapes of the built-in kinds: what fields they have, which lists are keyed, what is required.

`shapes.json` holds the facts that a real API server publishes about itself under `/openapi/v3` (no prose).
Write it again after a Kubernetes upgrade, from any cluster:

    python -m deploy.sandbox.kube.shapes http://127.0.0.1:8001 > deploy/sandbox/kube/shapes.json

where the URL is that of `kubectl proxy`.
"""

from __future__ import annotations

import sys
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any

import orjson

GROUP_VERSIONS = (
    "api/v1",
    "apis/apps/v1",
    "apis/autoscaling/v1",
    "apis/autoscaling/v2",
    "apis/batch/v1",
    "apis/coordination.k8s.io/v1",
    "apis/discovery.k8s.io/v1",
    "apis/events.k8s.io/v1",
    "apis/networking.k8s.io/v1",
    "apis/policy/v1",
    "apis/rbac.authorization.k8s.io/v1",
)
KINDS = frozenset(
    [
        "Namespace",
        "Pod",
        "Service",
        "ConfigMap",
        "Secret",
        "Event",
        "Node",
        "ServiceAccount",
        "Endpoints",
        "ResourceQuota",
        "LimitRange",
        "Binding",
        "Deployment",
        "ReplicaSet",
        "DaemonSet",
        "StatefulSet",
        "ControllerRevision",
        "Scale",
        "HorizontalPodAutoscaler",
        "Job",
        "Lease",
        "EndpointSlice",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Eviction",
        "Role",
        "RoleBinding",
        "ClusterRole",
        "ClusterRoleBinding",
    ]
)
KEPT = ("type", "format", "required", "enum", "default")
Schema = dict[str, Any]


@cache
def published() -> dict[str, Any]:
    """`{"definitions": name -> schema, "kinds": "group/version/Kind" -> name}`."""
    loaded: dict[str, Any] = orjson.loads(Path(__file__).with_name("shapes.json").read_bytes())
    return loaded


@cache
def shape(group: str, version: str, kind: str) -> Schema | None:
    """The schema of a built-in kind; references are resolved by `resolve`, one step at a time."""
    name = published()["kinds"].get(f"{group}/{version}/{kind}")
    return None if name is None else published()["definitions"][name]


def resolve(schema: Schema | None) -> Schema | None:
    """Follow a reference to a definition; anything else is returned as it is."""
    if schema is None or "$ref" not in schema:
        return schema
    target: Schema = published()["definitions"][schema["$ref"]]
    return target


def _short(reference: str) -> str:
    return reference.rsplit("/", 1)[-1]


def _strip(schema: Schema) -> Schema:
    """Only the facts: no descriptions, single-member `allOf` flattened to the reference itself."""
    if len(schema.get("allOf", ())) == 1:
        schema = schema["allOf"][0]
    if "$ref" in schema:
        return {"$ref": _short(schema["$ref"])}
    kept = {key: schema[key] for key in schema if key in KEPT or key.startswith("x-kubernetes-")}
    kept.pop("x-kubernetes-group-version-kind", None)
    if kept.get("default") == {}:
        kept.pop("default")
    if "properties" in schema:
        kept["properties"] = {name: _strip(child) for name, child in schema["properties"].items()}
    for nested in ("items", "additionalProperties"):
        if isinstance(schema.get(nested), dict):
            kept[nested] = _strip(schema[nested])
    if "oneOf" in schema:  # IntOrString and Quantity are written as oneOf string, integer or number
        kept["x-kubernetes-int-or-string"] = True
    return kept


def references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for item in schema for name in references(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema["$ref"]] if isinstance(schema.get("$ref"), str) else []
    return own + [name for value in schema.values() for name in references(value)]


def collect(base_url: str) -> dict[str, Any]:
    """Read the published schemas of a running API server and keep what `KINDS` reach."""
    every: dict[str, Schema] = {}
    kinds: dict[str, str] = {}
    for group_version in GROUP_VERSIONS:
        with urllib.request.urlopen(f"{base_url}/openapi/v3/{group_version}") as answer:  # noqa: S310 (a URL the caller gives)
            schemas = orjson.loads(answer.read())["components"]["schemas"]
        for name, schema in schemas.items():
            every[name] = _strip(schema)
            for gvk in schema.get("x-kubernetes-group-version-kind", ()):
                own = f"apis/{gvk['group']}/{gvk['version']}" if gvk["group"] else f"api/{gvk['version']}"
                if gvk["kind"] in KINDS and own == group_version:
                    kinds[f"{gvk['group']}/{gvk['version']}/{gvk['kind']}"] = name
    reached: dict[str, Schema] = {}
    waiting = list(kinds.values())
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached[name] = every[name]
            waiting.extend(references(every[name]))
    return {"kinds": dict(sorted(kinds.items())), "definitions": dict(sorted(reached.items()))}


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(collect(sys.argv[1]), option=orjson.OPT_INDENT_2) + b"\n")
