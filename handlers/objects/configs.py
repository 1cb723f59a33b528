"""Reading the ConfigMaps and Secrets that a template names. Their contents are never told, only their checksums."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

from handlers.adapters.errors import Forbidden
from handlers.adapters.kube import Kube, Object
from handlers.core.configs import Config
from schemas.canary import Canary
from schemas.configs import data_checksum, places, references, resource_of, tracked


class Found(NamedTuple):
    """What is there. ``versions``: of everything that is named, empty for what is missing.

    ``problems``: sentences, by the key of what is required and cannot be read.
    """

    checksums: Mapping[str, str] = {}
    versions: Mapping[str, str] = {}
    problems: Mapping[str, str] = {}
    configs: tuple[Config, ...] = ()


async def read(kube: Kube, namespace: str, template: Mapping[str, Any]) -> Found:
    """One call for each object that is named; one that is missing and required, or not ours to read, is a problem."""
    wanted = references(template)
    answers = await asyncio.gather(*(_read(kube, namespace, key) for key in wanted))
    items = dict(zip(wanted, answers, strict=True))
    there = {key: item for key, item in items.items() if isinstance(item, dict)}
    configs = tuple(Config(key, item) for key, item in there.items() if tracked(key, item))
    return Found(
        checksums={config.key: config.checksum for config in configs},
        versions={key: str(there[key]["metadata"]["resourceVersion"]) if key in there else "" for key in items},
        problems={
            key: _problem(namespace, key, item)
            for key, item in items.items()
            if key not in there and (item or not wanted[key])
        },
        configs=configs,
    )


async def carried(
    kube: Kube, canary: Canary, primary: Mapping[str, Any], target: Mapping[str, Any], live: Found
) -> Found:
    """What the pods of another controller's primary read: copies, or what the target's read themselves.

    The peer's copies lack ``binaryData``: those that are the same but for that count as the same.
    """
    namespace, now = canary.metadata.namespace, {config.key: config for config in live.configs}
    wanted = {place.key for place in places(primary)}
    copies = sorted(key for key in wanted - references(target).keys() if key.endswith("-primary"))
    found = {key: now[key] for key in wanted & now.keys()}
    for copy, item in zip(copies, await asyncio.gather(*(_read(kube, namespace, key) for key in copies)), strict=True):
        key = copy.removesuffix("-primary")
        if isinstance(item, dict):
            same = key in now and data_checksum(now[key].item) == data_checksum(item)
            found[key] = now[key] if same else Config(key, item)
    kept = tuple(found[key] for key in sorted(found))
    return Found(checksums={config.key: config.checksum for config in kept}, configs=kept)


async def _read(kube: Kube, namespace: str, key: str) -> Object | str | None:
    """The object, None when it is missing, or the API server's words when it does not let us read it."""
    resource, name = resource_of(key)
    try:
        return await kube.find(resource, namespace, name)
    except Forbidden as error:
        return str(error)


def _problem(namespace: str, key: str, words: Object | str | None) -> str:
    kind, _, name = key.partition("/")
    if words:
        remedy = "grant the handlers get on it, or set CANARYBUS_CONFIG_TRACKING=false"
        return f"{kind} {name}.{namespace} get query error: {words}; {remedy}"
    return (
        f"{kind} {name}.{namespace} get query error: not found; "
        "create it, or set optional: true where the target's pods refer to it"
    )
