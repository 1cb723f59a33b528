"""What keeps somebody who comes late from undoing what others did meanwhile: fences, versions, a second look."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from handlers.adapters.errors import Conflict
from handlers.objects.routing import Router
from handlers.objects.workloads import Workloads
from handlers.observe import Observer, Sight
from schemas.events import ChangeReason
from schemas.gloo import ROUTE_STEP
from schemas.resources import DEPLOYMENT, ROUTE_TABLE
from schemas.status import Phase
from schemas.workload import PRIMARY_STEP, TARGET_STEP
from tests.handlers.house import NAMESPACE, REF, House
from tests.handlers.rollouts import EACH_KIND, progressing


async def _asked(house: House) -> tuple[Observer, Sight]:
    """As it was seen when hooks and metrics were asked."""
    await house.prepare()
    await house.initialized()
    await house.push("podinfo:2")
    await house.tick()
    observer = Observer(house.admin, house.settings, clock=lambda: house.now)
    sight = await observer.look(REF, house.slot())
    assert sight is not None
    assert not await observer.moved(sight)
    return observer, sight


def _fence(name: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {name: "4711"}}}


async def test_a_verdict_is_not_used_when_somebody_else_has_written_the_routes_or_the_target(house: House) -> None:
    observer, sight = await _asked(house)
    for resource, fence in ((ROUTE_TABLE, ROUTE_STEP), (DEPLOYMENT, TARGET_STEP)):
        before = (await house.object(resource, "podinfo"))["metadata"]["annotations"][fence]
        await house.admin.patch(resource, NAMESPACE, "podinfo", _fence(fence))
        assert await observer.moved(sight), fence
        await house.admin.patch(resource, NAMESPACE, "podinfo", {"metadata": {"annotations": {fence: before}}})
        assert not await observer.moved(sight), fence


async def test_a_verdict_is_not_used_when_the_routes_are_others_by_then(house: House) -> None:
    observer, sight = await _asked(house)
    routes = (await house.object(ROUTE_TABLE, "podinfo"))["spec"]["routes"]
    routes[0]["routeAction"]["multi"]["destinations"][1]["weight"] = 7
    await house.admin.patch(ROUTE_TABLE, NAMESPACE, "podinfo", {"spec": {"routes": routes}})
    assert await observer.moved(sight)


async def test_a_verdict_is_not_used_when_the_routes_are_gone_or_were_not_there(house: House) -> None:
    observer, sight = await _asked(house)
    unseen = sight._replace(seen=sight.seen.model_copy(update={"route": None}))
    assert await observer.moved(unseen)
    await house.admin.delete(ROUTE_TABLE, NAMESPACE, "podinfo")
    assert await observer.moved(sight)


async def test_who_fences_a_primary_does_it_with_the_version_that_was_read(house: House) -> None:
    _, sight = await _asked(house)
    status = sight.canary.status
    later = status.model_copy(update={"primary_step": status.step + 1, "step": status.step + 1})
    canary = sight.canary.model_copy(update={"status": later})
    await house.admin.patch(DEPLOYMENT, NAMESPACE, "podinfo-primary", {"metadata": {"labels": {"edited": "yes"}}})
    with pytest.raises(Conflict):
        await Workloads(house.admin).primary(canary, sight.seen)
    found = (await house.object(DEPLOYMENT, "podinfo-primary"))["metadata"]["annotations"]
    assert found[PRIMARY_STEP] == str(status.primary_step)


async def test_who_only_knows_that_the_target_is_to_be_parked_leaves_one_that_a_later_step_runs(house: House) -> None:
    """The fence of the object lies between the step that this status knows and the step that it has reached."""
    observer, _ = await _asked(house)
    await house.command("abort")
    await house.until(Phase.FAILED)
    parked = await observer.look(REF, house.slot())
    await house.push("podinfo:3")
    running = await observer.look(REF, house.slot())
    assert parked is not None
    assert running is not None
    assert await house.replicas() > 0
    step = running.canary.status.step
    status = parked.canary.status.model_copy(update={"step": step})
    stale = parked.canary.model_copy(update={"status": status})
    seen = parked.seen.model_copy(update={"target": running.seen.target})
    await Workloads(house.admin).target(stale, seen)
    assert await house.replicas() > 0


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
async def test_a_delayed_scale_down_of_an_ended_rollout_never_hits_the_next_one(house: House, kind: str) -> None:
    await progressing(house, kind)
    await house.tick()
    await house.command("abort")
    await house.tick()
    await house.catch_up()
    about_to_park, go_on = asyncio.Event(), asyncio.Event()

    async def wait_before_parking(method: str, path: str) -> None:
        if method == "PATCH" and path.endswith(f"/{house.resource.plural}/podinfo"):
            about_to_park.set()
            await go_on.wait()

    # the abort may have been parked already; a new one is not
    await house.push("podinfo:3")
    await house.tick()
    await house.command("abort")
    await house.catch_up()
    house.kube.before = wait_before_parking
    slow = asyncio.create_task(house.tick())
    await asyncio.wait_for(about_to_park.wait(), 20)
    other = house.worker(house.admin)
    await house.push("podinfo:4", announce=False)
    await house.change(ChangeReason.REVISION, worker=other)
    assert (await house.status()).phase is Phase.PROGRESSING
    go_on.set()
    await slow
    house.kube.before = None
    assert await house.replicas() > 0


@EACH_KIND
async def test_a_delayed_template_never_replaces_a_later_one(house: House, kind: str) -> None:
    """An abort while promoting returns the primary; the worker that wanted to copy the canary comes too late."""
    await progressing(house, kind)
    await house.tick(2)
    await house.catch_up()
    about_to_copy, go_on = asyncio.Event(), asyncio.Event()

    async def wait_before_copying(method: str, path: str) -> None:
        if method == "PUT":
            about_to_copy.set()
            await go_on.wait()

    house.kube.before = wait_before_copying
    slow = asyncio.create_task(house.tick())
    await asyncio.wait_for(about_to_copy.wait(), 20)
    reply = await house.command("abort", worker=house.worker(house.admin))
    assert reply.accepted, reply
    go_on.set()
    await slow
    house.kube.before = None
    await house.until(Phase.FAILED)
    assert await house.image() == "podinfo:1"


async def test_objects_are_written_with_the_version_that_was_read(house: House) -> None:
    """Somebody edits the routes between our read and our write: the write is refused, and the next look repairs."""
    await progressing(house)
    await house.catch_up()
    edits = iter(range(1))

    async def edit_first(method: str, path: str) -> None:
        if method == "PATCH" and "routetables" in path and next(edits, None) is not None:
            labels = {"metadata": {"labels": {"edited": "yes"}}}
            await house.admin.patch(ROUTE_TABLE, NAMESPACE, "podinfo", labels)

    house.kube.before = edit_first
    await house.tick()
    assert house.kube.made[-1].startswith("PATCH")
    assert sum("PATCH" in call and "routetables" in call for call in house.kube.made[-8:]) == 1
    assert await house.weight() == 25


async def test_answers_about_pods_that_are_gone_meanwhile_are_no_verdict(house: House) -> None:
    """A slow hook: while it answers, somebody pushes. What it says is about the old pods and counts for nothing."""
    hooks = [{"name": "load", "type": "rollout", "url": f"{house.answering.url}/hook/load"}]
    await house.prepare(analysis={"webhooks": hooks})
    await house.initialized()
    await house.push("podinfo:2")
    await house.tick()

    async def push_meanwhile(name: str) -> None:
        house.answering.meanwhile = None
        await house.push("podinfo:3", announce=False)
        await asyncio.sleep(1.05)  # the rule is about answers that took more than a second

    house.answering.meanwhile = push_meanwhile
    await house.tick()
    status = await house.status()
    assert status.canary_weight == 25
    assert status.failed_checks == 0


@EACH_KIND
async def test_an_old_status_never_overwrites_what_a_later_step_has_written(house: House, kind: str) -> None:
    """The worst case: a worker that kept a status for long, and reads the objects as they are now."""
    await progressing(house, kind)
    await house.tick()
    observer = Observer(house.admin, house.settings)
    old = await observer.look(REF, house.slot())
    assert old is not None
    await house.until(Phase.SUCCEEDED)
    await house.push("podinfo:3")
    await house.tick(2)
    fresh = await observer.look(REF, house.slot())
    assert fresh is not None

    async def written() -> tuple[object, ...]:
        copied = await house.selector("podinfo-canary")
        return await house.weight(), await house.image(), await house.replicas(), copied

    before = await written()
    # as far as the old status knows, no later step exists
    known = fresh.canary.status.model_copy(
        update={
            "canary_weight": old.canary.status.canary_weight,
            "route_step": old.canary.status.route_step,
            "primary_step": old.canary.status.primary_step,
            "primary_revision": old.canary.status.primary_revision,
            "target_step": old.canary.status.target_step,
            "canary_revision": old.canary.status.canary_revision,
        }
    )
    stale = fresh.canary.model_copy(update={"status": known})
    await Router(house.admin, house.settings).apply(stale, fresh.seen, everything=False)
    workloads = Workloads(house.admin)
    await workloads.primary(stale, fresh.seen)
    await workloads.target(stale, fresh.seen)
    assert await written() == before
