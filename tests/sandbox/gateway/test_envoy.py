"""A real Envoy with translated configurations: what a client sees."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from deploy.sandbox.gateway.envoy import Envoy, EnvoyError
from deploy.sandbox.gateway.snapshot import Snapshot, Translation
from deploy.sandbox.gateway.translate import translate
from deploy.sandbox.network import free_port
from handlers.adapters.kube import Object
from handlers.core.patterns import is_header_name, program_size
from schemas.settings import Settings
from tests.patience import PATIENCE
from tests.sandbox.backends import Network, backend, saying
from tests.sandbox.gateway.objects import (
    cluster_of,
    delegating,
    endpoint_slice,
    named,
    route_table,
    service,
    single,
    snapshot,
    upstream,
    virtual_service,
    weighted,
)
from tests.sandbox.gateway.traffic import HOST, Client, client

pytestmark = pytest.mark.e2e


class Gateway:
    """An Envoy, a client of it, and pods that say who they are."""

    def __init__(self, envoy: Envoy, client: Client, admin: str, directory: Path, pods: AsyncExitStack) -> None:
        self.envoy = envoy
        self.client = client
        self.admin = admin
        self._directory = directory
        self._network = Network()
        self._pods = pods
        self._last: Translation | None = None
        self.slices: dict[str, Object] = {}

    async def start_pod(self, side: str, number: int, text: str | None = None) -> None:
        await self._pods.enter_async_context(backend(self._network.real(number), saying(text or side)))
        self.slices[f"{side}-{number}"] = endpoint_slice(side, self._network.published(number))

    async def apply(self, *routes: Object, upstreams: list[Object] | None = None, other: Object | None = None) -> bool:
        hosts = [virtual_service(delegating()), *([other] if other else [])]
        slices = list(self.slices.values())
        return await self.apply_all(snapshot(hosts, [route_table(*routes)], upstreams, endpoint_slices=slices))

    async def apply_all(self, given: Snapshot) -> bool:
        self._last = translate(given, self._directory, self._last.good if self._last else None)
        return await self.envoy.apply(self._last)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    port, admin = free_port(), free_port()
    async with AsyncExitStack() as pods, Envoy(port, admin, tmp_path) as envoy, client(port) as asking:
        made = Gateway(envoy, asking, f"http://127.0.0.1:{admin}", tmp_path, pods)
        await made.start_pod("primary", 1)
        await made.start_pod("canary", 2)
        yield made


def share(answers: Counter[tuple[int, str]]) -> float:
    """Percent of the requests that the canary answered; everything must have been answered."""
    assert set(answers) <= {(200, "primary"), (200, "canary")}
    return 100 * answers[200, "canary"] / answers.total()


async def test_the_share_that_clients_see_is_the_weight_that_was_set(gateway: Gateway) -> None:
    """5,000 requests at 20 %: a standard deviation of 0.57 points, so 3 points are more than five of them."""
    await gateway.apply(weighted(80, 20))
    assert share(await gateway.client.count(5_000)) == pytest.approx(20, abs=3)


@pytest.mark.parametrize("weight", [0, 100])
async def test_at_the_ends_not_one_request_goes_to_the_other_side(gateway: Gateway, weight: int) -> None:
    await gateway.apply(weighted(100 - weight, weight))
    assert share(await gateway.client.count(500)) == weight


async def test_changes_of_weights_under_load_fail_no_request(gateway: Gateway) -> None:
    await gateway.apply(weighted(100, 0))
    async with gateway.client.load() as answers:
        for step in range(60):
            assert await gateway.apply(weighted(100 - step, step))
            await gateway.client.get()
    assert set(answers) == {(200, "primary"), (200, "canary")}


async def test_a_new_upstream_and_its_route_come_together_without_a_failed_request(gateway: Gateway) -> None:
    await gateway.apply(weighted(100, 0))
    async with gateway.client.load() as answers:
        for number in range(10):
            name = f"new-{number}"
            more = named(name, upstream("canary")["spec"])
            destination = {"destination": {"upstream": {"name": name, "namespace": "test"}}, "weight": 100}
            route = {"routeAction": {"multi": {"destinations": [destination]}}}
            assert await gateway.apply(route, upstreams=[upstream("primary"), more])
            await gateway.client.get()
    assert set(answers) == {(200, "primary"), (200, "canary")}


async def test_pods_that_come_and_go_fail_no_request(gateway: Gateway) -> None:
    await gateway.apply(weighted(0, 100))
    async with gateway.client.load() as answers:
        for number in range(3, 9):
            await gateway.start_pod("canary", number)
            assert await gateway.apply(weighted(0, 100))
            del gateway.slices[f"canary-{number - 1}"]
            assert await gateway.apply(weighted(0, 100))
    assert set(answers) == {(200, "canary")}


async def test_a_pod_that_is_withdrawn_gets_no_more_requests(gateway: Gateway) -> None:
    await gateway.start_pod("canary", 3, "other")
    await gateway.apply(weighted(0, 100))
    assert {text for _, text in await gateway.client.count(50)} == {"canary", "other"}
    del gateway.slices["canary-3"]
    await gateway.apply(weighted(0, 100))
    await _endpoints(gateway, 1)
    assert {text for _, text in await gateway.client.count(50)} == {"canary"}


async def _endpoints(gateway: Gateway, wanted: int) -> None:
    """Endpoints are read a moment after the file is there; nothing tells us but Envoy's own list."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE):
        while True:
            async with session.get(f"{gateway.admin}/clusters?format=json") as answer:
                statuses = {each["name"]: each for each in (await answer.json(content_type=None))["cluster_statuses"]}
            if len(statuses[cluster_of("canary")].get("host_statuses", [])) == wanted:
                return
            await asyncio.sleep(0.01)


async def test_an_ab_test_sends_insiders_to_the_canary_and_everybody_else_to_the_primary(gateway: Gateway) -> None:
    insider = [{"headers": [{"name": "X-Canary", "value": "insider"}]}]
    firefox = [{"headers": [{"name": "user-agent", "value": ".*Firefox.*", "regex": True}]}]
    await gateway.apply(weighted(0, 100, matchers=insider), weighted(0, 100, matchers=firefox), weighted(100, 0))
    ask = gateway.client.get
    assert await ask(headers={"X-Canary": "insider"}) == (200, "canary")
    assert await ask(headers={"User-Agent": "Mozilla Firefox/9"}) == (200, "canary")
    assert await ask(headers={"X-Canary": "outsider"}) == (200, "primary")
    assert await ask() == (200, "primary")


async def test_without_a_route_for_it_a_request_is_not_found(gateway: Gateway) -> None:
    await gateway.apply(weighted(1, 0, matchers=[{"headers": [{"name": "x-canary"}]}]))
    assert (await gateway.client.get())[0] == 404
    assert (await gateway.client.get(host="unknown.example.com"))[0] == 404


async def test_requests_for_an_upstream_that_does_not_exist_fail(gateway: Gateway) -> None:
    await gateway.apply(single("canary"), upstreams=[upstream("primary")])
    assert (await gateway.client.get())[0] == 500


async def test_an_invalid_regular_expression_freezes_the_routes_of_every_application(gateway: Gateway) -> None:
    other = virtual_service(single("primary"), name="other", domains=["other.example.com"])
    await gateway.apply(weighted(100, 0), other=other)
    broken = weighted(0, 100, matchers=[{"headers": [{"name": "x", "value": "(", "regex": True}]}])
    moved = virtual_service(single("canary"), name="other", domains=["other.example.com"])
    assert not await gateway.apply(broken, other=moved)
    assert await gateway.envoy.refused_routes() == 1
    assert await gateway.client.get() == (200, "primary")
    assert await gateway.client.get(host="other.example.com") == (200, "primary")

    assert not await gateway.apply(broken, other=moved), "it stays refused when nothing has changed"
    assert await gateway.apply(weighted(0, 100), other=moved)
    assert await gateway.client.get() == (200, "canary")
    assert await gateway.client.get(host="other.example.com") == (200, "canary")


def insiders(pattern: str) -> Object:
    return weighted(0, 100, matchers=[{"headers": [{"name": "x", "value": pattern, "regex": True}]}])


async def test_the_largest_pattern_that_a_canary_may_have_is_the_largest_that_the_gateway_takes(
    gateway: Gateway,
) -> None:
    """Beyond it every application's routes would be frozen, so the sandbox must draw the line where Gloo does."""
    limit = Settings().regex_max_program_size
    size_of_nothing = program_size("a") - 1
    largest, larger = ("a" * (limit - size_of_nothing + more) for more in (0, 1))
    assert (program_size(largest), program_size(larger)) == (limit, limit + 1)
    assert await gateway.apply(insiders(largest), weighted(100, 0))
    assert await gateway.client.get(headers={"x": largest}) == (200, "canary")
    assert not await gateway.apply(insiders(larger), weighted(100, 0))


@pytest.mark.parametrize("name", ["", "two\nlines", "x\r", "x-user id", "Ünsinn"])
async def test_the_gateway_takes_the_header_names_that_a_canary_may_have_and_no_others(
    gateway: Gateway, name: str
) -> None:
    matching = weighted(0, 100, matchers=[{"headers": [{"name": name, "value": "v"}]}])
    assert await gateway.apply(matching, weighted(100, 0)) is is_header_name(name)


async def test_an_upstream_that_is_gone_is_forgotten_with_its_endpoints(gateway: Gateway, tmp_path: Path) -> None:
    await gateway.apply(weighted(50, 50))
    files = sorted(path.name for path in (tmp_path / "eds").iterdir())
    assert files == [f"{cluster_of('canary')}.json", f"{cluster_of('primary')}.json"]
    await gateway.apply(single("primary"), upstreams=[upstream("primary")])
    assert [path.name for path in (tmp_path / "eds").iterdir()] == [f"{cluster_of('primary')}.json"]
    assert await gateway.client.get() == (200, "primary")


async def test_options_of_a_route_work(gateway: Gateway) -> None:
    header = {"header": {"key": "x-seen", "value": "yes"}}
    options = {"timeout": "5s", "headerManipulation": {"responseHeadersToAdd": [header]}, "prefixRewrite": "/v2"}
    retries = {"retryOn": "5xx", "numRetries": 2, "perTryTimeout": "1s"}
    assert await gateway.apply(weighted(1, 1, options={**options, "retries": retries}))
    async with aiohttp.ClientSession() as session, session.get(gateway.client.url, headers={"Host": HOST}) as answer:
        assert answer.headers["x-seen"] == "yes"


async def test_upstreams_with_every_setting_are_taken(gateway: Gateway) -> None:
    canary = upstream(
        "canary",
        connectionConfig={"connectTimeout": "1s", "maxRequestsPerConnection": 5, "perConnectionBufferLimitBytes": 9999},
        circuitBreakers={"maxConnections": 10, "maxPendingRequests": 10, "maxRequests": 10, "maxRetries": 1},
        loadBalancerConfig={"leastRequest": {"choiceCount": 2}, "healthyPanicThreshold": 10},
    )
    assert await gateway.apply(weighted(0, 100), upstreams=[upstream("primary"), canary])
    assert set(await gateway.client.count(50, at_once=4)) == {(200, "canary")}


async def test_the_metrics_have_the_names_that_the_queries_use(gateway: Gateway) -> None:
    await gateway.apply(weighted(0, 100))
    await gateway.client.count(20)
    wanted = f'envoy_cluster_upstream_rq{{envoy_response_code="200",envoy_cluster_name="{cluster_of("canary")}"}} 20'
    bucket = f'envoy_cluster_upstream_rq_time_bucket{{envoy_cluster_name="{cluster_of("canary")}",le="+Inf"}} 20'
    async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE):
        text = ""
        while bucket not in text:  # histograms move at a flush, once a second
            async with session.get(f"{gateway.admin}/stats/prometheus") as answer:
                text = await answer.text()
            await asyncio.sleep(0.02)
    assert wanted in text


async def test_an_envoy_that_ends_by_itself_is_noticed(gateway: Gateway) -> None:
    async with aiohttp.ClientSession() as session, session.post(f"{gateway.admin}/quitquitquit"):
        pass
    with pytest.raises(EnvoyError, match="Envoy ended with code"):
        await asyncio.wait_for(gateway.envoy.ended(), PATIENCE)


async def test_a_port_that_is_taken_is_an_error_with_its_number(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with pytest.raises(EnvoyError, match=f"cannot listen on 127.0.0.1:{port}"):
            async with Envoy(port, free_port(), tmp_path):
                pass


async def test_a_service_without_pods_is_unavailable(gateway: Gateway) -> None:
    hosts, tables = [virtual_service(delegating())], [route_table(single("canary"))]
    await gateway.apply_all(snapshot(hosts, tables, services=[service("canary")]))
    assert (await gateway.client.get())[0] == 503
