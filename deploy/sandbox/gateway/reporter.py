"""Statuses, as Gloo writes them: into the object itself, pending first, then the verdict of the proxy.

Gloo's CRDs have no status subresource, so each of these writes moves ``resourceVersion`` and ``generation``. A status
is written again only when it differs or was cleared; and never for another spec than the one that was translated, so
that a verdict that follows ``status: null`` is one on the spec that came with it.
"""

from __future__ import annotations

import asyncio
import random
import sys
from typing import Any, NamedTuple

from deploy.sandbox.gateway.snapshot import Report
from deploy.sandbox.mirror import Mirror, Ref
from handlers.adapters.errors import AdapterError, Conflict, NotFound
from handlers.adapters.kube import Kube, Object
from schemas.resources import UPSTREAM, Resource

_AGAIN = 0.5
"""Seconds before a status is written again after the API server failed to take it."""


class Pace(NamedTuple):
    """Seconds between the pending status and the verdict: between ``shortest`` and ``longest``, by chance."""

    shortest: float = 0.5
    longest: float = 1.5


def status(report: Report, *, namespace: str, proxy: str | None, pending: bool = False) -> Object:
    """Gloo's status for ``report``. ``namespace`` is Gloo's own, ``proxy`` the subresource (None: there is none)."""
    told: Object = {"reportedBy": "gloo", **_state(report.errors, report.warnings)}
    if proxy:
        verdict = {} if pending else _state(report.proxy_errors, report.proxy_warnings)
        told["subresourceStatuses"] = {proxy: verdict}
    return {"statuses": {namespace: told}}


def _state(errors: list[str], warnings: list[str]) -> Object:
    if errors:
        count = f"{len(errors)} error{'s' if len(errors) > 1 else ''} occurred"
        return {"state": "Rejected", "reason": f"{count}:\n" + "".join(f"\t* {text}\n" for text in errors) + "\n"}
    if warnings:
        return {"state": "Warning", "reason": "warning: \n  " + "\n".join(warnings)}
    return {"state": "Accepted"}


def merge_patch(old: Any, new: Object) -> Object:
    """The merge patch that turns ``old`` into ``new``."""
    known = old if isinstance(old, dict) else {}
    gone: Object = dict.fromkeys(set(known) - set(new))
    changed = {key: value for key, value in new.items() if known.get(key) != value}
    return gone | {
        key: merge_patch(known.get(key), value) if isinstance(value, dict) else value for key, value in changed.items()
    }


class Reporter:
    """Brings the status of every object that was translated up to its report; one task per object at a time."""

    def __init__(self, kube: Kube, mirror: Mirror, *, namespace: str, proxy_name: str, pace: Pace) -> None:
        self._kube = kube
        self._mirror = mirror
        self._namespace = namespace
        self._proxy = f"*v1.Proxy.{proxy_name}_{namespace}"
        self._pace = pace
        self._reports: dict[tuple[Resource, Ref], Report] = {}
        self._tasks: dict[tuple[Resource, Ref], asyncio.Task[None]] = {}

    def consider(self, reports: dict[tuple[Resource, Ref], Report] | None = None) -> None:
        """New ``reports``, or (None) objects that may have lost the status that they had."""
        if reports is not None:
            self._reports = reports
        for key in self._reports:
            if key not in self._tasks and self._due(key) is not None:
                task = asyncio.create_task(self._tell(key))
                self._tasks[key] = task
                task.add_done_callback(lambda _, key=key: self._tasks.pop(key))  # type: ignore[misc]

    async def settled(self) -> None:
        """Returns when nothing is left to write."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell(self, key: tuple[Resource, Ref]) -> None:
        while (verdict := self._due(key)) is not None:
            try:
                if "subresourceStatuses" in verdict["statuses"][self._namespace]:
                    await self._write(key, pending=True)
                    await asyncio.sleep(random.uniform(*self._pace))
                await self._write(key, pending=False)
            except NotFound:
                return
            except AdapterError as error:
                print(f"status of {key[0].plural} {key[1]}: {error}; trying again", file=sys.stderr, flush=True)
                await asyncio.sleep(_AGAIN)

    async def _write(self, key: tuple[Resource, Ref], *, pending: bool) -> None:
        """Only what is still due; on a conflict it looks again at what the other writer has made of the object."""
        resource, ref = key
        while self._due(key) is not None:
            item = self._mirror.objects(resource)[ref]
            wanted = self._status(key, pending=pending)
            patch = merge_patch(item.get("status"), wanted)
            if not patch:
                return
            guarded = {"metadata": {"resourceVersion": item["metadata"]["resourceVersion"]}, "status": patch}
            try:
                self._mirror.put(resource, await self._kube.patch(resource, ref.namespace, ref.name, guarded))
            except Conflict:
                self._mirror.put(resource, await self._kube.get(resource, ref.namespace, ref.name))
            else:
                return

    def _due(self, key: tuple[Resource, Ref]) -> Object | None:
        """The status that the object should have and has not; None too if its spec is not the one of the report."""
        item = self._mirror.objects(key[0]).get(key[1])
        report = self._reports.get(key)
        if item is None or report is None or (item.get("spec") or {}) != report.spec:
            return None
        wanted = self._status(key, pending=False)
        return wanted if merge_patch(item.get("status"), wanted) else None

    def _status(self, key: tuple[Resource, Ref], *, pending: bool) -> Object:
        proxy = None if key[0] == UPSTREAM else self._proxy
        return status(self._reports[key], namespace=self._namespace, proxy=proxy, pending=pending)
