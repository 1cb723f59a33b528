"""Which resources exist: the built-in ones, and those that CustomResourceDefinitions add."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from . import shapes

Schema = dict[str, Any]
VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Version:
    """One served version of a resource. `columns` are printer columns as a CRD writes them."""

    name: str
    schema: Schema | None
    ownership: Schema | None = None  # a custom schema together with the shape of metadata
    status: bool = False
    scale: dict[str, str] | None = None
    columns: tuple[dict[str, Any], ...] = ()
    served: bool = True
    selectable: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Resource:
    """A kind of object and where it is served. `storage` names its place in the store."""

    group: str
    plural: str
    kind: str
    namespaced: bool
    versions: tuple[Version, ...]
    stored_version: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    singular: str = ""
    list_kind: str = ""
    custom: bool = False
    storage: str = ""
    subresources: tuple[str, ...] = field(default=())

    @property
    def key(self) -> str:
        return self.storage or self.name

    @property
    def name(self) -> str:
        """`deployments.apps`, `pods`: how people and refusals call it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def version(self, name: str) -> Version | None:
        return next((version for version in self.versions if version.name == name and version.served), None)

    def api_version(self, version: str) -> str:
        return f"{self.group}/{version}" if self.group else version


_PLAIN: tuple[tuple[str, str, str, str, bool, str, str, str], ...] = (
    # group, version, plural, kind, namespaced, short names, categories, subresources
    ("", "v1", "namespaces", "Namespace", False, "ns", "", "status finalize"),
    ("", "v1", "pods", "Pod", True, "po", "all", "status binding eviction ephemeralcontainers"),
    ("", "v1", "services", "Service", True, "svc", "all", "status"),
    ("", "v1", "configmaps", "ConfigMap", True, "cm", "", ""),
    ("", "v1", "secrets", "Secret", True, "", "", ""),
    ("", "v1", "events", "Event", True, "ev", "", ""),
    ("", "v1", "nodes", "Node", False, "no", "", "status"),
    ("", "v1", "serviceaccounts", "ServiceAccount", True, "sa", "", ""),
    ("", "v1", "endpoints", "Endpoints", True, "ep", "", ""),
    ("", "v1", "resourcequotas", "ResourceQuota", True, "quota", "", "status"),
    ("", "v1", "limitranges", "LimitRange", True, "limits", "", ""),
    ("apps", "v1", "deployments", "Deployment", True, "deploy", "all", "status scale"),
    ("apps", "v1", "replicasets", "ReplicaSet", True, "rs", "all", "status scale"),
    ("apps", "v1", "daemonsets", "DaemonSet", True, "ds", "all", "status"),
    ("apps", "v1", "statefulsets", "StatefulSet", True, "sts", "all", "status scale"),
    ("apps", "v1", "controllerrevisions", "ControllerRevision", True, "", "", ""),
    ("autoscaling", "v2 v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler", True, "hpa", "all", "status"),
    ("batch", "v1", "jobs", "Job", True, "", "all", "status"),
    ("coordination.k8s.io", "v1", "leases", "Lease", True, "", "", ""),
    ("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", True, "", "", ""),
    ("events.k8s.io", "v1", "events", "Event", True, "ev", "", ""),
    ("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", True, "netpol", "", ""),
    ("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", True, "pdb", "", "status"),
    ("rbac.authorization.k8s.io", "v1", "roles", "Role", True, "", "", ""),
    ("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", True, "", "", ""),
    ("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", False, "", "", ""),
    ("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", False, "", "", ""),
    ("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", False, "crd crds",
     "api-extensions", "status"),
)  # fmt: skip

_REPLICAS = {
    "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
}  # fmt: skip


def _built_in(row: tuple[str, str, str, str, bool, str, str, str]) -> Resource:
    group, versions, plural, kind, namespaced, short, categories, subresources = row
    names = versions.split()
    parts = tuple(subresources.split())
    return Resource(
        group,
        plural,
        kind,
        namespaced,
        tuple(
            Version(
                name,
                shapes.shape(group, name, kind),
                None,
                "status" in parts,
                _REPLICAS if "scale" in parts else None,
            )
            for name in names
        ),
        names[0],
        tuple(short.split()),
        tuple(categories.split()),
        kind.lower(),
        f"{kind}List",
        storage="events" if plural == "events" else "",
        subresources=parts,
    )


class Resources:
    """What this server serves at the moment."""

    def __init__(self) -> None:
        self._by_path: dict[tuple[str, str], Resource] = {}
        self._by_key: dict[str, Resource] = {}
        self.generation = 0  # discovery documents are made again when it moves
        for row in _PLAIN:
            self.add(_built_in(row))

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._by_path.values())

    def add(self, resource: Resource) -> None:
        self._by_path[resource.group, resource.plural] = resource
        if resource.key == resource.name:
            self._by_key[resource.key] = resource
        self.generation += 1

    def discard(self, group: str, plural: str) -> None:
        if (resource := self._by_path.pop((group, plural), None)) is not None:
            self._by_key.pop(resource.key, None)
            self.generation += 1

    def at(self, group: str, plural: str) -> Resource | None:
        return self._by_path.get((group, plural))

    def stored(self, key: str) -> Resource:
        """The resource whose objects lie at this place in the store."""
        return self._by_key[key]

    def get_stored(self, key: str) -> Resource | None:
        return self._by_key.get(key)

    def of_kind(self, group: str, kind: str) -> Resource | None:
        return next((one for one in self if one.group == group and one.kind == kind), None)

    def group_versions(self) -> dict[str, list[str]]:
        """Served versions by group, the preferred one first."""
        found: dict[str, list[str]] = {}
        for resource in self:
            known = found.setdefault(resource.group, [])
            known.extend(version.name for version in resource.versions if version.served and version.name not in known)
        return {group: sorted(versions, key=version_rank, reverse=True) for group, versions in found.items()}

    def in_version(self, group: str, version: str) -> Iterable[Resource]:
        return (one for one in self if one.group == group and one.version(version))


def version_rank(version: str) -> tuple[int, int, int]:
    """Order of preference: v2 > v1 > v1beta2 > v1beta1 > v1alpha1."""
    for stability, word in ((1, "beta"), (0, "alpha")):
        if word in version:
            major, _, minor = version[1:].partition(word)
            return stability, int(major or 0), int(minor or 0)
    return 2, int(version[1:]) if version[1:].isdigit() else 0, 0
