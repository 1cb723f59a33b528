"""JSON Schemas of the messages on the bus, and an AsyncAPI 3 document of who sends and who receives them.

Addresses come from the messages themselves, rendered with placeholders for the tokens of the subject.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from schemas.answers import Explanation, Listing, Question, Replies, Summary
from schemas.base import Wire
from schemas.events import (
    Change,
    ChangeReason,
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
from schemas.hooks import HookQuestion, HookVerdict
from schemas.judges import JudgeAnswer, JudgeQuestion

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PARAMETERS = {
    "namespace": {"description": "The Canary's namespace."},
    "name": {"description": "The Canary's name, with a dot written as an underscore."},
    "verb": {"description": "What is wanted.", "enum": [verb.value for verb in Verb]},
    "hook": {"description": "Whatever you call your gate."},
    "judge": {"description": "Whatever you call who answers for the metric."},
    "receiver": {"description": "Who is told: a webhook, an alert provider, the events of the cluster."},
    "subject": {"description": "The subject that the message came from, without its first token."},
}


@dataclass(frozen=True)
class Channel:
    """One subject. ``action`` is what canarybus does there; ``replies``: what whoever is asked answers."""

    name: str
    address: str
    payload: type[Wire]
    action: Literal["send", "receive"]
    summary: str
    replies: tuple[type[Wire], ...] = ()


def _address(message: type[Message], **tokens: Any) -> str:
    return message.model_construct(**({"namespace": "{namespace}", "name": "{name}"} | tokens)).subject


CHANNELS = (
    Channel("ticks", _address(Tick), Tick, "send", "A slot is due: judge."),
    Channel("changes", _address(Change, reason=ChangeReason.REVISION), Change, "send", "Something changed: look."),
    Channel(
        "drift",
        _address(Change, reason=ChangeReason.DRIFT),
        Change,
        "send",
        "Something around the Canary is missing or was edited, or it is time to look: compare everything.",
    ),
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
        "The same, answered when it is done or refused; with _all as namespace or name, for each.",
        (Reply, Replies),
    ),
    Channel(
        "hooks",
        "canary.hook.{hook}",
        HookQuestion,
        "send",
        "A webhook with the url nats://canary.hook.… (or any subject of yours) is asked.",
        (HookVerdict,),
    ),
    Channel(
        "judges",
        "canary.hook.{judge}",
        JudgeQuestion,
        "send",
        "A MetricTemplate with the address nats://canary.hook.… (or any subject of yours) is asked.",
        (JudgeAnswer,),
    ),
    Channel("get", "canary.api.get.{namespace}.{name}", Question, "receive", "How is this Canary?", (Summary,)),
    Channel(
        "explain",
        "canary.api.explain.{namespace}.{name}",
        Question,
        "receive",
        "Why is this Canary not further?",
        (Explanation,),
    ),
    Channel("list", "canary.api.list", Question, "receive", "How are all of them?", (Listing,)),
    Channel("listNamespace", "canary.api.list.{namespace}", Question, "receive", "Those of a namespace.", (Listing,)),
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
    payloads: list[type[Wire]] = [Command]
    for channel in CHANNELS:
        payloads += [channel.payload, *channel.replies]
    named = {_file_name(payload): payload for payload in payloads}
    return {name: {"$schema": _DIALECT} | _schema(named[name]) for name in sorted(named)}


def asyncapi() -> dict[str, Any]:
    messages: dict[str, Any] = {}
    for channel in CHANNELS:
        for payload in (channel.payload, *channel.replies):
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
        if channel.replies:
            found[f"{channel.name}Reply"] = {
                "address": None,  # the inbox that the request names
                "messages": {reply.__name__: _reference("messages", reply.__name__) for reply in channel.replies},
            }
    return found


def _operation(channel: Channel) -> dict[str, Any]:
    found: dict[str, Any] = {
        "action": channel.action,
        "summary": channel.summary,
        "channel": {"$ref": f"#/channels/{channel.name}"},
    }
    if channel.replies:
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
