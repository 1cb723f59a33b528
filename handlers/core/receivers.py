"""Who is told of a step: one durable message each, derived from the result alone so that it can be told again."""

from __future__ import annotations

from schemas.canary import Canary, HookType, Webhook
from schemas.status import Notice, Phase, Reason

KUBERNETES = "kubernetes"
_ENDINGS = (Reason.PROMOTED, Reason.ROLLED_BACK, Reason.REVERTED)


def receiver_of(hook: Webhook) -> str:
    """A token of a subject; a hook of another type that has the same name is another receiver."""
    return f"{hook.hook_type.value}-" + "".join(letter if letter.isalnum() else "-" for letter in hook.name)


def listeners(canary: Canary) -> tuple[Webhook, ...]:
    """The hooks that hear of results; one of an unknown type is no receiver of anything."""
    analysis = canary.spec.analysis
    return analysis.hooks(HookType.EVENT) + analysis.hooks(HookType.POST_ROLLOUT)


def receivers(canary: Canary, phase: Phase, notices: tuple[Notice, ...]) -> tuple[str, ...]:
    """Kubernetes Events and ``event`` hooks for whatever is told; ``post-rollout`` hooks when a rollout has ended."""
    if not notices:
        return ()
    analysis = canary.spec.analysis
    hooks = analysis.hooks(HookType.EVENT)
    if phase in (Phase.SUCCEEDED, Phase.FAILED) and any(notice.reason in _ENDINGS for notice in notices):
        hooks += analysis.hooks(HookType.POST_ROLLOUT)
    return (KUBERNETES, *(receiver_of(hook) for hook in hooks))
