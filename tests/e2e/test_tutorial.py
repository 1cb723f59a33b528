"""The tutorial through real Envoy, Prometheus, nats-server and processes, as its users see it."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from deploy.sandbox.application import command
from deploy.sandbox.demo.shares import Shares
from deploy.sandbox.load import Load
from deploy.sandbox.sandbox import HOST, embedded
from schemas.status import Phase
from tests.e2e.rollouts import Rollouts, weights

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="session"),
    # one worker plays them all, on one sandbox
    pytest.mark.xdist_group("sandbox"),
]
ALL = 100.0
RESTARTED = ("nats", "kubernetes") if embedded() else ("nats",)
"""Somebody else's control plane is not ours to restart."""


async def test_a_promotion_moves_users_step_by_step_and_fails_none_of_their_requests(
    rollouts: Rollouts, users: Load
) -> None:
    await rollouts.judged_by("canary", interval="2s", stepWeight=25)
    begun = rollouts.follower.begin()
    shares = Shares(users)
    rollouts.follower.listeners.append(shares)

    shares.version = version = await rollouts.start()
    await rollouts.over(Phase.SUCCEEDED)

    rollouts.follower.listeners.remove(shares)
    assert weights(rollouts.follower.statuses[begun:]) == [0, 25, 50]
    assert [(step.weight, step.fair) for step in shares.steps] == [(25, True), (50, True)], shares.steps
    assert await rollouts.application.primary_version() == version
    assert await rollouts.application.canary_replicas() == 0
    users.mark()
    await users.wait_for(100)
    assert users.share(version) == ALL


async def test_errors_of_the_canary_roll_it_back_and_leave_the_primary_alone(rollouts: Rollouts, users: Load) -> None:
    before = await rollouts.application.primary_version()
    await rollouts.judged_by("canary-rollback", interval="1s", threshold=2, stepWeight=20)
    told = len(rollouts.follower.events)

    await rollouts.start()
    await rollouts.weight(20)
    async with Load(rollouts.sandbox.gateway_url, host=HOST, rate=50) as faults:
        faults.provoke("/status/500", 1)
        failed = await rollouts.follower.until(lambda status: status.phase is Phase.FAILED, "Failed")
    await rollouts.over(Phase.FAILED)

    assert failed.failed_checks == 2
    assert set(faults.total.provoked) == {"5xx"}
    messages = [event.message for event in rollouts.follower.events[told:]]
    assert "Rolling back podinfo.test failed checks threshold reached 2" in messages
    assert any(message.startswith("Halt podinfo.test advancement success rate") for message in messages)
    assert await rollouts.application.primary_version() == before
    assert await rollouts.application.canary_replicas() == 0
    users.mark()
    await users.wait_for(100)
    assert users.share(before) == ALL


async def test_insiders_get_the_canary_and_everybody_else_the_primary(rollouts: Rollouts, users: Load) -> None:
    before = await rollouts.application.primary_version()
    await rollouts.judged_by("canary-ab", iterations=3)

    async with Load(rollouts.sandbox.gateway_url, host=HOST, rate=50, headers={"X-Canary": "insider"}) as insiders:
        version = await rollouts.start()
        await rollouts.weight(100)
        users.mark()
        insiders.mark()
        await rollouts.follower.until(lambda status: status.phase is Phase.PROMOTING, "Promoting")
        # judged at once: in a moment the primary runs the new version, too
        assert users.since_mark.requests > 20
        assert users.share(before) == ALL
        assert insiders.since_mark.requests > 10
        assert insiders.share(version) == ALL
        await rollouts.over(Phase.SUCCEEDED)

    assert set(insiders.total.statuses) == {200}
    assert await rollouts.application.primary_version() == version


async def test_handlers_killed_in_the_middle_of_a_step_lose_nothing_and_double_nothing(
    rollouts: Rollouts, users: Load
) -> None:
    await rollouts.judged_by("canary-rollback", interval="1s", stepWeight=10, maxWeight=30)
    begun = rollouts.follower.begin()
    first = rollouts.follower.status.step + 1
    version = await rollouts.start()
    # committed just now: the routes are not written and the result is not told, or hardly
    await rollouts.follower.until(lambda status: status.canary_weight == 20, "at 20 %")

    await rollouts.sandbox.kill("handlers")
    await rollouts.sandbox.start("handlers")
    await rollouts.over(Phase.SUCCEEDED)

    seen = rollouts.follower.statuses[begun:]
    assert weights(seen) == [0, 10, 20, 30]
    steps = [status.step for status in seen]
    assert all(later - earlier in (0, 1) for earlier, later in pairwise(steps)), steps
    told = {result["step"] for result in rollouts.results if result["step"] >= first}
    assert told >= set(range(first, seen[-1].step)), "a result was never told"
    assert await rollouts.application.primary_version() == version


@pytest.mark.parametrize("part", RESTARTED)
async def test_a_rollout_goes_on_when_what_was_away_comes_back(rollouts: Rollouts, users: Load, part: str) -> None:
    await rollouts.judged_by("canary-rollback", interval="1s", stepWeight=20)
    begun = rollouts.follower.begin()
    version = await rollouts.start()
    held = await rollouts.weight(20)

    await rollouts.sandbox.stop(part)
    await asyncio.sleep(3)  # three slots without it: a silence is what is tested
    assert rollouts.follower.status.canary_weight <= held.canary_weight + 20
    await rollouts.sandbox.start(part)
    await rollouts.over(Phase.SUCCEEDED)

    assert weights(rollouts.follower.statuses[begun:]) == [0, 20, 40, 60]
    assert await rollouts.application.primary_version() == version


async def test_a_raw_message_on_the_bus_aborts_a_rollout(rollouts: Rollouts, users: Load) -> None:
    before = await rollouts.application.primary_version()
    await rollouts.judged_by("canary-rollback", interval="1s", stepWeight=10)
    await rollouts.start()
    await rollouts.weight(10)

    await command(rollouts.bus, "abort")
    ended = await rollouts.over(Phase.FAILED)

    assert ended.canary_weight == 0
    assert await rollouts.application.primary_version() == before
    assert await rollouts.application.canary_replicas() == 0


async def test_kubectl_starts_shows_and_awaits_a_rollout(rollouts: Rollouts) -> None:
    await rollouts.judged_by("canary-rollback", interval="1s", stepWeight=50)

    image = "podinfod=stefanprodan/podinfo:6.2.0"
    assert "image updated" in await rollouts.kubectl("set", "image", "deployment/podinfo", image)
    await rollouts.kubectl("wait", "canary/podinfo", "--for=condition=promoted=Unknown", "--timeout=60s")
    assert "Progressing" in await rollouts.kubectl("get", "canaries")
    waited = await rollouts.kubectl("wait", "canary/podinfo", "--for=condition=promoted", "--timeout=60s")

    assert "condition met" in waited
    assert "Promotion completed! Scaling down podinfo.test" in await rollouts.kubectl("describe", "canary/podinfo")
    assert await rollouts.application.primary_version() == "6.2.0"
