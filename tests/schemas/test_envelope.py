"""Messages as they come from programs and from people's terminals."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import UnreadableError, decode
from schemas.events import Change, Command, Tick, Verb

TICK = Tick(namespace="test", name="pod.info", uid="u", slot=datetime(2026, 1, 1, tzinfo=UTC), interval=10)
HEADERS = TICK.headers(source="test", time=datetime(2026, 1, 1, tzinfo=UTC))
ABORT = "canary.command.abort.test.pod_info"


def body(**more: Any) -> bytes:
    return json.dumps({**TICK.to_wire(), **more}).encode()


def test_what_is_published_is_what_is_read() -> None:
    assert decode(Tick, TICK.subject, body(), HEADERS) == TICK


def test_header_names_are_read_in_any_case() -> None:
    headers = {name.upper(): value for name, value in HEADERS.items()}
    assert decode(Command, ABORT, b"{}", {**headers, "CE-TYPE": "com.example.ci"}).id == TICK.message_id


def test_structured_mode_is_read_as_data_and_as_base64() -> None:
    event = {"specversion": "1.0", "id": "e1", "source": "ci", "type": "com.example.abort"}
    data = {"by": "ci", "reason": "budget"}
    for content in ({"data": data}, {"data_base64": base64.b64encode(json.dumps(data).encode()).decode()}):
        found = decode(Command, ABORT, json.dumps({**event, **content}).encode())
        assert (found.id, found.by, found.reason, found.verb) == ("e1", "ci", "budget", Verb.ABORT)


@pytest.mark.parametrize("bare", [b"", b" \n", b"{}", b'{"unknown": 1}'])
def test_a_bare_command_takes_everything_from_the_subject(bare: bytes) -> None:
    found = decode(Command, ABORT, bare, None, delivery="CANARY_COMMANDS.7")
    assert (found.namespace, found.name, found.verb, found.id) == ("test", "pod.info", Verb.ABORT, "CANARY_COMMANDS.7")


def test_a_command_keeps_the_senders_id_before_all_others() -> None:
    headers = {"Nats-Msg-Id": "of-nats"}
    assert decode(Command, ABORT, b'{"id": "mine"}', headers, delivery="d").id == "mine"
    assert decode(Command, ABORT, b"{}", headers, delivery="d").id == "of-nats"


def test_a_command_may_address_many() -> None:
    assert decode(Command, "canary.command.abort.prod._all", b"").name == "_all"


@pytest.mark.parametrize("key", ["namespace", "name"])
def test_nobody_speaks_of_another_canary_than_the_subject_allows(key: str) -> None:
    with pytest.raises(UnreadableError, match=f"{key} is 'other' in the body"):
        decode(Tick, TICK.subject, body(**{key: "other"}))


@pytest.mark.parametrize(
    ("message_type", "subject", "data", "words"),
    [
        (Tick, "canary.tick.test", b"{}", "is not canary.<kind>.<namespace>.<name>"),
        (Tick, TICK.subject, b"{", "not JSON"),
        (Tick, TICK.subject, b"\xff\xff", "not JSON"),
        (Tick, TICK.subject, b"[" * 100_000, "not JSON"),
        (Tick, TICK.subject, b"[1]", "must be a JSON object, not list"),
        (Tick, TICK.subject, b"{}", "uid: Field required"),
        (Tick, TICK.subject, body(slot="noon"), "slot"),
        (Change, TICK.subject, b'{"uid": "u", "reason": "mood"}', "reason"),
        (Command, "canary.command.explode.test.podinfo", b"", "'explode' is not a command; there are promote,"),
        (Command, ABORT, b'{"by": 3}', "by: "),
        (Command, ABORT, b'{"specversion": "1.0", "data": 3}', "data must be a JSON object"),
        (Command, ABORT, b'{"specversion": "1.0", "data_base64": "%"}', "data_base64 cannot be read"),
    ],
)
def test_an_unreadable_message_is_refused_in_words(message_type: Any, subject: str, data: bytes, words: str) -> None:
    with pytest.raises(UnreadableError) as raised:
        decode(message_type, subject, data)
    assert words in str(raised.value)


def test_an_event_of_ours_of_another_type_is_refused() -> None:
    with pytest.raises(UnreadableError, match=r"dev\.canarybus\.tick\.v2"):
        decode(Tick, TICK.subject, body(), {"ce-type": "dev.canarybus.tick.v2"})


@given(st.binary(max_size=60), st.text(max_size=30))
def test_whatever_comes_is_read_or_refused(data: bytes, subject: str) -> None:
    for where in (TICK.subject, ABORT, subject):
        try:
            read = decode(Command, where, data)
        except UnreadableError:
            continue
        assert read.subject == where
