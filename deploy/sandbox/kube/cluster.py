"""The writes that a cluster accepts: create, update, patch, delete, with the rules of metadata.

Everything here is immediate; HTTP, faults and streams are told elsewhere. Controllers inside the process
use the same doors as clients outside.
"""

from __future__ import annotations

import datetime
import secrets
import uuid
from collections.abc import Callable
from typing import Any

from . import admission, errors, kinds, lifecycle, serverapply, views
from .addresses import Addresses
from .admission import Options
from .resources import Resource, Resources, Version
from .store import Key, Record, Store, record_of

Object = dict[str, Any]
SUFFIX = "bcdfghjklmnpqrstvwxz2456789"  # what generated names end in: no vowels, nothing to misread


def timestamp(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def suffix(length: int = 5) -> str:
    return "".join(secrets.choice(SUFFIX) for _ in range(length))


class Cluster:
    """One store, the resources it serves, and the rules by which it changes."""

    def __init__(self, clock: Callable[[], datetime.datetime] | None = None) -> None:
        self.store = Store()
        self.resources = Resources()
        self.clock = clock or (lambda: datetime.datetime.now(datetime.UTC))
        self.addresses = Addresses()

    def now(self) -> str:
        return timestamp(self.clock())

    def find(self, resource: Resource, key: Key) -> Record:
        """Raises StatusError 404."""
        if (record := self.store.get(resource.key, key)) is None:
            raise errors.not_found(resource.group, resource.plural, key[1])
        return record

    def create(self, resource: Resource, version: str, namespace: str, obj: Any, options: Options) -> Record:
        """Store a new object. Raises StatusError 400, 403, 404 (no such namespace), 409 (it exists) or 422."""
        served = self._version(resource, version)
        obj = admission.check_identity(resource, version, obj, namespace, None)
        self._check_namespace(resource, namespace)
        obj = admission.admit(resource, served, obj, options)
        metadata = obj["metadata"]
        if metadata.get("resourceVersion"):
            raise errors.StatusError(500, "", "resourceVersion should not be set on objects to be created")
        if not metadata.get("name"):
            if not metadata.get("generateName"):
                cause = errors.required("metadata.name", "name or generateName is required")
                raise errors.invalid(resource.group, resource.kind, "", [cause])
            metadata["name"] = metadata["generateName"][:58] + suffix()
        key = (namespace if resource.namespaced else "", metadata["name"])
        self._stamp(resource, metadata)
        if served.status:
            obj.pop("status", None)
        stored = self._complete(resource, served, obj, None)
        if self.store.get(resource.key, key) is not None:
            raise errors.already_exists(resource.group, resource.plural, key[1])
        schema = admission.ownership_schema(resource, served)
        if "managedFields" not in metadata:
            serverapply.record_update(None, stored, schema, options.manager, self.now())
        return self._commit(resource, key, stored, options)

    def _stamp(self, resource: Resource, metadata: Object) -> None:
        for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "generation", "resourceVersion"):
            metadata.pop(name, None)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = self.now()
        if resource.custom or resource.kind in kinds.COUNTED:
            metadata["generation"] = 1

    def _version(self, resource: Resource, version: str) -> Version:
        found = resource.version(version)
        if found is None:
            raise errors.StatusError(404, "NotFound", "the server could not find the requested resource")
        return found

    def _check_namespace(self, resource: Resource, namespace: str) -> None:
        if not resource.namespaced:
            return
        home = self.store.get("namespaces", ("", namespace))
        if home is None:
            raise errors.not_found("", "namespaces", namespace)
        if home.deleting:
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = errors.Cause(
                "NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace"
            )
            raise errors.forbidden(resource.group, resource.plural, "", why, cause)

    def _complete(self, resource: Resource, version: Version, obj: Object, old: Object | None) -> Object:
        """The object as it is stored: defaults, an address for a Service, the verdict of the rules."""
        stored = views.to_stored(resource, version.name, obj)
        admission.fill_in(resource, stored)
        if resource.kind == "Service" and not resource.custom:
            self.addresses.assign(stored["spec"], old["spec"] if old else None)
        admission.judge(resource, version, stored, old)
        return stored

    def _commit(self, resource: Resource, key: Key, obj: Object, options: Options) -> Record:
        if options.dry_run:
            obj["metadata"].setdefault("resourceVersion", "")
            return record_of(key, obj, self.store.version)
        return self.store.put(resource.key, key, obj)

    # update

    def update(
        self, resource: Resource, version: str, key: Key, obj: Any, options: Options, subresource: str = ""
    ) -> Record:
        """Replace an object, or its status. Raises StatusError 404, 409 (stale resourceVersion) or 422."""
        self._version(resource, version)
        old = self.find(resource, key)
        obj = admission.check_identity(resource, version, obj, key[0], key[1])
        if not obj["metadata"].get("resourceVersion") and (resource.custom or resource.kind not in kinds.UNGUARDED):
            cause = errors.invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
            raise errors.invalid(resource.group, resource.kind, key[1], [cause])
        return self._replace(resource, version, old, obj, options, subresource)

    def _replace(
        self,
        resource: Resource,
        version: str,
        record: Record,
        obj: Object,
        options: Options,
        subresource: str,
        applied: bool = False,
    ) -> Record:
        served = self._version(resource, version)
        old = record.load()
        self._check_preconditions(resource, record, obj["metadata"])
        shown = views.from_stored(resource, version, record.load())
        obj = admission.admit(resource, served, obj, options, shown)
        new = lifecycle.status_only(resource, shown, obj) if subresource == "status" else obj
        if subresource == "" and served.status:
            new.pop("status", None)
            if "status" in shown:
                new["status"] = shown["status"]
        fields = new["metadata"].get("managedFields")
        lifecycle.keep_identity(old["metadata"], new["metadata"])
        stored = self._complete(resource, served, new, old)
        if (resource.custom or resource.kind in kinds.COUNTED) and lifecycle.counts(resource, served, old, stored):
            stored["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        if applied or fields in ([], [{}]):
            stored["metadata"]["managedFields"] = fields
        if not applied:
            schema = admission.ownership_schema(resource, served)
            serverapply.record_update(old, stored, schema, options.manager, self.now(), subresource)
        if stored == old:
            return record
        if record.deleting and not stored["metadata"].get("finalizers") and not lifecycle.lingers(stored):
            return (
                record_of(record.key, stored, record.version)
                if options.dry_run
                else self.store.remove(resource.key, record.key, stored)
            )
        return self._commit(resource, record.key, stored, options)

    def _check_preconditions(self, resource: Resource, record: Record, metadata: Object) -> None:
        name = record.key[1]
        if metadata.get("uid") and metadata["uid"] != record.uid:
            why = f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {record.uid}"
            raise errors.conflict(resource.group, resource.plural, name, why)
        if metadata.get("resourceVersion") not in (None, "", str(record.version)):
            raise errors.conflict(resource.group, resource.plural, name)

    def patch(
        self,
        resource: Resource,
        version: str,
        key: Key,
        change: Callable[[Object], Any],
        options: Options,
        subresource: str = "",
    ) -> Record:
        """Write what `change` makes of the present object. Raises StatusError as `update` does."""
        self._version(resource, version)
        record = self.find(resource, key)
        shown = views.from_stored(resource, version, record.load())
        changed = admission.check_identity(resource, version, change(shown), key[0], key[1])
        return self._replace(resource, version, record, changed, options, subresource)

    def apply(
        self, resource: Resource, version: str, key: Key, applied: Any, options: Options, subresource: str = ""
    ) -> tuple[Record, bool]:
        """Server-side apply; also says whether the object was created."""
        served = self._version(resource, version)
        schema = admission.ownership_schema(resource, served)
        applied = admission.check_identity(resource, version, applied, key[0], key[1])
        if applied["metadata"].get("managedFields"):
            raise errors.bad_request("metadata.managedFields must be nil")
        applied = admission.admit(resource, served, applied, Options(strict=options.strict, warnings=options.warnings))
        record = self.store.get(resource.key, key)
        if record is None:
            if subresource:
                raise errors.not_found(resource.group, resource.plural, key[1])
            created = serverapply.apply(None, applied, schema, options.manager, options.force, self.now())
            return self.create(resource, version, key[0], created, options), True
        self._check_preconditions(resource, record, applied["metadata"])
        shown = views.from_stored(resource, version, record.load())
        merged = serverapply.apply(shown, applied, schema, options.manager, options.force, self.now(), subresource)
        return self._replace(resource, version, record, merged, options, subresource, applied=True), False

    # delete

    def delete(self, resource: Resource, key: Key, asked: Object, options: Options) -> tuple[Record, bool]:
        """Delete an object, or mark it when finalizers, a grace period or its contents keep it.

        `asked` is a DeleteOptions object. Says also whether the object is gone.
        Raises StatusError 404, or 409 when a precondition does not hold.
        """
        record = self.find(resource, key)
        self._check_delete(resource, record, asked.get("preconditions") or {})
        obj = record.load()
        metadata = obj["metadata"]
        lifecycle.add_finalizer(metadata, asked)
        grace = lifecycle.grace_seconds(resource, obj, asked)
        gone = not metadata.get("finalizers") and grace == 0 and not lifecycle.is_home(resource)
        if options.dry_run:
            return record, gone
        if gone:
            return self.store.remove(resource.key, key, obj), True
        if "deletionTimestamp" not in metadata or grace < metadata.get("deletionGracePeriodSeconds", 0):
            moment = self.clock() + datetime.timedelta(seconds=grace)
            metadata["deletionTimestamp"] = timestamp(moment)
            metadata["deletionGracePeriodSeconds"] = grace
            if "generation" in metadata:
                metadata["generation"] += 1
            if lifecycle.is_home(resource):
                obj.setdefault("status", {})["phase"] = "Terminating"
        if obj == record.load():
            return record, False
        return self.store.put(resource.key, key, obj), False

    def _check_delete(self, resource: Resource, record: Record, preconditions: Object) -> None:
        name = record.key[1]
        if (uid := preconditions.get("uid")) and uid != record.uid:
            why = (
                f"the UID in the precondition ({uid}) does not match the UID in record ({record.uid}). "
                "The object might have been deleted and then recreated"
            )
            raise errors.conflict("", resource.kind, name, why)
        version = preconditions.get("resourceVersion")
        if version and version != str(record.version):
            why = (
                f"the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record "
                f"({record.version}). The object might have been modified"
            )
            raise errors.conflict("", resource.kind, name, why)

    def rewrite(self, key_of_resource: str, record: Record, change: Callable[[Object], None]) -> None:
        """Change a stored object past the rules (the collector and CRD controller do); it goes away when it may."""
        obj = record.load()
        change(obj)
        if obj == record.load():
            return
        resource = self.resources.stored(key_of_resource)
        if (
            record.deleting
            and not obj["metadata"].get("finalizers")
            and not lifecycle.lingers(obj)
            and not lifecycle.is_home(resource)
        ):
            self.store.remove(resource.key, record.key, obj)
        else:
            self.store.put(key_of_resource, record.key, obj)
