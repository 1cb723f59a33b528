"""CustomResourceDefinitions become resources, and say so in their conditions."""

from __future__ import annotations

from typing import Any

from . import errors
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
        subresources=tuple(sorted({name for version in spec["versions"] for name in version.get("subresources") or ()})),
    )


def _version(version: Object) -> Version:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    subresources = version.get("subresources") or {}
    return Version(
        version["name"],
        schema,
        None if schema is None else schema | {"properties": (schema.get("properties") or {}) | {"metadata": OBJECT_META}},
        "status" in subresources,
        subresources.get("scale"),
        tuple(version.get("additionalPrinterColumns") or ()),
        bool(version.get("served", True)),
        frozenset(field["jsonPath"].removeprefix(".") for field in version.get("selectableFields") or ()),
    )


def check_definition(obj: Object) -> list[errors.Cause]:
    """What is wrong with a definition, of the mistakes that people make."""
    spec = obj.get("spec") or {}
    names = spec.get("names") or {}
    causes: list[errors.Cause] = []
    wanted = f"{names.get('plural', '')}.{spec.get('group', '')}"
    if obj["metadata"].get("name") != wanted:
        why = 'must be spec.names.plural+"."+spec.group'
        causes.append(errors.invalid_value("metadata.name", obj["metadata"].get("name"), why))
    for index, version in enumerate(spec.get("versions") or ()):
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            why = "schemas are required"
            causes.append(errors.required(f"spec.versions[{index}].schema.openAPIV3Schema", why))
    stored = sum(1 for version in spec.get("versions") or () if version.get("storage"))
    if stored != 1:
        why = "must have exactly one version marked as storage version"
        causes.append(errors.invalid_value("spec.versions", stored, why))
    return causes


class Definitions:
    """Serves what the stored definitions describe; forgets it, with its objects, when one is deleted."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._served: dict[str, Object] = {}

    def on_change(self, change: Change) -> None:
        """Called for every change of a definition, during the write."""
        obj = change.record.load()
        name = change.record.key[1]
        if change.kind == "DELETED":
            self._forget(obj)
            return
        if self._served.get(name) != obj["spec"]:
            self._served[name] = obj["spec"]
            self.cluster.resources.add(resource_of(obj))

    def settle(self, record: Record) -> None:
        """Write conditions and accepted names; of a deleted definition, remove the objects first."""
        obj = record.load()
        if record.deleting:
            self._empty(obj)
            self.cluster.rewrite(DEFINITIONS, record, _without_cleanup)
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
                    {"type": "NamesAccepted", "status": "True", "reason": "NoConflicts", "message": "no conflicts found",
                     "lastTransitionTime": now},
                    {"type": "Established", "status": "True", "reason": "InitialNamesAccepted",
                     "message": "the initial names have been accepted", "lastTransitionTime": now},
                ],
                "acceptedNames": names,
                "storedVersions": [one["name"] for one in stored["spec"]["versions"] if one.get("storage")],
            }  # fmt: skip

        self.cluster.rewrite(DEFINITIONS, record, establish)

    def _empty(self, definition: Object) -> None:
        resource = resource_of(definition)
        for record in self.cluster.store.records(resource.key):
            if not record.deleting:
                self.cluster.delete(resource, record.key, {}, Options(manager="kube-apiserver"))

    def _forget(self, definition: Object) -> None:
        self._served.pop(definition["metadata"]["name"], None)
        self.cluster.resources.discard(definition["spec"]["group"], definition["spec"]["names"]["plural"])


def _without_cleanup(obj: Object) -> None:
    finalizers = [one for one in obj["metadata"].get("finalizers") or () if one != FINALIZER]
    if finalizers:
        obj["metadata"]["finalizers"] = finalizers
    else:
        obj["metadata"].pop("finalizers", None)
