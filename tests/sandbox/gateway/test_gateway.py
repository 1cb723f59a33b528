"""The gateway as its users meet it: objects in the Kubernetes API, requests at Envoy, statuses in the objects."""

from __future__ import annotations

import asyncio

import pytest

from deploy.sandbox.gateway.reporter import Pace, Reporter
from deploy.sandbox.gateway.snapshot import Report
from deploy.sandbox.mirror import Mirror, ref_of
from handlers.adapters.errors import Conflict
from schemas.resources import ENDPOINT_SLICE, ROUTE_TABLE, UPSTREAM, VIRTUAL_SERVICE
from tests.sandbox.gateway import objects
from tests.sandbox.gateway.objects import delegating, route_table, single, upstream_name, weighted
from tests.sandbox.gateway.world import World, judged, told, under_proxy

pytestmark = pytest.mark.e2e
ACCEPTED = {"state": "Accepted"}


async def test_what_is_there_at_the_start_is_served_and_reported(world: World) -> None:
    await world.delegate()
    await world.apply(ROUTE_TABLE, route_table(weighted(100, 0)))
    async with world.gateway() as asking:
        assert await world.verdict() == ACCEPTED
        assert await world.verdict(VIRTUAL_SERVICE) == ACCEPTED
        assert await asking.get(host=world.host) == (200, "primary")
        upstream = (await world.until(UPSTREAM, upstream_name("canary"), lambda item: bool(told(item))))[-1]
    assert told(upstream) == {"reportedBy": "gloo", "state": "Accepted"}


async def test_a_change_that_clears_the_status_is_pending_before_it_is_accepted(world: World) -> None:
    await world.delegate()
    await world.apply(ROUTE_TABLE, route_table(weighted(100, 0)))
    async with world.gateway() as asking:
        await world.verdict()
        written = await world.patch_routes(weighted(0, 100))
        cleared, pending, accepted = await world.until(ROUTE_TABLE, "podinfo", judged, since=written)
        assert await asking.get(host=world.host) == (200, "canary")
    assert told(cleared) == {}
    assert told(pending)["state"] == "Accepted"
    assert under_proxy(pending) == {}
    assert under_proxy(accepted) == ACCEPTED
    versions = [int(item["metadata"]["resourceVersion"]) for item in (cleared, pending, accepted)]
    assert versions == sorted(set(versions))
    generations = [item["metadata"]["generation"] for item in (cleared, pending, accepted)]
    assert generations == sorted(set(generations)), "without a status subresource each write is a generation"


async def test_the_verdict_after_a_cleared_status_is_one_on_the_spec_that_came_with_it(world: World) -> None:
    """The second change comes while the verdict on the first is on its way, and is translated after it was due."""
    await world.delegate()
    await world.apply(ROUTE_TABLE, route_table(weighted(100, 0)))
    async with world.gateway(batch=0.6, delay=(0.1, 0.1)) as asking:
        await world.verdict()
        await world.patch_routes(weighted(50, 50))
        await world.until(ROUTE_TABLE, "podinfo", lambda item: bool(told(item)))
        await world.patch_routes(weighted(0, 0))
        assert (await world.verdict())["state"] == "Rejected"
        await world.patch_routes(weighted(0, 100))
        assert await world.verdict() == ACCEPTED
        assert await asking.get(host=world.host) == (200, "canary")


async def test_a_verdict_on_an_old_read_is_not_written(world: World) -> None:
    """The reporter has not heard yet that the routes have changed."""
    await world.delegate()
    old = await world.apply(ROUTE_TABLE, route_table(weighted(100, 0)))
    mirror = Mirror(world.kube, [ROUTE_TABLE])
    following = asyncio.create_task(mirror.run())
    await mirror.listed()
    following.cancel()
    new = await world.patch_routes(weighted(0, 100))
    reporter = Reporter(world.kube, mirror, namespace="gloo-system", proxy_name="gateway-proxy", pace=Pace(0, 0))
    reporter.consider({(ROUTE_TABLE, ref_of(old)): Report(spec=old["spec"])})
    await reporter.settled()
    assert await world.get(ROUTE_TABLE, "podinfo") == new


async def test_a_route_without_weight_is_rejected_and_the_old_one_goes_on(world: World) -> None:
    await world.delegate()
    await world.apply(ROUTE_TABLE, route_table(weighted(0, 100)))
    async with world.gateway() as asking:
        await world.verdict()
        await world.patch_routes(weighted(0, 0))
        verdict = await world.verdict()
        assert await asking.get(host=world.host) == (200, "canary")
        assert told(await world.get(ROUTE_TABLE, "podinfo"))["state"] == "Accepted"
    assert verdict["state"] == "Rejected"
    assert "require a total weight that is greater than or equal to 1" in verdict["reason"]


async def test_an_invalid_regular_expression_is_accepted_by_gloo_and_refused_by_envoy(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.delegate()
    await world.apply(ROUTE_TABLE, route_table(weighted(100, 0)))
    async with world.gateway() as asking:
        await world.verdict()
        header = {"name": "user-agent", "value": "(?!Chrome", "regex": True}
        await world.patch_routes(weighted(0, 100, matchers=[{"headers": [header]}]), weighted(0, 100))
        assert await world.verdict() == ACCEPTED
        assert await asking.get(host=world.host) == (200, "primary")
        await world.patch_routes(weighted(0, 100))
        assert await world.verdict() == ACCEPTED
        assert await asking.get(host=world.host) == (200, "canary")
    assert capsys.readouterr().err.count("Envoy refuses the routes (rds update_rejected 1)") == 1


async def test_a_missing_route_table_is_a_warning_and_a_404_until_it_is_there(world: World) -> None:
    await world.delegate()
    async with world.gateway() as asking:
        item = (await world.until(VIRTUAL_SERVICE, "podinfo", judged))[-1]
        assert told(item)["state"] == "Warning"
        assert f"route table {world.name}.podinfo missing" in told(item)["reason"]
        assert (await asking.get(host=world.host))[0] == 404
        await world.apply(ROUTE_TABLE, route_table(weighted(100, 0)))
        await world.answers(asking, (200, "primary"))
        await world.until(
            VIRTUAL_SERVICE, "podinfo", lambda item: told(item).get("state") == "Accepted" and judged(item)
        )
        assert "reason" not in told(await world.get(VIRTUAL_SERVICE, "podinfo"))


async def test_an_unknown_upstream_is_a_warning_until_it_is_there(world: World) -> None:
    name = upstream_name("canary")
    await world.kube.delete(UPSTREAM, world.name, name)
    await world.delegate()
    await world.apply(ROUTE_TABLE, route_table(single("canary")))
    async with world.gateway() as asking:
        verdict = await world.verdict()
        assert verdict["state"] == "Warning"
        assert verdict["reason"].endswith(f"*v1.Upstream {{ {world.name}.{name} }} not found")
        assert (await asking.get(host=world.host))[0] == 500
        await world.apply(UPSTREAM, objects.upstream("canary"))
        await world.answers(asking, (200, "canary"))
        await world.until(ROUTE_TABLE, "podinfo", lambda item: under_proxy(item) == ACCEPTED)


async def test_nothing_is_said_of_a_route_table_to_which_nobody_delegates(world: World) -> None:
    await world.apply(ROUTE_TABLE, route_table(weighted(100, 0), name="orphan"))
    await world.delegate()
    await world.apply(ROUTE_TABLE, route_table(weighted(100, 0)))
    async with world.gateway():
        await world.verdict()
        assert told(await world.get(ROUTE_TABLE, "orphan")) == {}
        await world.delegate(delegating("orphan"))
        assert await world.verdict(name="orphan") == ACCEPTED


async def test_a_status_that_holds_is_not_written_again(world: World) -> None:
    await world.delegate(delegating(), delegating("other"))
    for name in ("podinfo", "other"):
        await world.apply(ROUTE_TABLE, route_table(weighted(100, 0), name=name))
    async with world.gateway() as asking:
        await world.verdict()
        await world.verdict(name="other")
        kept = await world.patch_routes(weighted(0, 100), clear=False)
        await world.answers(asking, (200, "canary"))
        await world.kube.patch(ROUTE_TABLE, world.name, "other", {"status": None})
        assert await world.verdict(name="other") == ACCEPTED
        now = await world.get(ROUTE_TABLE, "podinfo")
    assert now["metadata"]["resourceVersion"] == kept["metadata"]["resourceVersion"]


async def test_a_status_cleared_for_the_same_spec_is_given_again(world: World) -> None:
    await world.delegate()
    await world.apply(ROUTE_TABLE, route_table(weighted(100, 0)))
    async with world.gateway():
        for _ in range(3):
            assert await world.verdict() == ACCEPTED
            await world.kube.patch(ROUTE_TABLE, world.name, "podinfo", {"status": None})


async def test_somebody_who_writes_fifty_times_a_second_does_not_keep_the_verdict_away(world: World) -> None:
    await world.delegate()
    await world.apply(ROUTE_TABLE, route_table(weighted(100, 0)))

    async def annotate() -> None:
        number = 0
        while True:
            number += 1
            annotations = {"metadata": {"annotations": {"written": str(number)}}}
            await world.kube.patch(ROUTE_TABLE, world.name, "podinfo", annotations)
            await asyncio.sleep(0.02)

    async with world.gateway():
        await world.verdict()
        writing = asyncio.create_task(annotate())
        await world.patch_routes(weighted(50, 50))
        assert await world.verdict() == ACCEPTED
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing


async def test_a_write_from_an_old_read_meets_a_conflict_after_a_status(world: World) -> None:
    await world.delegate()
    before = await world.apply(ROUTE_TABLE, route_table(weighted(100, 0)))
    async with world.gateway():
        await world.verdict()
    guarded = {"metadata": {"resourceVersion": before["metadata"]["resourceVersion"]}, "spec": {"routes": []}}
    with pytest.raises(Conflict):
        await world.kube.patch(ROUTE_TABLE, world.name, "podinfo", guarded)


async def test_a_pod_that_takes_the_place_of_another_is_found(world: World) -> None:
    await world.delegate()
    await world.apply(ROUTE_TABLE, route_table(weighted(100, 0)))
    async with world.gateway() as asking:
        await world.answers(asking, (200, "primary"))
        await world.start_pod("primary", 3, "new primary")
        old = next(
            item
            for item in (await world.kube.list(ENDPOINT_SLICE, world.name))[0]
            if item["metadata"]["name"].startswith("podinfo-primary") and item["metadata"]["name"].endswith("-1")
        )
        await world.kube.delete(ENDPOINT_SLICE, world.name, old["metadata"]["name"])
        await world.answers(asking, (200, "new primary"), in_a_row=20)  # two pods would take turns
        async with asking.load(host=world.host) as answers:
            await world.patch_routes(weighted(0, 100))
            await world.answers(asking, (200, "canary"))
    assert set(answers) == {(200, "new primary"), (200, "canary")}


async def test_a_new_gateway_serves_what_the_old_one_did_and_writes_no_status(world: World) -> None:
    await world.delegate()
    await world.apply(ROUTE_TABLE, route_table(weighted(0, 100)))
    async with world.gateway():
        for kind in (ROUTE_TABLE, VIRTUAL_SERVICE):
            # a VirtualService that was seen first is warned until its table is seen as well
            await world.until(kind, "podinfo", lambda item: under_proxy(item).get("state") == "Accepted")
    before = [await world.get(kind, "podinfo") for kind in (ROUTE_TABLE, VIRTUAL_SERVICE)]
    async with world.gateway() as asking:
        await world.answers(asking, (200, "canary"))
        await world.apply(ROUTE_TABLE, route_table(weighted(0, 100), name="other"))
        # of two with one domain in the same second the name decides
        await world.delegate(delegating("other"), name="younger")
        await world.until(VIRTUAL_SERVICE, "younger", judged)
    after = [await world.get(kind, "podinfo") for kind in (ROUTE_TABLE, VIRTUAL_SERVICE)]
    assert after == before
