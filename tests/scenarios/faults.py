"""Faults of one wake on the cluster: somebody else wins the commit, a worker dies or stalls after it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from schemas.resources import CANARY
from tests.handlers.house import Crash, House
from tests.scenarios.surroundings import Heard


class Faults:
    def __init__(self, house: House, heard: Heard) -> None:
        self._house, self._heard = house, heard
        self._fault = ""
        self._committed = False
        self._stalled, self._go_on = asyncio.Event(), asyncio.Event()
        self._late: asyncio.Task[Any] | None = None

    def arm(self, fault: str) -> None:
        self._fault, self._committed = fault, False
        self._house.kube.before = self._before_a_call
        self._heard.before = self._after_the_commit

    def disarm(self) -> None:
        self._fault = ""
        self._house.kube.before = None
        self._heard.before = None

    async def run(self, wake: Awaitable[Any]) -> None:
        """A worker that stalls is left where it is; another one goes on."""
        if self._fault != "stalls after the commit":
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
        if method == "PATCH" and path.endswith("/status"):
            if self._fault == "conflict at the commit":
                self._fault = ""
                labels = {"metadata": {"labels": {"touched": "by-somebody"}}}
                await self._house.admin.patch(CANARY, self._house.namespace, "podinfo", labels)
            self._committed = True
        elif self._committed and method != "GET":
            await self._after_the_commit()

    async def _after_the_commit(self) -> None:
        if not self._committed:
            return
        if self._fault == "dies after the commit":
            raise Crash
        if self._fault == "stalls after the commit":
            self._fault = ""
            self._stalled.set()
            await self._go_on.wait()
