"""Asking webhooks and metrics what the plan wants to know, in its order. Answers are data; nothing raises for them."""

from __future__ import annotations

from collections.abc import Iterable

from handlers.adapters.webhooks import Webhooks, payload_of
from handlers.core.hooks import phase_told
from handlers.core.observation import Answers, Observation
from handlers.core.plan import Plan, asks_gates
from handlers.measure import Measurer
from schemas.canary import Canary, Webhook
from schemas.measurement import HookAnswer


class Asker:
    """One question at a time per kind; metrics of one tick are asked together."""

    def __init__(self, measurer: Measurer, webhooks: Webhooks) -> None:
        self._measurer = measurer
        self._webhooks = webhooks

    async def ask(self, canary: Canary, seen: Observation, plan: Plan) -> Answers:
        if plan.providers:
            return Answers(providers=await self._measurer.check(canary), asked=("providers",))
        answers = Answers(asked=_names(plan))
        signals = await self._hooks(canary, plan.rollback, until=True)
        answers = answers.model_copy(update={"hooks": signals})
        if any(signal.passed for signal in signals):
            return answers
        hooks = await self._hooks(canary, plan.hooks, until=False)
        answers = answers.model_copy(update={"hooks": (*signals, *hooks)})
        if not all(answer.passed for answer in hooks):
            return answers
        measured = await self._measurer.measure(canary, seen, plan.metrics)
        answers = answers.model_copy(update={"measurements": measured})
        if not asks_gates(canary, seen, answers):
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
                phase_told(canary, hook.hook_type),
                canary.status.canary_revision,
                hook.metadata,
            )
            answers.append(await self._webhooks.ask(hook, payload))
            if answers[-1].passed is until:
                break
        return tuple(answers)


def _names(plan: Plan) -> tuple[str, ...]:
    hooks = (*plan.rollback, *plan.hooks, *plan.gates)
    return (*(hook.name for hook in hooks), *(metric.key for metric in plan.metrics))
