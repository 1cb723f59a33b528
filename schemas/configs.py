"""The ConfigMaps and Secrets that pods read: where a template names them, which are tracked, what they hash to.

The rules are the peer's (spec targets 3.5), but for ``binaryData``, which counts here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from schemas.names import OBJECT_NAME, fitted
from schemas.resources import CONFIG_MAP, SECRET, Resource
from schemas.revision import digest

CONFIGS = {"configmap": CONFIG_MAP, "secret": SECRET}
"""By the first part of a key such as ``configmap/podinfo``, as ``status.trackedConfigs`` has them."""
OPT_OUT = "flagger.app/config-tracking"
"""An annotation of a ConfigMap or Secret that is not to be tracked: its value starts with ``disable``."""
_SECRET_TYPES = frozenset({"Opaque", "kubernetes.io/basic-auth", "kubernetes.io/ssh-auth", "kubernetes.io/tls"})
_GO_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})
"""What Go's JSON escapes besides what everybody's does; the peer's checksums are made of its bytes."""


class Place(NamedTuple):
    """One place of a pod template that names a ConfigMap or Secret: ``holder[field]`` is the name."""

    kind: str
    holder: Mapping[str, Any]
    field: str

    @property
    def name(self) -> str:
        return str(self.holder[self.field])

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.name}"


def resource_of(key: str) -> tuple[Resource, str]:
    """Kind and name of the object behind a key such as ``secret/podinfo``."""
    kind, _, name = key.partition("/")
    return CONFIGS[kind], name


def copy_names(canary: str, key: str) -> tuple[str, str, str]:
    """What a primary's copy of ``key`` may be called: each where the one before it is another's.

    The usual name is the peer's (spec targets 3.5). Nobody comes upon the last one by chance.
    """
    name, own = key.partition("/")[2], digest(f"{canary}/{key}")[:8]
    return f"{name}-primary", f"{name}-{canary}-primary", fitted(name, end=f"-{own}-primary")


def free_copy_names(canary: str, key: str, read: Collection[str]) -> tuple[str, ...]:
    """Those of them that no other of the keys in ``read``, which pods read together, is called or may be copied to."""

    def is_free(copy: str) -> bool:
        kind = key.partition("/")[0]
        original = f"{kind}/{copy.removesuffix('-primary')}"
        return len(copy) <= OBJECT_NAME and f"{kind}/{copy}" not in read and (original == key or original not in read)

    return tuple(copy for copy in copy_names(canary, key) if is_free(copy))


def absent_name(canary: str, key: str) -> str:
    """What a primary reads in place of ``key`` while that is not there: nothing is ever called so."""
    return fitted(key.partition("/")[2], end=f"-{digest(f'{canary}/{key}')[:8]}-absent")


def places(template: Mapping[str, Any]) -> Iterator[Place]:
    """Volumes, then env and envFrom of containers and init containers; never raises, whatever the template is."""
    spec = _mapping(template.get("spec"))
    for volume in _mappings(spec.get("volumes")):
        yield from _in_volume(volume)
    for container in (*_mappings(spec.get("containers")), *_mappings(spec.get("initContainers"))):
        for variable in _mappings(container.get("env")):
            source = _mapping(variable.get("valueFrom"))
            yield from _named("configmap", source.get("configMapKeyRef"))
            yield from _named("secret", source.get("secretKeyRef"))
        for whole in _mappings(container.get("envFrom")):
            yield from _named("configmap", whole.get("configMapRef"))
            yield from _named("secret", whole.get("secretRef"))


def references(template: Mapping[str, Any]) -> dict[str, bool]:
    """Key of each ConfigMap and Secret that is named, and whether it may be missing: the last place decides."""
    return {place.key: place.holder.get("optional") is True for place in places(template)}


def checksum(item: Mapping[str, Any]) -> str:
    """Of a ConfigMap's or Secret's content: the first 8 bytes of SHA-256 over its JSON, in hexadecimal.

    Without ``binaryData`` it is the peer's own, so that what it has tracked is known again.
    """
    data, binary = item.get("data") or None, item.get("binaryData") or None
    content = {"binaryData": binary, "data": data} if binary else data
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).translate(_GO_ESCAPES)
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]


def data_checksum(item: Mapping[str, Any]) -> str:
    """The peer's own in any case: it overlooks ``binaryData``."""
    return checksum({"data": item.get("data")})


def tracked(key: str, item: Mapping[str, Any]) -> bool:
    """Whether the content of this ConfigMap or Secret is part of a revision."""
    annotations = _mapping(_mapping(item.get("metadata")).get("annotations"))
    if str(annotations.get(OPT_OUT, "")).startswith("disable"):
        return False
    return not key.startswith("secret/") or item.get("type", "Opaque") in _SECRET_TYPES


def checksum_if_tracked(key: str, item: Mapping[str, Any] | None) -> str | None:
    """None for one that is missing or not tracked."""
    return checksum(item) if item is not None and tracked(key, item) else None


def _in_volume(volume: Mapping[str, Any]) -> Iterator[Place]:
    yield from _named("configmap", volume.get("configMap"))
    yield from _named("secret", volume.get("secret"), "secretName")
    for source in _mappings(_mapping(volume.get("projected")).get("sources")):
        yield from _named("configmap", source.get("configMap"))
        yield from _named("secret", source.get("secret"))


def _named(kind: str, holder: object, field: str = "name") -> Iterator[Place]:
    found = _mapping(holder)
    if isinstance(name := found.get(field), str) and name:
        yield Place(kind, found, field)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list | tuple):
        yield from (item for item in value if isinstance(item, Mapping))
