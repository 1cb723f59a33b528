"""What may happen to an application while its users are there, through real Envoy: none of their requests fails."""

from __future__ import annotations

from itertools import groupby

import pytest

from deploy.sandbox.load import Load
from deploy.sandbox.sandbox import Sandbox
from schemas.resources import CANARY, DEPLOYMENT, ROUTE_TABLE, SERVICE
from schemas.status import CanaryStatus, Phase
from tests.e2e.shop import ANALYSIS, NEW, OLD, PORT, Shop
from tests.moving import move_in

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="session"),
    # one worker plays them all, on one sandbox
    pytest.mark.xdist_group("lifecycle"),
]
ALL = 100.0
OLD_VERSION, NEW_VERSION = "6.0.0", "6.0.1"


async def ended(shop: Shop, phase: Phase) -> None:
    await shop.follower.until(lambda status: status.phase is phase and status.settled, f"{phase.value} and settled")


async def now_on(users: Load, version: str) -> None:
    """Everybody, from now on."""
    users.mark()
    await users.wait_for(200)
    assert users.share(version) == ALL, dict(users.since_mark.versions)


async def test_a_running_application_gets_a_canary_and_its_users_notice_nothing(shop: Shop) -> None:
    """Its pods served through its owner's Service and RouteTable; now the primary's do, and the old ones are gone."""
    await shop.deploy()
    await shop.serve_without_us()
    async with shop.users() as by_the_table, shop.users(f"straight.{shop.host}") as by_the_service:
        await shop.canary()
        await ended(shop, Phase.INITIALIZED)

        assert await shop.replicas("podinfo") == 0
        assert (await shop.get(SERVICE, "podinfo"))["spec"]["selector"] == {"app": "podinfo-primary"}
        for users in (by_the_table, by_the_service):
            await now_on(users, OLD_VERSION)


async def test_a_blue_green_switch_takes_everybody_at_once_and_never_back(shop: Shop) -> None:
    """Nobody meets the new version while it is being judged; then all do, until the primary runs it, too, and after."""
    await shop.deploy()
    await shop.delegate()
    await shop.canary(analysis={"interval": "1s", "threshold": 2, "iterations": 2})
    async with shop.users() as users:
        await ended(shop, Phase.INITIALIZED)
        seen_before_the_switch: list[dict[str, int]] = []

        def note(status: CanaryStatus, _in_force: int) -> None:
            if status.canary_weight and not seen_before_the_switch:
                seen_before_the_switch.append(dict(users.total.versions))

        shop.follower.listeners.append(note)
        await shop.push(NEW)
        switched = await shop.follower.until(lambda status: status.canary_weight > 0, "switched")
        await shop.follower.applied(switched)
        await now_on(users, NEW_VERSION)
        await ended(shop, Phase.SUCCEEDED)

        assert switched.canary_weight == ALL
        assert [set(versions) for versions in seen_before_the_switch] == [{OLD_VERSION}]
        assert users.share(NEW_VERSION) == ALL, "from the switch to the end"
        assert await shop.image("podinfo-primary") == NEW
        assert await shop.replicas("podinfo") == 0


async def test_a_rollout_that_the_peer_left_half_way_goes_on_from_its_weight(shop: Shop, sandbox: Sandbox) -> None:
    """The peer is gone, canarybus starts: the weight stays, then rises, and the new version becomes the primary."""
    for part in ("watcher", "handlers"):
        await sandbox.stop(part)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"}
    spec = {"provider": "gloo", "targetRef": target, "service": {"port": PORT}, "analysis": ANALYSIS}
    await move_in(shop.kube, shop.namespace, "Progressing", spec, old=OLD, new=NEW, weight=25)
    await shop.delegate()
    for name in ("podinfo", "podinfo-primary"):
        await shop.ready(name)
    async with shop.users() as users:
        for part in ("watcher", "handlers"):
            await sandbox.start(part)
        begun = shop.follower.begin()
        await ended(shop, Phase.SUCCEEDED)

        weights = [status.canary_weight for status in shop.follower.statuses[begun:] if status.last_step]
        assert [weight for weight, _ in groupby(weights)] == [25, 50, 0]
        assert {event.reason for event in shop.follower.events} >= {"Adopted"}
        assert await shop.image("podinfo-primary") == NEW
        assert await shop.replicas("podinfo") == 0
        await now_on(users, NEW_VERSION)


async def test_a_deleted_canary_that_is_to_revert_leaves_its_users_with_the_target(shop: Shop) -> None:
    """The owner's Deployment has its pods and its Service back, and the primary is gone."""
    await shop.deploy()
    await shop.delegate()
    await shop.canary(revertOnDeletion=True)
    async with shop.users() as users:
        await ended(shop, Phase.INITIALIZED)
        assert await shop.replicas("podinfo") == 0

        await shop.kube.delete(CANARY, shop.namespace, "podinfo")
        await shop.gone(CANARY, "podinfo")
        await shop.gone(DEPLOYMENT, "podinfo-primary")

        assert await shop.replicas("podinfo") == 2
        assert (await shop.get(SERVICE, "podinfo"))["spec"]["selector"] == {"app": "podinfo"}
        assert await shop.get(ROUTE_TABLE, "podinfo")
        await now_on(users, OLD_VERSION)
