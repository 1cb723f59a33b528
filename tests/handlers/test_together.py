"""Whole stories with watcher and handlers: whatever happens is followed up at once, not at the next resync or slot."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from deploy.sandbox.kube import EmbeddedKubernetes
from handlers.adapters.round_trip import round_trip
from schemas.events import Change, ChangeReason
from schemas.resources import CANARY, DEPLOYMENT, ROUTE_TABLE, SERVICE, UPSTREAM, Resource
from schemas.status import CanaryStatus, Phase
from tests.handlers.house import NAMESPACE, House, canary_object, deployment
from tests.handlers.together import PATIENCE, Together, surroundings, together

SELDOM = {"interval": "30m"}
"""Nothing that a story waits for after this may be owed to a tick."""


@pytest.fixture
async def people(
    house: House, kubernetes: EmbeddedKubernetes, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Together]:
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.kubeconfig))
    async with together(house, kubernetes) as people:
        yield people


@pytest.fixture
async def alone(
    house: House, kubernetes: EmbeddedKubernetes, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Together]:
    """Watcher and handlers run when a story says so."""
    monkeypatch.setenv("KUBECONFIG", str(kubernetes.kubeconfig))
    async with surroundings(house, kubernetes) as people:
        yield people


def at_rest(phase: Phase) -> Callable[[CanaryStatus], bool]:
    return lambda status: status.phase is phase and status.settled


async def initialized(people: Together, **spec: Any) -> None:
    """And from now on nobody ticks."""
    await people.house.prepare(analysis={"interval": "1s"}, **spec)
    await people.until(at_rest(Phase.INITIALIZED))
    await people.calm(analysis=SELDOM)


async def with_users(people: Together, **spec: Any) -> None:
    """A rollout with traffic on the canary; from now on nobody ticks."""
    await people.house.prepare(analysis={"interval": "1s", "stepWeight": 50}, **spec)
    await people.until(at_rest(Phase.INITIALIZED))
    await people.house.push("podinfo:2", announce=False)
    await people.until(lambda status: status.canary_weight == 50)
    await people.calm(analysis=SELDOM)
    assert (await people.house.status()).phase is Phase.PROGRESSING


async def test_a_rollout_goes_on_when_its_interval_is_made_shorter(people: Together) -> None:
    await with_users(people)
    await people.edit(analysis={"interval": "1s"})
    await people.until(at_rest(Phase.SUCCEEDED))
    assert await people.house.image() == "podinfo:2"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (ROUTE_TABLE, "podinfo"),
        (UPSTREAM, "default-podinfo-canaryupstream-9898"),
        (SERVICE, "podinfo-canary"),
        (DEPLOYMENT, "podinfo-primary"),
    ],
    ids=lambda value: value.kind if isinstance(value, Resource) else value,
)
async def test_what_somebody_deletes_in_mid_rollout_is_made_again_at_once(
    people: Together, kind: Resource, name: str
) -> None:
    await with_users(people)
    lost = await people.house.object(kind, name)
    await people.house.admin.delete(kind, NAMESPACE, name)
    await people.exists(kind, name, lambda item: item["metadata"]["uid"] != lost["metadata"]["uid"])
    await people.exists(ROUTE_TABLE, "podinfo", lambda item: "'weight': 50" in str(item["spec"]))
    status = await people.house.status()
    assert (status.phase, status.canary_weight) == (Phase.PROGRESSING, 50)


@pytest.mark.parametrize(
    ("kind", "name", "edit"),
    [
        (SERVICE, "podinfo", {"selector": {"app": "nobody"}}),
        (SERVICE, "podinfo-canary", {"selector": None}),
        (UPSTREAM, "default-podinfo-primaryupstream-9898", {"kube": {"serviceName": "nobody"}}),
        (ROUTE_TABLE, "podinfo", {"routes": []}),
        (DEPLOYMENT, "podinfo-primary", {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}),
    ],
    ids=lambda value: value.kind if isinstance(value, Resource) else "",
)
async def test_what_somebody_edits_in_mid_rollout_is_mended_at_once(
    people: Together, kind: Resource, name: str, edit: dict[str, Any]
) -> None:
    await with_users(people)
    before, right = await people.house.status(), await people.house.object(kind, name)
    broken = await people.house.admin.patch(kind, NAMESPACE, name, {"spec": edit})
    assert broken["spec"] != right["spec"]
    await people.exists(kind, name, lambda item: item["spec"] == right["spec"])
    status = await people.house.status()
    assert (status.phase, status.canary_weight) == (Phase.PROGRESSING, 50)
    assert (status.failed_checks, status.last_tick) == (before.failed_checks, before.last_tick)


async def test_what_we_write_ourselves_from_the_first_object_to_a_promotion_is_no_drift(people: Together) -> None:
    house = people.house
    heard = await house.bus.client.subscribe("canary.revision.drift.>")
    await round_trip(house.bus.client)
    await house.prepare(analysis={"interval": "200ms", "stepWeight": 25})
    await people.until(at_rest(Phase.INITIALIZED))
    await house.push("podinfo:2", announce=False)
    await people.until(at_rest(Phase.SUCCEEDED))
    # what was told of an object was told before this of its kind
    ours = [(ROUTE_TABLE, "podinfo", {"routes": []}), (DEPLOYMENT, "podinfo-primary", {"paused": True})]
    first, *_ = [await house.admin.patch(kind, NAMESPACE, name, {"spec": edit}) for kind, name, edit in ours]
    awaited, versions = {f"{kind.kind}/{name}" for kind, name, _ in ours}, []
    while awaited:
        told = orjson.loads((await heard.next_msg(timeout=PATIENCE)).data)
        awaited.discard(told["object"])
        versions.append(int(told["version"]))
    assert min(versions) >= int(first["metadata"]["resourceVersion"])


async def test_a_lost_service_comes_back_although_weaker_news_came_before_anybody_had_time_for_it(
    alone: Together,
) -> None:
    house = alone.house
    async with alone.watcher():
        async with alone.handlers():
            await with_users(alone)
        heard = await house.bus.client.subscribe("canary.revision.>")
        await round_trip(house.bus.client)
        await house.admin.delete(SERVICE, NAMESPACE, "podinfo-canary")
        await alone.tells("drift", heard)
        ready = Change(namespace=NAMESPACE, name="podinfo", uid=house.uid, reason=ChangeReason.READY, version="1")
        await house.bus.publish(ready, source="test")
        async with alone.handlers():
            await alone.exists(SERVICE, "podinfo-canary")
    assert (await house.status()).phase is Phase.PROGRESSING


@pytest.mark.parametrize(
    ("kind", "name"),
    [(SERVICE, "podinfo-canary"), (UPSTREAM, "default-podinfo-primaryupstream-9898"), (ROUTE_TABLE, "podinfo")],
    ids=lambda value: value.kind if isinstance(value, Resource) else value,
)
async def test_what_somebody_deletes_while_no_watcher_runs_is_made_again_by_the_next_one(
    alone: Together, kind: Resource, name: str
) -> None:
    async with alone.handlers():
        async with alone.watcher():
            await with_users(alone)
        await alone.house.admin.delete(kind, NAMESPACE, name)
        async with alone.watcher():
            await alone.exists(kind, name)
    assert (await alone.house.status()).canary_weight == 50


async def test_users_are_taken_from_a_target_that_somebody_scales_to_zero(people: Together) -> None:
    await with_users(people)
    await people.scale("podinfo", 0)
    ended = await people.until(lambda status: status.phase is Phase.FAILED)
    assert ended.last_step is not None
    assert ended.last_step.reason == "TargetMissing"
    await people.exists(ROUTE_TABLE, "podinfo", lambda item: "'weight': 50" not in str(item["spec"]))


async def test_users_are_taken_from_a_target_that_somebody_deletes(people: Together) -> None:
    await with_users(people)
    await people.house.admin.delete(DEPLOYMENT, NAMESPACE, "podinfo")
    ended = await people.until(lambda status: status.phase is Phase.FAILED)
    assert ended.canary_weight == 0


async def test_a_revert_during_the_analysis_ends_it(people: Together) -> None:
    await with_users(people)
    await people.house.push("podinfo:1", announce=False)
    ended = await people.until(lambda status: status.phase is Phase.SUCCEEDED)
    assert (ended.canary_weight, ended.failed_checks) == (0, 0)
    assert await people.house.image() == "podinfo:1"


async def test_a_push_during_the_promotion_is_analysed_after_it(people: Together) -> None:
    await with_users(people)
    await people.house.push("podinfo:3", announce=False)
    await people.until(lambda status: status.phase is Phase.PROGRESSING and status.canary_weight == 0)
    await people.edit(skipAnalysis=True)
    await people.until(lambda status: status.phase is Phase.PROMOTING)
    await people.edit(skipAnalysis=False)
    await people.house.push("podinfo:4", announce=False)
    promoted = await people.until(lambda status: status.phase is Phase.SUCCEEDED)
    following = await people.until(lambda status: status.phase is Phase.PROGRESSING)
    assert following.promoted_revision == promoted.promoted_revision
    assert await people.house.image() == "podinfo:3"


async def test_without_analysis_a_push_is_through_before_the_next_slot(people: Together) -> None:
    await initialized(people, skipAnalysis=True)
    await people.house.push("podinfo:2", announce=False)
    await people.until(at_rest(Phase.SUCCEEDED))
    assert await people.house.image() == "podinfo:2"
    assert await people.house.replicas() == 0


async def test_a_suspended_rollout_is_left_alone_and_looks_up_when_it_may_go_on(people: Together) -> None:
    await with_users(people)
    await people.edit(suspend=True)
    await people.until(lambda status: status.last_step is not None and status.last_step.reason == "Suspended")
    await people.house.push("podinfo:3", announce=False)
    await people.edit(suspend=False)
    restarted = await people.until(lambda status: status.canary_weight == 0)
    assert restarted.phase is Phase.PROGRESSING
    suspended = [status for _, status in people.seen if status.last_step and status.last_step.reason == "Suspended"]
    assert {status.canary_weight for status in suspended} == {50}


async def test_a_canary_deleted_in_mid_rollout_leaves_nothing_for_the_next_of_its_name(people: Together) -> None:
    await with_users(people)
    await people.house.admin.delete(CANARY, NAMESPACE, "podinfo")
    await people.house.canary(analysis={"interval": "1s"})
    begun = await people.until(at_rest(Phase.INITIALIZED))
    assert await people.house.image() == "podinfo:2"
    assert begun.promoted_revision == begun.canary_revision
    assert (await people.house.bus.js.stream_info("CANARY_DLQ")).state.messages == 0


async def test_a_deleted_primary_is_made_again_while_nothing_runs(people: Together) -> None:
    await initialized(people)
    lost = await people.house.object(DEPLOYMENT, "podinfo-primary")
    await people.house.admin.delete(DEPLOYMENT, NAMESPACE, "podinfo-primary")
    made = await people.exists(
        DEPLOYMENT, "podinfo-primary", lambda item: item["metadata"]["uid"] != lost["metadata"]["uid"]
    )
    assert made["spec"] == lost["spec"]


async def test_a_canary_that_comes_before_its_target_begins_when_that_is_there(people: Together) -> None:
    await people.house.admin.create(CANARY, canary_object(analysis=SELDOM))
    await people.until(lambda status: status.invalid)
    await people.house.admin.create(DEPLOYMENT, deployment())
    begun = await people.until(lambda status: status.phase is Phase.INITIALIZED)
    assert begun.promoted_revision == begun.canary_revision != ""


async def test_the_younger_of_two_canaries_begins_when_the_older_one_goes(people: Together) -> None:
    await initialized(people)
    younger = canary_object(analysis=SELDOM)
    younger["metadata"]["name"] = "younger"
    await people.house.admin.create(CANARY, younger)
    await people.until(lambda status: status.invalid, name="younger")
    await people.house.admin.delete(CANARY, NAMESPACE, "podinfo")
    begun = await people.until(lambda status: not status.invalid, name="younger")
    assert begun.phase in (Phase.INITIALIZING, Phase.INITIALIZED)


async def test_a_silent_gateway_and_a_drain_are_not_waited_for_by_the_interval(people: Together) -> None:
    people.gloo.says = None
    await people.house.prepare(analysis=SELDOM)
    begun = await people.until(at_rest(Phase.INITIALIZED), seconds=12)
    assert begun.gateway_silent
    assert await people.house.replicas() == 0


async def test_lost_streams_cost_a_rollout_only_time(people: Together) -> None:
    await with_users(people)
    for stream in ("TICKS", "REVISIONS", "RESULTS", "NOTICES", "COMMANDS", "DLQ"):
        await people.house.bus.js.delete_stream(f"CANARY_{stream}")
    await people.edit(analysis={"interval": "1s"})
    await people.until(lambda status: status.phase is Phase.SUCCEEDED)
    assert await people.house.image() == "podinfo:2"
