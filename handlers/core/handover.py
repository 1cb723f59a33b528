"""Room for users who come back: how many pods the primary must have before traffic returns to it.

Without an autoscaler the primary gets the canary's size together with its template (spec targets 3.1). With one it
would shrink while its users are on the canary, and be too small for them when they return. So for the time of a rollout
there is a floor, ``status.primaryFloor``, below which the primary's scaler may not go: what the primary had when the
rollout began, so that a rollback finds it large enough at any moment. Should the load have grown since, the floor rises
before traffic returns. It is the minimum of the primary's scaler that is moved, never the replicas: nobody fights it.
"""

from __future__ import annotations

from math import ceil

from handlers.core import scaler
from handlers.core.draft import Draft
from schemas.status import HAND_BACK, IDLE, HandOver, Phase, Reason
from schemas.workload import PRIMARY_STEP


def begin(draft: Draft) -> Draft:
    """A rollout begins: the primary keeps the pods that it has now, at least one.

    At initialisation users are on the target, or on either side.
    """
    own, target = draft.seen.primary_workload, draft.seen.target_workload
    serving = [own, target] if draft.status.phase is Phase.INITIALIZING else [own]
    return _floor(draft, max([1, *(side.replicas for side in serving if side)])) if _scaled(draft) else draft


def scaled_anew(draft: Draft) -> Draft:
    """A scaler that comes in the middle of a rollout finds the floor that is there, or the pods that there are now."""
    running = draft.status.phase not in IDLE
    return draft if draft.status.primary_floor or not running else begin(draft)


def awaken(draft: Draft) -> Draft:
    """A primary that is waited for, and that its scaler has put to sleep for want of traffic, would sleep for ever."""
    own, status = draft.seen.primary_workload, draft.status
    asleep = own is not None and own.replicas == 0 and not status.primary_floor
    return _floor(draft, 1) if status.waiting_for == "primary" and asleep and _scaled(draft) else draft


def raise_floor(draft: Draft) -> Draft:
    """Users return now and wait for nobody: the primary's scaler hears of it in the same step."""
    need = _needed(draft)
    return _floor(draft, need) if need > draft.status.primary_floor else draft


def goes_on(draft: Draft) -> bool:
    """Whether the primary, once seen ready on its revision, only grows: pods that cannot start keep nobody there."""
    before, own = draft.status.hand_over, draft.seen.primary_workload
    if before is None or own is None:
        return False
    return own.fence(PRIMARY_STEP) == draft.status.primary_step and own.available >= before.had


def make_room(draft: Draft, *, served: bool) -> tuple[Draft, bool]:
    """Before users return to a primary that is ready: whether it still grows for them.

    ``served``: the target carries them well meanwhile; else nobody waits.
    """
    draft = _measured(draft)
    if served and (growing := _growing(draft)):
        return growing, True
    return _made_do(draft), False


def carries(draft: Draft) -> bool:
    """Whether the target's pods, of whatever revision, serve everybody who is on them."""
    target = draft.seen.target_workload
    return target is not None and target.available >= target.replicas > 0


def _measured(draft: Draft) -> Draft:
    """What its users need, once, when the primary is first seen ready: afterwards its size is our doing."""
    need = 0 if draft.status.hand_over else _needed(draft)
    return draft.set(hand_over=HandOver(since=draft.seen.now, had=_available(draft), needs=need)) if need else draft


def _growing(draft: Draft) -> Draft | None:
    """Hold until the primary has what its users need; None when it has, or has not got it for too long."""
    measured = draft.status.hand_over
    late = measured and draft.seen.since(measured.since) > draft.canary.spec.deadline
    if measured is None or late or _has(draft, measured.needs):
        return None
    growing = _floor(draft, max(draft.status.primary_floor, measured.needs))
    count = f"{_available(draft)} of {measured.needs} replicas are available"
    text = f"{draft.primary_place} grows before traffic returns to it: {count}"
    return growing.hold(Reason.NOT_READY, text, waiting_for="primary", quiet=True)


def _made_do(draft: Draft) -> Draft:
    """Traffic returns; of a primary that could not grow as much as needed this is said, once."""
    measured = draft.status.hand_over
    if measured is None or measured.given_up or _has(draft, measured.needs):
        return draft
    count = f"{_available(draft)} of the {measured.needs} replicas that it needs"
    text = f"{draft.primary_place} gets its traffic with {count}"
    told = draft.tell(Reason.NOT_READY, text, warn=True, alert=text, severity="warn")
    told = _floor(told, max(draft.status.primary_floor, measured.needs))
    return told.set(hand_over=measured.model_copy(update={"given_up": True}))


def hand_back(draft: Draft) -> Draft | None:
    """The scaler has seen the users for a while: its own minimum holds again. None while it is not to be given back."""
    status = draft.status
    if not status.primary_floor or draft.seen.since(status.verdict_since) < HAND_BACK:
        return None
    text = f"the scaler of {draft.primary_place} has its own minimum again"
    return _floor(draft, 0).because(Reason.SETTLED, text)


def _available(draft: Draft) -> int:
    own = draft.seen.primary_workload
    return own.available if own else 0


def _has(draft: Draft, need: int) -> bool:
    return _available(draft) * 100 >= need * draft.canary.spec.analysis.primary_ready_threshold


def _scaled(draft: Draft) -> bool:
    return draft.canary.spec.autoscaler_ref is not None


def _floor(draft: Draft, replicas: int) -> Draft:
    if replicas == draft.status.primary_floor:
        return draft
    return draft.set(primary_floor=replicas, scaler_step=draft.step, settled=False)


def _needed(draft: Draft) -> int:
    """Pods for all users, from how many serve which share of them; never more than the scaler may make.

    While neither side has more than the floor, nothing says that there is more to do than when the rollout began. Else
    the least of three sums that are each enough: both sides together, and, if all users are split by the weight, what
    either side has per percent.
    """
    own, target, floor = draft.seen.primary_workload, draft.seen.target_workload, draft.status.primary_floor
    ref, clone, weight = draft.canary.spec.autoscaler_ref, draft.seen.primary_scaler, draft.status.canary_weight
    if ref is None or clone is None or own is None or target is None or not weight or not floor:
        return 0
    if max(own.replicas, target.replicas) <= floor:
        return min(floor, scaler.most(clone, ref.kind))
    enough = [own.replicas + target.replicas]
    if not draft.canary.spec.analysis.match:
        enough.append(ceil(target.replicas * 100 / weight))
    if weight < 100 and not draft.canary.spec.analysis.match:
        enough.append(ceil(own.replicas * 100 / (100 - weight)))
    return min(max(floor, min(enough)), scaler.most(clone, ref.kind))
