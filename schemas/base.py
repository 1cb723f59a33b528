"""What all schemas share: frozen values with camelCase names on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel


class Wire(BaseModel):
    """A frozen value; unknown fields are ignored, because newer writers may know more than we do."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")

    def to_wire(self) -> dict[str, Any]:
        """Plain JSON with camelCase keys; what is unset or empty by default is left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _utc(value: object) -> object:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value


def format_time(moment: datetime) -> str:
    """RFC 3339 as Kubernetes writes it, with milliseconds where there are any: drains are shorter than minutes."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")


Moment = Annotated[datetime, BeforeValidator(_utc), PlainSerializer(format_time, return_type=str, when_used="json")]
"""A point in time, always in UTC."""


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that turns one value on the wire into the other: what is gone becomes null."""
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            if inner := merge_patch(old, value):
                patch[key] = inner
        elif value != old or key not in before:
            patch[key] = value
    return patch


def in_words(root: str, place: tuple[int | str, ...], message: str) -> str:
    """Which field is wrong, as people write it, and why; of what pydantic says about what is below ``root``."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return f"{root}{path}: {message[0].lower()}{message[1:]}"
