"""Users wait on pods that are kept for them: who undoes that is noticed, also when it is no new revision."""

from __future__ import annotations

from schemas.resources import DAEMON_SET
from tests.watcher.cluster import NAMESPACE, Cluster
from tests.watcher.conftest import Begin
from tests.watcher.ear import Ear
from tests.watcher.test_kinds import nothing_more

ROLLING = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
FROZEN = {"metadata": {"annotations": {"canarybus.dev/frozen": '{"updateStrategy": null}'}}}


async def test_an_apply_that_thaws_a_target_with_users_wakes_its_canary(
    begin: Begin, cluster: Cluster, ear: Ear
) -> None:
    await cluster.of_kind("DaemonSet")
    kept = {**FROZEN, "spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}}
    await cluster.kube.patch(DAEMON_SET, NAMESPACE, "podinfo", kept)
    await cluster.status(phase="Promoting", settled=False, step=8, canaryWeight=50)
    async with begin():
        await nothing_more(cluster, ear)
        assert ("revision", "DaemonSet/podinfo") not in ear.changes()
        await cluster.kube.patch(DAEMON_SET, NAMESPACE, "podinfo", {"spec": {"updateStrategy": ROLLING}})
        heard = await ear.hears("revision", object="DaemonSet/podinfo")
    assert heard.body["version"].endswith(".thawed")
