"""Admission webhooks: what the API server stores of a copy is not what was written, and that is nobody's edit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from handlers.adapters.kube import Object
from schemas.events import ChangeReason
from schemas.resources import HORIZONTAL_POD_AUTOSCALER, SERVICE, Resource
from schemas.status import HAND_BACK, Phase
from tests.handlers.autoscaled import scaled
from tests.handlers.house import House
from tests.handlers.neighbours import Crash
from tests.handlers.test_kinds import prepared

KINDS = pytest.mark.parametrize("kind", ["Deployment", "DaemonSet", "Service"])


def admitted(house: House, monkeypatch: pytest.MonkeyPatch, change: Callable[[Object], None]) -> None:
    """``change`` is made of the spec of each copy on its way into the store."""

    def through(write: Callable[..., Any]) -> Callable[..., Any]:
        async def changed(resource: Resource, body: Object, **options: Any) -> Object:
            if resource is house.resource:
                change(body["spec"])
            made: Object = await write(resource, body, **options)
            return made

        return changed

    for verb in ("create", "replace"):
        monkeypatch.setattr(house.kube, verb, through(getattr(house.kube, verb)))


def hardened(spec: Object) -> None:
    if "template" in spec:
        spec["template"]["spec"]["securityContext"] = {"runAsNonRoot": True}
    else:
        spec["internalTrafficPolicy"] = "Local"


def is_hardened(spec: Object) -> bool:
    if "template" in spec:
        return bool((spec["template"]["spec"].get("securityContext") or {}).get("runAsNonRoot"))
    return bool(spec["internalTrafficPolicy"] == "Local")


@KINDS
async def test_a_copy_that_a_webhook_changes_is_promoted_once_and_comes_to_rest(
    house: House, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    admitted(house, monkeypatch, hardened)
    await prepared(house, kind)
    await house.push("podinfo:2")
    await house.until(Phase.SUCCEEDED)
    before = await house.object(house.resource, "podinfo-primary")
    assert await house.image() == "podinfo:2"
    assert is_hardened(before["spec"])
    await house.change(ChangeReason.RESYNC)
    for reason in (ChangeReason.RESYNC, ChangeReason.DRIFT):
        house.kube.reset()
        await house.change(reason)
        assert house.kube.calls.keys() == {"GET"}, house.kube.made
    assert (await house.status()).settled
    assert await house.object(house.resource, "podinfo-primary") == before


async def test_what_a_person_changes_of_it_is_told_from_what_the_webhook_does(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    admitted(house, monkeypatch, hardened)
    await prepared(house, "Deployment")
    edit = {"spec": {"template": {"spec": {"securityContext": {"runAsNonRoot": False}}}}}
    await house.admin.patch(house.resource, house.namespace, "podinfo-primary", edit)
    await house.change(ChangeReason.DRIFT)
    assert is_hardened((await house.object(house.resource, "podinfo-primary"))["spec"])
    assert "changed by somebody else" in (await house.results())[-1].message
    await house.until(Phase.INITIALIZED)


async def test_a_handler_that_dies_before_it_has_noted_it_leaves_that_to_the_next_wake(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    admitted(house, monkeypatch, hardened)
    await prepared(house, "Deployment")
    await house.push("podinfo:2")
    deaths: list[str] = []

    async def dies_once(method: str, path: str) -> None:
        if method == "PATCH" and path.endswith("/podinfo-primary") and not deaths:
            deaths.append(path)
            raise Crash

    house.kube.before = dies_once
    with pytest.raises(Crash):
        await house.until(Phase.SUCCEEDED)
    assert await house.image() == "podinfo:2", "it had just been written"
    await house.until(Phase.SUCCEEDED)
    assert len(deaths) == 1


async def test_the_scaler_of_a_copy_that_a_webhook_changes_gets_its_own_minimum_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    admitted(house, monkeypatch, hardened)
    await scaled(house, HORIZONTAL_POD_AUTOSCALER, replicas=4)
    await house.push("podinfo:2")
    await house.until(Phase.SUCCEEDED)
    assert (await house.status()).primary_floor > 0
    house.now += timedelta(seconds=HAND_BACK)
    await house.tick(2)
    assert (await house.status()).primary_floor == 0


async def test_a_copy_that_is_another_one_with_each_write_is_said_to_be(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = count()

    def stamped(spec: Object) -> None:
        spec["template"]["metadata"]["annotations"]["stamp"] = str(next(numbers))

    admitted(house, monkeypatch, stamped)
    await house.prepare()
    monkeypatch.setattr(house.kube, "patch", _stamping(house, stamped))
    await house.change(ChangeReason.SPEC)
    await house.until(Phase.INITIALIZED, settled=False)
    await house.tick(2)
    (ready,) = [item for item in (await house.status()).conditions if item.type == "Held"]
    assert (ready.status, ready.reason) == ("True", "Drift")
    assert ready.message.startswith("podinfo-primary.default is changed by somebody else as often as it is written")


def _stamping(house: House, change: Callable[[Object], None]) -> Callable[..., Any]:
    """It sees patches as well."""
    patch = house.kube.patch

    async def stamping(resource: Resource, namespace: str, name: str, body: Object, **options: Any) -> Object:
        if name == "podinfo-primary" and resource is not SERVICE:
            made: Object = {"template": {"metadata": {"annotations": {}}}}
            change(made)
            body = {**body, "spec": {**body.get("spec", {}), **made}}
        answer: Object = await patch(resource, namespace, name, body, **options)
        return answer

    return stamping
