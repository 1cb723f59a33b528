"""The one way through, on a Kubernetes API and a bus: what is committed becomes true, whoever dies on the way."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from handlers.adapters.errors import TransientError, Unavailable
from schemas.events import ChangeReason
from schemas.resources import CANARY, CONTROLLER_REVISION, ROUTE_TABLE, SERVICE, UPSTREAM
from schemas.status import Phase
from tests.handlers.house import NAMESPACE, House
from tests.handlers.neighbours import Crash
from tests.handlers.rollouts import to_the_promotion


async def test_a_promotion_goes_from_bootstrap_to_the_new_image(house: House) -> None:
    await house.prepare(replicas=2)
    await house.initialized()
    assert await house.replicas() == 0
    assert await house.replicas("podinfo-primary") == 2
    await house.push("podinfo:2")
    await house.until(Phase.SUCCEEDED)
    assert await house.image() == "podinfo:2"
    assert await house.weight() == 0
    assert await house.replicas() == 0
    told = [notice.message for result in await house.results() for notice in result.notices]
    assert told[-4:] == [
        "Advance podinfo.default canary weight 50",
        "Copying podinfo.default template spec to podinfo-primary.default",
        "Routing all traffic to primary",
        "Promotion completed! Scaling down podinfo.default",
    ]


async def test_bootstrap_makes_the_objects_that_the_tutorial_lists(house: House) -> None:
    await house.prepare()
    await house.initialized()
    for name in ("podinfo", "podinfo-primary", "podinfo-canary"):
        assert await house.object(SERVICE, name)
    for name in ("default-podinfo-primaryupstream-9898", "default-podinfo-canaryupstream-9898"):
        assert (await house.object(UPSTREAM, name))["spec"]["kube"]["servicePort"] == 9898
    assert await house.selector("podinfo") == {"app": "podinfo-primary"}
    assert await house.selector("podinfo-canary") == {"app": "podinfo"}


async def test_initialising_takes_at_most_25_calls(house: House) -> None:
    await house.prepare()
    await house.change(ChangeReason.SPEC)
    while (await house.status()).phase is not Phase.INITIALIZED:
        await house.change()
    assert house.kube.total <= 25, house.kube.made


@pytest.mark.parametrize(("value", "ending"), [("100", Phase.SUCCEEDED), ("10", Phase.FAILED)])
async def test_an_active_tick_takes_at_most_10_calls(value: str, ending: Phase, house: House) -> None:
    """From the first step to rest, however it ends, the Events included that each step makes."""
    metrics = [{"name": "request-success-rate", "thresholdRange": {"min": 99}}]
    await house.prepare(analysis={"threshold": 2, "stepWeight": 25, "maxWeight": 50, "metrics": metrics})
    await house.initialized()
    await house.push("podinfo:2")
    house.answering.value = value
    while not ((status := await house.status()).phase is ending and status.settled):
        told = len(await house.results())
        house.kube.reset()
        await house.tick()
        events = sum(len(result.notices) for result in (await house.results())[told:])
        assert house.kube.total + events <= 10, house.kube.made


async def test_a_conflict_on_the_status_starts_the_wake_over_and_asks_no_hook_twice(house: House) -> None:
    hooks = [{"name": "load", "type": "rollout", "url": f"{house.answering.url}/hook/load"}]
    await house.prepare(analysis={"webhooks": hooks})
    await house.initialized()
    await house.push("podinfo:2")
    await house.tick()
    await house.catch_up()
    others = iter(range(2))

    async def somebody_writes(method: str, path: str) -> None:
        if method == "PATCH" and path.endswith("/status") and next(others, None) is not None:
            await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"metadata": {"labels": {"n": str(id(path))}}})

    house.kube.before = somebody_writes
    await house.tick()
    house.kube.before = None
    assert (await house.status()).canary_weight == 50
    assert house.answering.asked.count("load") == 1


async def test_what_was_not_asked_before_a_conflict_is_asked_after_it(house: House) -> None:
    """The gateway was behind when the rollback hook alone was asked, and caught up while that thought about it."""
    url = f"{house.answering.url}/hook/"
    hooks = [{"name": name, "type": name, "url": url + name} for name in ("pre-rollout", "rollback")]
    house.answering.gates = {"rollback": 403, "pre-rollout": 500}
    await house.prepare(analysis={"webhooks": hooks})
    await house.initialized()
    await house.push("podinfo:2")
    await house.catch_up()
    await house.admin.patch(ROUTE_TABLE, NAMESPACE, "podinfo", {"status": None})
    first = iter(["once"])

    async def meanwhile(name: str) -> None:
        if name == "rollback" and next(first, None):
            await house.gloo()
            await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"metadata": {"labels": {"moved": "yes"}}})

    house.answering.meanwhile = meanwhile
    house.now += timedelta(seconds=10)
    await house.wake(house.slot())
    status = await house.status()
    assert house.answering.asked == ["rollback", "rollback", "pre-rollout"]
    assert (status.canary_weight, status.failed_checks, status.pre_rollout_passed) == (0, 1, False)


async def test_somebody_who_always_wins_the_commit_leaves_it_to_the_next_wake(house: House) -> None:
    await house.prepare()
    await house.initialized()
    await house.push("podinfo:2", announce=False)
    others = iter(range(100))

    async def somebody_writes(method: str, path: str) -> None:
        if path.endswith("/status"):
            await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"metadata": {"labels": {"n": str(next(others))}}})

    house.kube.before = somebody_writes
    with pytest.raises(TransientError):
        await house.change(ChangeReason.REVISION)
    house.kube.before = None
    await house.change(ChangeReason.REVISION)
    assert (await house.status()).phase is Phase.PROGRESSING


async def test_a_delayed_worker_never_writes_its_old_weight_over_an_abort(house: House) -> None:
    await house.prepare()
    await house.initialized()
    await house.push("podinfo:2")
    await house.catch_up()
    about_to_route, go_on = asyncio.Event(), asyncio.Event()

    async def wait_before_the_route(method: str, path: str) -> None:
        if method == "PATCH" and "routetables" in path:
            about_to_route.set()
            await go_on.wait()

    house.kube.before = wait_before_the_route
    slow = asyncio.create_task(house.tick())
    await asyncio.wait_for(about_to_route.wait(), 20)
    assert (await house.status()).canary_weight == 25, "committed, not yet projected"
    reply = await house.command("abort", worker=house.worker(house.admin))
    assert reply.accepted
    go_on.set()
    await slow
    house.kube.before = None
    assert await house.weight() == 0
    await house.until(Phase.FAILED)
    assert await house.replicas() == 0


async def test_a_lost_result_is_told_by_the_next_wake(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.prepare()
    await house.initialized()
    publish = house.bus.publish

    async def lost(*_: object, **__: object) -> bool:
        raise Unavailable("NATS is away")

    await house.push("podinfo:2", announce=False)
    committed = (await house.status()).step
    # the message of the commit is lost, the commit itself is not
    teller = house.advance._teller
    real_tell = teller.tell

    async def tell(*arguments: object) -> None:
        monkeypatch.setattr(house.bus, "publish", lost)
        await real_tell(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(teller, "tell", tell)
    with pytest.raises(Unavailable):
        await house.change(ChangeReason.REVISION)
    monkeypatch.setattr(house.bus, "publish", publish)
    monkeypatch.setattr(teller, "tell", real_tell)
    assert (await house.status()).step == committed + 1
    assert committed + 1 not in [result.step for result in await house.results()]
    await house.change()
    assert committed + 1 in [result.step for result in await house.results()]


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_handler_that_dies_at_any_call_loses_and_doubles_nothing(house: House, moment: str) -> None:
    """One wake each of a start, a step, a promotion and a rollback, killed at its first, second … last call."""
    await house.prepare()
    await house.initialized()
    image = 1
    for stop in (Phase.PROGRESSING, Phase.PROMOTING):
        for call in range(14):
            image += 1
            await house.push(f"podinfo:{image}")
            await house.until(stop, settled=False)
            before = await house.status()
            setattr(house.kube, f"die_{moment}", call)
            house.kube._number = 0
            try:
                await house.tick()
            except Crash:
                house.kube.reset()
                await house.wake(house.slot())
            house.kube.reset()
            after = await house.status()
            assert after.step - before.step <= 2
            assert after.canary_weight - before.canary_weight <= 25, "a weight was skipped"
            await house.until(Phase.SUCCEEDED)
            assert await house.image() == f"podinfo:{image}"
    steps = [result.step for result in await house.results()]
    assert sorted(set(steps)) == list(range(1, max(steps) + 1)), "every step is told"


async def test_what_is_pushed_between_analysis_and_promotion_is_never_promoted(house: House) -> None:
    await house.prepare()
    await house.initialized()
    await house.push("podinfo:2")
    await house.tick(2)
    await house.catch_up()

    async def push_in_the_last_moment(method: str, path: str) -> None:
        if method == "PUT" and path.endswith("podinfo-primary"):
            await house.push("podinfo:evil", announce=False)

    house.kube.before = push_in_the_last_moment
    await house.until(Phase.PROMOTING, settled=False)
    house.kube.before = None
    assert await house.image() == "podinfo:2"
    await house.until(Phase.PROGRESSING, settled=False)
    assert await house.image() == "podinfo:2", "the new push is analysed first"


async def test_a_lost_snapshot_starts_the_analysis_again(house: House) -> None:
    await house.prepare()
    await house.initialized()
    await house.push("podinfo:2")
    await house.tick(2)
    await house.catch_up()
    await to_the_promotion(house)
    await house.push("podinfo:3", announce=False)
    for name in await house.snapshots():
        await house.admin.delete(CONTROLLER_REVISION, NAMESPACE, name)
    assert await house.image() == "podinfo:1"
    await house.tick()
    status = await house.status()
    assert status.phase is Phase.PROGRESSING
    assert status.last_step is not None
    assert status.last_step.reason == "SnapshotMissing"
