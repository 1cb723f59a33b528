"""The local copy of objects, when the API server is unkind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from deploy.sandbox.installation import connected
from deploy.sandbox.kube import EmbeddedKubernetes
from deploy.sandbox.mirror import Mirror, Ref
from handlers.adapters.kube import Kube, Object
from schemas.resources import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, ROUTE_TABLE
from tests.patience import PATIENCE


@pytest.fixture
async def api() -> AsyncIterator[EmbeddedKubernetes]:
    async with EmbeddedKubernetes(pods="process") as served:
        yield served


@asynccontextmanager
async def mirrored(kube: Kube, mirror: Mirror) -> AsyncIterator[Mirror]:
    following = asyncio.create_task(mirror.run())
    try:
        yield mirror
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def until(mirror: Mirror, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            mirror.changed.clear()
            await mirror.changed.wait()


def config_map(name: str, value: str = "") -> Object:
    return {"metadata": {"name": name, "namespace": "default"}, "data": {"key": value}}


def known(mirror: Mirror) -> dict[str, str]:
    """Those of the test: a cluster has ConfigMaps of its own."""
    found = {ref.name: item["data"] for ref, item in mirror.objects(CONFIG_MAP).items()}
    return {name: data["key"] for name, data in found.items() if "key" in data}


async def test_it_follows_what_is_made_changed_and_deleted(api: EmbeddedKubernetes) -> None:
    async with connected(api.kubeconfig) as kube, mirrored(kube, Mirror(kube, [CONFIG_MAP])) as mirror:
        await mirror.listed()
        await kube.create(CONFIG_MAP, config_map("a"))
        await until(mirror, lambda: known(mirror) == {"a": ""})
        await kube.patch(CONFIG_MAP, "default", "a", {"data": {"key": "new"}})
        await until(mirror, lambda: known(mirror) == {"a": "new"})
        await kube.delete(CONFIG_MAP, "default", "a")
        await until(mirror, lambda: known(mirror) == {})


async def test_a_dropped_watch_loses_nothing(api: EmbeddedKubernetes) -> None:
    async with connected(api.kubeconfig) as kube, mirrored(kube, Mirror(kube, [CONFIG_MAP])) as mirror:
        await mirror.listed()
        for number in range(3):
            await kube.create(CONFIG_MAP, config_map(f"before-{number}"))
            api.faults.drop_watches()
            await kube.create(CONFIG_MAP, config_map(f"after-{number}"))
        await until(mirror, lambda: len(known(mirror)) == 6)


async def test_after_a_history_that_is_gone_the_deleted_are_forgotten_too(api: EmbeddedKubernetes) -> None:
    async with connected(api.kubeconfig) as kube:
        await kube.create(CONFIG_MAP, config_map("old"))
        async with mirrored(kube, Mirror(kube, [CONFIG_MAP])) as mirror:
            await until(mirror, lambda: known(mirror) == {"old": ""})
            api.faults.add(410, verb="watch", resource="configmaps")
            api.faults.drop_watches()
            await kube.delete(CONFIG_MAP, "default", "old")
            await kube.create(CONFIG_MAP, config_map("new"))
            await until(mirror, lambda: known(mirror) == {"new": ""})


async def test_a_kind_that_is_not_served_yet_is_empty_until_it_is(
    api: EmbeddedKubernetes, capsys: pytest.CaptureFixture[str]
) -> None:
    async with connected(api.kubeconfig) as kube, mirrored(kube, Mirror(kube, [ROUTE_TABLE])) as mirror:
        listed = asyncio.create_task(mirror.listed())
        await asyncio.wait({listed}, timeout=0.2)
        assert not listed.done()
        assert mirror.objects(ROUTE_TABLE) == {}
        await kube.create(CUSTOM_RESOURCE_DEFINITION, _route_tables())
        await asyncio.wait_for(listed, PATIENCE)
        await kube.create(ROUTE_TABLE, {"metadata": {"name": "podinfo", "namespace": "default"}, "spec": {}})
        await until(mirror, lambda: Ref("default", "podinfo") in mirror.objects(ROUTE_TABLE))
    assert capsys.readouterr().err.count("routetables: ") == 1, "a failure that lasts is told once"


async def test_an_answer_to_an_own_write_is_known_before_its_event_but_never_undoes_a_later_one(
    api: EmbeddedKubernetes,
) -> None:
    async with connected(api.kubeconfig) as kube:
        await kube.create(CONFIG_MAP, config_map("a", "1"))
        async with mirrored(kube, Mirror(kube, [CONFIG_MAP])) as mirror:
            await mirror.listed()
            view = mirror.objects(CONFIG_MAP)
        second = await kube.patch(CONFIG_MAP, "default", "a", {"data": {"key": "2"}})
        third = await kube.patch(CONFIG_MAP, "default", "a", {"data": {"key": "3"}})
        for answer in (third, second):
            mirror.put(CONFIG_MAP, answer)
        assert known(mirror) == {"a": "3"}
        assert view[Ref("default", "a")] == third


async def test_an_object_that_is_gone_does_not_come_back_through_an_own_write(api: EmbeddedKubernetes) -> None:
    async with connected(api.kubeconfig) as kube, mirrored(kube, Mirror(kube, [CONFIG_MAP])) as mirror:
        await mirror.listed()
        written = await kube.create(CONFIG_MAP, config_map("a"))
        await until(mirror, lambda: known(mirror) == {"a": ""})
        await kube.delete(CONFIG_MAP, "default", "a")
        await until(mirror, lambda: known(mirror) == {})
        mirror.put(CONFIG_MAP, written)
        assert known(mirror) == {}


def _route_tables() -> Object:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "metadata": {"name": "routetables.gateway.solo.io"},
        "spec": {
            "group": "gateway.solo.io",
            "scope": "Namespaced",
            "names": {"plural": "routetables", "kind": "RouteTable"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }
