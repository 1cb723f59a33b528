"""Odd moments: what is gone, refused or meant for somebody else neither wedges a Canary nor makes noise."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from schemas.events import Change, ChangeReason, NoticeMessage, Tick
from schemas.resources import CANARY, CONTROLLER_REVISION, DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER, UPSTREAM, Resource
from schemas.status import Phase
from tests.handlers.house import NAMESPACE, House, canary_object


async def _with_users(house: House, **spec: Any) -> None:
    await house.prepare(**spec)
    await house.initialized()
    await house.push("podinfo:2")
    await house.tick()
    assert await house.weight() == 25


async def _forgetful(house: House) -> None:
    """A broker that soon forgets which messages it had."""
    config = (await house.bus.js.stream_info("CANARY_RESULTS")).config
    await house.bus.js.update_stream(config.evolve(duplicate_window=0.1))


async def test_an_upstream_that_the_gateway_misses_is_made_again_by_any_tick(house: House) -> None:
    """The word of its deletion may be lost: the watcher was away, or a newer change took its place."""
    await _with_users(house)
    name = "default-podinfo-canaryupstream-9898"
    await house.admin.delete(UPSTREAM, NAMESPACE, name)
    house.gateway = "Warning"
    await house.tick()
    await house.tick()
    assert await house.admin.find(UPSTREAM, NAMESPACE, name) is not None
    assert (await house.status()).phase is Phase.PROGRESSING


async def test_a_suspended_canary_that_the_gateway_refuses_says_so_once(house: House) -> None:
    await _with_users(house)
    house.gateway = "Warning"
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"suspend": True}})
    await house.tick()
    held = await house.status()
    await house.tick(3)
    assert (await house.status()).step == held.step


async def test_a_canary_deleted_during_its_tick_is_nobodys_fault(house: House) -> None:
    hook = {"name": "load", "type": "rollout", "url": f"{house.answering.url}/hook/load"}
    await _with_users(house, analysis={"webhooks": [hook]})

    async def delete(_name: str) -> None:
        await house.admin.delete(CANARY, NAMESPACE, "podinfo")

    house.answering.meanwhile = delete
    reply = await house.tick()
    assert (reply.accepted, reply.code) == (False, 404)


async def test_what_was_meant_for_a_namesake_that_is_gone_is_not_judged(house: House) -> None:
    await _with_users(house)
    before = await house.status()
    await house.catch_up()
    house.now += timedelta(seconds=10)
    tick = Tick(namespace=NAMESPACE, name="podinfo", uid="the one before", slot=house.now, interval=10)
    assert (await house.wake(tick)).code == 404
    assert await house.status() == before


async def test_a_canary_outside_our_namespaces_is_left_alone(house: House) -> None:
    await house.prepare()
    house.settings = house.settings.model_copy(update={"namespaces": ("elsewhere",)})
    reply = await house.change(ChangeReason.SPEC, house.worker())
    assert reply.code == 404
    assert "status" not in await house.object(CANARY, "podinfo")


async def test_a_result_is_told_once_however_long_the_interval(house: House) -> None:
    """The broker drops a message id only for a while; afterwards hooks would hear everything twice."""
    await _forgetful(house)
    await _with_users(house)
    for _ in range(3):
        await asyncio.sleep(0.2)  # the broker's own clock runs
        house.now += timedelta(minutes=10)
        await house.tick()
    steps = [result.step for result in await house.results()]
    assert len(steps) == len(set(steps)) > 3


async def test_a_result_that_was_lost_is_told_by_the_next_wake_however_late(house: House) -> None:
    await _forgetful(house)
    await _with_users(house)
    last = (await house.status()).step
    await house.bus.js.purge_stream("CANARY_RESULTS")
    await asyncio.sleep(0.2)  # the broker's own clock runs
    house.now += timedelta(minutes=10)
    change = Change(namespace=NAMESPACE, name="podinfo", uid=house.uid, reason=ChangeReason.READY, version="1")
    await house.wake(change)
    assert (await house.results())[0].step == last


@pytest.mark.parametrize("other", ["rollout", "post-rollout", "rollback"])
async def test_a_hook_of_another_type_with_the_same_name_hears_nothing_of_events(house: House, other: str) -> None:
    hooks = [
        {"name": "same", "type": "event", "url": f"{house.answering.url}/hook/event"},
        {"name": "same", "type": other, "url": f"{house.answering.url}/hook/{other}"},
    ]
    await house.prepare(analysis={"webhooks": hooks})
    notifier = house.notifier()
    subscription = await house.bus.js.pull_subscribe_bind("notices", "CANARY_NOTICES")
    await house.initialized()
    for result in await house.results():
        await notifier.on_result(result)
    messages = await subscription.fetch(100, timeout=0.5)
    for message in messages:
        await notifier.on_notice(NoticeMessage.model_validate_json(message.data))
    assert set(house.answering.asked) == {"event"}


@pytest.mark.parametrize(
    ("field", "kind", "group"),
    [("upstreamRef", UPSTREAM, "gloo.solo.io/v1"), ("autoscalerRef", HORIZONTAL_POD_AUTOSCALER, "autoscaling/v2")],
    ids=["upstreamRef", "autoscalerRef"],
)
async def test_a_reference_to_nothing_is_said_and_heals(house: House, field: str, kind: Resource, group: str) -> None:
    named: dict[str, Any] = {field: {"apiVersion": group, "kind": kind.kind, "name": "theirs"}}
    await house.prepare(**named)
    await house.change(ChangeReason.SPEC)
    held = next(item for item in (await house.status()).conditions if item.type == "Held")
    assert held.reason == "Invalid"
    assert held.message == f"spec.{field}: {kind.kind} theirs.default not found; create it or mend the name"
    scaled = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}, "maxReplicas": 2}
    spec = scaled if kind is HORIZONTAL_POD_AUTOSCALER else {"kube": {"serviceName": "theirs", "servicePort": 9898}}
    await house.admin.create(kind, {"metadata": {"name": "theirs", "namespace": NAMESPACE}, "spec": spec})
    await house.until(Phase.INITIALIZED)
    await house.admin.delete(kind, NAMESPACE, "theirs")
    await house.change(ChangeReason.RESYNC)
    await house.push("podinfo:2")
    await house.until(Phase.SUCCEEDED)


@pytest.mark.parametrize("why", ["deleted", "invalid"])
async def test_a_rollout_that_nobody_judges_writes_no_status_at_each_slot(house: House, why: str) -> None:
    await _with_users(house)
    if why == "deleted":
        held = {"metadata": {"finalizers": ["example.com/keeps-it"]}}
        await house.admin.patch(CANARY, NAMESPACE, "podinfo", held)
        await house.admin.delete(CANARY, NAMESPACE, "podinfo")
    else:
        await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"analysis": {"mirror": True}}})
    await house.tick(2)
    before = await house.object(CANARY, "podinfo")
    await house.tick(2)
    assert (await house.object(CANARY, "podinfo"))["metadata"]["resourceVersion"] == (
        before["metadata"]["resourceVersion"]
    )


async def test_a_canary_of_another_controller_on_the_same_target_does_not_keep_ours_from_working(house: House) -> None:
    theirs = canary_object(provider="istio")
    theirs["metadata"]["name"] = "a-first"
    await house.definitions()
    await house.admin.create(CANARY, theirs)
    await house.prepare()
    await house.initialized()
    assert not (await house.status()).invalid


async def test_a_primary_that_nothing_is_left_to_make_from_is_said_and_comes_back_with_its_revision(
    house: House,
) -> None:
    await _with_users(house)
    await house.command("abort")
    await house.until(Phase.FAILED)
    for name in await house.snapshots():
        await house.admin.delete(CONTROLLER_REVISION, NAMESPACE, name)
    await house.admin.delete(DEPLOYMENT, NAMESPACE, "podinfo-primary")
    await house.tick(2)
    held = next(item for item in (await house.status()).conditions if item.type == "Held")
    assert (held.status, held.reason) == ("True", "SnapshotMissing")
    await house.push("podinfo:1")
    await house.until(Phase.FAILED)
    assert await house.image() == "podinfo:1"


async def test_a_status_that_only_a_newer_release_can_read_is_left_to_that_and_said_once(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await _with_users(house)
    await house.strange()
    theirs = await house.object(CANARY, "podinfo")
    text = "Canary podinfo.default is left alone: status.returning is {'phase': 'Landing'}, which this release does not"
    for reply in (await house.tick(2), await house.change(), await house.command("abort")):
        assert (reply.accepted, reply.code) == (False, 500)
        assert reply.message.startswith(text)
    assert await house.object(CANARY, "podinfo") == theirs
    assert await house.weight() == 25
    told = [result for result in await house.results() if result.reason == "Unreadable"]
    assert [(one.step, one.receivers, len(one.notices)) for one in told] == [(0, ("kubernetes",), 1)]
    assert told[0].message in caplog.text
    mended = {"status": {"returning": None}}
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", mended, subresource="status")
    await house.tick()
    assert await house.weight() == 50


async def test_the_strange_status_of_another_controllers_canary_is_none_of_our_business(house: House) -> None:
    await house.prepare(provider="istio")
    await house.strange()
    assert (await house.change()).code == 404
    assert (await house.bus.js.stream_info("CANARY_RESULTS")).state.messages == 0
