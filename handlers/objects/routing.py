"""RouteTable, upstreams and Services: made, kept, guarded by the fence (design section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handlers.adapters.errors import AlreadyExists, Conflict
from handlers.adapters.kube import Kube, Object
from handlers.core import desired, marks, patches
from handlers.core.belongings import apex_selector, leads_here
from handlers.core.gate import makes
from handlers.core.kinds import kind_of
from handlers.core.kinds.anatomy import Selectors
from handlers.core.observation import Observation
from handlers.core.passing import passing_patch
from handlers.core.renaming import may_touch
from handlers.objects import copies
from handlers.together import together
from schemas.base import merge_patch
from schemas.canary import Canary
from schemas.gloo import ROUTE_STEP
from schemas.resources import ROUTE_TABLE, SERVICE, UPSTREAM, Resource
from schemas.settings import Settings
from schemas.status import Phase
from schemas.workload import Workload


class Router:
    """Writes only what differs. Conflicts are raised: the caller reads again and renders again."""

    def __init__(self, kube: Kube, settings: Settings) -> None:
        self._kube = kube
        self._keys = settings.selector_labels

    async def apply(self, canary: Canary, seen: Observation, *, everything: bool) -> bool:
        """``canary`` carries the committed status. ``everything``: Services and upstreams are compared as well.

        Whether they were: under names that are not in force yet, and of what cannot be rendered, they are not.
        Raises Conflict when an object has moved on since it was read.
        """
        target = seen.target_workload
        # until the primary can serve, what exists already (an adopted Service, a user's RouteTable) is left alone
        untouched = canary.status.phase is Phase.INITIALIZING and not may_touch(canary, seen)
        everything = _all_due(canary, everything=everything)
        if not makes(canary, seen):
            await self._return_broken(canary, seen)
            return False
        if target is not None and (everything or seen.route is None):
            if kind_of(canary).brings_services:
                await copies.ensure(self._kube, canary, seen, target)
            await self._neighbours(canary, seen, target, untouched=untouched)
        elif target is not None and not untouched and desired.apex_due(canary, target):
            await self._service(
                canary, desired.services(canary, target, self._keys, seen.primary_workload)["apex"], "apex"
            )
        if seen.route is None:
            await self._create(canary)
        elif not untouched:
            await self._patch(canary, seen)
        return everything and target is not None

    async def return_to_target(self, canary: Canary, seen: Observation) -> None:
        """A deletion: what leads to the target is there before the routes name nothing else."""
        target = seen.target_workload
        if target is None or not canary.status.returned or any(kind_of(canary).problems(canary, target, seen.rules)):
            return
        await self._way_to_target(canary, target, seen.primary_workload)
        if seen.route is None:
            await self._create(canary)
        elif leads_here(canary, seen.route):
            await self._patch(canary, seen)

    async def _way_to_target(self, canary: Canary, target: Workload, primary: Workload | None) -> None:
        """A Service as target needs no copy any more: the upstream leads to itself."""
        services = desired.services(canary, target, self._keys, primary)
        source, sides = await self._source(canary), desired.selectors(target, self._keys, primary)
        body = desired.upstream(canary, "canary", sides["canary"], source)
        if services:
            await self._service(canary, services["canary"], "canary")
        else:
            body["spec"]["kube"]["serviceName"] = target.name
        await self._upstream(canary, body, source)
        if services:
            await self._return_apex(canary, target, services["apex"], sides)

    async def _return_apex(self, canary: Canary, target: Workload, wanted: Object, sides: Selectors) -> None:
        apex = await self._kube.find(SERVICE, canary.metadata.namespace, canary.service)
        if apex is None:
            made = {**wanted["spec"], "selector": dict(sides["canary"])}
            await self._service(canary, {**wanted, "spec": made}, "apex", new=True)
        elif (back := apex_selector(apex, target, sides)) is not None:
            patch = patches.guarded(apex, {}, merge_patch({"selector": apex["spec"]["selector"]}, {"selector": back}))
            await self._kube.patch(SERVICE, canary.metadata.namespace, canary.service, patch)

    async def _neighbours(self, canary: Canary, seen: Observation, target: Workload, *, untouched: bool) -> None:
        source, renamed = await self._source(canary), bool(canary.status.former)
        primary, new = seen.primary_workload, seen.route is None
        services = desired.services(canary, target, self._keys, primary).items()
        selectors = desired.selectors(target, self._keys, primary).items()
        upstreams = [desired.upstream(canary, role, selector, source) for role, selector in selectors]
        await together(
            *(self._service(canary, body, role, new=new, untouched=untouched) for role, body in services),
            *(self._upstream(canary, body, source, new=new, keep=untouched and renamed) for body in upstreams),
        )

    async def _service(
        self, canary: Canary, body: Object, role: str, *, new: bool = False, untouched: bool = False
    ) -> None:
        """``untouched``: what users are served by stays so, until the primary is ready to serve them.

        Nor is the apex Service made before that: who connects gets no pods, or the target's by an older one.
        """
        early = untouched and role == "apex"
        if early and not canary.status.former:
            return
        existing = await (self._find(SERVICE, body) if early else self._ensure(SERVICE, body, new=new))
        if existing is None:
            return
        if canary.status.former:
            patch = passing_patch(canary, existing, body, adding=untouched)
        else:
            moving = role != "canary" and not canary.status.settled
            patch = patches.service_patch(canary, existing, body, moving=moving)
        if patch is not None:
            await self._kube.patch(SERVICE, canary.metadata.namespace, body["metadata"]["name"], patch)

    async def _upstream(
        self, canary: Canary, body: Object, source: Object | None, *, new: bool = False, keep: bool = False
    ) -> None:
        """One whose source is lost keeps the settings that it has."""
        existing = await self._ensure(UPSTREAM, body, new=new)
        if existing is None or keep:
            return
        if canary.spec.upstream_ref is not None and source is None:
            patch = patches.lost_upstream_patch(existing, body)
        else:
            patch = patches.upstream_patch(existing, body, copying=source is not None)
        if patch is not None:
            await self._kube.patch(UPSTREAM, canary.metadata.namespace, body["metadata"]["name"], patch)

    async def _source(self, canary: Canary) -> Object | None:
        ref = canary.spec.upstream_ref
        if ref is None:
            return None
        return await self._kube.find(UPSTREAM, ref.namespace or canary.metadata.namespace, ref.name)

    async def _ensure(self, resource: Resource, body: Object, *, new: bool) -> Object | None:
        """Create what is missing, else what is there. ``new``: probably missing, so creating is tried first."""
        existing = None if new else await self._find(resource, body)
        if existing is not None:
            return existing
        try:
            await self._kube.create(resource, body)
        except AlreadyExists:
            return await self._kube.get(resource, body["metadata"]["namespace"], body["metadata"]["name"])
        return None

    async def _find(self, resource: Resource, body: Object) -> Object | None:
        return await self._kube.find(resource, body["metadata"]["namespace"], body["metadata"]["name"])

    async def _create(self, canary: Canary) -> None:
        """Creating has no guard: made with 100/0 and the current fence; the weight is patched after another look.

        Raises Conflict when there is a weight to patch (design section 9, rule 8).
        """
        harmless = canary.status.model_copy(update={"canary_weight": 0})
        try:
            await self._kube.create(ROUTE_TABLE, desired.route_table(canary, harmless))
        except AlreadyExists:
            return
        if canary.status.canary_weight:
            raise Conflict(f"RouteTable {canary.service} is made, its weight is still to be set")

    async def _patch(self, canary: Canary, seen: Observation) -> None:
        route, status = seen.route, canary.status
        assert route is not None  # noqa: S101 - the caller has looked
        if status.route_step < seen.route_fence <= status.step:
            # a later step has written already: this status is an old one
            return
        wanted = desired.route_table(canary, status, route)
        metadata = marks.difference(route["metadata"], wanted["metadata"])
        if not desired.route_table_is_current(canary, status, route) or seen.route_fence != status.route_step:
            await self._write(canary, route, wanted["spec"]["routes"], metadata)
        elif metadata:
            await self._kube.patch(
                ROUTE_TABLE, canary.metadata.namespace, canary.service, patches.guarded(route, metadata, {})
            )

    async def _write(
        self, canary: Canary, route: Mapping[str, Any], routes: list[Object], metadata: Mapping[str, Any]
    ) -> None:
        """The cleared status makes the gateway report again: its next verdict is about these routes."""
        patch = patches.guarded(route, metadata, {"routes": routes})
        await self._kube.patch(
            ROUTE_TABLE, canary.metadata.namespace, canary.service, {**(patch or {}), "status": None}
        )

    async def _return_broken(self, canary: Canary, seen: Observation) -> None:
        """An invalid Canary's routes are left as they are, until its rollout is ended for it."""
        status = canary.status
        if seen.route is None or seen.route_fence >= status.route_step or status.canary_weight:
            return
        routes = desired.routes_back((seen.route.get("spec") or {}).get("routes") or ())
        await self._write(canary, seen.route, routes, {"annotations": {ROUTE_STEP: str(status.route_step)}})


def _all_due(canary: Canary, *, everything: bool) -> bool:
    """Under new names everything is looked at until it serves; what serves under the former hears nothing of them."""
    if canary.asked:
        return False
    return everything or (canary.status.phase is Phase.INITIALIZING and bool(canary.status.former))
