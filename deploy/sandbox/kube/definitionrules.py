"""What is refused in a CustomResourceDefinition, of the mistakes that people make."""

from __future__ import annotations

from typing import Any

from .errors import Cause, invalid_value, required, unsupported_value

Object = dict[str, Any]


def check_definition(obj: Object, _: Object | None) -> list[Cause]:
    spec = obj.get("spec") or {}
    names = spec.get("names") or {}
    causes: list[Cause] = []
    if obj["metadata"].get("name") != f"{names.get('plural', '')}.{spec.get('group', '')}":
        why = 'must be spec.names.plural+"."+spec.group'
        causes.append(invalid_value("metadata.name", obj["metadata"].get("name"), why))
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        causes.append(unsupported_value("spec.scope", spec.get("scope", ""), ["Cluster", "Namespaced"]))
    causes += [required(f"spec.names.{field}") for field in ("plural", "kind") if not names.get(field)]
    for index, version in enumerate(spec.get("versions") or ()):
        if not (version.get("schema") or {}).get("openAPIV3Schema"):
            causes.append(required(f"spec.versions[{index}].schema.openAPIV3Schema", "schemas are required"))
    stored = sum(1 for version in spec.get("versions") or () if version.get("storage"))
    if stored != 1:
        why = "must have exactly one version marked as storage version"
        causes.append(invalid_value("spec.versions", stored, why))
    return causes
