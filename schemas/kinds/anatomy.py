"""What is asked of an object of each kind, a target or a primary alike (spec targets 3.1 to 3.3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple, Protocol

Item = Mapping[str, Any]


class Readiness(NamedTuple):
    """``stuck`` means that waiting will not help any more (a progress deadline has passed)."""

    ready: bool
    stuck: bool = False
    message: str = ""


class Patience(NamedTuple):
    """``threshold`` in percent of the pods that should be available; ``deadline`` in seconds.

    ``since``: from when the Canary waits for it, or saw readiness go (None: it has not).
    """

    threshold: int
    deadline: float
    now: datetime
    since: datetime | None = None

    @property
    def exhausted(self) -> bool:
        return self.since is not None and (self.now - self.since).total_seconds() > self.deadline


class Kind(Protocol):
    """The same questions for each kind; one module answers them for one kind."""

    @property
    def keeps(self) -> Item:
        """A merge patch of the spec with which another template replaces no pods."""
        ...

    def content(self, item: Item) -> Item:
        """What a revision is: hashed, kept in a snapshot, promoted."""
        ...

    def size(self, item: Item) -> int:
        """Wanted pods; 0 when it is parked."""
        ...

    def available(self, item: Item) -> int:
        """Pods that can serve."""
        ...

    def readiness(self, item: Item, patience: Patience) -> Readiness: ...

    def resting(self, item: Item) -> bool:
        """Whether none of its pods is being replaced."""
        ...

    def selector(self, item: Item) -> Mapping[str, str]:
        """The labels of its pods from which the selector label is chosen; empty when none has to be."""
        ...


FROZEN = "canarybus.dev/frozen"
"""On a target whose pods are not replaced for now: the merge patch that gives its spec back what its user wrote."""


def frozen(item: Item, keeps: Item) -> Item | None:
    """What an annotation says that nobody can read is not ours to undo; nor is what somebody has written over ours."""
    text = (item["metadata"].get("annotations") or {}).get(FROZEN, "")
    with suppress(ValueError):
        found = json.loads(text)
        if isinstance(found, dict):
            live = item["spec"]
            return {field: _of_user(live.get(field), keeps.get(field), before) for field, before in found.items()}
    return None


def _of_user(live: Any, ours: Any, before: Any) -> Any:
    """A field as its user wrote it last: ``before`` where it is still as we wrote it."""
    if not isinstance(ours, Mapping):
        return before if live == ours else live
    if not isinstance(live, Mapping) or not any(value == live.get(key) for key, value in ours.items() if value):
        return live
    since = {key: value for key, value in live.items() if ours.get(key) != value}
    return {**(before or {}), **since} if since else before


def is_kept(item: Item, keeps: Item) -> bool:
    """Whether another template replaces none of its pods."""
    return all(_says(item["spec"].get(field), wanted) for field, wanted in keeps.items())


def _says(live: Any, wanted: Any) -> bool:
    if not isinstance(wanted, Mapping):
        return bool(live == wanted)
    return isinstance(live, Mapping) and all(live.get(key) == value for key, value in wanted.items() if value)


def spec_of_user(item: Item, keeps: Item) -> Item:
    """Without what keeps its pods as they are."""
    whole = {**item["spec"], **(frozen(item, keeps) or {})}
    return {key: value for key, value in whole.items() if value is not None}


def waiting(what: str) -> Readiness:
    return Readiness(False, False, f"waiting for rollout to finish: {what}")


def behind(item: Item) -> bool:
    """Whether its controller has not seen the last edit yet: then its status is about another spec."""
    status = item.get("status") or {}
    return int(item["metadata"].get("generation", 0)) > int(status.get("observedGeneration", 0))


RESTARTED = "canarybus.dev/restarted"
"""On a target's template: the step at which its pods were started anew by us. Never part of a revision."""


def template(item: Item) -> Item:
    return item["spec"].get("template") or {}


def template_of_user(item: Item) -> Item:
    """Without our mark; no annotations are the same as none left."""
    whole = template(item)
    metadata = whole.get("metadata")
    if not isinstance(metadata, Mapping) or RESTARTED not in (metadata.get("annotations") or {}):
        return whole
    annotations = {key: value for key, value in metadata["annotations"].items() if key != RESTARTED}
    rest = {key: value for key, value in metadata.items() if key != "annotations"}
    return {**whole, "metadata": {**rest, **({"annotations": annotations} if annotations else {})}}


def pod_selector(item: Item) -> Mapping[str, str]:
    return (item["spec"].get("selector") or {}).get("matchLabels") or {}
