"""Taking a promotion back on a real API: what is kept for it, and what becomes of the objects."""

from __future__ import annotations

from schemas.resources import CONTROLLER_REVISION, DEPLOYMENT, POD
from schemas.status import Phase
from tests.handlers.house import NAMESPACE, House


async def _promoted(house: House) -> None:
    """podinfo:1, then podinfo:2 by way of an analysis."""
    await house.prepare()
    await house.initialized()
    await house.push("podinfo:2")
    await house.until(Phase.SUCCEEDED)


async def test_the_primary_runs_the_snapshot_of_the_revision_before_and_the_target_stays_parked(house: House) -> None:
    await _promoted(house)
    reply = await house.command("rollback", by="ann")
    assert (reply.accepted, reply.phase) == (True, "Failed")
    assert await house.image() == "podinfo:1"
    await house.until(Phase.FAILED)
    assert (await house.image("podinfo"), await house.replicas()) == ("podinfo:2", 0)
    assert await house.weight() == 0
    await house.admin.delete(DEPLOYMENT, NAMESPACE, "podinfo-primary")
    await house.tick()
    assert await house.image() == "podinfo:1", "what is repaired is what was returned to"


async def test_the_snapshot_to_return_to_outlives_any_number_of_refused_revisions(house: House) -> None:
    house.settings = house.settings.model_copy(update={"revision_history": 1})
    house.advance = house.worker()
    await _promoted(house)
    for number in range(3, 6):
        await house.push(f"podinfo:{number}")
        await house.command("abort")
        await house.until(Phase.FAILED)
    await house.push("podinfo:6")
    await house.until(Phase.SUCCEEDED)
    kept = await house.snapshots()
    assert len(kept) < 5, "the rest is pruned"
    reply = await house.command("rollback")
    assert reply.accepted, reply.message
    assert await house.image() == "podinfo:2"


async def test_a_lost_snapshot_refuses_the_rollback_with_words(house: House) -> None:
    await _promoted(house)
    previous = (await house.status()).previous_revision
    await house.admin.delete(CONTROLLER_REVISION, NAMESPACE, f"podinfo-{previous}")
    reply = await house.command("rollback")
    assert (reply.accepted, reply.code) == (False, 422)
    assert f"the snapshot of revision {previous} is missing" in reply.message
    assert await house.image() == "podinfo:2"


async def test_a_fix_pushed_while_users_wait_on_the_target_rolls_out_when_they_have_left_it(house: House) -> None:
    await house.prepare()
    await house.initialized()
    await house.push("podinfo:2")
    await house.until(Phase.PROMOTING, settled=False)
    await house.command("abort")
    found = await house.object(DEPLOYMENT, "podinfo")
    assert (await house.weight(), found["spec"]["paused"]) == (50, True)
    await house.push("podinfo:3")
    assert await _pods(house) == {"podinfo:2"}
    await house.until(Phase.FAILED, settled=False)
    assert await _pods(house) == {"podinfo:2"}, "those who came a moment ago still have their answers coming"
    await house.until(Phase.SUCCEEDED)
    assert await house.image() == "podinfo:3"
    assert "paused" not in (await house.object(DEPLOYMENT, "podinfo"))["spec"]


async def _pods(house: House) -> set[str]:
    """Images of the target's pods."""
    found, _ = await house.admin.list(POD, NAMESPACE, labels="app=podinfo")
    return {container["image"] for pod in found for container in pod["spec"]["containers"]}
