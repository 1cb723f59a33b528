"""Volumes as directories. A process cannot be given a mount, so it learns in VOLUME_<NAME> where its volume is."""

from __future__ import annotations

import re
from pathlib import Path

from deploy.sandbox.kubelet.environment import ConfigMissingError, Configs
from handlers.adapters.kube import Object

_NOT_A_NAME = re.compile(r"[^A-Z0-9]")


async def materialise(pod: Object, directory: Path, configs: Configs) -> dict[str, str]:
    """Writes the pod's configMap, secret and emptyDir volumes below ``directory``; the variables that name them.

    Raises :class:`ConfigMissingError`. Other kinds are left out: their variable is missing.
    """
    variables = {}
    for volume in pod["spec"].get("volumes", []):
        content = await _content(volume, configs)
        if content is None:
            continue
        place = directory / volume["name"]
        place.mkdir(parents=True, exist_ok=True)
        for name, text in content.items():
            file = place / name
            if file.resolve().parent != place.resolve():
                raise ConfigMissingError(f"volume {volume['name']}: a path outside of it: {name}")
            file.write_text(text, encoding="utf-8")
            file.chmod(0o600)
        variables[f"VOLUME_{_NOT_A_NAME.sub('_', volume['name'].upper())}"] = str(place)
    return variables


async def _content(volume: Object, configs: Configs) -> dict[str, str] | None:
    match volume:
        case {"emptyDir": _}:
            return {}
        case {"configMap": source}:
            values = await configs.config_map(source["name"], optional=source.get("optional", False))
        case {"secret": source}:
            values = await configs.secret(source["secretName"], optional=source.get("optional", False))
        case _:
            return None
    if "items" not in source:
        return values
    missing = [item["key"] for item in source["items"] if item["key"] not in values]
    if missing and not source.get("optional", False):
        raise ConfigMissingError(f"references non-existent config key: {missing[0]}")
    return {item["path"]: values[item["key"]] for item in source["items"] if item["key"] in values}
