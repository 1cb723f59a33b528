"""A rollback signal that is given once survives whatever happens to the wake that heard it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from handlers.adapters.errors import Conflict, TransientError, Unavailable
from schemas.base import format_time
from schemas.envelope import decode
from schemas.events import Command, Verb
from schemas.resources import CANARY
from schemas.status import Phase
from tests.handlers.house import NAMESPACE, House


async def _progressing(house: House) -> None:
    url = f"{house.answering.url}/hook/rollback"
    house.answering.gates["rollback"] = 403
    await house.prepare(analysis={"webhooks": [{"name": "brake", "type": "rollback", "url": url}]})
    await house.initialized()
    await house.push("podinfo:2")
    await house.tick()
    assert await house.weight() == 25


def given_once(house: House) -> None:
    """The next one who asks gets a yes, nobody after that."""
    house.answering.gates["rollback"] = 200

    async def meanwhile(_: str) -> None:
        house.answering.meanwhile = None
        asyncio.get_running_loop().call_later(0.05, house.answering.gates.__setitem__, "rollback", 403)

    house.answering.meanwhile = meanwhile


def failing(error: Exception) -> Callable[[str, str], Awaitable[None]]:
    async def fail(method: str, path: str) -> None:
        if method == "PATCH" and path.endswith("/status"):
            raise error

    return fail


async def commands(house: House) -> list[Command]:
    info = await house.bus.js.stream_info("CANARY_COMMANDS")
    found = []
    for number in range(max(1, info.state.first_seq), info.state.last_seq + 1):
        message = await house.bus.js.get_msg("CANARY_COMMANDS", number)
        found.append(decode(Command, str(message.subject), message.data or b"", message.headers, delivery="x"))
    return found


@pytest.mark.parametrize(
    "error", [Unavailable("no answer"), Conflict("somebody else wrote")], ids=["away", "conflicts"]
)
async def test_a_signal_that_could_not_be_committed_becomes_a_command_that_is_kept(
    house: House, error: Exception
) -> None:
    await _progressing(house)
    given_once(house)
    house.kube.before = failing(error)
    with pytest.raises(TransientError):
        await house.tick()
    house.kube.before = None
    assert (await house.status()).phase is Phase.PROGRESSING
    (kept,) = await commands(house)
    reply = await house.wake(kept)
    assert reply.message == "Rolling back podinfo.default aborted by rollback hook brake: answer of rollback"
    assert ((await house.status()).phase, await house.weight()) == (Phase.FAILED, 0)


async def test_a_signal_is_for_the_revision_that_it_was_given_for(house: House) -> None:
    await _progressing(house)
    given_once(house)
    house.kube.before = failing(Unavailable("no answer"))
    with pytest.raises(TransientError):
        await house.tick()
    house.kube.before = None
    await house.push("podinfo:3")
    (kept,) = await commands(house)
    reply = await house.wake(kept)
    assert (reply.accepted, reply.code) == (False, 409)


async def test_a_signal_that_was_acted_upon_is_no_command(house: House) -> None:
    """Routes that cannot be written do not undo the decision: the next wake writes them."""
    await _progressing(house)
    given_once(house)

    async def refuse(method: str, path: str) -> None:
        if method == "PATCH" and "routetables" in path:
            raise Unavailable("no answer")

    house.kube.before = refuse
    with pytest.raises(TransientError):
        await house.tick()
    house.kube.before = None
    assert (await house.status()).phase is Phase.FAILED
    assert await commands(house) == []
    await house.tick()
    assert await house.weight() == 0


async def test_one_conflict_costs_no_signal_and_no_second_question(house: House) -> None:
    await _progressing(house)
    given_once(house)
    asked = house.answering.asked.count("rollback")
    conflicts = iter([Conflict("somebody else wrote")])

    async def conflict_once(method: str, path: str) -> None:
        if method == "PATCH" and path.endswith("/status") and (error := next(conflicts, None)):
            raise error

    house.kube.before = conflict_once
    await house.tick()
    assert ((await house.status()).phase, await house.weight()) == (Phase.FAILED, 0)
    assert house.answering.asked.count("rollback") == asked + 1


async def _pushed(house: House) -> None:
    await house.push("podinfo:3", announce=False)


async def _judged(house: House) -> None:
    """The same slot by another worker: this one has nothing left to ask."""
    status = {"lastTick": format_time(house.now)}
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"status": status}, subresource="status")


@pytest.mark.parametrize("meanwhile", [_pushed, _judged])
async def test_a_signal_counts_though_the_commit_was_lost_to_something_that_changed_the_question(
    house: House, meanwhile: Callable[[House], Awaitable[None]]
) -> None:
    await _progressing(house)
    given_once(house)
    first = iter([True])

    async def lost(method: str, path: str) -> None:
        if method == "PATCH" and path.endswith("/status") and next(first, False):
            house.answering.gates["rollback"] = 403
            await meanwhile(house)
            raise Conflict("somebody else wrote")

    house.kube.before = lost
    await house.tick()
    assert ((await house.status()).phase, await house.weight()) == (Phase.FAILED, 0)
    assert await commands(house) == []


async def test_a_signal_reaches_the_release_that_took_over_while_it_was_given(house: House) -> None:
    await _progressing(house)
    given_once(house)

    async def taken_over(method: str, path: str) -> None:
        if method == "PATCH" and path.endswith("/status"):
            await house.strange()
            raise Conflict("somebody else wrote")

    house.kube.before = taken_over
    await house.tick()
    (kept,) = await commands(house)
    assert kept.verb is Verb.ABORT
