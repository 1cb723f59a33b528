"""Asking webhooks and metrics what the plan wants to know, in its order. Answers are data; nothing raises for them."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable

from pydantic import ValidationError

from handlers.adapters.errors import AdapterError, NotFound, TransientError
from handlers.adapters.kube import Kube
from handlers.adapters.prometheus import Prometheus, authorization
from handlers.adapters.webhooks import Webhooks, payload_of
from handlers.core.observation import Answers, Observation
from handlers.core.plan import Plan
from handlers.core.queries import built_in, render
from handlers.core.verdict import everything_passed, judge
from schemas.canary import Canary, Metric, NamespacedRef, Webhook
from schemas.measurement import HookAnswer, Measurement
from schemas.metrics import MetricTemplate, ProviderType
from schemas.resources import METRIC_TEMPLATE, SECRET
from schemas.settings import Settings


class Asker:
    """One question at a time per kind; metrics of one tick are asked together."""

    def __init__(self, kube: Kube, webhooks: Webhooks, prometheus: Prometheus, settings: Settings) -> None:
        self._kube = kube
        self._webhooks = webhooks
        self._prometheus = prometheus
        self._server = settings.metrics_server

    async def ask(self, canary: Canary, seen: Observation, plan: Plan) -> Answers:
        if plan.providers:
            return Answers(providers=await self._providers(canary), asked=("providers",))
        answers = Answers(asked=_names(plan))
        signals = await self._hooks(canary, plan.rollback, until=True)
        answers = answers.model_copy(update={"hooks": signals})
        if any(signal.passed for signal in signals):
            return answers
        hooks = await self._hooks(canary, plan.hooks, until=False)
        answers = answers.model_copy(update={"hooks": (*signals, *hooks)})
        if not all(answer.passed for answer in hooks):
            return answers
        measured = await asyncio.gather(*(self._measure(canary, metric) for metric in plan.metrics))
        answers = answers.model_copy(update={"measurements": tuple(measured)})
        if not everything_passed(judge(canary, seen, answers)):
            return answers
        gates = await self._hooks(canary, plan.gates, until=False)
        return answers.model_copy(update={"hooks": (*answers.hooks, *gates)})

    async def _hooks(self, canary: Canary, hooks: Iterable[Webhook], *, until: bool) -> tuple[HookAnswer, ...]:
        """In list order, up to the first whose answer is ``until``: the others cannot change the outcome."""
        answers: list[HookAnswer] = []
        for hook in hooks:
            payload = payload_of(
                canary.metadata.name,
                canary.metadata.namespace,
                # a Canary that waits for its start tells the peer's gates so (spec lifecycle 2.8)
                canary.status.phase.value,
                canary.status.canary_revision,
                hook.metadata,
            )
            answers.append(await self._webhooks.ask(hook, payload))
            if answers[-1].passed is until:
                break
        return tuple(answers)

    async def _measure(self, canary: Canary, metric: Metric) -> Measurement:
        nothing = Measurement(name=metric.name, outcome="error")
        try:
            if metric.template_ref is not None:
                template = await self._template(canary, metric.template_ref)
                return await self._from_template(canary, metric, template)
            query = render(metric.query, canary, metric) if metric.query else built_in(canary, metric)
        except TransientError as error:
            return nothing.model_copy(update={"outcome": "unreachable", "detail": str(error)})
        except (AdapterError, ValueError) as error:
            return nothing.model_copy(update={"detail": str(error)})
        return await self._prometheus.query(metric.name, canary.spec.metrics_server or self._server, query)

    async def _from_template(self, canary: Canary, metric: Metric, template: MetricTemplate) -> Measurement:
        provider = template.spec.provider
        if provider.type is not ProviderType.PROMETHEUS:
            raise ValueError(f"provider {provider.type.value} is not supported by this version; use prometheus")
        return await self._prometheus.query(
            metric.name,
            provider.address,
            render(template.spec.query, canary, metric),
            headers=provider.headers,
            auth=await self._credentials(template),
            insecure_skip_verify=provider.insecure_skip_verify,
        )

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

    async def _credentials(self, template: MetricTemplate) -> str:
        """The Secret is read at each check, so that a rotated one counts at once."""
        ref, namespace = template.spec.provider.secret_ref, template.metadata.namespace
        if ref is None:
            return ""
        try:
            secret = await self._kube.get(SECRET, namespace, ref.name)
        except NotFound as error:
            place = f"{template.metadata.name}.{namespace}"
            raise ValueError(f"Metric template {place} secret {ref.name} not found in {namespace}") from error
        data = {key: base64.b64decode(value).decode() for key, value in (secret.get("data") or {}).items()}
        return authorization(data)

    async def _providers(self, canary: Canary) -> str:
        """Why a provider that the analysis will need does not answer; empty when all of them do."""
        problems = await asyncio.gather(*(self._online(canary, metric) for metric in canary.spec.analysis.metrics))
        return "; ".join(dict.fromkeys(problem for problem in problems if problem))

    async def _online(self, canary: Canary, metric: Metric) -> str:
        try:
            if metric.template_ref is None:
                problem = await self._prometheus.is_online(canary.spec.metrics_server or self._server)
                return f"prometheus not avaiable: {problem}" if problem else ""
            template = await self._template(canary, metric.template_ref)
            provider = template.spec.provider
            if provider.type is not ProviderType.PROMETHEUS:
                return ""
            problem = await self._prometheus.is_online(
                provider.address,
                auth=await self._credentials(template),
                insecure_skip_verify=provider.insecure_skip_verify,
            )
        except (AdapterError, ValueError) as error:
            return str(error)
        place = f"{template.metadata.name}.{template.metadata.namespace}"
        return f"{provider.type.value} in metric template {place} not avaiable: {problem}" if problem else ""


def _names(plan: Plan) -> tuple[str, ...]:
    hooks = (*plan.rollback, *plan.hooks, *plan.gates)
    return (*(hook.name for hook in hooks), *(metric.name for metric in plan.metrics))
