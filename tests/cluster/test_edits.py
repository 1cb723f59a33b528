"""What people edit in the middle of a rollout, on a real control plane."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.resources import CANARY, DEPLOYMENT, HORIZONTAL_POD_AUTOSCALER, SERVICE, UPSTREAM, Resource
from tests.cluster.world import NEW, World

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]


async def test_what_somebody_edits_in_a_rollout_is_mended_within_the_minute_and_the_weight_stays(world: World) -> None:
    kube, namespace = world.kube, world.namespace
    await world.install_podinfo()
    await world.until("Initialized")
    await world.hold_at_every_step()
    await world.set_image(NEW)
    await world.seen(lambda status: status.get("phase") == "Progressing" and status.get("canaryWeight") == 25)

    edits: list[tuple[Resource, str, dict[str, Any]]] = [
        (SERVICE, "podinfo", {"spec": {"selector": {"app": "nobody"}}}),
        (SERVICE, "podinfo-canary", {"spec": {"selector": None}}),
        (UPSTREAM, f"{namespace}-podinfo-primaryupstream-9898", {"spec": {"kube": {"serviceName": "nobody"}}}),
        (HORIZONTAL_POD_AUTOSCALER, "podinfo-primary", {"spec": {"maxReplicas": 2}}),
    ]
    for resource, name, edit in edits:
        right = (await kube.get(resource, namespace, name))["spec"]
        broken = await kube.patch(resource, namespace, name, edit)
        assert broken["spec"] != right
        await world.sees(resource, name, lambda item, right=right: item["spec"] == right)  # type: ignore[misc]

    status = (await kube.get(CANARY, namespace, "podinfo"))["status"]
    assert (status["phase"], status["canaryWeight"]) == ("Progressing", 25)
    assert world.gloo.weights == [0, 25]
    assert (await kube.get(DEPLOYMENT, namespace, "podinfo"))["spec"]["replicas"] > 0
    assert await world.dead_letters() == []
