"""Scenarios on a real API server with the real controllers; pods, gateway and metrics answer as a scenario says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from handlers.adapters.errors import TransientError
from schemas.events import Change, ChangeReason
from schemas.resources import CANARY, CONFIG_MAP, ROUTE_TABLE, TARGETS
from tests.handlers.neighbours import Crash
from tests.handlers.targets import target_object
from tests.moving import move_in
from tests.scenarios.beginning import play_to
from tests.scenarios.deeds import Deeds
from tests.scenarios.failing import upstream_of
from tests.scenarios.faults import Faults
from tests.scenarios.format import Order, Start, Then
from tests.scenarios.manifest import deep, left_over, spec_of, status_of, target_of
from tests.scenarios.place import PRIMARY, TARGET, Place
from tests.scenarios.play import ANYTHING, Seen
from tests.scenarios.sight import Sight
from tests.scenarios.surroundings import Answers, Heard

NAMES = {"target": TARGET, "primary": PRIMARY}


class OnCluster:
    def __init__(self, house: Place, answers: Answers, heard: Heard) -> None:
        self.house, self.answers, self.heard = house, answers, heard
        self.pods = house.pods
        self.faults = Faults(house, heard)
        self.deeds = Deeds(house, answers)
        self.sight = Sight(house, answers, heard, self.deeds)
        self.reply = ""

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
        await self.sight.begin()
        self.reply = ""
        await getattr(self, f"_{action}")(value)

    async def see(self, then: Then = ANYTHING) -> Seen:
        return await self.sight.see(then, self.reply)

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
        later = {"passes once": 403, "fails once": 200}
        self.answers.once |= {name: later[answer] for name, answer in answers.items() if answer in later}

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
