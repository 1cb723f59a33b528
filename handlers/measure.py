"""Measuring: a metric of the analysis becomes a question to its provider. What is missing or wrong is data, too."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from itertools import takewhile

from pydantic import ValidationError

from handlers.adapters.errors import AdapterError, NotFound, TransientError
from handlers.adapters.kube import Kube
from handlers.adapters.metrics import Providers, Question
from handlers.adapters.secret_data import SecretData
from handlers.core.observation import Observation
from handlers.core.queries import built_in, judge_question, render, samples_of
from handlers.core.verdict import counts, in_order
from schemas.analysis import Check
from schemas.canary import Canary, NamespacedRef
from schemas.duration import is_duration
from schemas.measurement import Measurement
from schemas.metrics import MetricTemplate, ProviderType
from schemas.resources import METRIC_TEMPLATE, SECRET
from schemas.settings import Settings

Asked = list[tuple[Check, asyncio.Task[Measurement]]]
_SHARE = 0.8
"""Of the analysis interval: the longest that a metric may take, so that the next slot is met whatever hangs."""
_OVER_THE_WINDOW = frozenset(
    {
        ProviderType.DATADOG,
        ProviderType.CLOUDWATCH,
        ProviderType.NEWRELIC,
        ProviderType.DYNATRACE,
        ProviderType.SPLUNK,
        ProviderType.NATS,
    }
)
"""They are told how far back to look, besides the query: another window than the one that was meant is no answer."""
_COURTESY = 1.0
"""Seconds that a failed check, which has decided already, waits for the answers of others: people want to see them."""


class Measurer:
    """Metrics of one tick are asked together, each with its own time limit."""

    def __init__(self, kube: Kube, providers: Providers, settings: Settings) -> None:
        self._kube = kube
        self._providers = providers
        self._server = settings.metrics_server
        self._min_interval = settings.min_interval

    async def measure(self, canary: Canary, seen: Observation, metrics: tuple[Check, ...]) -> tuple[Measurement, ...]:
        """In the order in which they decide; one that hangs is told as such, and the others are what they are."""
        longest = _SHARE * canary.spec.analysis.interval_seconds(self._min_interval)
        asked = [
            (metric, asyncio.create_task(self._in_time(canary, metric, longest), name=f"metric {metric.key}"))
            for metric in in_order(metrics)
        ]
        try:
            await _until_decided(canary, seen, asked)
            return tuple(task.result() if task.done() else _unawaited(metric) for metric, task in asked)
        finally:
            for _, task in asked:
                task.cancel()

    async def _in_time(self, canary: Canary, metric: Check, longest: float) -> Measurement:
        try:
            async with asyncio.timeout(longest):
                return await self._measure(canary, metric)
        except TimeoutError:
            detail = f"no answer within {longest:g}s, 80 % of the analysis interval"
            return Measurement(name=metric.key, outcome="unreachable", detail=detail)

    async def check(self, canary: Canary) -> str:
        """Why a provider that the analysis will need does not answer; empty when all of them do."""
        problems = await asyncio.gather(*(self._check(canary, metric) for metric in canary.spec.analysis.checks))
        return "; ".join(dict.fromkeys(problem for problem in problems if problem))

    async def _measure(self, canary: Canary, metric: Check) -> Measurement:
        nothing = Measurement(name=metric.key, outcome="error")
        try:
            if metric.template_ref is not None:
                kind, question = await self._from_template(canary, metric, metric.template_ref)
                return await self._providers.ask(kind, question)
            if metric.query:
                question = self._question(canary, metric, render(metric.query, canary, metric))
                return await self._providers.ask(ProviderType.PROMETHEUS, question)
            return await self._built_in(canary, metric)
        except TransientError as error:
            return nothing.model_copy(update={"outcome": "unreachable", "detail": str(error)})
        except (AdapterError, ValueError) as error:
            return nothing.model_copy(update={"detail": str(error)})

    async def _built_in(self, canary: Canary, metric: Check) -> Measurement:
        """With the number of requests behind it; that one is asked for people, so it may be missing."""
        found, counted = await asyncio.gather(
            *(
                self._providers.ask(ProviderType.PROMETHEUS, self._question(canary, metric, query))
                for query in (built_in(canary, metric), samples_of(canary, metric))
            )
        )
        return found.model_copy(update={"samples": counted.value})

    def _question(self, canary: Canary, metric: Check, query: str) -> Question:
        return Question(
            name=metric.key,
            query=query,
            now=time.time(),
            address=canary.spec.metrics_server or self._server,
            window=metric.window,
            namespace=canary.metadata.namespace,
        )

    async def _from_template(self, canary: Canary, metric: Check, ref: NamespacedRef) -> tuple[ProviderType, Question]:
        template = await self._template(canary, ref)
        provider = template.spec.provider
        if provider.kind in _OVER_THE_WINDOW and metric.interval and not is_duration(metric.interval):
            raise ValueError(
                f"error parsing metric interval: {metric.interval!r} is not a duration; write it as 30s, 1m or 90m"
            )
        question = Question(
            name=metric.key,
            query=render(template.spec.query, canary, metric),
            now=time.time(),
            address=provider.address,
            window=metric.window,
            namespace=canary.metadata.namespace,
            headers=provider.headers,
            secret=await self._secret(template),
            region=provider.region,
            insecure_skip_verify=provider.insecure_skip_verify,
        )
        if provider.kind is ProviderType.NATS:
            question = replace(question, payload=judge_question(canary, metric, question.query))
        return provider.kind, question

    async def _template(self, canary: Canary, ref: NamespacedRef) -> MetricTemplate:
        namespace = ref.namespace or canary.metadata.namespace
        try:
            found = await self._kube.get(METRIC_TEMPLATE, namespace, ref.name)
            return MetricTemplate.model_validate(found)
        except NotFound as error:
            raise ValueError(
                f"Metric template {ref.name}.{namespace} not found; create it or mend templateRef"
            ) from error
        except ValidationError as error:
            raise ValueError(f"Metric template {ref.name}.{namespace} error: {error.errors()[0]['msg']}") from error

    async def _secret(self, template: MetricTemplate) -> dict[str, str] | None:
        """Read at each check, so that a rotated one counts at once."""
        ref, namespace = template.spec.provider.secret_ref, template.metadata.namespace
        if ref is None:
            return None
        place = f"{template.metadata.name}.{namespace}"
        try:
            secret = await self._kube.get(SECRET, namespace, ref.name)
            return SecretData(secret.get("data") or {}, f"Metric template {place} secret {ref.name}")
        except NotFound as error:
            raise ValueError(f"Metric template {place} secret {ref.name} not found in {namespace}") from error

    async def _check(self, canary: Canary, metric: Check) -> str:
        """Inline queries are not asked for: whoever answers the built-in ones answers them (spec lifecycle 2.7)."""
        try:
            if metric.template_ref is None:
                question = self._question(canary, metric, "")
                problem = await self._providers.check(ProviderType.PROMETHEUS, question)
                return f"prometheus not avaiable: {problem}" if problem else ""
            kind, question = await self._from_template(canary, metric, metric.template_ref)
            problem = await self._providers.check(kind, question)
        except (AdapterError, ValueError) as error:
            return str(error)
        ref = metric.template_ref
        place = f"{ref.name}.{ref.namespace or canary.metadata.namespace}"
        return f"{kind.value} in metric template {place} not avaiable: {problem}" if problem else ""


async def _until_decided(canary: Canary, seen: Observation, asked: Asked) -> None:
    """All have answered, or one that fails has, and all before it: those behind it cannot change what is decided."""
    waiting = {task for _, task in asked}
    while waiting:
        _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        answered = takewhile(lambda item: item[1].done(), asked)
        if waiting and any(counts(canary, metric, task.result(), seen) for metric, task in answered):
            await asyncio.wait(waiting, timeout=_COURTESY)
            return


def _unawaited(metric: Check) -> Measurement:
    return Measurement(name=metric.key, outcome="unreachable", detail="not waited for: another check had failed")
