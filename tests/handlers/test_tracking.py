"""Which ConfigMaps and Secrets are tracked, what becomes of one that is missing, and what it costs to look at them."""

from __future__ import annotations

import json
import logging

import pytest

from handlers.adapters.errors import Forbidden
from schemas.events import ChangeReason
from schemas.resources import CANARY, CONFIG_MAP, SECRET
from schemas.status import Phase
from tests.handlers.configured import PASSWORD, READS, Configured, encoded, reading
from tests.handlers.house import NAMESPACE, House


async def test_a_required_object_that_is_missing_is_named_and_healed_when_it_comes(
    house: House, people: Configured
) -> None:
    await people.prepare(reading(envFrom=[{"configMapRef": {"name": "later"}}]))
    await house.change(ChangeReason.SPEC)
    status = await house.status()
    held = next(item for item in status.conditions if item.type == "Held")
    assert status.invalid
    assert held.message == (
        "configmap later.default get query error: not found; "
        "create it, or set optional: true where the target's pods refer to it"
    )
    await people.config("later", {"a": "b"})
    await house.until(Phase.INITIALIZED)
    assert (await house.object(CONFIG_MAP, "later-primary"))["data"] == {"a": "b"}


async def test_an_object_that_is_lost_in_mid_analysis_holds_it_until_it_is_back(
    house: House, people: Configured
) -> None:
    await people.prepare()
    await house.initialized()
    await people.recolour("green")
    await house.tick()
    lost = await house.object(CONFIG_MAP, "colours")
    await house.admin.delete(CONFIG_MAP, NAMESPACE, "colours")
    await house.change(ChangeReason.REVISION)
    await house.tick()
    status = await house.status()
    assert (status.phase, status.canary_weight, status.invalid) == (Phase.PROGRESSING, 25, True)
    assert status.tracked_config_versions["configmap/colours"] == "", "its coming back will be news"
    await people.config("colours", lost["data"], binaryData=lost["binaryData"])
    await house.change(ChangeReason.REVISION)
    assert not (await house.status()).invalid
    await house.until(Phase.SUCCEEDED)
    assert await people.colour() == "green"


async def test_an_optional_object_is_skipped_while_it_is_missing_and_new_when_it_comes(
    house: House, people: Configured
) -> None:
    await people.prepare(reading(envFrom=[{"configMapRef": {"name": "extras", "optional": True}}]))
    await house.initialized()
    status = await house.status()
    assert (status.tracked_configs, status.tracked_config_versions) == ({}, {"configmap/extras": ""})
    read = (await people.read_by())["envFrom"][0]["configMapRef"]["name"]
    assert await house.admin.find(CONFIG_MAP, NAMESPACE, read) is None
    await people.config("extras", {"a": "b"})
    await house.change(ChangeReason.REVISION)
    await house.until(Phase.SUCCEEDED)
    assert (await people.read_by())["envFrom"][0]["configMapRef"]["name"] == "extras-primary"


async def test_an_object_that_the_handlers_may_not_read_is_named_with_the_remedy(
    house: House, people: Configured
) -> None:
    await people.prepare()

    async def forbid(method: str, path: str) -> None:
        if "/secrets/" in path:
            raise Forbidden("secrets is forbidden")

    house.kube.before = forbid
    await house.change(ChangeReason.SPEC)
    house.kube.before = None
    held = next(item for item in (await house.status()).conditions if item.type == "Held")
    assert held.message == (
        "secret login.default get query error: secrets is forbidden; "
        "grant the handlers get on it, or set CANARYBUS_CONFIG_TRACKING=false"
    )
    await house.until(Phase.INITIALIZED)


async def test_what_opted_out_and_secrets_of_other_types_keep_their_names(house: House, people: Configured) -> None:
    target = reading(envFrom=[{"configMapRef": {"name": "mine"}}, {"secretRef": {"name": "registry"}}])
    await house.definitions()
    await people.config("mine", {"a": "b"}, {"flagger.app/config-tracking": "disabled"})
    registry = {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": encoded("{}")}}
    await house.admin.create(SECRET, {"metadata": {"name": "registry", "namespace": NAMESPACE}, **registry})
    await people.prepare(target)
    await house.initialized()
    assert await people.read_by() == await people.read_by("podinfo")
    assert (await house.status()).tracked_configs == {}
    for resource, name in ((CONFIG_MAP, "mine-primary"), (SECRET, "registry-primary")):
        assert await house.admin.find(resource, NAMESPACE, name) is None


async def test_without_tracking_only_the_template_counts(house: House, people: Configured) -> None:
    house.settings = house.settings.model_copy(update={"config_tracking": False})
    house.advance = house.worker()
    await people.prepare()
    await house.initialized()
    assert await people.read_by() == READS
    assert await house.admin.find(CONFIG_MAP, NAMESPACE, "colours-primary") is None
    await people.recolour("green")
    await house.change(ChangeReason.RESYNC)
    assert (await house.status()).phase is Phase.INITIALIZED
    await house.push("podinfo:2")
    await house.until(Phase.SUCCEEDED)
    assert await people.read_by() == READS


async def test_switching_tracking_off_starts_no_rollout_and_the_next_one_ends_it(
    house: House, people: Configured
) -> None:
    await people.prepare()
    await house.initialized()
    house.settings = house.settings.model_copy(update={"config_tracking": False})
    house.advance = house.worker()
    await people.recolour("green")
    await house.change(ChangeReason.RESYNC)
    assert (await house.status()).phase is Phase.INITIALIZED
    await house.push("podinfo:2")
    await house.until(Phase.SUCCEEDED)
    assert await people.read_by() == READS
    assert await house.admin.find(CONFIG_MAP, NAMESPACE, "colours-primary") is None, "nobody reads it any more"


async def test_a_secret_is_never_written_down(
    house: House, people: Configured, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await people.prepare()
    await house.initialized()
    await people.secret("login", PASSWORD + "-2")
    await house.change(ChangeReason.REVISION)
    await house.until(Phase.SUCCEEDED)
    written = json.dumps(await house.object(CANARY, "podinfo"))
    written += "".join(result.model_dump_json() for result in await house.results())
    written += "".join(str(vars(record)) for record in caplog.records)
    for secret in (PASSWORD, encoded(PASSWORD), encoded(PASSWORD + "-2")):
        assert secret not in written


async def test_a_tick_with_configs_takes_no_more_calls_than_one_without(house: House, people: Configured) -> None:
    await people.prepare(analysis={"metrics": [{"name": "request-success-rate", "thresholdRange": {"min": 99}}]})
    await house.initialized()
    await people.recolour("green")
    await house.tick()
    house.kube.reset()
    await house.tick()
    # the Event of the step is one call more
    assert house.kube.total + 1 <= 10, house.kube.made
    assert not [call for call in house.kube.made if "configmaps" in call or "secrets" in call]


async def test_a_wake_that_may_bring_news_of_them_reads_each_object_once(house: House, people: Configured) -> None:
    await people.prepare()
    await house.initialized()
    await house.change(ChangeReason.RESYNC)
    house.kube.reset()
    await house.change(ChangeReason.REVISION)
    reads = [call for call in house.kube.made if "configmaps" in call or "secrets" in call]
    assert sorted(reads) == [
        f"GET /api/v1/namespaces/{NAMESPACE}/{one}" for one in ("configmaps/colours", "secrets/login")
    ]


async def test_a_promotion_takes_three_calls_more_for_each_object_of_its_revision(
    house: House, people: Configured
) -> None:
    """One to read it from the snapshot, two to bring the copy up to date; nothing of it from what is live."""
    await people.prepare()
    await house.initialized()
    await people.recolour("green")
    await house.tick(2)
    await house.catch_up()
    house.kube.reset()
    await house.tick()
    assert (await house.status()).phase is Phase.PROMOTING
    calls = [call for call in house.kube.made if "configmaps" in call or "secrets" in call]
    assert len(calls) == 2 * 3, house.kube.made
    assert f"GET /api/v1/namespaces/{NAMESPACE}/configmaps/colours" not in calls
