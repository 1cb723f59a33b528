"""The only reads of a wake: RouteTable, target and primary first, then the Canary whose status they are judged by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from handlers.adapters.errors import NotFound, TransientError
from handlers.adapters.kube import Kube, Object
from handlers.core import validate
from handlers.core.adoption import is_foreign
from handlers.core.configs import Config
from handlers.core.desired import apex_due, route_table_is_current, services
from handlers.core.observation import Observation, Rules
from handlers.objects import configs, left_names, orphans, pods, snapshots
from handlers.objects.configs import Found
from handlers.together import together
from schemas.canary import Canary, Ref
from schemas.events import Change, ChangeReason, Command, Stimulus, Tick, Verb
from schemas.names import Names
from schemas.resources import CANARY, ROUTE_TABLE, SCALERS, SERVICE, TARGETS, UPSTREAM
from schemas.settings import Settings
from schemas.status import IDLE, JUDGED, Phase
from schemas.workload import Workload

Clock = Callable[[], datetime]
_LOOKS = 5
"""At one Canary in one wake: by the names of its spec, by those that another controller left, and edits between."""


def wall_clock() -> datetime:
    """In whole milliseconds, as a status keeps them: what is replayed from a result is the same to the digit."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


class Objects(NamedTuple):
    """What is around a Canary, as read before it; None is missing or not wanted."""

    route: Object | None = None
    target: Object | None = None
    primary: Object | None = None
    scaler: Object | None = None
    primary_scaler: Object | None = None


class Sight(NamedTuple):
    """A Canary as it is now, its object, and what was seen before it; ``configs`` with contents, so never written down.

    Those are empty when they were not read, because what the status knows of them still holds.
    """

    canary: Canary
    item: Object
    seen: Observation
    configs: tuple[Config, ...] = ()
    primary_configs: tuple[Config, ...] = ()


class Observer:
    """Reads; keeps nothing but the names of objects, which are checked against the Canary each time."""

    def __init__(self, kube: Kube, settings: Settings, clock: Clock = wall_clock) -> None:
        self._kube = kube
        self.now = clock
        self._provider = settings.provider
        self._config_tracking = settings.config_tracking
        self._names: dict[Ref, Names] = {}
        self._rules = Rules(
            drain=settings.drain,
            gateway_settle=settings.gateway_settle,
            min_interval=settings.min_interval,
            no_data=settings.no_data,
            selector_labels=settings.selector_labels,
            include_label_prefix=settings.include_label_prefix,
            no_cross_namespace_refs=settings.no_cross_namespace_refs,
            regex_max_program_size=settings.regex_max_program_size,
        )

    async def look(self, ref: Ref, stimulus: Stimulus) -> Sight | None:
        """None when there is no such Canary. Raises TransientError when its names change with every look."""
        names = self._names.get(ref)
        if names is None:
            item = await self._canary(ref)
            if item is None:
                return None
            names = Canary.from_object(item).names
        for _ in range(_LOOKS):
            around = await self._objects(ref, names)
            item = await self._canary(ref)
            if item is None:
                self._names.pop(ref, None)
                return None
            asked = Canary.from_object(item)
            canary = await self._under_left_names(asked, around.primary if asked.names == names else None)
            if canary.names == names:
                self._names[ref] = names
                found = await self._configs(canary, stimulus, around.target)
                carried = await self._carried_configs(canary, around, found)
                seen = await self._observation(canary, stimulus, around, found)
                seen = seen.model_copy(update={"primary_configs": carried.checksums})
                return Sight(canary, item, seen, found.configs, carried.configs)
            # somebody edited the spec: what was read belongs to other names
            names = canary.names
        raise TransientError(f"the names of Canary {ref} are being changed by others; left to the next wake")

    async def glimpse(self, ref: Ref, stimulus: Stimulus) -> Sight | None:
        """The Canary alone, when something around it cannot be read; None when there is no such Canary."""
        item = await self._canary(ref)
        if item is None:
            return None
        return Sight(Canary.from_object(item), item, Observation(now=self.now(), stimulus=stimulus, rules=self._rules))

    async def _canary(self, ref: Ref) -> Object | None:
        return await self._kube.find(CANARY, ref.namespace, ref.name)

    async def _under_left_names(self, canary: Canary, primary: Object | None) -> Canary:
        """``primary``: that of the names asked for; None is missing or not read."""
        unknown = is_foreign(canary.status) and canary.status.names is None and not canary.problems
        return await left_names.look(self._kube, canary, primary) if unknown else canary

    async def _objects(self, ref: Ref, names: Names) -> Objects:
        workload = TARGETS.get(names.kind)
        if workload is None or not names.target:
            return Objects()
        wanted = [(ROUTE_TABLE, names.service), (workload, names.target), (workload, f"{names.target}-primary")]
        if scaler := SCALERS.get(names.scaler_kind):
            wanted += [(scaler, names.scaler), (scaler, f"{names.scaler}-primary")]
        return Objects(*await together(*(self._kube.find(resource, ref.namespace, name) for resource, name in wanted)))

    async def _configs(self, canary: Canary, stimulus: Stimulus, item: Object | None) -> Found:
        """Read whenever they may be news; on a tick that finds the known revision the status knows them well enough.

        That a content changed is a change of its own, which the watcher tells until it is acted upon.
        """
        status = canary.status
        if item is None:
            return Found()
        target = Workload(item)
        known = Found(status.tracked_configs, status.tracked_config_versions)
        if canary.deleting:
            return known
        revision = target.revision(known.checksums)
        if not self._config_tracking:
            # what was tracked before counts as unchanged, or switching it off would start a rollout
            frozen = revision in (status.canary_revision, status.promoted_revision, status.applied_revision)
            return Found(known.checksums if frozen else {})
        hurried = isinstance(stimulus, Tick) or (isinstance(stimulus, Change) and stimulus.reason is ChangeReason.READY)
        if hurried and status.primary_step and not status.invalid and revision == status.canary_revision:
            return known
        found = await configs.read(self._kube, canary.metadata.namespace, target.template)
        # what cannot be read is a problem, not another revision
        unread = {key: text for key, text in known.checksums.items() if key in found.problems}
        return found._replace(checksums={**found.checksums, **unread})

    async def _carried_configs(self, canary: Canary, around: Objects, live: Found) -> Found:
        """Of a primary that somebody else made: asked until it is taken over."""
        if around.primary is None or canary.status.primary_step or not self._config_tracking:
            return Found()
        target = Workload(around.target).template if around.target else {}
        return await configs.carried(self._kube, canary, Workload(around.primary).template, target, live)

    async def _observation(self, canary: Canary, stimulus: Stimulus, around: Objects, found: Found) -> Observation:
        status, (route, target, primary, *_) = canary.status, around
        workload, own = Workload(target) if target else None, Workload(primary) if primary else None
        unproven = status.phase is Phase.NEW or status.invalid or canary.asked is not None
        edited = status.observed_generation != canary.metadata.generation
        at_rest = status.settled and status.phase in IDLE
        missing = await self._missing(canary, around.scaler) if unproven or edited or at_rest else ()
        twin, namesake = await self._twins(canary) if unproven else ("", "")
        seen = Observation(
            now=self.now(),
            stimulus=stimulus,
            rules=self._rules,
            route=_trimmed(route),
            route_current=route is not None and route_table_is_current(canary, status, route),
            target=_trimmed(target),
            target_revision=workload.revision(found.checksums) if workload else "",
            primary=_trimmed(primary),
            primary_current=own is not None and own.runs(status.primary_revision),
            scaler=_trimmed(around.scaler),
            primary_scaler=_trimmed(around.primary_scaler),
            asked_target=await self._asked_target(canary, target),
            orphans=await orphans.look(self._kube, canary) if _tidies(canary) else None,
            older_twin=twin,
            older_namesake=namesake,
            missing=missing if unproven or edited else (),
            lost=() if unproven or edited else missing,
            apex_behind=await self._apex_behind(canary, workload, own),
            snapshot_missing=await self._snapshot_missing(canary, stimulus, workload, own),
            configs=found.checksums,
            config_versions=found.versions,
            config_problems=tuple(found.problems.values()),
        )
        pod_trouble = await pods.look(self._kube, canary, seen)
        wrong = {"problems": validate.problems(canary, seen), "obstacles": validate.obstacles(canary, seen)}
        return seen.model_copy(update={**wrong, "pod_trouble": pod_trouble})

    async def _apex_behind(self, canary: Canary, target: Workload | None, primary: Workload | None) -> bool:
        at_rest = canary.status.phase in IDLE and not canary.deleting
        if target is None or not at_rest or not apex_due(canary, target):
            return False
        apex = await self._kube.find(SERVICE, canary.metadata.namespace, canary.service)
        wanted = services(canary, target, self._rules.selector_labels, primary)["apex"]
        return apex is not None and apex["spec"].get("selector") != wanted["spec"]["selector"]

    async def _snapshot_missing(
        self, canary: Canary, stimulus: Stimulus, target: Workload | None, primary: Workload | None
    ) -> bool:
        """Asked of a primary that has not got its revision, or lost it, and when one is asked to go back."""
        status = canary.status
        if isinstance(stimulus, Command) and stimulus.verb is Verb.ROLLBACK and status.previous_revision:
            return await snapshots.load(self._kube, canary, status.previous_revision, target) is None
        made = (*IDLE, *JUDGED) if status.primary_step else ()
        if status.phase not in made or (primary is not None and primary.runs(status.primary_revision)):
            return False
        return await snapshots.load(self._kube, canary, status.primary_revision, target) is None

    async def _asked_target(self, canary: Canary, target: Object | None) -> Object | None:
        """Of an edited spec; usually it is the one that is in force already."""
        asked = canary.asked
        if asked is None or asked.same_target(canary.names) or asked.kind not in TARGETS:
            return target
        return _trimmed(await self._kube.find(TARGETS[asked.kind], canary.metadata.namespace, asked.target))

    async def _twins(self, canary: Canary) -> tuple[str, str]:
        """Canaries of ours on the same target, and under the same service name, that were there first.

        Two that write the same objects undo each other's work: who works there goes on, else the older one.
        """
        found, _ = await self._kube.list(CANARY, canary.metadata.namespace)
        others = [other for other in Canary.readable(found) if other.metadata.uid != canary.metadata.uid]
        others = [other for other in others if other.belongs_to(self._provider)]
        wanted = canary.names if canary.deleting else canary.asked or canary.names

        def first(same: Callable[[Names], bool]) -> str:
            return next((str(other.ref) for other in others if _comes_first(other, canary, same)), "")

        return first(wanted.same_target), first(lambda names: names.service == wanted.service)

    async def _missing(self, canary: Canary, scaler: Object | None) -> tuple[str, ...]:
        """What the spec names besides the target and is not there; asked when it is unproven, and at rest."""
        own, spec, missing = canary.metadata.namespace, canary.spec, []
        if (source := spec.upstream_ref) and not await self._kube.find(UPSTREAM, source.namespace or own, source.name):
            missing.append(f"spec.upstreamRef: Upstream {source.name}.{source.namespace or own}")
        if (ref := spec.autoscaler_ref) and ref.kind in SCALERS and scaler is None:
            missing.append(f"spec.autoscalerRef: {ref.kind} {ref.name}.{own}")
        return tuple(missing)

    async def moved(self, sight: Sight) -> bool:
        """Whether target or routes moved while hooks and metrics were asked: the verdict would be about others."""
        canary, seen = sight.canary, sight.seen
        try:
            route, target = await asyncio.gather(
                self._kube.get(ROUTE_TABLE, canary.ref.namespace, canary.service),
                self._kube.get(TARGETS[canary.spec.target_ref.kind], canary.ref.namespace, canary.target),
            )
        except NotFound:
            return True
        return (
            Workload(target).revision(seen.configs) != seen.target_revision
            or not route_table_is_current(canary, canary.status, route)
            or seen.route is None
            or _fences(route) != _fences(seen.route)
            or _fences(target) != _fences(seen.target or {})
        )


def _tidies(canary: Canary) -> bool:
    return bool(canary.status.former) and canary.status.phase in IDLE and not canary.deleting


def _comes_first(other: Canary, canary: Canary, same: Callable[[Names], bool]) -> bool:
    """Who has made objects under these names stays with them, whoever is older; ``same`` compares with them."""
    holds, ours = other.status.names is not None and same(other.names), canary.status.names and not canary.asked
    if holds and not ours:
        return True
    return (holds or same(other.asked or other.names)) and holds == bool(ours) and _age(other) < _age(canary)


def _age(canary: Canary) -> tuple[datetime, str]:
    """Creation times are whole seconds: the name decides between two of the same."""
    return canary.metadata.creation_timestamp or datetime.max.replace(tzinfo=UTC), canary.metadata.name


def _fences(item: Any) -> dict[str, str]:
    annotations = (item.get("metadata") or {}).get("annotations") or {}
    return {key: value for key, value in annotations.items() if key.startswith("canarybus.dev/")}


def _trimmed(item: Object | None) -> Object | None:
    """Without managedFields, which are long and say nothing here."""
    if item is not None:
        item["metadata"].pop("managedFields", None)
    return item
