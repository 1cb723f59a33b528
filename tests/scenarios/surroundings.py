"""What surrounds a Canary on the cluster: who answers its questions, who hears of it, and its pods."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from aiohttp import web
from nats.aio.client import Client

from handlers.adapters.bus import Bus
from handlers.adapters.errors import Conflict, NotFound
from handlers.adapters.kube import Kube, Object
from handlers.core.alerting import is_alert
from handlers.core.receivers import KUBERNETES
from handlers.notify import Notifier
from schemas.events import Message, NoticeMessage, StepResult
from schemas.resources import DEPLOYMENT, POD, SERVICE
from schemas.status import CanaryStatus, Notice
from schemas.workload import Workload
from tests.handlers.neighbours import Answering
from tests.scenarios.failing import success_of
from tests.scenarios.manifest import NEVER

_COUNTS = {
    "Deployment": ("replicas", "updatedReplicas", "unavailableReplicas"),
    "DaemonSet": ("currentNumberScheduled", "updatedNumberScheduled", "numberUnavailable"),
}
"""Pods that are there, those of the newest template, and those that cannot serve."""
_PATIENCE = 20.0
"""Seconds for the real controllers to roll a Deployment."""


_WHO = ("authorization", "x-tenant")


class Answers(Answering):
    """Hooks by name, and metrics by name: 100 unless a scenario says otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, float | str] = {}
        self.away = False
        self.upstream = ""
        """The canary's, as Envoy names it."""
        self.queries: list[str] = []
        self.sent: list[str] = []
        """To metric providers: the path, and the headers that say who asks."""
        self.once: dict[str, int] = {}
        """Hooks that answer otherwise the next time, with the HTTP status that they answer with from then on."""

    async def _hook(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.asked.append(name)
        self.bodies.append((name, json.loads(await request.read())))
        usual = 403 if name == "rollback" else 200
        answer = self.gates.get(name, usual)
        if name in self.once:
            self.gates[name] = self.once.pop(name)
        return web.Response(status=answer, text="no")

    def _note(self, request: web.Request) -> None:
        asking = [f"{key}: {value}" for key, value in request.headers.items() if key.lower() in _WHO]
        self.sent.append(" ".join([request.path, *sorted(asking)]))

    async def _external(self, request: web.Request) -> web.Response:
        self._note(request)
        self.asked.append("external")
        return await super()._external(request)

    async def _query(self, request: web.Request) -> web.Response:
        self._note(request)
        query = request.query["query"]
        if query == "vector(1)":
            self.asked.append("providers")
            return web.Response(status=503, text="it is down") if self.away else _number(1)
        self.queries.append(query)
        name = _metric_of(query)
        self.asked.append(name)
        value = self.values.get(name, 100)
        match value:
            case "unreachable" | "error":
                return web.Response(status=503 if value == "unreachable" else 400, text="it is down")
            case "empty":
                return _answer([])
            case "only 5xx":
                rate = success_of(query, self.upstream)
                return _answer([]) if rate is None else _number(rate)
            case _:
                return _number(float(value))


def _metric_of(query: str) -> str:
    if "histogram_quantile" in query:
        return "request-duration"
    return "request-success-rate" if "envoy_cluster_upstream_rq" in query else query


def _number(value: float) -> web.Response:
    return _answer([{"metric": {}, "value": [0, str(value)]}])


def _answer(result: list[Object]) -> web.Response:
    answer = {"status": "success", "data": {"resultType": "vector", "result": result}}
    return web.Response(text=json.dumps(answer), content_type="application/json")


class Heard(Bus):
    """A bus that only listens: what the results of this step tell people. Nobody answers on it."""

    def __init__(self) -> None:
        self.client = Client()
        self.notices: list[Notice] = []
        self.receivers: list[str] = []
        self.results: list[StepResult] = []
        self._messages: list[NoticeMessage] = []
        self.status: CanaryStatus | None = None
        self.before: Callable[[], Awaitable[None]] | None = None
        self._steps: set[str] = set()

    async def publish(self, message: Message, *, source: str) -> bool:
        if message.message_id in self._steps:
            return False
        if self.before is not None:
            await self.before()
        self._steps.add(message.message_id)
        if isinstance(message, StepResult):
            self.notices += message.notices
            self.receivers += message.receivers
            self.results.append(message)
            self.status = message.after
        if isinstance(message, NoticeMessage):
            self._messages.append(message)
        return True

    async def told_by(self, notifier: Notifier) -> int:
        """What was heard in this step is told to Kubernetes and to hooks; chat services are not there.

        How many events that should have made.
        """
        for result in self.results:
            await notifier.on_result(result)
        events = 0
        while self._messages:
            message = self._messages.pop(0)
            if is_alert(message.receiver):
                continue
            await notifier.on_notice(message)
            events += len(message.result.notices) if message.receiver == KUBERNETES else 0
        return events

    async def holds(self, message: Message) -> bool:
        return message.message_id in self._steps


class Pods:
    """Waits until workloads are as their pods are meant to be: ready, or not, by hand."""

    def __init__(self, admin: Kube, namespace: str) -> None:
        self._admin, self._namespace = admin, namespace
        self._most: dict[str, int] = {}
        """How many may be ready; unless said, all."""
        self._broken: dict[str, str] = {}
        """The image whose pods never get ready."""
        self.resource = DEPLOYMENT
        """What target and primary are."""
        self.away: set[str] = set()
        """Those without enough available pods."""

    def turn(self, workload: str, state: str) -> None:
        self._most.pop(workload, None)
        self._broken.pop(workload, None)
        image, _, rest = state.partition(" ")
        if rest == "not ready":
            self._broken[workload] = image
        elif state != "ready":
            self._most[workload] = 1 if state == "one ready" else 0

    async def settle(self) -> None:
        for name in ("podinfo", "podinfo-primary"):
            await self._settle(name)

    async def _settle(self, name: str) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                while not await self._is_settled(name):
                    await asyncio.sleep(0.03)
        except TimeoutError:
            found = await self._admin.get(self.resource, self._namespace, name)
            raise AssertionError(f"the pods of {name} are never as they should be: {found['status']}") from None

    async def _is_settled(self, name: str) -> bool:
        found = await self._admin.find(self.resource, self._namespace, name)
        if found is None or self.resource is SERVICE:
            return True
        workload = Workload(found)
        if found["metadata"]["generation"] > int(workload.status.get("observedGeneration", 0)):
            return False
        broken = self._broken.get(name)
        never = NEVER in str(workload.template) or (broken is not None and broken in str(workload.template))
        most = self._most.get(name)
        meant = self._is_as_meant(workload, most, never=never)
        # pods that have just been made are not ready either, and become it
        held = workload.replicas and (most is not None or broken is not None)
        if not meant or held:
            turned = await self._turn_pods(name, most, broken)
            if not (meant and turned):
                return False
        enough = not workload.replicas or workload.available > (most or 0)
        (self.away.discard if enough else self.away.add)(name)
        return True

    @staticmethod
    def _is_as_meant(workload: Workload, most: int | None, *, never: bool) -> bool:
        """Pods that do not get ready leave a rolling update where it is."""
        there, updated, unavailable = (int(workload.status.get(name, 0)) for name in _COUNTS[workload.kind])
        if workload.frozen is not None and not updated:
            updated = there
        if workload.replicas and never:
            return bool(updated and unavailable)
        if workload.replicas and most is not None:
            return bool(updated and workload.available == most)
        return [there, updated, workload.available] == [workload.replicas] * 3

    async def images(self, name: str) -> str:
        """Of the pods that users meet behind a workload's Service: one, or all of them in a row."""
        found, _ = await self._admin.list(POD, self._namespace, labels=f"app={name}")
        there = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
        return " ".join(sorted({container["image"] for pod in there for container in pod["spec"]["containers"]}))

    async def _turn_pods(self, name: str, most: int | None, broken: str | None) -> bool:
        """Whether all of them are as they are meant to be already."""
        done = True
        pods, _ = await self._admin.list(POD, self._namespace, labels=f"app={name}")
        for number, pod in enumerate(sorted(pods, key=lambda one: str(one["metadata"]["name"]))):
            images = [container["image"] for container in pod["spec"]["containers"]]
            wanted = "True" if (most is None or number < most) and broken not in images else "False"
            conditions = (pod.get("status") or {}).get("conditions") or []
            if any(NEVER in image for image in images) or "deletionTimestamp" in pod["metadata"]:
                continue
            said = next((item["status"] for item in conditions if item["type"] == "Ready"), None)
            done = done and said == wanted
            if said not in (None, wanted):
                await self._turn(pod, conditions, wanted)
        return done

    async def _turn(self, pod: Object, conditions: list[Object], wanted: str) -> None:
        turned = [{**item, "status": wanted} if "Ready" in item["type"] else item for item in conditions]
        name = pod["metadata"]["name"]
        try:
            await self._admin.patch(
                POD, self._namespace, name, {"status": {"conditions": turned}}, subresource="status"
            )
        except (Conflict, NotFound):
            return
