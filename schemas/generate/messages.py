"""JSON Schemas of the messages on the bus, and an AsyncAPI 3 document of who sends and who receives them.

Addresses come from the messages themselves, rendered with placeholders for the tokens of the subject.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from schemas.base import Wire
from schemas.events import (
    Change,
    Command,
    CommandBody,
    DeadLetter,
    Message,
    NoticeMessage,
    Reply,
    StepResult,
    Tick,
    Verb,
)

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PARAMETERS = {
    "namespace": {"description": "The Canary's namespace."},
    "name": {"description": "The Canary's name, with a dot written as an underscore."},
    "verb": {"description": "What is wanted.", "enum": [verb.value for verb in Verb]},
    "receiver": {"description": "Who is told: a webhook, an alert provider, the events of the cluster."},
    "subject": {"description": "The subject that the message came from, without its first token."},
}


@dataclass(frozen=True)
class Channel:
    """One subject. ``action`` is what canarybus does there; ``reply`` is set where it answers."""

    name: str
    address: str
    payload: type[Wire]
    action: Literal["send", "receive"]
    summary: str
    reply: type[Wire] | None = None


def _address(message: type[Message], **tokens: Any) -> str:
    return message.model_construct(**({"namespace": "{namespace}", "name": "{name}"} | tokens)).subject


CHANNELS = (
    Channel("ticks", _address(Tick), Tick, "send", "A slot is due: judge."),
    Channel("changes", _address(Change), Change, "send", "Something changed: look."),
    Channel(
        "commands",
        _address(Command, verb="{verb}"),
        CommandBody,
        "receive",
        "Somebody wants something; durable, and without an answer but the result.",
    ),
    Channel(
        "requests",
        _address(Command, verb="{verb}").replace("canary.command.", "canary.api."),
        CommandBody,
        "receive",
        "The same, answered when it is done or refused.",
        Reply,
    ),
    Channel("results", _address(StepResult), StepResult, "send", "What one step did."),
    Channel(
        "notices",
        _address(NoticeMessage, receiver="{receiver}"),
        NoticeMessage,
        "send",
        "One receiver's part of a result.",
    ),
    Channel(
        "deadLetters",
        _address(DeadLetter, original_subject="canary.{subject}"),
        DeadLetter,
        "send",
        "A message that nobody could work on, and why.",
    ),
)


def event_schemas() -> dict[str, Any]:
    """By file name: a JSON Schema that stands alone."""
    payloads: list[type[Wire]] = [*(channel.payload for channel in CHANNELS), Command, Reply]
    named = {_file_name(payload): payload for payload in payloads}
    return {name: {"$schema": _DIALECT} | _schema(named[name]) for name in sorted(named)}


def asyncapi() -> dict[str, Any]:
    messages: dict[str, Any] = {}
    for channel in CHANNELS:
        for payload in filter(None, (channel.payload, channel.reply)):
            messages[payload.__name__] = _message(payload)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "canarybus",
            "version": importlib.metadata.version("canarybus"),
            "description": "Progressive delivery for Gloo Edge, told and steered on NATS.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": _channels(),
        "operations": {channel.name: _operation(channel) for channel in CHANNELS},
        "components": {"messages": messages},
    }


def _channels() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for channel in CHANNELS:
        found[channel.name] = {
            "address": channel.address,
            "messages": {channel.payload.__name__: _reference("messages", channel.payload.__name__)},
            "parameters": {name: words for name, words in _PARAMETERS.items() if f"{{{name}}}" in channel.address},
        }
        if channel.reply:
            found[f"{channel.name}Reply"] = {
                "address": None,  # the inbox that the request names
                "messages": {channel.reply.__name__: _reference("messages", channel.reply.__name__)},
            }
    return found


def _operation(channel: Channel) -> dict[str, Any]:
    found: dict[str, Any] = {
        "action": channel.action,
        "summary": channel.summary,
        "channel": {"$ref": f"#/channels/{channel.name}"},
    }
    if channel.reply:
        found["reply"] = {"channel": {"$ref": f"#/channels/{channel.name}Reply"}}
    return found


def _message(payload: type[Wire]) -> dict[str, Any]:
    found: dict[str, Any] = {"name": payload.__name__, "contentType": "application/json"}
    if issubclass(payload, Message):
        attributes = {"ce-type": {"const": payload.type}, "ce-specversion": {"const": "1.0"}}
        found["headers"] = {"type": "object", "properties": attributes}
    return found | {"payload": {"$ref": f"./{_file_name(payload)}.json"}}


def _reference(kind: str, name: str) -> Mapping[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _schema(payload: type[Wire]) -> dict[str, Any]:
    return payload.model_json_schema(by_alias=True)


def _file_name(payload: type[Wire]) -> str:
    words = "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in payload.__name__)
    return words.removeprefix("-").removesuffix("-message")
