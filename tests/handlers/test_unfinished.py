"""A projection that fails half-way, or is refused for good: what was decided is owed until it is made, and told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from handlers.adapters.errors import Forbidden, TransientError, Unavailable
from schemas.events import Change, ChangeReason, StepResult
from schemas.resources import CANARY, ROUTE_TABLE, SERVICE, UPSTREAM
from schemas.resources import NAMESPACE as NAMESPACE_KIND
from schemas.status import Condition, Phase
from tests.handlers.house import NAMESPACE, House
from tests.handlers.neighbours import Crash

SURROUNDINGS = ("podinfo", "podinfo-primary", "podinfo-canary")


async def at_rest(house: House) -> None:
    await house.prepare()
    await house.initialized()
    await house.tick(2)
    await house.change(ChangeReason.RESYNC)


async def target_ports(house: House) -> list[Any]:
    return [(await house.object(SERVICE, name))["spec"]["ports"][0]["targetPort"] for name in SURROUNDINGS]


async def edit(house: House, **spec: Any) -> Change:
    """The message that the watcher sends of it, which comes again until it is acked."""
    await house.admin.patch(CANARY, NAMESPACE, "podinfo", {"spec": spec})
    return changed(house, ChangeReason.SPEC)


def changed(house: House, reason: ChangeReason) -> Change:
    return Change(namespace=NAMESPACE, name="podinfo", uid=house.uid, reason=reason, version="x")


def failing(method: str, path: str, error: BaseException, times: int = 1) -> Callable[[str, str], Awaitable[None]]:
    """The next calls of this kind fail."""
    left = iter(range(times))

    async def before(asked: str, of: str) -> None:
        if asked == method and path in of and next(left, None) is not None:
            raise error

    return before


async def ready(house: House) -> Condition:
    return next(item for item in (await house.status()).conditions if item.type == "Held")


async def alerts(house: House) -> list[str]:
    return [notice.alert for result in await house.results() for notice in result.notices if notice.severity == "error"]


async def since(house: House, step: int) -> list[StepResult]:
    return [result for result in await house.results() if result.step > step]


@pytest.mark.parametrize("error", [Unavailable("503"), Crash()], ids=["503", "killed"])
async def test_an_edit_whose_first_projection_failed_is_made_by_whoever_wakes_next(
    house: House, error: BaseException
) -> None:
    await at_rest(house)
    message = await edit(house, service={"targetPort": 1234})
    house.kube.before = failing("PATCH", "/services/", error)
    with pytest.raises(type(error)):
        await house.wake(message)
    house.kube.before = None
    assert (await house.status()).surroundings_owed
    await house.change(ChangeReason.READY)
    assert await target_ports(house) == [1234, 1234, 1234]
    assert not (await house.status()).surroundings_owed


async def test_a_made_edit_costs_later_wakes_nothing(house: House) -> None:
    await at_rest(house)
    await house.wake(await edit(house, service={"targetPort": 1234}))
    await house.change(ChangeReason.READY)
    house.kube.reset()
    await house.change(ChangeReason.READY)
    asked = [path for path in house.kube.made if "/services/" in path or "/upstreams/" in path]
    assert (asked, set(house.kube.calls)) == ([], {"GET"})


async def test_an_initialisation_that_died_beside_a_users_routetable_still_makes_services_and_upstreams(
    house: House,
) -> None:
    await house.prepare()
    await house.admin.create(
        ROUTE_TABLE, {"metadata": {"name": "podinfo", "namespace": NAMESPACE}, "spec": {"routes": []}}
    )
    house.kube.before = failing("POST", "/services", Crash())
    with pytest.raises(Crash):
        await house.change(ChangeReason.SPEC)
    house.kube.before = None
    await house.until(Phase.INITIALIZED)
    for name in SURROUNDINGS:
        assert await house.admin.find(SERVICE, NAMESPACE, name), name
    for role in ("primary", "canary"):
        assert await house.admin.find(UPSTREAM, NAMESPACE, f"default-podinfo-{role}upstream-9898"), role


async def test_a_command_whose_routes_are_refused_is_told_before_the_refusal(house: House) -> None:
    await house.prepare()
    await house.initialized()
    await house.push("podinfo:2")
    await house.tick()
    before = (await house.status()).step
    house.kube.before = failing("PATCH", "/routetables/", Forbidden("denied by an admission webhook"))
    with pytest.raises(TransientError):
        await house.command("abort")
    told = await since(house, before)
    assert [result.step for result in told] == [before + 1, before + 2]
    assert [notice.message for notice in told[0].notices] == [
        "Rolling back podinfo.default aborted",
        "Canary failed! Scaling down podinfo.default",
    ]
    assert [notice.reason.value for notice in told[1].notices] == ["Refused"]
    await house.tick()
    assert await house.weight() == 0


async def test_a_refusal_of_an_idle_canary_is_told_and_written_once_and_its_end_is_told(house: House) -> None:
    await at_rest(house)
    before = (await house.status()).step
    await house.admin.patch(SERVICE, NAMESPACE, "podinfo-primary", {"spec": {"selector": {"app": "x"}}})
    house.kube.before = failing("PATCH", "/services/", Forbidden("services is forbidden"), times=100)
    for _ in range(6):
        house.now += timedelta(seconds=30)
        with pytest.raises(TransientError):
            await house.wake(changed(house, ChangeReason.DRIFT))
    text = "Canary podinfo.default cannot be carried out: services is forbidden"
    assert await alerts(house) == [text]
    assert (await house.status()).step == before + 1
    assert ((await ready(house)).reason, (await ready(house)).message) == ("Refused", text)
    house.kube.before = None
    await house.change(ChangeReason.READY)
    assert await house.selector("podinfo-primary") == {"app": "podinfo-primary"}
    assert (await ready(house)).status == "False"
    assert [notice.message for notice in (await house.results())[-1].notices] == [
        "Canary podinfo.default is carried out again"
    ]


async def test_of_several_refusals_always_the_same_is_told(house: House) -> None:
    await at_rest(house)
    message = await edit(house, service={"targetPort": 1234})
    slow = ""

    async def refuse(method: str, path: str) -> None:
        if method == "PATCH" and "/services/" in path:
            if path.endswith(slow):
                await house.ready("podinfo")
            raise Forbidden(f"{path} is forbidden")

    house.kube.before = refuse
    for name in SURROUNDINGS:
        slow = name
        with pytest.raises(TransientError):
            await house.wake(message)
    assert len(await alerts(house)) == 1
    assert [result.reason for result in await house.results()].count("Refused") == 1


async def test_what_may_not_be_read_is_told_once_and_the_edit_is_made_when_it_may(house: House) -> None:
    await at_rest(house)
    await house.admin.create(NAMESPACE_KIND, {"metadata": {"name": "other"}})
    place = {"name": "source", "namespace": "other"}
    await house.admin.create(UPSTREAM, {"metadata": place, "spec": {"connectionConfig": {"connectTimeout": "7s"}}})
    kind = {"apiVersion": UPSTREAM.api_version, "kind": UPSTREAM.kind}
    message = await edit(house, upstreamRef={**kind, **place})
    words = 'upstreams.gloo.solo.io "source" is forbidden'
    house.kube.before = failing("GET", "/namespaces/other/upstreams", Forbidden(words), times=100)
    before = (await house.status()).step
    for _ in range(3):
        house.now += timedelta(seconds=30)
        with pytest.raises(TransientError):
            await house.wake(message)
    text = f"Canary podinfo.default cannot be carried out: {words}"
    assert ((await ready(house)).reason, (await ready(house)).message) == ("Refused", text)
    assert (await house.status()).step == before + 1
    assert await alerts(house) == [text]
    house.kube.before = None
    await house.wake(message)
    made = await house.object(UPSTREAM, "default-podinfo-canaryupstream-9898")
    assert made["spec"]["connectionConfig"] == {"connectTimeout": "7s"}
    assert (await ready(house)).status == "False"


async def test_a_snapshot_that_is_refused_is_told_and_the_rollout_begins_when_it_is_not(house: House) -> None:
    await at_rest(house)
    house.kube.before = failing("POST", "/controllerrevisions", Forbidden("exceeded quota"), times=2)
    await house.push("podinfo:2", announce=False)
    for _ in range(2):
        with pytest.raises(TransientError):
            await house.change(ChangeReason.REVISION)
    assert (await house.status()).phase is Phase.INITIALIZED
    assert await alerts(house) == ["Canary podinfo.default cannot be carried out: exceeded quota"]
    await house.change(ChangeReason.REVISION)
    assert (await house.status()).phase is Phase.PROGRESSING
    assert (await ready(house)).status == "False"
    steps = [result.step for result in await house.results()]
    assert sorted(set(steps)) == list(range(1, max(steps) + 1)), "every step is told"


async def test_a_canary_whose_objects_may_not_be_read_says_so_before_anything_is_made(house: House) -> None:
    await house.prepare()
    slow = ""

    async def refuse(method: str, path: str) -> None:
        if "/deployments/" in path:
            if path.endswith(slow):
                await house.ready("podinfo")
            raise Forbidden(f"{path} is forbidden")

    house.kube.before = refuse
    for name in ("podinfo", "podinfo-primary"):
        slow = name
        with pytest.raises(TransientError):
            await house.change(ChangeReason.SPEC)
    path = "/apis/apps/v1/namespaces/default/deployments/podinfo"
    assert (await ready(house)).message == f"Canary podinfo.default cannot be carried out: {path} is forbidden"
    house.kube.before = None
    await house.initialized()
    assert (await ready(house)).status == "False"
    assert len(await alerts(house)) == 1
