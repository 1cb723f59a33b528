"""Scenarios on a real API server with the real controllers; pods, gateway and metrics answer as a scenario says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from handlers.adapters.errors import TransientError
from handlers.adapters.kube import Object
from schemas.canary import Canary
from schemas.configs import references
from schemas.events import Change, ChangeReason
from schemas.resources import CANARY, CONFIG_MAP, EVENT, ROUTE_TABLE, SERVICE, TARGETS
from schemas.status import IDLE, CanaryStatus
from schemas.workload import Workload
from tests.handlers.house import Crash
from tests.handlers.targets import image_of, target_object
from tests.moving import move_in
from tests.scenarios.beginning import play_to
from tests.scenarios.deeds import Deeds
from tests.scenarios.failing import upstream_of
from tests.scenarios.faults import Faults
from tests.scenarios.format import Order, Start, Then
from tests.scenarios.manifest import deep, left_over, spec_of, status_of, target_of
from tests.scenarios.place import PRIMARY, TARGET, Place
from tests.scenarios.play import ANYTHING, Seen, explained, hashes_of, moved, summary
from tests.scenarios.routes import in_words, shares_of
from tests.scenarios.surroundings import Answers, Heard

NAMES = {"target": TARGET, "primary": PRIMARY}


class OnCluster:
    """What is seen speaks of the namespace ``test``, whatever it is called."""

    def __init__(self, house: Place, answers: Answers, heard: Heard) -> None:
        self.house, self.answers, self.heard = house, answers, heard
        self.pods = house.pods
        self.faults = Faults(house, heard)
        self.deeds = Deeds(house, answers)
        self.reply = ""
        self.deleted = False
        self.explained: tuple[str, ...] = ()
        self.last = self._before = CanaryStatus()

    async def begin(self, start: Start) -> None:
        house = self.house
        spec = spec_of(start, lambda name: f"{self.answers.url}/hook/{name}")
        self.answers.upstream = upstream_of(house.namespace, spec["service"].get("name", TARGET))
        if start.left_by:
            house.uid = (await move_in(house.admin, house.namespace, start.phase, spec, **left_over(start))).uid
            return
        for item in start.objects:
            await self.deeds.apply(item)
        house.resource = self.pods.resource = TARGETS[start.target]
        # addresses of a Service are the API server's to give
        target = target_object("Service", namespace="") if start.target == "Service" else target_of(start)
        target["metadata"] = {"name": TARGET, "namespace": house.namespace}
        if start.content:
            await self._put(start.content)
        await house.admin.create(house.resource, target)
        made = {"metadata": {"name": "podinfo", "namespace": house.namespace}, "spec": spec}
        house.service = spec["service"].get("name", TARGET)
        house.uid = (await house.admin.create(CANARY, made))["metadata"]["uid"]
        await play_to(self, start)

    async def do(self, action: str, value: Any) -> None:
        self._before = await self._status()
        self.heard.results.clear()
        self.heard.notices.clear()
        self.heard.receivers.clear()
        self.answers.asked.clear()
        self.answers.queries.clear()
        self.answers.sent.clear()
        self.house.kube.reset()
        self.reply = ""
        await getattr(self, f"_{action}")(value)

    async def see(self, then: Then = ANYTHING) -> Seen:
        house = self.house
        route, apex, target, primary, status = await asyncio.gather(
            house.route(),
            house.admin.find(SERVICE, house.namespace, house.service),
            house.admin.find(house.resource, house.namespace, TARGET),
            house.admin.find(house.resource, house.namespace, PRIMARY),
            self._status(),
        )
        workloads = {role: Workload(item) for role, item in (("target", target), ("primary", primary)) if item}
        weight = _weight(route)
        parked = "target" in workloads and not workloads["target"].replicas
        ours = weight == status.canary_weight
        assert not (weight and parked and ours), "the target is at zero while it is routed to"
        seen = self._told(status, weight, workloads)
        content = {"primary": await self._read_by_primary(workloads.get("primary"))}
        seen = replace(seen, apex=_selected(apex), routes=in_words(route), gone=self.deleted, content=content)
        seen = replace(seen, objects=await self._objects(then.objects or ()))
        seen = replace(seen, events=await self._events() if then.events else ())
        return replace(seen, pods={"target": await self.pods.images(TARGET)})

    async def _events(self) -> tuple[str, ...]:
        """Of this step, as they are kept when its results have been told."""
        before = {item["metadata"]["name"] for item in await self._all_events()}
        await self.heard.told_by(self.house.notifier())
        made = [item for item in await self._all_events() if item["metadata"]["name"] not in before]
        return tuple(self._plain(f"{item['type']} {item['reason']} {item['message']}") for item in made)

    async def _all_events(self) -> list[Object]:
        named = f"involvedObject.kind={CANARY.kind},involvedObject.name=podinfo"
        return (await self.house.admin.list(EVENT, self.house.namespace, fields=named))[0]

    async def _read_by_primary(self, primary: Workload | None) -> str:
        for key in references(primary.template) if primary else ():
            found = await self.house.admin.find(CONFIG_MAP, self.house.namespace, key.partition("/")[2])
            return str(found.get("data", {}).get("content", "")) if found else ""
        return ""

    async def _objects(self, places: Iterable[str]) -> dict[str, Any]:
        found = {}
        for text in places:
            resource, name = self.deeds.place(text)
            item = await self.house.admin.find(resource, self.house.namespace, name)
            found[text] = json.loads(self._plain(json.dumps(item)))
        return found

    async def _status(self) -> CanaryStatus:
        """The last there was, once the Canary is gone."""
        item = await self.house.admin.find(CANARY, self.house.namespace, "podinfo")
        self.deleted = item is None
        self.last = Canary.from_object(item).status if item else self.heard.status or self.last
        self.explained = explained(Canary.from_object(item)) if item else ()
        return self.last

    def _told(self, status: CanaryStatus, weight: int, workloads: dict[str, Workload]) -> Seen:
        conditions = {item.type: f"{item.status}: {item.reason}: {item.message}" for item in status.conditions}
        written = [call for call in self.house.kube.made if not call.startswith("GET")]
        return Seen(
            phase=status.phase,
            weight=weight,
            failed_checks=status.failed_checks,
            iterations=status.iterations,
            reason=status.last_step.reason if status.last_step else "",
            ready=self._plain(conditions.get("Ready", "")),
            promoted=self._plain(conditions.get("Promoted", "")),
            waiting_for=status.waiting_for,
            settled=status.settled or status.phase not in IDLE,
            last_transition_time=moved(self._before, status),
            explain=tuple(self._plain(line) for line in self.explained),
            image={role: image_of(item.item) for role, item in workloads.items()},
            replicas={role: item.replicas for role, item in workloads.items()},
            told=tuple(self._plain(notice.message) for notice in self.heard.notices),
            alerts=tuple((item.severity, self._plain(item.alert)) for item in self.heard.notices if item.severity),
            asked=tuple(dict.fromkeys(self.answers.asked)),
            asked_once=tuple(self.answers.asked),
            reply=self._plain(self.reply),
            hashes=hashes_of(status),
            queries=tuple(self._plain(query) for query in self.answers.queries),
            sent=tuple(self.answers.sent),
            reasons=tuple(notice.reason for notice in self.heard.notices),
            hears=tuple(self.heard.receivers),
            written=tuple(written),
            last=summary(status),
        )

    def _plain(self, text: str) -> str:
        return text.replace(self.house.namespace, "test")

    # ---- wakes

    async def _woken(self, wake: Any) -> Any:
        """A wake that leaves its work to the next one has said so; a process that dies is another one from then on."""
        try:
            return await wake
        except TransientError:
            return None
        except Crash:
            self.house.advance = self.house.worker()
            return None

    async def _push(self, image: str) -> None:
        await self._silent_push(image)
        await self._wake("revision")

    async def _silent_push(self, image: str) -> None:
        await self.house.push(image, announce=False)

    async def _tick(self, value: int | str) -> None:
        again = value == "the same slot"
        if value == "the next slot":
            self.house.now = (await self.house.status()).last_tick or self.house.now
        elif isinstance(value, str) and not again:
            self.faults.arm(value)
        for _ in range(value if isinstance(value, int) else 1):
            await self.house.catch_up()
            tick = self.house.slot()
            if again:
                tick = tick.model_copy(update={"slot": (await self.house.status()).last_tick})
                await self._woken(self.house.wake(tick))
                continue
            self.house.now += timedelta(seconds=10)
            await self._woken(self.faults.run(self.house.wake(self.house.slot())))
        self.faults.disarm()

    async def _wake(self, reason: str) -> None:
        await self._woken(self.house.change(ChangeReason(reason)))

    async def _command(self, value: str | Order) -> None:
        order = Order(verb=value) if isinstance(value, str) else value
        body = {key: text for key, text in order.model_dump(exclude={"verb", "again"}).items() if text}
        await self.house.catch_up()
        if order.again and (last := (await self.house.status()).last_command):
            body["id"] = last.id
        reply = await self._woken(self.house.command(order.verb, **body))
        self.reply = f"{'accepted' if reply.accepted else 'refused'}: {reply.message}"

    async def _edit(self, spec: dict[str, Any]) -> None:
        house = self.house
        item = await house.object(CANARY, "podinfo")
        item["spec"] = deep(item["spec"], spec)
        await house.admin.replace(CANARY, item)
        house.service = item["spec"]["service"].get("name", TARGET)
        await self._wake("spec")

    async def _delete(self, _canary: str) -> None:
        """The watcher names the target of what was deleted."""
        house = self.house
        await house.admin.delete(CANARY, house.namespace, "podinfo")
        await house.catch_up()
        house.now += timedelta(seconds=1)
        place = {"namespace": house.namespace, "name": "podinfo", "uid": house.uid}
        target = f"{house.resource.kind}/{TARGET}"
        await self._woken(house.wake(Change(**place, reason=ChangeReason.DELETED, object=target)))

    # ---- the world around

    async def _wait(self, seconds: float) -> None:
        await self.house.catch_up()
        self.house.now += timedelta(seconds=seconds)

    async def _metrics(self, answers: dict[str, float | str]) -> None:
        self.answers.values |= answers

    async def _providers(self, state: str) -> None:
        self.answers.away = state == "away"

    async def _hooks(self, answers: dict[str, Any]) -> None:
        self.answers.gates |= {name: status_of(answer) for name, answer in answers.items()}
        self.answers.once |= {name for name, answer in answers.items() if answer == "passes once"}

    async def _gateway(self, verdict: str) -> None:
        self.house.gateway = None if verdict == "silent" else verdict
        house = self.house
        route = await house.route()
        if route is not None and route.get("status"):
            await house.admin.patch(ROUTE_TABLE, house.namespace, route["metadata"]["name"], {"status": None})
        await house.report()

    async def _pods(self, states: dict[str, str]) -> None:
        for role, state in states.items():
            self.pods.turn(NAMES[role], state)

    async def _somebody(self, deed: str) -> None:
        await self.deeds.somebody(deed)

    async def _apply(self, item: dict[str, Any]) -> None:
        await self.deeds.apply(item)

    async def _remove(self, place: str) -> None:
        await self.deeds.remove(place)

    async def _content(self, value: str) -> None:
        if value == "missing":
            await self.house.admin.delete(CONFIG_MAP, self.house.namespace, "podinfo")
        else:
            await self._put(value)
        await self._wake("revision")

    async def _put(self, content: str) -> None:
        admin, metadata = self.house.admin, {"name": "podinfo", "namespace": self.house.namespace}
        body = {"metadata": metadata, "data": {"content": content}}
        if await admin.find(CONFIG_MAP, self.house.namespace, "podinfo"):
            await admin.replace(CONFIG_MAP, body)
        else:
            await admin.create(CONFIG_MAP, body)

    async def _second_canary(self, who: str) -> None:
        await self.deeds.second_canary(who)

    async def _late_worker(self, _writes: str) -> None:
        await self._woken(self.faults.release())


def _weight(route: Object | None) -> int:
    """The canary's; every route must add up to 100."""
    if route is None:
        return 0
    shares = [shares_of(item) for item in route["spec"]["routes"]]
    assert all(sum(each) == 100 for each in shares), f"weights {shares} are not 100 together"
    return shares[0][1]


def _selected(service: Object | None) -> str:
    """Whose pods."""
    if service is None:
        return "nobody"
    return "primary" if service["spec"]["selector"]["app"] == PRIMARY else "target"
