"""Refusals, with the `Status` bodies that a real API server sends.

StatusError
  .body()     the JSON object of kind Status
  .headers    e.g. Retry-After with 429
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass(frozen=True)
class Cause:
    """One reason why an object is invalid: `field` is the path, `message` begins with the kind of error."""

    reason: str
    message: str
    field: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


@dataclass
class StatusError(Exception):
    """A refusal: HTTP code, machine-readable reason, sentence for people."""

    code: int
    reason: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.message

    def body(self) -> dict[str, Any]:
        status: dict[str, Any] = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message,
        }  # fmt: skip
        if self.reason:
            status["reason"] = self.reason
        if self.details:
            status["details"] = self.details
        return status | {"code": self.code}


def _details(group: str, kind: str, name: str = "") -> dict[str, Any]:
    return {key: value for key, value in (("name", name), ("group", group), ("kind", kind)) if value}


def _qualified(group: str, kind: str) -> str:
    return f"{kind}.{group}" if group else kind


def not_found(group: str, plural: str, name: str) -> StatusError:
    return StatusError(
        404, "NotFound", f'{_qualified(group, plural)} "{name}" not found', _details(group, plural, name)
    )


def already_exists(group: str, plural: str, name: str) -> StatusError:
    message = f'{_qualified(group, plural)} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, _details(group, plural, name))


STALE = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(group: str, plural: str, name: str, why: str = STALE) -> StatusError:
    message = f'Operation cannot be fulfilled on {_qualified(group, plural)} "{name}": {why}'
    return StatusError(409, "Conflict", message, _details(group, plural, name))


def apply_conflict(causes: list[Cause]) -> StatusError:
    """Fields owned by another manager, met by server-side apply without `force`."""
    details = {"causes": [_cause(cause) for cause in causes]}
    if len(causes) == 1:
        return StatusError(
            409, "Conflict", f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}", details
        )
    by_manager: dict[str, list[str]] = {}
    for cause in causes:
        by_manager.setdefault(cause.message, []).append(cause.field)
    parts = [
        f"{message.replace('conflict with', 'conflicts with', 1)}:" + "".join(f"\n- {field}" for field in fields)
        for message, fields in sorted(by_manager.items())
    ]
    joined = "\n".join(parts)
    return StatusError(409, "Conflict", f"Apply failed with {len(causes)} conflicts: {joined}", details)


def _cause(cause: Cause) -> dict[str, str]:
    return {"reason": cause.reason, "message": cause.message, "field": cause.field}


def invalid(group: str, kind: str, name: str, causes: list[Cause]) -> StatusError:
    shown = str(causes[0]) if len(causes) == 1 else f"[{', '.join(map(str, causes))}]"
    details = _details(group, kind, name) | {"causes": [_cause(cause) for cause in causes]}
    return StatusError(422, "Invalid", f'{_qualified(group, kind)} "{name}" is invalid: {shown}', details)


def forbidden(group: str, plural: str, name: str, why: str, cause: Cause | None = None) -> StatusError:
    details = _details(group, plural, name)
    if cause is not None:
        details["causes"] = [_cause(cause)]
    return StatusError(403, "Forbidden", f'{_qualified(group, plural)} "{name}" is forbidden: {why}', details)


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def method_not_allowed() -> StatusError:
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


def unsupported_media(accepted: tuple[str, ...]) -> StatusError:
    message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(accepted)
    return StatusError(415, "UnsupportedMediaType", message)


def expired(message: str) -> StatusError:
    return StatusError(410, "Expired", message)


def too_many_requests(retry_after: int = 1) -> StatusError:
    message = "the server has received too many requests and has asked us to try again later"
    return StatusError(
        429, "TooManyRequests", message, {"retryAfterSeconds": retry_after}, {"Retry-After": str(retry_after)}
    )


def internal(message: str) -> StatusError:
    return StatusError(500, "InternalError", f"Internal error occurred: {message}")


def shown(value: Any) -> str:
    """A value as refusals quote it: JSON."""
    return orjson.dumps(value).decode()


def required(path: str, why: str = "") -> Cause:
    return Cause("FieldValueRequired", f"Required value: {why}" if why else "Required value", path)


def invalid_value(path: str, value: Any, why: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {shown(value)}: {why}", path)


def unsupported_value(path: str, value: Any, supported: list[Any]) -> Cause:
    listed = ", ".join(shown(item) for item in supported)
    return Cause("FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {listed}", path)


def duplicate(path: str, value: Any) -> Cause:
    return Cause("FieldValueDuplicate", f"Duplicate value: {shown(value)}", path)
