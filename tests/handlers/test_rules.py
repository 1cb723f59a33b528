"""The rules that keep several workers from undoing each other (design section 9), at the border to the cluster.

Those that are decided without any I/O are shown in tests/handlers/core.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from handlers.adapters.errors import Conflict
from schemas.events import ChangeReason
from schemas.gloo import ROUTE_STEP
from schemas.resources import CANARY, ROUTE_TABLE, SERVICE
from schemas.status import Phase
from schemas.workload import PRIMARY_STEP, TARGET_STEP
from tests.handlers.house import NAMESPACE, House
from tests.handlers.neighbours import Crash
from tests.handlers.rollouts import EACH_KIND, progressing, to_the_promotion


@EACH_KIND
async def test_every_projected_object_carries_the_step_at_which_its_desired_value_changed(
    house: House, kind: str
) -> None:
    await progressing(house, kind)
    await house.tick()
    status = await house.status()
    for resource, name, fence, step in (
        (ROUTE_TABLE, "podinfo", ROUTE_STEP, status.route_step),
        (house.resource, "podinfo", TARGET_STEP, status.target_step),
        (house.resource, "podinfo-primary", PRIMARY_STEP, status.primary_step),
    ):
        found = await house.object(resource, name)
        assert found["metadata"]["annotations"][fence] == str(step)


async def test_objects_are_read_before_the_canary_that_they_are_judged_by(house: House) -> None:
    await progressing(house)
    house.kube.reset()
    await house.tick()
    reads = [call.rsplit("/", 2)[-2] for call in house.kube.made if call.startswith("GET")]
    assert sorted(reads[:3]) == ["deployments", "deployments", "routetables"]
    assert reads[3] == "canaries"


async def test_a_missing_route_table_is_made_harmless_first(house: House) -> None:
    """Creating has no guard: a delayed creator must not bring an old weight into the world."""
    await progressing(house)
    await house.tick()
    await house.admin.delete(ROUTE_TABLE, NAMESPACE, "podinfo")
    house.now += timedelta(seconds=1)
    house.kube.reset()
    met: list[int] = []

    async def notice(method: str, path: str) -> None:
        if method == "PATCH" and "routetables" in path:
            met.append(await house.weight())

    house.kube.before = notice
    await house.change()
    made = [call.split("/")[0].strip() for call in house.kube.made if "routetables" in call or "canaries" in call]
    assert met == [0]
    assert made[made.index("POST") :] == ["POST", "GET", "GET", "PATCH"], "the Canary is read again before the weight"
    assert await house.weight() == (await house.status()).canary_weight == 25


async def test_a_conflict_while_projecting_looks_again_and_never_acks_unfinished_work(house: House) -> None:
    await progressing(house)
    await house.catch_up()
    conflicts = iter(range(3))

    async def refuse(method: str, path: str) -> None:
        if method == "PATCH" and "routetables" in path and next(conflicts, None) is not None:
            raise Conflict("on purpose")

    house.kube.before = refuse
    await house.tick()
    assert await house.weight() == 25


async def test_a_terminal_commit_whose_worker_died_is_finished_by_the_next_wake(house: House) -> None:
    await progressing(house)
    await house.tick()

    async def die_before_the_route(method: str, path: str) -> None:
        if method == "PATCH" and "routetables" in path:
            raise Crash

    house.kube.before = die_before_the_route
    try:
        await house.command("abort")
    except Crash:
        house.kube.before = None
    status = await house.status()
    assert status.phase is Phase.FAILED
    assert not status.settled
    assert await house.weight() == 25, "nobody has written it yet"
    await house.tick()
    assert await house.weight() == 0
    await house.until(Phase.FAILED)
    assert await house.replicas() == 0


async def test_a_suspended_canary_is_finished_and_then_left_alone(house: House) -> None:
    await progressing(house)
    await house.tick()
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": {"suspend": True}})
    await house.tick(2)
    status = await house.status()
    assert status.canary_weight == 25
    assert await house.weight() == 25
    held = next(item for item in status.conditions if item.type == "Held")
    assert held.message == "skipping canary run as object is suspended, canary weight stays at 25"
    await house.command("abort")
    assert (await house.status()).phase is Phase.FAILED, "abort still works"
    await house.until(Phase.FAILED)
    routes = (await house.object(ROUTE_TABLE, "podinfo"))["spec"]["routes"]
    routes[0]["routeAction"]["multi"]["destinations"][1]["weight"] = 7
    await house.admin.patch(ROUTE_TABLE, NAMESPACE, "podinfo", {"spec": {"routes": routes}})
    await house.change(ChangeReason.DRIFT)
    assert await house.weight() == 7, "hands off, repair included"


@EACH_KIND
async def test_promotion_copies_the_snapshot_when_the_target_has_moved_on(house: House, kind: str) -> None:
    await progressing(house, kind)
    await house.tick(2)
    await to_the_promotion(house)
    await house.push("podinfo:3", announce=False)
    await house.change()
    assert await house.image() == "podinfo:2"


@EACH_KIND
async def test_an_abort_while_promoting_brings_the_promoted_snapshot_back(house: House, kind: str) -> None:
    await progressing(house, kind)
    await house.until(Phase.PROMOTING, settled=False)
    assert await house.image() == "podinfo:2"
    await house.command("abort")
    assert await house.image() == "podinfo:1"
    await house.until(Phase.FAILED)
    assert await house.weight() == 0


async def test_a_target_is_parked_a_drain_after_its_service_was_seen_to_lead_to_the_primary(house: House) -> None:
    """A handler that died in between has committed that everything is done."""
    house.settings = house.settings.model_copy(update={"drain": 15.0})
    house.advance = house.worker()
    await house.prepare(replicas=2)
    ports = [{"port": 9898, "name": "http"}]
    place = {"name": "podinfo", "namespace": NAMESPACE}
    await house.admin.create(SERVICE, {"metadata": place, "spec": {"selector": {"app": "podinfo"}, "ports": ports}})

    async def dies(method: str, path: str) -> None:
        if method == "PATCH" and path.endswith("/services/podinfo"):
            raise Crash

    house.kube.before = dies
    with pytest.raises(Crash):
        await house.until(Phase.INITIALIZED)
    house.kube.before = None
    assert (await house.status()).phase is Phase.INITIALIZED
    await house.tick(2)
    assert (await house.selector("podinfo"), await house.replicas()) == ({"app": "podinfo-primary"}, 2)
    await house.tick()
    assert await house.replicas() == 0
