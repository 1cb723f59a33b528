"""Who is told of a step: one durable message each, derived from the result alone so that it can be told again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from handlers.core.alerting import alert_receivers
from schemas.canary import Canary, HookType, Webhook
from schemas.namesakes import told_apart
from schemas.status import LastStep

KUBERNETES = "kubernetes"


class Everywhere(NamedTuple):
    """What the settings of the installation name for every Canary: a url for events, a chat service for alerts."""

    event_webhook: str = ""
    alerts: bool = False


NOWHERE = Everywhere()


def by_receiver(hooks: Iterable[Webhook]) -> dict[str, Webhook]:
    """Each with a token of a subject. Those of another type or of the same name are other receivers."""
    listed = list(hooks)
    return dict(zip(told_apart(map(_token, listed), "-"), listed, strict=True))


def _token(hook: Webhook) -> str:
    return f"{hook.hook_type.value}-" + "".join(letter if letter.isalnum() else "-" for letter in hook.name)


def event_hooks(canary: Canary, everywhere: str) -> tuple[Webhook, ...]:
    """The Canary's own; only without any of them the one of the installation (``everywhere`` is its url)."""
    own = canary.spec.analysis.hooks(HookType.EVENT)
    if own or not everywhere:
        return own
    return (Webhook(name="events", url=everywhere, type=HookType.EVENT.value, timeout="10s"),)


def post_rollout_hooks(canary: Canary) -> tuple[Webhook, ...]:
    return canary.spec.analysis.hooks(HookType.POST_ROLLOUT)


def who_hears(canary: Canary, everywhere: str) -> tuple[str, ...]:
    """Of anything that is told: Kubernetes and ``event`` hooks."""
    return (KUBERNETES, *by_receiver(event_hooks(canary, everywhere)))


def receivers(canary: Canary, last: LastStep, everywhere: Everywhere = NOWHERE) -> tuple[str, ...]:
    """Whoever hears of anything, chat services for what is worth an alert, ``post-rollout`` hooks when it has ended."""
    if not last.notices:
        return ()
    ended = post_rollout_hooks(canary) if last.ended else ()
    return (
        *who_hears(canary, everywhere.event_webhook),
        *alert_receivers(canary, last.notices, everywhere=everywhere.alerts),
        *by_receiver(ended),
    )
