"""Metric providers: one module each, one anatomy (:mod:`question`). A failed measurement is data, no exception.

A provider gives the newest value; null is no data, a whole number is a number, several series are an error that names
them, and no secret goes to another address than the template's or appears in a text (spec metrics-providers, defects).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import httpx
import orjson
from nats.aio.client import Client

from handlers.adapters.hiding import hidden, secrets_of
from handlers.adapters.metrics.cloudwatch import CloudWatch
from handlers.adapters.metrics.datadog import Datadog
from handlers.adapters.metrics.dynatrace import Dynatrace
from handlers.adapters.metrics.externalmetrics import ExternalMetrics
from handlers.adapters.metrics.graphite import Graphite
from handlers.adapters.metrics.http import Http, Refused, Unreachable, without_password
from handlers.adapters.metrics.influxdb import InfluxDB
from handlers.adapters.metrics.keptn import Keptn
from handlers.adapters.metrics.nats import Nats
from handlers.adapters.metrics.newrelic import NewRelic
from handlers.adapters.metrics.prometheus import Prometheus
from handlers.adapters.metrics.question import Cluster, Provider, Question, Reading, Tools
from handlers.adapters.metrics.splunk import Splunk
from handlers.adapters.metrics.stackdriver import Stackdriver
from handlers.adapters.metrics.waiting import Waiting
from schemas.measurement import Measurement, bounded
from schemas.metrics import ProviderType

Answer = TypeVar("Answer")
_LONGEST = 1000
"""Characters of a text; what a provider says may be as long as its answer."""
log = logging.getLogger("canarybus.metrics")
_KINDS: Mapping[ProviderType, type[Provider]] = {
    ProviderType.PROMETHEUS: Prometheus,
    ProviderType.DATADOG: Datadog,
    ProviderType.CLOUDWATCH: CloudWatch,
    ProviderType.NEWRELIC: NewRelic,
    ProviderType.GRAPHITE: Graphite,
    ProviderType.STACKDRIVER: Stackdriver,
    ProviderType.INFLUXDB: InfluxDB,
    ProviderType.DYNATRACE: Dynatrace,
    ProviderType.KEPTN: Keptn,
    ProviderType.SPLUNK: Splunk,
    ProviderType.EXTERNAL_METRICS: ExternalMetrics,
    ProviderType.NATS: Nats,
}


class Providers:
    """Asks any of them. ``client`` and ``bus`` stay the caller's to close."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        cluster: Cluster,
        bus: Client | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waiting = Waiting(clock)
        self._http = Http(client)
        self._tools = Tools(self._http, cluster, bus)
        self._made: dict[ProviderType, Provider] = {}

    async def close(self) -> None:
        await self._http.close()

    async def ask(self, kind: ProviderType, question: Question) -> Measurement:
        """Never raises; within the provider's own time limit."""
        text = " ".join(question.query.split())
        shown = Measurement(name=question.name, outcome="empty", query=text, provider=kind.value)
        try:
            provider = self._provider(kind)
            asked = _addressed(question, provider)
            shown = shown.model_copy(update={"endpoint": without_password(asked.address)})
            reading = await self._in_time(kind, asked, provider.read)
        except Exception as error:
            return shown.model_copy(update=_failure(error, question, kind))
        return shown.model_copy(update=_found(reading))

    async def check(self, kind: ProviderType, question: Question) -> str:
        """Empty, or why it would not answer."""
        try:
            provider = self._provider(kind)
            await self._in_time(kind, _addressed(question, provider), provider.check)
        except Exception as error:
            return str(_failure(error, question, kind)["detail"])
        return ""

    async def _in_time(
        self, kind: ProviderType, asked: Question, do: Callable[[Question], Awaitable[Answer]]
    ) -> Answer:
        """Not at all while the other side wants to be left alone."""
        account = _account(kind, asked)
        if left := self._waiting.left(account):
            raise Unreachable(f"the provider asked for time; it is asked again in {math.ceil(left)} s")
        try:
            async with asyncio.timeout(_KINDS[kind].timeout):
                return await do(asked)
        except Unreachable as error:
            if error.wait:
                self._waiting.note(account, error.wait)
            raise

    def _provider(self, kind: ProviderType) -> Provider:
        if kind not in self._made:
            self._made[kind] = _KINDS[kind](self._tools)
        return self._made[kind]


def _addressed(question: Question, provider: Provider) -> Question:
    return replace(question, address=question.address or provider.default_address)


def _account(kind: ProviderType, question: Question) -> str:
    """Limits are by login; only a digest of it stays here."""
    whole = [kind.value, question.address, sorted((question.secret or {}).items()), sorted(question.headers.items())]
    return hashlib.sha256(orjson.dumps(whole)).hexdigest()


def _found(reading: Reading) -> dict[str, Any]:
    value, samples = (None if it is None or math.isnan(it) else bounded(it) for it in (reading.value, reading.samples))
    found = {"value": value, "samples": samples, "detail": reading.message, "reach": reading.reach}
    if reading.passed is not None:
        return found | {"outcome": "verdict", "passed": reading.passed}
    if value is None:
        return found | {"outcome": "empty", "detail": reading.message or "no values found"}
    return found | {"outcome": "value"}


def _failure(error: Exception, question: Question, kind: ProviderType) -> dict[str, str]:
    if isinstance(error, TimeoutError):
        return {"outcome": "unreachable", "detail": f"no answer within {_KINDS[kind].timeout:g}s"}
    if not isinstance(error, Refused | ValueError):
        _log_fault(error, question, kind)
        return {"outcome": "error", "detail": "the answer has an unexpected form; the handlers' log has the place"}
    text = hidden(str(error), _secrets(question))[:_LONGEST]
    return {"outcome": "unreachable" if isinstance(error, Unreachable) else "error", "detail": text}


def _log_fault(error: Exception, question: Question, kind: ProviderType) -> None:
    """A fault of ours. Lines of code alone: the words of an error, and of those before it, may repeat what was sent."""
    fields = {"provider": kind.value, "metric": question.name, "error": type(error).__name__}
    stack = "".join(traceback.format_tb(error.__traceback__))
    log.error("a provider's answer has an unexpected form", extra=fields | {"stack": stack})


def _secrets(question: Question) -> list[str]:
    """All that is sent beside the query: what the Secret holds, and what of it a login is made of."""
    secret, headers = dict(question.secret or {}), question.headers.values()
    login = [f"{secret['username']}:{secret['password']}"] if {"username", "password"} <= secret.keys() else []
    sent = [word for values in headers for value in values for word in (value, value.split(" ")[-1])]
    return [*secret.values(), *login, *sent, *secrets_of(question.address)]


__all__ = ["Cluster", "Providers", "Question", "Reading"]
