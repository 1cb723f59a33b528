"""A frozen target that an apply has thawed, against an API server."""

from __future__ import annotations

import json

from handlers.core.observation import Observation
from handlers.objects.workloads import Workloads
from schemas.canary import Canary
from schemas.resources import CANARY, DEPLOYMENT
from schemas.status import Phase
from schemas.workload import FROZEN, TARGET_STEP
from tests.handlers.house import House


async def test_an_apply_that_names_what_is_frozen_is_frozen_again_behind_the_same_fence(house: House) -> None:
    await house.prepare()
    await house.initialized()
    await house.push("podinfo:2")
    await house.until(Phase.PROMOTING, settled=False)
    assert (await house.object(DEPLOYMENT, "podinfo"))["spec"]["paused"]
    await house.admin.patch(DEPLOYMENT, house.namespace, "podinfo", {"spec": {"paused": False}})
    thawed = await house.object(DEPLOYMENT, "podinfo")
    canary = Canary.from_object(await house.object(CANARY, house.ref.name))
    await Workloads(house.kube).target(canary, Observation(now=house.now, stimulus=house.slot(), target=thawed))
    again = await house.object(DEPLOYMENT, "podinfo")
    assert again["spec"]["paused"]
    assert again["metadata"]["annotations"][TARGET_STEP] == thawed["metadata"]["annotations"][TARGET_STEP]
    assert json.loads(again["metadata"]["annotations"][FROZEN]) == {"paused": False}
    await house.until(Phase.SUCCEEDED)
    left = await house.object(DEPLOYMENT, "podinfo")
    assert not left["spec"].get("paused")
    assert FROZEN not in left["metadata"]["annotations"]
