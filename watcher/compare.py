"""What changed: (Canary, object) -> why to look at it. Pure; reading and publishing is in :mod:`watcher.announce`.

Everything is compared with the Canary's status and never with the event that made us look, so nothing that happened
while the watcher, the bus or the API server was away is lost (design section 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from schemas.configs import CONFIGS, checksum
from schemas.events import Change, ChangeReason
from schemas.gloo import Verdict, read_report
from schemas.resources import DAEMON_SET, DEPLOYMENT, SCALERS
from schemas.revision import digest, is_our_hash
from schemas.status import Phase
from schemas.workload import PAUSE, PAUSES, TARGET_STEP, Workload
from watcher.index import ALWAYS_THERE, Key, Role, tracked_name
from watcher.watched import Watched
from watcher.writers import Written, written

Object = Mapping[str, Any]
_MARK = "canarybus.dev/"
GONE = ".gone"
"""Ends the version of what is not there."""
_NOT_COPIED = frozenset({*PAUSES, PAUSE, TARGET_STEP})
"""What we write on a target's ScaledObject, and whatever else holds it."""
_WORKLOADS = frozenset({DEPLOYMENT.kind, DAEMON_SET.kind})
_CONFIGS = frozenset(resource.kind for resource in CONFIGS.values())
_TARGET_RUNS = frozenset({Phase.PROGRESSING, Phase.WAITING_PROMOTION, Phase.PROMOTING})
_COMPLETE = frozenset({Verdict.ACCEPTED, Verdict.WARNING, Verdict.REJECTED})


class Meta(NamedTuple):
    """An object as its metadata tells: enough to know whether it moved.

    ``marks``: our annotations, of a scaler all that is copied, hashed. ``edits``: who last changed what besides the
    status, hashed; empty where a resource version says as much. ``written``: who wrote what is ours.
    """

    uid: str
    resource_version: str
    generation: int
    marks: str
    edits: str = ""
    written: Written | None = None

    @classmethod
    def of(cls, item: Object, kind: str = "") -> Meta:
        metadata = item["metadata"]
        version, generation = str(metadata["resourceVersion"]), int(metadata.get("generation") or 0)
        marks, managed = _marks(metadata, kind), metadata.get("managedFields") or ()
        hashed, edits = digest(marks) if marks else "", "" if generation else _edits(managed)
        return cls(str(metadata.get("uid", "")), version, generation, hashed, edits, written(metadata, kind))

    @property
    def stamp(self) -> str:
        """Stays the same while only the status moves, for kinds that count generations or tell who wrote what."""
        return str(self.generation) if self.generation else self.edits or self.resource_version

    def same_content(self, other: Meta) -> bool:
        return (self.uid, self.stamp, self.marks) == (other.uid, other.stamp, other.marks)


def _edits(managed: Iterable[Mapping[str, Any]]) -> str:
    """Times are whole seconds: they tell two edits apart only when a status was written later than the last of them.

    An autoscaler counts no generations, and its controller writes its status every few seconds.
    """
    written = [(str(entry.get("time", "")), entry.get("subresource") == "status", entry) for entry in managed]
    statuses = [time for time, of_status, _ in written if of_status]
    edits = [(time, entry) for time, of_status, entry in written if not of_status]
    if not statuses or not edits or max(statuses) <= max(time for time, _ in edits):
        return ""
    return digest([entry for _, entry in edits])


class Cause(NamedTuple):
    """One reason to look. It is told once while ``basis`` stays the same; ``version`` makes the message id."""

    reason: ChangeReason
    object: str
    version: str
    basis: str

    def change(self, canary: Watched) -> Change:
        return Change(
            namespace=canary.ref.namespace,
            name=canary.ref.name,
            uid=canary.uid,
            reason=self.reason,
            object=self.object,
            version=self.version,
        )


def spec_cause(canary: Watched) -> Cause | None:
    """Deleted, new, or edited since it was last acted upon."""
    place = f"Canary/{canary.ref.name}"
    if canary.deleting:
        over = canary.phase is Phase.TERMINATED
        return None if over else Cause(ChangeReason.DELETED, place, str(canary.generation), "deleted")
    if canary.generation == canary.observed_generation and canary.phase is not Phase.NEW:
        return None
    return Cause(
        ChangeReason.SPEC, place, f"{canary.generation}.{canary.step}", f"{canary.generation}.{canary.phase.value}"
    )


def gone_cause(canary: Watched) -> Cause | None:
    """A Canary that nobody can read any more: its target may be parked, and nobody would scale it up again."""
    if canary.phase is Phase.TERMINATED or not canary.step:
        return None
    return Cause(ChangeReason.DELETED, str(canary.target), "gone", "gone")


def revision_of(target: Object, kind: str, configs: Mapping[str, str]) -> str:
    """``configs`` as the status tracks them: a change of their content shows in their own versions."""
    return Workload({**target, "kind": kind}).revision(configs)


def revision_cause(canary: Watched, target: Meta, revision: str, *, before: str | None = None) -> Cause | None:
    """The target is another revision than the one that the status names.

    ``before`` is the revision that the target was seen with earlier: a hash that is not ours says nothing by itself.
    """
    if canary.compared is None or revision == canary.compared:
        return None
    unknown = not is_our_hash(canary.compared) and canary.phase is not Phase.INITIALIZING
    if unknown and before in (None, revision):
        return None
    # the step makes the id a new one when the Canary moved on without acting upon it; the basis says when it did
    basis = f"{target.uid}.{target.stamp}.{canary.phase.value}.{canary.compared}"
    return Cause(ChangeReason.REVISION, str(canary.target), f"{target.stamp}.{canary.step}", basis)


def missing_cause(canary: Watched, last: Meta | None) -> Cause | None:
    """The target is gone. Told at once when there is something to lose; an Invalid canary ticks and looks by itself."""
    if canary.compared is None or canary.invalid or canary.phase is Phase.INITIALIZING:
        return None
    version = f"{last.resource_version if last else 'never'}.gone.{canary.step}"
    return Cause(ChangeReason.REVISION, str(canary.target), version, f"gone.{canary.phase.value}")


def parked_cause(canary: Watched, target: Meta, found: Object) -> Cause | None:
    """Somebody scaled the target to zero in mid-rollout: the fence says that we had scaled it up."""
    workload = Workload(found)
    scaled_up = 0 < canary.projection[1] == workload.fence(TARGET_STEP)
    if canary.compared is None or canary.phase not in _TARGET_RUNS or workload.replicas or not scaled_up:
        return None
    version = f"{target.stamp}.{canary.step}.parked"
    return Cause(ChangeReason.REVISION, str(canary.target), version, version)


def thawed_cause(canary: Watched, target: Meta, found: Object) -> Cause | None:
    """Somebody has undone what keeps the target's pods for the users who are on it."""
    if canary.compared is None or not canary.weight or not Workload(found).thawed:
        return None
    version = f"{target.stamp}.{canary.step}.thawed"
    return Cause(ChangeReason.REVISION, str(canary.target), version, version)


def config_is_suspect(canary: Watched, key: Key, found: Meta | None) -> bool:
    """Whether a ConfigMap or Secret that the target names is in another version than the status has it."""
    if canary.suspended or canary.deleting or (canary.compared is None and not canary.invalid):
        return False
    return canary.config_versions.get(tracked_name(key), "") != (found.resource_version if found else "")


def config_cause(canary: Watched, key: Key, found: Meta | None, checksum: str | None) -> Cause | None:
    """A suspect one has other contents than those that belong to the revision; ``checksum``: None when untracked.

    Where something is missing anyway, whatever comes or changes may be the remedy. Told again after each step that did
    not take it in: the message may have been replaced by another one about the same Canary.
    """
    if not canary.invalid and checksum == canary.configs.get(tracked_name(key)):
        return None
    version = f"{found.resource_version if found else 'gone'}.{canary.step}"
    return Cause(ChangeReason.REVISION, str(key), version, version)


def ready_cause(canary: Watched, key: Key, found: Object, now: datetime) -> Cause | None:
    """What it waits for is there, or will never be."""
    if not _worth_waking(canary, canary.objects[key], key, found, now):
        return None
    version = str(found["metadata"]["resourceVersion"])
    # routes that are in force already are news to a Canary that begins to wait for them
    basis = f"{version}.{canary.phase.value}.{canary.projection}"
    return Cause(ChangeReason.READY, str(key), f"{version}.{canary.step}", basis)


def verdict_cause(canary: Watched, key: Key, found: Object) -> Cause | None:
    """Of a Canary at rest: the gateway refuses now what it had accepted, or breaks its silence."""
    verdict = read_report(found).verdict
    if verdict not in _COMPLETE or not (canary.silent or verdict is not Verdict.ACCEPTED):
        return None
    version = str(found["metadata"]["resourceVersion"])
    return Cause(ChangeReason.READY, str(key), f"{version}.{canary.step}", f"{version}.{canary.phase.value}")


def ready_again_cause(canary: Watched, other: Key, before: Meta | None) -> Cause | None:
    """Another Canary on the same target is gone: an Invalid one may have stood back for it."""
    if not canary.invalid or before is None:
        return None
    version = f"{before.resource_version}.gone"
    return Cause(ChangeReason.READY, str(other), version, version)


def _worth_waking(canary: Watched, role: Role, key: Key, found: Object, now: datetime) -> bool:
    if role is Role.GATEWAY:
        return read_report(found).verdict in _COMPLETE
    if key.kind not in _WORKLOADS:
        return True
    workload = Workload(found)
    threshold = canary.primary_threshold if role is Role.PRIMARY else canary.canary_threshold
    state = workload.readiness(threshold=threshold, deadline=canary.deadline, now=now)
    return state.stuck or (state.ready and workload.replicas > 0)


class Baseline(NamedTuple):
    """Fingerprints of an object that we project: the one that was right, and the last one seen."""

    right: str | None
    last: str

    @classmethod
    def first(cls, fingerprint: str) -> Baseline:
        return cls(fingerprint, fingerprint)


def fingerprint(item: Object, kind: str) -> str:
    """Of the content that we answer for: replicas belong to the scaler, the status to the controller."""
    spec = item.get("spec") or {}
    if kind in _WORKLOADS:
        spec = {name: value for name, value in spec.items() if name != "replicas"}
    content = checksum(item) if kind in _CONFIGS else ""
    return digest({"spec": spec, "content": content, "marks": _marks(item["metadata"], kind)})


def drift(before: Baseline | None, now: str) -> tuple[bool, Baseline]:
    """Whether an object at rest moved away from what was right, and what to compare with next time.

    An object that was never read before has moved nobody knows from where: that is told, too.
    """
    if before is None:
        return True, Baseline(None, now)
    return now not in before, Baseline(before.right, now)


def drift_cause(key: Key, version: str) -> Cause:
    return Cause(ChangeReason.DRIFT, str(key), version, version)


def lost_cause(canary: Watched, key: Key, before: Meta | None) -> Cause | None:
    """Something that we made or copy from is gone: users may be cut off, in whatever phase.

    ``before`` is what was known of it; without it, nobody saw it go, and only what must be there counts as gone.
    """
    if canary.suspended or canary.deleting:
        return None
    if before is None and not (canary.complete and canary.objects.get(key) in ALWAYS_THERE):
        return None
    version = f"{before.resource_version if before else f'{canary.step}.never'}{GONE}"
    return drift_cause(key, version)


def resync_cause(canary: Watched, slot: int) -> Cause:
    """``slot`` in milliseconds since the epoch."""
    return Cause(ChangeReason.RESYNC, f"Canary/{canary.ref.name}", str(slot), str(slot))


def _marks(metadata: Object, kind: str = "") -> dict[str, str]:
    annotations = metadata.get("annotations") or {}
    if kind in SCALERS:
        worn = {f"label {name}": value for name, value in (metadata.get("labels") or {}).items()} | annotations
        return {name: value for name, value in worn.items() if name not in _NOT_COPIED}
    return {name: value for name, value in annotations.items() if name.startswith(_MARK)}
