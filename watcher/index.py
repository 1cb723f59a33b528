"""Which objects a Canary depends on, and the way back: which Canaries an object concerns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from schemas.canary import Canary
from schemas.configs import CONFIGS, copy_names
from schemas.resources import ROUTE_TABLE, SERVICE, UPSTREAM


class Key(NamedTuple):
    """An object by its kind and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


class Role(StrEnum):
    """What an object is to a Canary."""

    TARGET = "target"
    PRIMARY = "primary"
    GATEWAY = "gateway"
    SERVICE = "service"
    UPSTREAM = "upstream"
    SCALER = "scaler"
    SOURCE = "source"
    CONFIG = "config"
    COPY = "copy"


PROJECTED = frozenset({Role.PRIMARY, Role.GATEWAY, Role.SERVICE, Role.UPSTREAM, Role.SCALER, Role.COPY})
"""What is made or kept in step by us: a foreign edit of it is drift. A SOURCE is somebody's, and what we copy from."""

ALWAYS_THERE = frozenset({Role.PRIMARY, Role.GATEWAY, Role.SERVICE, Role.UPSTREAM})
"""What every Canary has from its initialisation to its end; a scaler's or a config's copy follows its original."""

_NAMES_OF_CONFIGS = {resource.kind: kind for kind, resource in CONFIGS.items()}


def config_key(namespace: str, tracked: str) -> Key | None:
    """The object behind a key of ``status.trackedConfigs`` such as ``configmap/podinfo``; None for anything else."""
    kind, _, name = tracked.partition("/")
    return Key(CONFIGS[kind].kind, namespace, name) if kind in CONFIGS and name else None


def tracked_name(key: Key) -> str:
    """The other way round: a ConfigMap or Secret as ``status.trackedConfigs`` names it."""
    return f"{_NAMES_OF_CONFIGS[key.kind]}/{key.name}"


def dependencies(canary: Canary) -> dict[Key, Role]:
    """Every object whose change may concern ``canary``; an object that has two roles counts as the first."""
    found: dict[Key, Role] = {}
    for role, kind, name in _names(canary):
        found.setdefault(Key(kind, canary.metadata.namespace, name), role)
    if source := canary.spec.upstream_ref:
        found.setdefault(Key(UPSTREAM.kind, source.namespace or canary.metadata.namespace, source.name), Role.SOURCE)
    status = canary.status
    for tracked in (*status.tracked_configs, *status.tracked_config_versions):
        if key := config_key(canary.metadata.namespace, tracked):
            found.setdefault(key, Role.CONFIG)
    for tracked in status.tracked_configs:
        if key := config_key(canary.metadata.namespace, tracked):
            for name in copy_names(canary.metadata.name, tracked):
                found.setdefault(key._replace(name=name), Role.COPY)
    return found


def _names(canary: Canary) -> Iterator[tuple[Role, str, str]]:
    kind = canary.spec.target_ref.kind
    if canary.asked:
        yield Role.TARGET, canary.asked.kind, canary.asked.target
    yield Role.TARGET, kind, canary.target
    yield Role.PRIMARY, kind, canary.primary
    yield Role.GATEWAY, ROUTE_TABLE.kind, canary.service
    for name in (canary.service, f"{canary.service}-primary", f"{canary.service}-canary"):
        yield Role.SERVICE, SERVICE.kind, name
    yield Role.UPSTREAM, UPSTREAM.kind, canary.upstream("primary")
    yield Role.UPSTREAM, UPSTREAM.kind, canary.upstream("canary")
    if scaler := canary.spec.autoscaler_ref:
        yield Role.SCALER, scaler.kind, f"{scaler.name}-primary"
        yield Role.SOURCE, scaler.kind, scaler.name


class Index:
    """Object -> uids of the Canaries that it concerns."""

    def __init__(self) -> None:
        self._keys: dict[str, frozenset[Key]] = {}
        self._canaries: dict[Key, set[str]] = {}

    def put(self, uid: str, keys: Iterable[Key]) -> None:
        wanted, known = frozenset(keys), self._keys.get(uid, frozenset())
        for key in known - wanted:
            self._remove(uid, key)
        for key in wanted - known:
            self._canaries.setdefault(key, set()).add(uid)
        self._keys[uid] = wanted

    def drop(self, uid: str) -> None:
        for key in self._keys.pop(uid, frozenset()):
            self._remove(uid, key)

    def canaries(self, key: Key) -> frozenset[str]:
        return frozenset(self._canaries.get(key, ()))

    def _remove(self, uid: str, key: Key) -> None:
        concerned = self._canaries[key]
        concerned.discard(uid)
        if not concerned:
            del self._canaries[key]
