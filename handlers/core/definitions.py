"""Whether the installed CustomResourceDefinition keeps what we write: one that prunes our status forgets each step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.resources import CANARY
from schemas.status import CanaryStatus

NAME = f"{CANARY.plural}.{CANARY.group}"
_REMEDY = "apply canarybus' own definitions: kubectl apply --server-side -f deploy/crds"


def definition_problem(definition: Mapping[str, Any] | None) -> str:
    """What is wrong, with the remedy; empty when every field of our status is kept."""
    if definition is None:
        return f"there is no CustomResourceDefinition {NAME}; {_REMEDY}"
    versions = definition["spec"].get("versions") or ()
    version = next((item for item in versions if item["name"] == CANARY.version), None)
    if version is None:
        return f"CustomResourceDefinition {NAME} has no version {CANARY.version}; {_REMEDY}"
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    status = (schema.get("properties") or {}).get("status") or {}
    if any(part.get("x-kubernetes-preserve-unknown-fields") for part in (schema, status)):
        return ""
    known = status.get("properties") or {}
    missing = [name for field in CanaryStatus.model_fields.values() if (name := field.alias or "") not in known]
    if not missing:
        return ""
    shown = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
    return f"CustomResourceDefinition {NAME} drops status fields that canarybus needs ({shown}); {_REMEDY}"
