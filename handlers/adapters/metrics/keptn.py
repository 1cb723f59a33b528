"""Keptn: a KeptnMetric's value, or an Analysis made for the occasion (spec metrics-providers)."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import Any, ClassVar, NamedTuple

from handlers.adapters.errors import AdapterError, NotFound, TransientError, Unserved
from handlers.adapters.metrics.http import Refused, Unreachable, as_number
from handlers.adapters.metrics.question import Question, Reading, Tools
from schemas.resources import Resource

_METRIC = Resource("metrics.keptn.sh", "v1beta1", "keptnmetrics", "KeptnMetric")
_ANALYSIS = Resource("metrics.keptn.sh", "v1beta1", "analyses", "Analysis")
_POLL = 1.0
"""Seconds between two looks at an Analysis."""
_LONGEST = 10.0
"""Seconds for an Analysis to complete."""
_COURTESY = 1.0
"""Seconds for one to be deleted before the answer is given; it goes on behind it."""


class _Analysis(NamedTuple):
    namespace: str
    definition: str
    duration: str
    arguments: dict[str, str]


class Keptn:
    """``keptnmetric/<namespace>/<name>`` or ``analysis/<namespace>/<definition>[/<duration>[/key=value;…]]``.

    An analysis gives 1 when it passed and 0 when it failed.
    """

    default_address: ClassVar[str] = ""
    timeout: ClassVar[float] = 12.0

    def __init__(self, tools: Tools) -> None:
        self._cluster = tools.cluster
        self._going: set[asyncio.Task[None]] = set()

    async def read(self, question: Question) -> Reading:
        kind, *rest = question.query.strip().lower().split("/")
        try:
            match kind, rest:
                case "keptnmetric", [namespace, name] if namespace and name:
                    return _value(await self._cluster.get(_METRIC, namespace, name))
                case "analysis", [namespace, definition, *more] if namespace and definition and len(more) <= 2:
                    return await self._analyse(_analysis(namespace, definition, more))
        except TransientError as error:
            raise Unreachable(str(error), error.delay or 0.0) from error
        except AdapterError as error:
            raise Refused(str(error)) from error
        raise Refused(f"the query {question.query.strip()!r} is neither keptnmetric/namespace/name nor analysis/…")

    async def check(self, question: Question) -> None:  # noqa: ARG002 - the same for every question
        """Whether the cluster knows Keptn's API."""
        try:
            await self._cluster.raw("/apis/metrics.keptn.sh/v1beta1")
        except TransientError as error:
            raise Unreachable(str(error), error.delay or 0.0) from error
        except (NotFound, Unserved) as error:
            raise Refused(
                "the cluster has no API metrics.keptn.sh/v1beta1; install Keptn's metrics operator"
            ) from error
        except AdapterError as error:
            raise Refused(str(error)) from error

    async def _analyse(self, wanted: _Analysis) -> Reading:
        name = f"{wanted.definition}-{secrets.token_hex(3)}"
        body = {
            "metadata": {"name": name, "namespace": wanted.namespace},
            "spec": {
                "analysisDefinition": {"name": wanted.definition},
                "timeframe": {"recent": wanted.duration},
                "args": wanted.arguments,
            },
        }
        await self._cluster.create(_ANALYSIS, body)
        try:
            return await self._outcome(wanted.namespace, name)
        finally:
            going = asyncio.create_task(self._take_away(wanted.namespace, name), name=f"analysis {name} goes")
            self._going.add(going)
            going.add_done_callback(self._going.discard)
            await asyncio.wait({going}, timeout=_COURTESY)

    async def _take_away(self, namespace: str, name: str) -> None:
        """The verdict is there: an Analysis that stays, or is slow to go, is no reason to lose it."""
        with suppress(AdapterError):
            await self._cluster.delete(_ANALYSIS, namespace, name)

    async def _outcome(self, namespace: str, name: str) -> Reading:
        try:
            async with asyncio.timeout(_LONGEST):
                while True:
                    status = (await self._cluster.get(_ANALYSIS, namespace, name)).get("status")
                    if isinstance(status, dict) and status.get("state") == "Completed":
                        return Reading(1.0 if status.get("pass") else 0.0)
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            raise Unreachable(f"the analysis {name} did not complete within {_LONGEST:g}s") from None


def _analysis(namespace: str, definition: str, more: list[str]) -> _Analysis:
    arguments = {}
    for pair in filter(None, more[1].split(";") if len(more) > 1 else ()):
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise Refused(f"the argument {pair!r} of the analysis is not key=value")
        arguments[key] = value
    return _Analysis(namespace, definition, more[0] if more and more[0] else "1m", arguments)


def _value(metric: dict[str, Any]) -> Reading:
    status = metric.get("status") or {}
    if not isinstance(status, dict):
        raise Refused("the metric has no status")
    value = status.get("value")
    return Reading(None if value in (None, "") else as_number(value, "status.value"))
