"""Faults of one wake on the cluster: somebody else wins the commit, a worker dies or stalls before its writes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from schemas.resources import CANARY
from tests.handlers.house import House
from tests.handlers.neighbours import Crash
from tests.scenarios.surroundings import Heard


class Faults:
    def __init__(self, house: House, heard: Heard) -> None:
        self._house, self._heard = house, heard
        self._fault = ""
        self._stalled, self._go_on = asyncio.Event(), asyncio.Event()
        self._late: asyncio.Task[Any] | None = None

    def arm(self, fault: str) -> None:
        self._fault = fault
        self._house.kube.before = self._before_a_call
        self._heard.before = self._before_a_write

    def disarm(self) -> None:
        self._fault = ""
        self._house.kube.before = None
        self._heard.before = None

    async def run(self, wake: Awaitable[Any]) -> None:
        """A worker that stalls is left where it is; another one goes on."""
        if self._fault != "stalls before its writes":
            await wake
            return
        self._late = asyncio.ensure_future(wake)
        stalled = asyncio.ensure_future(self._stalled.wait())
        await asyncio.wait({self._late, stalled}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        assert stalled.done(), "the worker did not get to its write"
        self._house.advance = self._house.worker()

    async def release(self) -> None:
        assert self._late is not None, "no worker has stalled"
        self._go_on.set()
        await self._late

    async def _before_a_call(self, method: str, path: str) -> None:
        """The commit is let through, and the snapshot that comes before it."""
        commit = method == "PATCH" and path.endswith("/status")
        if commit and self._fault == "conflict at the commit":
            self._fault = ""
            labels = {"metadata": {"labels": {"touched": "by-somebody"}}}
            await self._house.admin.patch(CANARY, self._house.namespace, "podinfo", labels)
        if method != "GET" and not commit and "controllerrevisions" not in path:
            await self._before_a_write()

    async def _before_a_write(self) -> None:
        """Or before it tells anybody, when there is nothing to write."""
        if self._fault == "dies before its writes":
            raise Crash
        if self._fault == "stalls before its writes":
            self._fault = ""
            self._stalled.set()
            await self._go_on.wait()
