"""ConfigMaps and Secrets that the target reads are part of its revision, down to the primary (spec targets 3.5)."""

from __future__ import annotations

import json

import pytest

from schemas.configs import checksum
from schemas.events import ChangeReason
from schemas.resources import CONFIG_MAP, DEPLOYMENT, SECRET
from schemas.status import Phase
from tests.handlers.configured import PASSWORD, READS, Configured, encoded
from tests.handlers.house import NAMESPACE, House
from tests.handlers.neighbours import Crash


async def test_the_primary_reads_whole_copies_of_its_own(house: House, people: Configured) -> None:
    await people.prepare()
    await house.initialized()
    config, secret = await house.object(CONFIG_MAP, "colours-primary"), await house.object(SECRET, "login-primary")
    assert (config["data"], config["binaryData"]) == ({"colour": "blue"}, {"logo": "AAEC"})
    assert (secret["data"], secret["type"]) == ({"password": encoded(PASSWORD)}, "Opaque")
    for item in (config, secret):
        (owner,) = item["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == (
            "Canary",
            "podinfo",
            house.uid,
            True,
        )
        assert not item["metadata"].get("labels")
    assert await people.read_by() == {
        "envFrom": [{"configMapRef": {"name": "colours-primary"}}],
        "env": [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "login-primary", "key": "password"}}}],
    }
    assert await people.read_by("podinfo") == READS


async def test_the_status_names_what_is_tracked_by_key_and_checksum(house: House, people: Configured) -> None:
    await people.prepare()
    await house.initialized()
    status = await house.status()
    config, secret = await house.object(CONFIG_MAP, "colours"), await house.object(SECRET, "login")
    assert status.tracked_configs == {"configmap/colours": checksum(config), "secret/login": checksum(secret)}
    assert status.tracked_config_versions == {
        "configmap/colours": config["metadata"]["resourceVersion"],
        "secret/login": secret["metadata"]["resourceVersion"],
    }


@pytest.mark.parametrize("what", ["data", "binaryData", "secret"])
async def test_a_changed_content_is_analysed_and_then_copied(house: House, people: Configured, what: str) -> None:
    await people.prepare()
    await house.initialized()
    match what:
        case "data":
            await people.recolour("green", announce=False)
        case "binaryData":
            await people.config("colours", {"colour": "blue"}, binaryData={"logo": "AAED"})
        case _:
            await people.secret("login", "another")
    resource, name = (SECRET, "login") if what == "secret" else (CONFIG_MAP, "colours")
    before = checksum(await house.object(resource, f"{name}-primary"))
    pods = (await house.object(DEPLOYMENT, "podinfo-primary"))["spec"]["template"]
    await house.change(ChangeReason.REVISION)
    assert (await house.status()).phase is Phase.PROGRESSING
    await house.tick(2)
    assert checksum(await house.object(resource, f"{name}-primary")) == before, "not before it is promoted"
    await house.until(Phase.SUCCEEDED)
    assert checksum(await house.object(resource, f"{name}-primary")) == checksum(await house.object(resource, name))
    assert (await house.object(DEPLOYMENT, "podinfo-primary"))["spec"]["template"] != pods, "its pods start again"
    told = [notice.message for result in await house.results() for notice in result.notices]
    assert f"{'secret' if what == 'secret' else 'configmap'} {name} has changed" in told


async def test_a_content_that_changes_in_mid_analysis_starts_it_again(house: House, people: Configured) -> None:
    await people.prepare()
    await house.initialized()
    await people.recolour("green")
    await house.tick()
    assert await house.weight() == 25
    await people.recolour("red")
    status = await house.status()
    assert (status.phase, status.canary_weight) == (Phase.PROGRESSING, 0)
    assert status.tracked_configs["configmap/colours"] == checksum(await house.object(CONFIG_MAP, "colours"))
    await house.until(Phase.SUCCEEDED)
    assert await people.colour() == "red"


async def test_running_pods_start_anew_to_be_analysed_with_a_changed_content(house: House, people: Configured) -> None:
    """They have read the old one; those of a parked target are new anyway."""
    await people.prepare()
    await house.initialized()
    await people.recolour("green")
    await house.tick()
    before = await people.pods()
    assert "canarybus.dev/restarted" not in json.dumps(await house.object(DEPLOYMENT, "podinfo"))
    await people.recolour("red")
    await house.catch_up()
    assert not before & await people.pods()
    revision = (await house.status()).canary_revision
    await house.tick(2)
    assert (await house.status()).canary_revision == revision, "our mark is no new revision"
    await house.until(Phase.SUCCEEDED)
    assert "canarybus.dev/restarted" not in json.dumps(await house.object(DEPLOYMENT, "podinfo-primary"))


async def test_pods_that_run_while_a_gate_is_closed_start_anew_when_it_opens(house: House, people: Configured) -> None:
    """Somebody keeps the target up; it waited with the old content."""
    gate = {"name": "gate", "type": "confirm-rollout", "url": f"{house.answering.url}/hook/gate"}
    await people.prepare(analysis={"webhooks": [gate]})
    await house.initialized()
    await house.admin.patch(DEPLOYMENT, NAMESPACE, "podinfo", {"spec": {"replicas": 1}})
    house.answering.gates["gate"] = 403
    await people.recolour("green")
    assert (await house.status()).phase is Phase.WAITING
    before = await people.pods()
    assert before
    house.answering.gates["gate"] = 200
    await house.tick()
    await house.catch_up()
    assert (await house.status()).phase is Phase.PROGRESSING
    assert not before & await people.pods()


async def test_a_daemonset_reads_and_restarts_like_a_deployment(house: House, people: Configured) -> None:
    await people.prepare(kind="DaemonSet")
    await house.initialized()
    assert (await people.read_by())["envFrom"] == [{"configMapRef": {"name": "colours-primary"}}]
    await people.recolour("green")
    await house.tick()
    before = await people.pods()
    await people.recolour("red")
    await house.catch_up()
    assert not before & await people.pods()
    assert await people.colour() == "blue"
    await house.until(Phase.SUCCEEDED)
    assert await people.colour() == "red"


async def test_a_content_that_comes_back_ends_the_rollout_like_a_template(house: House, people: Configured) -> None:
    await people.prepare()
    await house.initialized()
    await people.recolour("green")
    await house.tick()
    await people.recolour("blue")
    status = await house.status()
    assert (status.phase, status.canary_weight, status.failed_checks) == (Phase.SUCCEEDED, 0, 0)
    assert status.last_step is not None
    assert status.last_step.reason == "Reverted"
    await house.until(Phase.SUCCEEDED)
    await house.change(ChangeReason.RESYNC)
    assert (await house.status()).phase is Phase.SUCCEEDED, "nothing starts again"
    assert await people.colour() == "blue"


async def test_a_content_that_was_refused_is_new_again_after_it_was_gone(house: House, people: Configured) -> None:
    await people.prepare()
    await house.initialized()
    await people.recolour("green")
    await house.command("abort")
    await house.until(Phase.FAILED)
    await house.change(ChangeReason.RESYNC)
    assert (await house.status()).phase is Phase.FAILED, "the refused content does not start again by itself"
    await people.recolour("blue")
    await people.recolour("green")
    assert (await house.status()).phase is Phase.PROGRESSING


async def test_what_changes_between_analysis_and_promotion_is_never_copied(house: House, people: Configured) -> None:
    await people.prepare()
    await house.initialized()
    await people.recolour("green")
    await house.tick(2)

    async def change_in_the_last_moment(method: str, path: str) -> None:
        if method == "PUT" and path.endswith("colours-primary"):
            house.kube.before = None
            await people.recolour("evil", announce=False)

    house.kube.before = change_in_the_last_moment
    await house.until(Phase.PROMOTING, settled=False)
    assert await people.colour() == "green"
    assert await people.colour("colours") == "evil"
    await house.until(Phase.SUCCEEDED)
    assert (await house.status()).tracked_configs["configmap/colours"] == checksum(
        {"data": {"colour": "green"}, "binaryData": {"logo": "AAEC"}}
    )
    await house.change(ChangeReason.REVISION)
    assert (await house.status()).phase is Phase.PROGRESSING
    assert await people.colour() == "green", "the new content is analysed first"


async def test_an_abort_while_promoting_brings_the_promoted_contents_back(house: House, people: Configured) -> None:
    await people.prepare()
    await house.initialized()
    await people.recolour("green")
    await house.until(Phase.PROMOTING, settled=False)
    assert await people.colour() == "green"
    await house.command("abort")
    assert await people.colour() == "blue"
    await house.until(Phase.FAILED)
    assert await house.weight() == 0


async def test_a_delayed_worker_never_copies_its_old_content_over_a_later_one(house: House, people: Configured) -> None:
    """It has read the copy before the abort, and writes after it."""
    await people.prepare()
    await house.initialized()
    await people.recolour("green")
    await house.tick(2)
    await house.catch_up()

    async def abort_meanwhile(method: str, path: str) -> None:
        if method == "PUT" and path.endswith("colours-primary"):
            house.kube.before = None
            assert (await house.command("abort", worker=house.worker(house.admin))).accepted

    house.kube.before = abort_meanwhile
    await house.tick()
    assert house.kube.before is None
    assert await people.colour() == "blue"
    await house.until(Phase.FAILED)
    assert await people.colour() == "blue"


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_handler_that_dies_at_any_call_promotes_contents_and_template_all_the_same(
    house: House, people: Configured, moment: str
) -> None:
    await people.prepare()
    await house.initialized()
    for call in range(4, 20):
        await people.recolour(f"shade-{call}", announce=False)
        setattr(house.kube, f"die_{moment}", call)
        house.kube._number = 0
        try:
            await house.change(ChangeReason.REVISION)
            house.kube.reset()
            await house.tick(2)
            setattr(house.kube, f"die_{moment}", call)
            await house.tick()
        except Crash:
            house.kube.reset()
            await house.change(ChangeReason.REVISION)
        house.kube.reset()
        await house.until(Phase.SUCCEEDED)
        assert await people.colour() == f"shade-{call}"
