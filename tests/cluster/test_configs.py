"""ConfigMaps and Secrets on a real control plane: its rules about Secrets and owners, its garbage collection."""

from __future__ import annotations

import base64

import pytest
import pytest_asyncio

from handlers.adapters.errors import Invalid
from handlers.adapters.kube import Object
from schemas.configs import checksum
from schemas.resources import CANARY, CONFIG_MAP, CONTROLLER_REVISION, DEPLOYMENT, POD, ROUTE_TABLE, SECRET
from tests.cluster.standins import canary_share
from tests.cluster.world import World

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def world(world: World) -> World:
    await world.install_podinfo()
    return world


async def recolour(world: World, colour: str) -> None:
    binary = base64.b64encode(colour.encode()).decode()
    content = {"data": {"colour": colour}, "binaryData": {"logo": binary}}
    await world.kube.patch(CONFIG_MAP, world.namespace, "podinfo", content)


async def pods_of_primary(world: World) -> Object:
    found = await world.kube.get(DEPLOYMENT, world.namespace, "podinfo-primary")
    template: Object = found["spec"]["template"]
    return template


async def pods_of_canary(world: World) -> set[str]:
    found, _ = await world.kube.list(POD, world.namespace, labels="app=podinfo")
    return {item["metadata"]["uid"] for item in found if "deletionTimestamp" not in item["metadata"]}


async def kept(world: World) -> list[Object]:
    """Contents in snapshots."""
    found = [*(await world.kube.list(CONFIG_MAP, world.namespace))[0]]
    found += (await world.kube.list(SECRET, world.namespace))[0]
    return [item for item in found if item.get("immutable")]


async def test_another_content_is_analysed_and_promoted_with_its_copies(world: World) -> None:
    kube, namespace = world.kube, world.namespace
    await world.until("Initialized")
    pods = await pods_of_primary(world)
    sources = [{"configMapRef": {"name": "podinfo-primary"}}, {"secretRef": {"name": "podinfo-primary"}}]
    assert pods["spec"]["containers"][0]["envFrom"] == sources

    await recolour(world, "green")
    await kube.patch(SECRET, namespace, "podinfo", {"stringData": {"token": "another"}})
    await world.until("Progressing", "Promoting", "Succeeded")

    for resource in (CONFIG_MAP, SECRET):
        source = await kube.get(resource, namespace, "podinfo")
        copy = await kube.get(resource, namespace, "podinfo-primary")
        assert checksum(copy) == checksum(source)
        assert [item["kind"] for item in copy["metadata"]["ownerReferences"]] == ["Canary"]
    assert await pods_of_primary(world) != pods, "its pods started again"
    assert world.gloo.weights[-1] == 0
    assert await world.dead_letters() == []


async def test_a_content_that_comes_back_ends_the_rollout_at_once(world: World) -> None:
    await recolour(world, "blue")
    await world.until("Initialized")
    await world.hold_at_every_step()
    await recolour(world, "green")
    await world.seen(lambda status: status.get("phase") == "Progressing" and status.get("canaryWeight") == 25)
    await recolour(world, "blue")
    await world.until("Succeeded")

    status = (await world.kube.get(CANARY, world.namespace, "podinfo"))["status"]
    assert status["lastAppliedSpec"] == status["promotedRevision"]
    assert status["failedChecks"] == 0
    assert world.gloo.weights == [0, 25, 0]
    copy = await world.kube.get(CONFIG_MAP, world.namespace, "podinfo-primary")
    assert copy["data"] == {"colour": "blue"}
    assert await world.dead_letters() == []


async def test_a_content_that_changes_in_mid_analysis_starts_the_pods_anew(world: World) -> None:
    await world.until("Initialized")
    await world.hold_at_every_step()
    await recolour(world, "green")
    await world.seen(lambda status: status.get("canaryWeight") == 25)
    before = await pods_of_canary(world)
    await recolour(world, "red")
    await world.seen(lambda status: status.get("phase") == "Progressing" and not status.get("canaryWeight"))
    revision = (await world.object(CANARY))["status"]["canaryRevision"]
    await world.seen(lambda status: status.get("canaryWeight") == 25)
    assert (await world.object(CANARY))["status"]["canaryRevision"] == revision, "our mark is no revision"
    assert not before & await pods_of_canary(world)
    # metrics of a minute would still speak of the content before
    await world.operator.publish(f"canary.command.promote.{world.namespace}.podinfo", b"{}")
    await world.until("Promoting", "Succeeded")
    copy = await world.kube.get(CONFIG_MAP, world.namespace, "podinfo-primary")
    assert copy["data"] == {"colour": "red"}
    assert await world.dead_letters() == []


async def test_what_a_rollout_cannot_do_without_is_named_and_waited_for(world: World) -> None:
    await world.until("Initialized")
    await world.hold_at_every_step()
    await recolour(world, "green")
    await world.seen(lambda status: status.get("canaryWeight") == 25)
    lost = await world.kube.get(CONFIG_MAP, world.namespace, "podinfo")
    await world.kube.delete(CONFIG_MAP, world.namespace, "podinfo")
    await world.seen(lambda status: bool(status.get("invalidSince")))
    conditions = (await world.kube.get(CANARY, world.namespace, "podinfo"))["status"]["conditions"]
    held = next(item["message"] for item in conditions if item["type"] == "Held")
    assert held.startswith(f"configmap podinfo.{world.namespace} get query error: not found")
    assert canary_share(await world.object(ROUTE_TABLE)) == 25

    metadata = {"name": "podinfo", "namespace": world.namespace}
    content = {field: lost[field] for field in ("data", "binaryData")}
    await world.kube.create(CONFIG_MAP, {"metadata": metadata, **content})
    await world.seen(lambda status: not status.get("invalidSince"))
    assert await world.dead_letters() == []


async def test_kept_contents_cannot_be_edited_and_go_with_their_revisions(world: World) -> None:
    await world.until("Initialized")
    copies = await kept(world)
    assert sorted(list(item["data"]) for item in copies) == [["colour"], ["token"]]
    config = next(item for item in copies if "colour" in item["data"])
    with pytest.raises(Invalid):
        await world.kube.patch(CONFIG_MAP, world.namespace, config["metadata"]["name"], {"data": {"colour": "evil"}})

    revisions = (await world.kube.list(CONTROLLER_REVISION, world.namespace))[0]
    assert {item["metadata"]["ownerReferences"][0]["uid"] for item in copies} == {
        item["metadata"]["uid"] for item in revisions
    }
    await world.kube.delete(CANARY, world.namespace, "podinfo")
    await world.gone(CONFIG_MAP, config["metadata"]["name"])
    await world.gone(CONFIG_MAP, "podinfo-primary")
    await world.gone(SECRET, "podinfo-primary")
    assert (await world.kube.get(CONFIG_MAP, world.namespace, "podinfo"))["data"]
