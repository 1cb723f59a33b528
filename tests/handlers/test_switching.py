"""A cluster that the peer has left, met through the Kubernetes API: taken over as it is, and carried on."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events import ChangeReason
from schemas.resources import CANARY, DEPLOYMENT, SERVICE, UPSTREAM, Resource
from schemas.status import Phase
from schemas.workload import Workload
from tests import moving, peer
from tests.handlers.house import NAMESPACE, House, canary_object
from tests.peer import Left

AB_TEST = {"stepWeight": None, "maxWeight": None, "iterations": 3, "match": [{"headers": {"x": {"exact": "y"}}}]}
GATE = [{"name": "gate", "type": "confirm-promotion", "url": "http://127.0.0.1:9/"}]
SERVICES = ("podinfo", "podinfo-primary", "podinfo-canary")
UPSTREAMS = ("default-podinfo-primaryupstream-9898", "default-podinfo-canaryupstream-9898")


async def move_in(house: House, phase: str, analysis: dict[str, Any] | None = None, **more: Any) -> Left:
    """The cluster as the peer left it, every pod ready."""
    await house.definitions()
    found = await moving.move_in(house.admin, NAMESPACE, phase, canary_object(analysis=analysis or {})["spec"], **more)
    house.uid = found.uid
    for name in ("podinfo", "podinfo-primary"):
        await house.ready(name)
    return found


async def versions(house: House, resource: Resource, names: tuple[str, ...]) -> list[str]:
    return [(await house.object(resource, name))["metadata"]["resourceVersion"] for name in names]


@pytest.mark.parametrize(
    ("phase", "analysis", "more"),
    [
        ("Initialized", {}, {}),
        ("Succeeded", {}, {}),
        ("Failed", {}, {}),
        ("Failed", {}, {"weight": 100}),
        ("Progressing", {}, {"weight": 25, "failed_checks": 1}),
        ("Progressing", AB_TEST, {"weight": 100, "iterations": 2}),
        ("WaitingPromotion", {"webhooks": GATE}, {"weight": 50}),
        ("Promoting", {"stepWeightPromotion": 20}, {"weight": 30}),
        ("Finalising", {}, {}),
    ],
)
async def test_the_objects_of_the_peer_are_taken_over_as_they_are(
    house: House, phase: str, analysis: dict[str, Any], more: dict[str, Any]
) -> None:
    found = await move_in(house, phase, analysis, **more)
    before = await house.object(DEPLOYMENT, "podinfo-primary")
    neighbours = await versions(house, SERVICE, SERVICES), await versions(house, UPSTREAM, UPSTREAMS)
    house.kube.reset()
    await house.change(ChangeReason.SPEC)
    assert house.kube.total <= 26, "once: with two configs, and a list of what the peer called its objects"

    status = await house.status()
    assert (status.phase.value, status.canary_weight, await house.weight()) == (phase, found.weight, found.weight)
    assert status.failed_checks == found.failed_checks
    after = await house.object(DEPLOYMENT, "podinfo-primary")
    assert after["spec"] == before["spec"], "no pod is restarted"
    assert await house.replicas() == found.target["spec"]["replicas"]
    assert (await versions(house, SERVICE, SERVICES), await versions(house, UPSTREAM, UPSTREAMS)) == neighbours
    stored = (await house.object(CANARY, "podinfo"))["status"]
    for field in ("lastAppliedSpec", "lastPromotedSpec", "lastTransitionTime"):
        assert stored[field] == found.status[field], field


async def test_an_idle_canary_of_the_peer_comes_to_rest_and_costs_nothing(house: House) -> None:
    await move_in(house, "Succeeded")
    await house.until(Phase.SUCCEEDED)
    status = await house.status()
    own = Workload(await house.object(DEPLOYMENT, "podinfo-primary"))
    assert own.runs(status.promoted_revision)
    assert (await house.results())[0].reason == "Adopted"
    assert await house.image() == peer.OLD
    await house.tick()
    await house.change()
    house.kube.reset()
    await house.change(ChangeReason.RESYNC)
    assert {call for call in house.kube.calls if call != "GET"} == set()


async def test_a_rollout_of_the_peer_goes_on_to_its_end(house: House) -> None:
    await move_in(house, "Progressing", weight=25)
    await house.change(ChangeReason.SPEC)
    weights = []
    while (await house.status()).phase is not Phase.SUCCEEDED:
        await house.tick()
        weights.append(await house.weight())
        assert len(weights) < 12
    assert weights[0] >= 25
    assert [weight for weight in weights if weight] == sorted(weight for weight in weights if weight)
    assert await house.image() == peer.NEW
    own = await house.object(DEPLOYMENT, "podinfo-primary")
    assert own["spec"]["template"]["metadata"]["annotations"]["flagger-id"] == (await house.status()).promoted_revision


async def test_the_revision_that_the_peer_promoted_before_is_kept_and_comes_back_in_an_abort(house: House) -> None:
    await move_in(house, "Progressing", weight=25)
    await house.change(ChangeReason.SPEC)
    status = await house.status()
    assert sorted(await house.snapshots()) == sorted(
        f"podinfo-{revision}" for revision in (status.canary_revision, status.promoted_revision)
    )
    await house.command("promote")
    await house.until(Phase.PROMOTING, settled=False)
    assert await house.image() == peer.NEW
    assert (await house.command("abort")).accepted
    await house.until(Phase.FAILED)
    assert await house.image() == peer.OLD
    assert await house.weight() == 0


async def test_a_deleted_primary_of_the_peer_is_made_again_from_what_it_ran(house: House) -> None:
    await move_in(house, "Failed")
    await house.until(Phase.FAILED)
    await house.admin.delete(DEPLOYMENT, NAMESPACE, "podinfo-primary")
    await house.change(ChangeReason.DRIFT)
    await house.until(Phase.FAILED)
    assert await house.image() == peer.OLD, "the refused revision is the only other one there is"
