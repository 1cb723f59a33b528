"""What keeps somebody who comes late from undoing what others did meanwhile: fences, versions, a second look."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.adapters.errors import Conflict
from handlers.objects.workloads import Workloads
from handlers.observe import Observer, Sight
from schemas.gloo import ROUTE_STEP
from schemas.resources import DEPLOYMENT, ROUTE_TABLE
from schemas.status import Phase
from schemas.workload import PRIMARY_STEP, TARGET_STEP
from tests.handlers.house import NAMESPACE, REF, House


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
