"""Reading a message from the bus: CloudEvents 1.0, binary or structured, or bare JSON from somebody's terminal."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from schemas.events import Command, CommandBody, Message, Verb, place_in_subject
from schemas.names import canary_name

M = TypeVar("M", bound=Message)
_OURS = "dev.canarybus."


class UnreadableError(ValueError):
    """Nobody can work on this message; the text says why."""


def decode(
    message_type: type[M], subject: str, data: bytes, headers: Mapping[str, str] | None = None, *, delivery: str = ""
) -> M:
    """The message of this subject. Raises :class:`UnreadableError`.

    A bare body needs no ``namespace`` and ``name``: the subject has them; where it has them they must agree with the
    subject, because the right to publish is given by subject. ``delivery`` identifies this message among all others
    and becomes the id of a command that has none.
    """
    try:
        place = place_in_subject(subject)
    except ValueError as error:
        raise UnreadableError(str(error)) from error
    body, event_id = _content(data, {key.lower(): value for key, value in (headers or {}).items()}, message_type)
    namespace, name = place["namespace"], canary_name(place["name"])
    for key, value in (("namespace", namespace), ("name", name)):
        if (body.get(key) or value) != value:
            raise UnreadableError(f"{key} is {body[key]!r} in the body and {value!r} in the subject")
    whole = {**body, "namespace": namespace, "name": name}
    try:
        if issubclass(message_type, Command):
            return _command(message_type, place, whole, event_id or delivery)
        return message_type.model_validate(whole)
    except ValidationError as error:
        raise UnreadableError(_in_words(error)) from error


def _command(message_type: type[M], place: Mapping[str, str], body: Mapping[str, Any], message: str) -> M:
    try:
        verb = Verb(place.get("verb", ""))
    except ValueError as error:
        known = ", ".join(Verb)
        raise UnreadableError(f"{place.get('verb', '')!r} is not a command; there are {known}") from error
    found = Command.of(verb, body["namespace"], body["name"], CommandBody.model_validate(body), message=message)
    return message_type.model_validate(found.model_dump())


def _content(data: bytes, headers: Mapping[str, str], message_type: type[Message]) -> tuple[dict[str, Any], str]:
    """The body as a JSON object, and the event's id if it has one."""
    body = _json_object(data)
    event_id = headers.get("ce-id") or headers.get("nats-msg-id", "")
    event_type = headers.get("ce-type", "")
    if "specversion" in body and ("data" in body or "data_base64" in body):
        event_id, event_type = str(body.get("id", "")), str(body.get("type", ""))
        body = _structured_data(body)
    if event_type.startswith(_OURS) and event_type != message_type.type:
        raise UnreadableError(f"the event is of type {event_type!r}, here {message_type.type!r} is read")
    return body, event_id


def _structured_data(event: Mapping[str, Any]) -> dict[str, Any]:
    if "data_base64" in event:
        try:
            return _json_object(base64.b64decode(event["data_base64"], validate=True))
        except (ValueError, TypeError) as error:
            raise UnreadableError(f"data_base64 cannot be read: {error}") from error
    data = event["data"]
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise UnreadableError(f"data must be a JSON object, not {type(data).__name__}")
    return data


def _json_object(data: bytes) -> dict[str, Any]:
    if not data.strip():
        return {}
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise UnreadableError(f"the body must be a JSON object, not {type(body).__name__}")
    return body


def _in_words(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in error.errors())
