"""Tracked ConfigMaps and Secrets as the primary has them: copies of its own, by names of their own (spec targets 3.5).

What a revision promised is what its primary reads: the copies are rendered from the snapshot, never from what is live.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from handlers.core.belongings import keeper_name, owners
from handlers.core.desired import Object
from handlers.core.kinds.anatomy import included
from handlers.core.observation import Observation
from schemas.canary import Canary
from schemas.configs import absent_name, checksum, free_copy_names, places, references
from schemas.gloo import fence_of
from schemas.workload import PRIMARY_STEP, Workload

COPIES = "canarybus.dev/copies"
"""On a primary: the copies that were made for it and are not taken back yet."""
COPY_OF = "canarybus.dev/copy-of"
"""On a copy: the key of what it copies. One that lacks it was made by the peer, or before there was this mark."""
CHECKSUM = "canarybus.dev/checksum"
"""On a copy: of its content as we wrote it, so that a foreign edit is told from another Canary's promotion."""
_CONTENT = ("data", "binaryData")
_NOT_KEPT = frozenset({*_CONTENT, "immutable"})


class Config(NamedTuple):
    """One tracked ConfigMap or Secret of a revision."""

    key: str
    item: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.key.partition("/")[2]

    @property
    def checksum(self) -> str:
        return checksum(self.item)

    @property
    def content(self) -> Object:
        """What a copy takes over; ``immutable`` is not for copies that follow."""
        kept = {field: self.item[field] for field in _CONTENT if self.item.get(field)}
        return kept | ({"type": self.item["type"]} if self.item.get("type") else {})

    def labels(self, prefixes: Sequence[str]) -> dict[str, str]:
        """Those that copies take over (``CANARYBUS_INCLUDE_LABEL_PREFIX``); ``*`` stands for all."""
        return included(self.item["metadata"].get("labels") or {}, prefixes)


class Revision(NamedTuple):
    """What a revision is made of: nothing else reaches a primary. ``content`` is a template, or a Service's spec.

    ``absent`` are the keys of what it can do without (``optional: true``) and that was not there.
    """

    content: Mapping[str, Any]
    configs: tuple[Config, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def checksums(self) -> dict[str, str]:
        return {config.key: config.checksum for config in self.configs}


def renamed(revision: Revision, names: Mapping[str, str]) -> Object:
    """The revision's content that reads the copies. ``names``: key of an object -> name of what is read in its place.

    Everything else keeps its name.
    """
    content: Object = copy.deepcopy(dict(revision.content))
    for place in places(content):
        if place.key in names:
            cast("Object", place.holder)[place.field] = names[place.key]
    return content


def absent(content: Mapping[str, Any], versions: Mapping[str, str]) -> tuple[str, ...]:
    """Keys of what ``content`` can do without and that is not there. ``versions``: empty for what is missing."""
    optional = (key for key, optional in references(content).items() if optional)
    return tuple(sorted(key for key in optional if versions.get(key) == ""))


def is_missed(canary: Canary, seen: Observation) -> bool:
    """Whether the primary reads nothing in place of something that is there by now, and nobody analyses.

    What is not tracked is read as it is, by everybody.
    """
    read = {place.name for place in places(seen.primary_workload.content)} if seen.primary_workload else set()
    untracked = (key for key, version in seen.config_versions.items() if version and key not in seen.configs)
    return any(absent_name(canary.metadata.name, key) in read for key in untracked)


# ---- copies


def names_to_take(
    canary: Canary, revision: Revision, target: Workload | None, existing: Workload | None
) -> dict[str, tuple[str, ...]]:
    """What each copy may be called, by the key of its original; first the name under which the primary reads it.

    Never one by which the revision, or the target as it is now, reads something else.
    """
    read, live = references(revision.content), references(target.content if target else {})
    now = _names_in_force(revision, existing) if existing and existing.runs(canary.status.primary_revision) else {}
    found = {}
    for key in (config.key for config in revision.configs):
        kind = key.partition("/")[0]
        names = [name for name in free_copy_names(canary.metadata.name, key, read) if f"{kind}/{name}" not in live]
        found[key] = tuple(sorted(names, key=[now.get(key), *names].index))
    return found


def _names_in_force(revision: Revision, primary: Workload) -> dict[str, str]:
    """Of a primary that runs ``revision``, so that it names something at the very places where that does."""
    pairs = zip(places(revision.content), places(primary.content), strict=False)
    return {original.key: copy.name for original, copy in pairs if original.kind == copy.kind}


def is_anothers(canary: Canary, config: Config, existing: Mapping[str, Any]) -> bool:
    """Whether writing our content would change what other pods read, or what nobody gave us.

    Several Canaries share a copy while they want the same in it. A copy of something else stays that, even if it is
    ours: the primary's pods read it until they are replaced.
    """
    canaries = _canaries(existing)
    original = (existing["metadata"].get("annotations") or {}).get(COPY_OF, config.key)
    if not canaries or original != config.key:
        return True
    if all(_is(canary, item) for item in canaries):
        return False
    return _written(existing) != config.checksum


def copied(
    canary: Canary, config: Config, name: str, prefixes: Sequence[str], existing: Mapping[str, Any] | None = None
) -> Object:
    """The whole copy; what others wrote beside its content stays, and so do the other Canaries that own it.

    That it be immutable does not: it has to follow.
    """
    body: Object = copy.deepcopy(dict(existing or {}))
    before = body.get("metadata") or {}
    others = [{**item, "controller": False} for item in before.get("ownerReferences") or () if not _is(canary, item)]
    marks = {COPY_OF: config.key, CHECKSUM: config.checksum, _fence(canary): str(canary.status.primary_step)}
    body["metadata"] = {
        **before,
        "name": name,
        "namespace": canary.metadata.namespace,
        "labels": {**(before.get("labels") or {}), **config.labels(prefixes)},
        "annotations": {**(before.get("annotations") or {}), **marks},
        "ownerReferences": [*owners(canary), *others],
    }
    kept = {key: value for key, value in body.items() if key not in _NOT_KEPT}
    return {**kept, **config.content}


def anew(copy: Object) -> Object:
    """To be created: without what only an existing object has."""
    metadata = {key: value for key, value in copy["metadata"].items() if key not in ("uid", "resourceVersion")}
    return {**copy, "metadata": metadata}


def fence_of_copy(canary: Canary, existing: Mapping[str, Any]) -> int:
    """The step of this Canary at which its primary last asked for the content; each owner has a fence of its own."""
    return fence_of(existing, _fence(canary))


def is_current(canary: Canary, config: Config, existing: Mapping[str, Any]) -> bool:
    """Whether the copy has the content, and is known to have it since this Canary's present step."""
    held = {item.get("uid") for item in existing["metadata"].get("ownerReferences") or ()}
    ours = held >= {item["uid"] for item in owners(canary)}
    fenced = fence_of_copy(canary, existing) == canary.status.primary_step
    return ours and fenced and checksum(existing) == config.checksum


def is_edited(existing: Mapping[str, Any]) -> bool:
    """By somebody else than us: it is not what we wrote."""
    return _written(existing) != checksum(existing)


def _written(existing: Mapping[str, Any]) -> str:
    annotations: Mapping[str, str] = existing["metadata"].get("annotations") or {}
    return annotations.get(CHECKSUM, checksum(existing))


def disowned(canary: Canary, existing: Mapping[str, Any]) -> Object:
    """The copy without this Canary; one that nobody owns any more says nothing of copies either."""
    body: Object = copy.deepcopy(dict(existing))
    metadata = body["metadata"]
    metadata["ownerReferences"] = [item for item in metadata.get("ownerReferences") or () if not _is(canary, item)]
    for mark in (_fence(canary), *(() if metadata["ownerReferences"] else (COPY_OF, CHECKSUM))):
        (metadata.get("annotations") or {}).pop(mark, None)
    return body


def owns(canary: Canary, existing: Mapping[str, Any]) -> bool:
    return any(_is(canary, item) for item in _canaries(existing))


def note(primary: Mapping[str, Any] | None, revision: Revision, names: Mapping[str, str]) -> dict[str, str]:
    """The annotation of all copies that were made for a primary: those that it read before are still needed.

    ``names``: key of a tracked object -> name of its copy. What the user calls so himself is no copy.
    """
    made = {f"{key.partition('/')[0]}/{name}" for key, name in names.items()}
    copies = made | (noted_copies(primary) - references(revision.content).keys())
    return {COPIES: " ".join(sorted(copies))} if copies else {}


def noted_copies(primary: Mapping[str, Any] | None) -> set[str]:
    """Keys of the copies that were made for this primary so far; another controller left no note of its own."""
    if primary is None:
        return set()
    annotations = primary["metadata"].get("annotations") or {}
    return set(annotations[COPIES].split()) if COPIES in annotations else _like_copies(primary)


def copies_read(primary: Mapping[str, Any]) -> set[str]:
    """Keys of those that its pods read now."""
    return noted_copies(primary) & _read(primary)


def taken_over(primary: Mapping[str, Any] | None, target: Workload | None) -> set[str]:
    """Keys of copies by whose names the target reads something: its user has made them his own."""
    return noted_copies(primary) & references(target.content if target else {}).keys()


def _read(primary: Mapping[str, Any]) -> set[str]:
    return {place.key for place in places(primary["spec"].get("template") or {})}


def _like_copies(primary: Mapping[str, Any]) -> set[str]:
    return {key for key in _read(primary) if key.endswith("-primary")}


def _canaries(existing: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    references = existing["metadata"].get("ownerReferences") or ()
    return [
        item for item in references if item.get("kind") == "Canary" and item["apiVersion"].startswith("flagger.app/")
    ]


def _is(canary: Canary, reference: Mapping[str, Any]) -> bool:
    """The Canary or its keeper; also a predecessor of the same name: what it left is ours."""
    ours = {"Canary": canary.metadata.name, "ControllerRevision": keeper_name(canary)}
    return reference.get("name") == ours.get(reference.get("kind", ""))


def _fence(canary: Canary) -> str:
    return f"{PRIMARY_STEP}.{canary.metadata.uid}"
