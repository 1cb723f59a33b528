"""The environment of a container: its own variables with their references resolved, and what the sandbox adds."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Protocol

from deploy.sandbox.network import dial
from handlers.adapters.kube import Object
from schemas.resources import CONFIG_MAP, SECRET, Resource

_REFERENCE = re.compile(r"\$(\$|\(([A-Za-z_][A-Za-z0-9_.-]*)\))")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class ConfigMissingError(Exception):
    """A ConfigMap, Secret, key or field that a container needs is not there; the text is the kubelet's."""


class Reader(Protocol):
    """The one call of the Kubernetes adapter that is needed here."""

    async def find(self, resource: Resource, namespace: str, name: str) -> Object | None: ...


class Configs:
    """ConfigMaps and Secrets of one namespace, as text by key."""

    def __init__(self, kube: Reader, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace

    async def config_map(self, name: str, *, optional: bool = False) -> dict[str, str]:
        found = await self._find(CONFIG_MAP, name, optional=optional)
        return {str(key): str(value) for key, value in (found.get("data") or {}).items()}

    async def secret(self, name: str, *, optional: bool = False) -> dict[str, str]:
        found = await self._find(SECRET, name, optional=optional)
        return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}

    async def _find(self, resource: Resource, name: str, *, optional: bool) -> Object:
        found = await self._kube.find(resource, self._namespace, name)
        if found is None and not optional:
            raise ConfigMissingError(f'{resource.kind.lower()} "{name}" not found')
        return found or {}


async def environment(pod: Object, container: Object, address: str, configs: Configs) -> dict[str, str]:
    """What ``container`` finds in its environment; ``address`` is the pod's published one (10.A.B.C).

    Raises :class:`ConfigMissingError`. Later variables win, and may refer to earlier ones as ``$(NAME)``.
    """
    found = {
        "POD_IP": dial(address),
        "POD_NAME": pod["metadata"]["name"],
        "POD_NAMESPACE": pod["metadata"]["namespace"],
        "IMAGE": container["image"],
    }
    for source in container.get("envFrom", []):
        found |= await _all_of(source, configs)
    for variable in container.get("env", []):
        if "valueFrom" in variable:
            value = await _referred(variable["valueFrom"], pod, address, configs)
            if value is not None:
                found[variable["name"]] = value
        else:
            found[variable["name"]] = expanded(variable.get("value", ""), found)
    return found


def expanded(text: str, known: Mapping[str, str]) -> str:
    """``$(NAME)`` replaced; unknown names stay as they are and ``$$`` is a dollar, as in Kubernetes."""
    return _REFERENCE.sub(lambda match: "$" if match[1] == "$" else known.get(match[2], match[0]), text)


async def _all_of(source: Object, configs: Configs) -> dict[str, str]:
    prefix = source.get("prefix", "")
    values: dict[str, str] = {}
    if reference := source.get("configMapRef"):
        values = await configs.config_map(reference["name"], optional=reference.get("optional", False))
    elif reference := source.get("secretRef"):
        values = await configs.secret(reference["name"], optional=reference.get("optional", False))
    return {prefix + key: value for key, value in values.items()}


async def _referred(source: Object, pod: Object, address: str, configs: Configs) -> str | None:
    match source:
        case {"fieldRef": {"fieldPath": path}}:
            return _field(pod, address, path)
        case {"configMapKeyRef": reference}:
            values, kind = await configs.config_map(reference["name"], optional=_optional(reference)), "ConfigMap"
        case {"secretKeyRef": reference}:
            values, kind = await configs.secret(reference["name"], optional=_optional(reference)), "Secret"
        case _:
            raise ConfigMissingError(f"{', '.join(source)} is not available on this node")
    if reference["key"] in values:
        return values[reference["key"]]
    if _optional(reference):
        return None
    raise ConfigMissingError(
        f"couldn't find key {reference['key']} in {kind} {pod['metadata']['namespace']}/{reference['name']}"
    )


def _optional(reference: Mapping[str, Any]) -> bool:
    return bool(reference.get("optional", False))


def _field(pod: Object, address: str, path: str) -> str:
    if path in ("status.podIP", "status.podIPs"):
        return address
    if path in ("status.hostIP", "status.hostIPs"):
        return "127.0.0.1"
    if subscript := _SUBSCRIPT.fullmatch(path):
        return str(pod["metadata"].get(subscript[1], {}).get(subscript[2], ""))
    place, _, name = path.partition(".")
    if path in ("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName"):
        return str(pod[place].get(name, ""))
    raise ConfigMissingError(f"unsupported fieldPath: {path}")
