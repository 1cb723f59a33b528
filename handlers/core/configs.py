"""Tracked ConfigMaps and Secrets as the primary has them: copies of its own, by names of their own (spec targets 3.5).

What a revision promised is what its primary reads: the copies are rendered from the snapshot, never from what is live.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from handlers.core.desired import Object
from schemas.canary import Canary
from schemas.configs import checksum, places
from schemas.revision import digest

CONFIG_DIGEST = "canarybus.dev/configs"
"""On a primary's pods: what the contents of its copies hash to, so that new contents restart them."""
COPIES = "canarybus.dev/copies"
"""On a primary: the copies that were made for it and are not taken back yet."""
CHECKSUM = "canarybus.dev/checksum"
"""On a copy: of its content as we wrote it, so that a foreign edit is told from another Canary's promotion."""
_CONTENT = ("data", "binaryData")


class Config(NamedTuple):
    """One tracked ConfigMap or Secret of a revision. ``labels`` are those that are copied along."""

    key: str
    item: Mapping[str, Any]
    labels: Mapping[str, str]

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


class Revision(NamedTuple):
    """What a revision is made of: nothing else reaches a primary."""

    template: Mapping[str, Any]
    configs: tuple[Config, ...] = ()

    @property
    def checksums(self) -> dict[str, str]:
        return {config.key: config.checksum for config in self.configs}


def with_prefix(labels: Mapping[str, str] | None, prefixes: Sequence[str]) -> dict[str, str]:
    """The labels that generated objects take over (``CANARYBUS_INCLUDE_LABEL_PREFIX``); ``*`` stands for all."""
    return {
        key: value
        for key, value in (labels or {}).items()
        if "toolkit.fluxcd.io" not in key and any(prefix == "*" or key.startswith(prefix) for prefix in prefixes)
    }


def renamed(revision: Revision, names: Mapping[str, str]) -> Object:
    """The revision's template that reads the copies. ``names``: key of a tracked object -> name of its copy.

    What is not tracked keeps its name. New contents are new pods: a variable is read only when a container starts.
    """
    template: Object = copy.deepcopy(dict(revision.template))
    for place in places(template):
        if place.key in names:
            cast("Object", place.holder)[place.field] = names[place.key]
    if revision.configs:
        metadata = template.setdefault("metadata", {})
        metadata["annotations"] = {**(metadata.get("annotations") or {}), CONFIG_DIGEST: digest(revision.checksums)}
    return template


def copy_names(canary: Canary, name: str) -> tuple[str, str]:
    """The usual name of a copy, and the one to take when that is another's with other content."""
    return f"{name}-primary", f"{name}-{canary.metadata.name}-primary"
