"""CustomResourceDefinitions become resources, and say so in their conditions."""

from __future__ import annotations

from typing import Any

from .admission import OBJECT_META, Options
from .cluster import Cluster
from .resources import Resource, Version
from .store import Change, Record

Object = dict[str, Any]
DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"
FINALIZER = "customresourcecleanup.apiextensions.k8s.io"


def resource_of(definition: Object) -> Resource:
    """The resource that a definition describes."""
    spec = definition["spec"]
    names = spec["names"]
    return Resource(
        spec["group"],
        names["plural"],
        names["kind"],
        spec.get("scope") == "Namespaced",
        tuple(_version(version) for version in spec["versions"]),
        next((version["name"] for version in spec["versions"] if version.get("storage")), spec["versions"][0]["name"]),
        tuple(names.get("shortNames") or ()),
        tuple(names.get("categories") or ()),
        names["singular"],
        names["listKind"],
        custom=True,
        subresources=tuple(
            sorted({name for version in spec["versions"] for name in version.get("subresources") or ()})
        ),
    )


def _version(version: Object) -> Version:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    subresources = version.get("subresources") or {}
    return Version(
        version["name"],
        schema,
        None
        if schema is None
        else schema | {"properties": (schema.get("properties") or {}) | {"metadata": OBJECT_META}},
        "status" in subresources,
        subresources.get("scale"),
        tuple(version.get("additionalPrinterColumns") or ()),
        bool(version.get("served", True)),
        frozenset(field["jsonPath"].removeprefix(".") for field in version.get("selectableFields") or ()),
    )


class Definitions:
    """Serves what the stored definitions describe; forgets it, with its objects, when one is deleted."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._served: dict[str, Object] = {}
        self._unsettled: dict[str, None] = {}

    def on_change(self, change: Change) -> None:
        """Called for every change of a definition, during the write."""
        obj = change.record.load()
        name = change.record.key[1]
        if change.kind == "DELETED":
            self._forget(obj)
            return
        self._unsettled[name] = None
        if self._served.get(name) != obj["spec"]:
            self._served[name] = obj["spec"]
            self.cluster.resources.add(resource_of(obj))

    def settle(self) -> None:
        """Look after the definitions that changed."""
        changed, self._unsettled = self._unsettled, {}
        for name in changed:
            if (record := self.cluster.store.get(DEFINITIONS, ("", name))) is not None:
                self._settle(record)

    def _settle(self, record: Record) -> None:
        """Write conditions and accepted names; of a deleted definition, remove the objects first."""
        obj = record.load()
        if record.deleting:
            if self._empty(obj):
                self.cluster.rewrite(DEFINITIONS, record, _without_cleanup)
            else:
                self._unsettled[record.key[1]] = None  # looked at again after the next change
            return
        status = obj.get("status") or {}
        conditions = {one["type"]: one["status"] for one in status.get("conditions") or ()}
        names = dict(obj["spec"]["names"])
        if conditions.get("Established") == "True" and status.get("acceptedNames") == names:
            return
        now = self.cluster.now()

        def establish(stored: Object) -> None:
            finalizers = stored["metadata"].setdefault("finalizers", [])
            if FINALIZER not in finalizers:
                finalizers.append(FINALIZER)
            stored["status"] = {
                "conditions": [
                    _condition("NamesAccepted", "NoConflicts", "no conflicts found", now),
                    _condition("Established", "InitialNamesAccepted", "the initial names have been accepted", now),
                ],
                "acceptedNames": names,
                "storedVersions": [one["name"] for one in stored["spec"]["versions"] if one.get("storage")],
            }

        self.cluster.rewrite(DEFINITIONS, record, establish)

    def _empty(self, definition: Object) -> bool:
        """Delete all objects; whether none is left."""
        resource = resource_of(definition)
        for record in self.cluster.store.records(resource.key):
            if not record.deleting:
                self.cluster.delete(resource, record.key, {}, Options(manager="kube-apiserver"))
        return self.cluster.store.count(resource.key) == 0

    def _forget(self, definition: Object) -> None:
        self._served.pop(definition["metadata"]["name"], None)
        self.cluster.resources.discard(definition["spec"]["group"], definition["spec"]["names"]["plural"])


def _without_cleanup(obj: Object) -> None:
    finalizers = [one for one in obj["metadata"].get("finalizers") or () if one != FINALIZER]
    if finalizers:
        obj["metadata"]["finalizers"] = finalizers
    else:
        obj["metadata"].pop("finalizers", None)


def _condition(kind: str, reason: str, message: str, now: str) -> Object:
    return {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now}
