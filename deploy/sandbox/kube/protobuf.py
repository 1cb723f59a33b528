"""Just enough protobuf to read what `kubectl create namespace` and its like send: newer ones use nothing else."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from . import errors

Object = dict[str, Any]
MEDIA = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"


@dataclass(frozen=True)
class Message:
    """Which field number is which name; `fields` of text, bytes, numbers, maps and nested messages."""

    text: dict[int, str] = field(default_factory=dict)
    numbers: dict[int, str] = field(default_factory=dict)
    text_maps: dict[int, str] = field(default_factory=dict)
    byte_maps: dict[int, str] = field(default_factory=dict)
    nested: dict[int, tuple[str, Message]] = field(default_factory=dict)
    repeated: dict[int, tuple[str, Message]] = field(default_factory=dict)


_META = Message(text={1: "name", 2: "generateName", 3: "namespace"}, text_maps={11: "labels", 12: "annotations"})
_WITH_META = {1: ("metadata", _META)}
_SELECTOR = Message(text_maps={1: "matchLabels"})
_PORT = Message(text={1: "name", 4: "protocol"}, numbers={3: "containerPort"})
_CONTAINER = Message(text={1: "name", 2: "image"}, repeated={6: ("ports", _PORT)})
_POD_SPEC = Message(text={3: "restartPolicy"}, repeated={2: ("containers", _CONTAINER)})
_TEMPLATE = Message(nested={1: ("metadata", _META), 2: ("spec", _POD_SPEC)})
_DEPLOYMENT = Message(numbers={1: "replicas"}, nested={2: ("selector", _SELECTOR), 3: ("template", _TEMPLATE)})
_KINDS = {
    "Namespace": Message(nested=_WITH_META),
    "ServiceAccount": Message(nested=_WITH_META),
    "ConfigMap": Message(nested=_WITH_META, text_maps={2: "data"}, byte_maps={3: "binaryData"}),
    "Secret": Message(nested=_WITH_META, byte_maps={2: "data"}, text={3: "type"}, text_maps={4: "stringData"}),
    "Deployment": Message(nested={**_WITH_META, 2: ("spec", _DEPLOYMENT)}),
}


def decode(body: bytes) -> Object:
    """The object in a protobuf envelope. Raises StatusError 415 for a kind that is not known here."""
    if not body.startswith(_MAGIC):
        raise errors.unsupported_media(("application/json", "application/yaml"))
    envelope = dict(_fields(body[len(_MAGIC) :]))
    names = dict(_fields(_bytes(envelope.get(1, b""))))
    kind = _bytes(names.get(2, b"")).decode()
    if kind not in _KINDS:
        raise errors.unsupported_media(("application/json", "application/yaml"))
    obj = _message(_bytes(envelope.get(2, b"")), _KINDS[kind])
    return {"apiVersion": _bytes(names.get(1, b"")).decode(), "kind": kind, **obj}


def _bytes(value: bytes | int) -> bytes:
    return value if isinstance(value, bytes) else b""


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        match tag & 7:
            case 0:
                value, at = _varint(data, at)
                yield tag >> 3, value
            case 2:
                size, at = _varint(data, at)
                yield tag >> 3, data[at : at + size]
                at += size
            case 1:
                at += 8
            case 5:
                at += 4
            case _:
                raise errors.bad_request("the body is no protobuf message")


def _message(data: bytes, message: Message) -> Object:
    found: Object = {}
    for number, value in _fields(data):
        if isinstance(value, int):
            if number in message.numbers:
                found[message.numbers[number]] = value
        elif number in message.text:
            if value:
                found[message.text[number]] = value.decode()
        elif number in message.nested:
            name, nested = message.nested[number]
            found[name] = _message(value, nested)
        elif number in message.repeated:
            name, nested = message.repeated[number]
            found.setdefault(name, []).append(_message(value, nested))
        else:
            _entry(found, number, value, message)
    return found


def _entry(found: Object, number: int, value: bytes, message: Message) -> None:
    """One entry of a map: field 1 is its key, field 2 its value."""
    if number not in message.text_maps and number not in message.byte_maps:
        return
    entry = dict(_fields(value))
    key, content = _bytes(entry.get(1, b"")).decode(), _bytes(entry.get(2, b""))
    if number in message.text_maps:
        found.setdefault(message.text_maps[number], {})[key] = content.decode()
    else:
        found.setdefault(message.byte_maps[number], {})[key] = base64.b64encode(content).decode()
