"""What is seen of a Canary on a real API server after a step: its objects, and what was told and asked in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from handlers.adapters.kube import Object
from schemas.canary import Canary
from schemas.configs import references
from schemas.resources import CANARY, CONFIG_MAP, EVENT, SERVICE
from schemas.status import IDLE, CanaryStatus
from schemas.workload import Workload
from tests.handlers.targets import image_of
from tests.scenarios.deeds import Deeds
from tests.scenarios.format import Then
from tests.scenarios.place import PRIMARY, TARGET, Place
from tests.scenarios.play import Seen, explained, hashes_of, moved, summary
from tests.scenarios.routes import in_words, shares_of
from tests.scenarios.series import scraped
from tests.scenarios.surroundings import Answers, Heard


class Sight:
    """Speaks of the namespace ``test``, whatever it is called."""

    def __init__(self, house: Place, answers: Answers, heard: Heard, deeds: Deeds) -> None:
        self.house, self.answers, self.heard, self.deeds = house, answers, heard, deeds
        self.deleted = False
        self.canary: Canary | None = None
        self.explained: tuple[str, ...] = ()
        self.last = self._before = CanaryStatus()

    async def begin(self) -> None:
        """A step begins: what it tells and asks is its own."""
        self._before = await self._status()
        self.heard.results.clear()
        self.heard.notices.clear()
        self.heard.receivers.clear()
        self.answers.asked.clear()
        self.answers.queries.clear()
        self.answers.sent.clear()
        self.answers.bodies.clear()
        self.house.kube.reset()

    async def see(self, then: Then, reply: str) -> Seen:
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
        seen = self._told(status, weight, workloads, reply)
        content = {"primary": await self._read_by_primary(workloads.get("primary"))}
        seen = replace(seen, apex=_selected(apex), routes=in_words(route), gone=self.deleted, content=content)
        seen = replace(seen, objects=await self._objects(then.objects or ()))
        if then.events or then.payloads:
            seen = replace(seen, events=await self._events())
        payloads = tuple((name, json.loads(self._plain(json.dumps(body)))) for name, body in self.answers.bodies)
        seen = replace(seen, payloads=payloads, series=scraped(house.registry, self.canary))
        return replace(seen, pods={"target": await house.pods.images(TARGET)})

    async def _events(self) -> tuple[str, ...]:
        """Of this step, as they are kept when its results have been told: none is folded into another."""
        before = {item["metadata"]["name"] for item in await self._all_events()}
        told = await self.heard.told_by(self.house.notifier())
        made = [item for item in await self._all_events() if item["metadata"]["name"] not in before]
        assert len(made) == told, f"{told} events were told, {len(made)} are kept"
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
        self.canary = Canary.from_object(item) if item else None
        self.explained = explained(self.canary) if self.canary else ()
        self.last = self.canary.status if self.canary else self.heard.status or self.last
        return self.last

    def _told(self, status: CanaryStatus, weight: int, workloads: dict[str, Workload], reply: str) -> Seen:
        conditions = {item.type: f"{item.status}: {item.reason}: {item.message}" for item in status.conditions}
        written = [call for call in self.house.kube.made if not call.startswith("GET")]
        return Seen(
            phase=status.phase,
            weight=weight,
            failed_checks=status.failed_checks,
            iterations=status.iterations,
            reason=status.last_step.reason if status.last_step else "",
            held=self._plain(conditions.get("Held", "")),
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
            reply=self._plain(reply),
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
