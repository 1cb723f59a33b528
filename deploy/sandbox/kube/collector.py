"""Removes what nobody owns any more, and empties namespaces that are going away."""

from __future__ import annotations

from collections import deque
from typing import Any

from .admission import Options
from .cluster import Cluster
from .store import Change, Record

Object = dict[str, Any]
_ME = Options(manager="kube-controller-manager")


class Collector:
    """Works through what changes left behind; `work` returns when nothing is left to do at the moment."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._orphans: deque[tuple[str, Record]] = deque()
        self._owners: deque[str] = deque()
        self._homes: dict[str, None] = {}

    def on_change(self, change: Change) -> None:
        """Called for every change of every object, during the write: only notes what to look at."""
        record = change.record
        if change.kind == "DELETED":
            self._orphans.extend(self.cluster.store.children(record.uid))
            self._owners.extend(record.owners)
            if self._is_closing(record.key[0]):
                self._homes[record.key[0]] = None
            return
        if record.owners and (change.previous is None or change.previous.owners != record.owners):
            self._orphans.append((change.resource, record))
        if record.deleting:
            self._owners.append(record.uid)
            self._owners.extend(record.owners)
            if change.resource == "namespaces":
                self._homes[record.key[1]] = None
            elif self._is_closing(record.key[0]):
                self._homes[record.key[0]] = None

    def _is_closing(self, namespace: str) -> bool:
        home = self.cluster.store.get("namespaces", ("", namespace)) if namespace else None
        return home is not None and home.deleting

    @property
    def busy(self) -> bool:
        return bool(self._orphans or self._owners or self._homes)

    def work(self) -> None:
        while self.busy:
            while self._orphans:
                self._check_orphan(*self._orphans.popleft())
            while self._owners:
                self._release(self._owners.popleft())
            for namespace in list(self._homes):
                del self._homes[namespace]
                self._empty(namespace)

    def _living(self, owner: Object) -> bool:
        found = self.cluster.store.find(owner["uid"])
        return found is not None and found[1].key[1] == owner["name"]

    def _check_orphan(self, resource: str, noted: Record) -> None:
        record = self.cluster.store.get(resource, noted.key)
        if record is None or record.uid != noted.uid or not record.owners:
            return
        owners = record.load()["metadata"]["ownerReferences"]
        living = [owner for owner in owners if self._living(owner)]
        if len(living) == len(owners):
            return
        if living:
            self.cluster.rewrite(resource, record, lambda obj: obj["metadata"].update(ownerReferences=living))
        elif not record.deleting:
            self._delete(resource, record, "Background")

    def _delete(self, resource: str, record: Record, policy: str) -> None:
        found = self.cluster.resources.get_stored(resource)
        if found is not None:
            self.cluster.delete(found, record.key, {"propagationPolicy": policy}, _ME)

    def _release(self, uid: str) -> None:
        """Let an owner go that waits in the foreground for its children, or that leaves them behind."""
        found = self.cluster.store.find(uid)
        if found is None or not found[1].deleting:
            return
        resource, record = found
        finalizers = record.load()["metadata"].get("finalizers") or []
        if "orphan" in finalizers:
            for child_resource, child in self.cluster.store.children(uid):
                self.cluster.rewrite(child_resource, child, lambda obj: _disown(obj, uid))
            self._without_finalizer(resource, record, "orphan")
        elif "foregroundDeletion" in finalizers:
            blocking = False
            for child_resource, child in self.cluster.store.children(uid):
                if self._has_another(child, uid):
                    self.cluster.rewrite(child_resource, child, lambda obj: _disown(obj, uid))
                elif not child.deleting:
                    self._delete(child_resource, child, "Foreground")
                blocking = blocking or _blocks(self.cluster.store.get(child_resource, child.key), uid)
            if not blocking:
                self._without_finalizer(resource, record, "foregroundDeletion")

    def _has_another(self, child: Record, uid: str) -> bool:
        """An owner that lives on: then the child only loses this one."""
        for owner in child.load()["metadata"].get("ownerReferences") or ():
            found = self.cluster.store.find(owner["uid"]) if owner["uid"] != uid else None
            if found is not None and self._living(owner) and not _waits(found[1]):
                return True
        return False

    def _without_finalizer(self, resource: str, record: Record, finalizer: str) -> None:
        def change(obj: Object) -> None:
            left = [one for one in obj["metadata"].get("finalizers") or () if one != finalizer]
            if left:
                obj["metadata"]["finalizers"] = left
            else:
                obj["metadata"].pop("finalizers", None)

        self.cluster.rewrite(resource, record, change)

    def _empty(self, namespace: str) -> None:
        store = self.cluster.store
        home = store.get("namespaces", ("", namespace))
        if home is None or not home.deleting:
            return
        for resource, record in list(store.everything(namespace)):
            if not record.deleting and store.get(resource, record.key) is not None:
                self._delete(resource, record, "Background")
        if not any(True for _ in store.everything(namespace)):
            obj = home.load()
            obj["spec"]["finalizers"] = []
            if not obj["metadata"].get("finalizers"):
                store.remove("namespaces", home.key, obj)


def _waits(record: Record) -> bool:
    return record.deleting and "foregroundDeletion" in (record.load()["metadata"].get("finalizers") or ())


def _disown(obj: Object, uid: str) -> None:
    left = [owner for owner in obj["metadata"]["ownerReferences"] if owner["uid"] != uid]
    if left:
        obj["metadata"]["ownerReferences"] = left
    else:
        del obj["metadata"]["ownerReferences"]


def _blocks(record: Record | None, uid: str) -> bool:
    if record is None:
        return False
    owners = record.load()["metadata"].get("ownerReferences") or ()
    return any(owner["uid"] == uid and owner.get("blockOwnerDeletion") for owner in owners)
