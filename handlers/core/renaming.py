"""Names that change: ``service.name``, ``service.port`` and ``targetRef`` of a Canary that is there already.

The names in force are in the status. A rollout under them ends first, with all traffic on its primary; then everything
is initialised under the new ones while the old routes stay; what nobody uses any more is deleted when those serve.
"""

from __future__ import annotations

from handlers.core import endings, handover, idle
from handlers.core.draft import Draft
from handlers.core.gate import gateway, primary_readiness
from handlers.core.observation import Observation, Orphan
from schemas.canary import Canary
from schemas.gloo import Verdict
from schemas.names import Names
from schemas.resources import ROUTE_TABLE, SCALED_OBJECT
from schemas.status import IDLE, Phase, Reason

PROBE_EVERY = 60.0
"""Seconds until a RouteTable of former names that was still delegated to is asked again."""


def rename(draft: Draft) -> Draft | None:
    """What an edit of names leads to; None while something has to come to its end under those in force."""
    asked, status = draft.canary.asked, draft.status
    if asked is None or (status.canary_weight and status.phase in IDLE):
        return None
    match status.phase:
        case Phase.PROGRESSING | Phase.WAITING_PROMOTION:
            return _return(draft, asked)
        case Phase.PROMOTING | Phase.FINALISING:
            return None
        case Phase.INITIALIZING | Phase.WAITING:
            return _move(draft, asked)
        case _:
            if idle.is_projected(draft) or _never_settles(draft):
                return _move(draft, asked)
            return _settling(draft, asked)


def _never_settles(draft: Draft) -> bool:
    """Under the old names nothing is left to wait for, or what the gateway refuses may be those very names."""
    seen = draft.seen
    return (seen.target is None and seen.primary is None) or gateway(draft.canary, seen).refused


def _settling(draft: Draft, asked: Names) -> Draft:
    """Who is settled is not ticked, and here is more to come."""
    held = idle.settle(draft).set(settled=False)
    if held.held_for not in ("", Reason.RENAMED.value):
        return held
    text = f"{_difference(draft.canary.names, asked)}: waiting for everything to be in place under the old names"
    return held.hold(Reason.RENAMED, text, waiting_for=held.status.waiting_for, quiet=True)


def _return(draft: Draft, asked: Names) -> Draft:
    """Nobody has judged this revision to its end: it is analysed again under the new names."""
    text = f"Rolling back {draft.place} {_difference(draft.canary.names, asked)}, starting again under the new names"
    told = draft.tell(Reason.RENAMED, text, warn=True, alert=text, severity="warn")
    ended = endings.return_to_primary(told, Phase.FAILED).because(Reason.RENAMED, text)
    return ended.set(last_applied_spec=draft.status.last_promoted_spec, canary_revision=draft.status.promoted_revision)


def _move(draft: Draft, asked: Names) -> Draft:
    """The primary of the same target stays as it is; that of another is made from what that target runs now."""
    status, old = draft.status, draft.canary.names
    former = (*(names for names in status.former if names not in (asked, old)), old)
    moved = draft.enter(
        Phase.INITIALIZING,
        names=asked,
        former=former,
        canary_weight=0,
        route_step=draft.step,
        weight_since=draft.seen.now,
        verdict_since=None,
        behind_since=None,
        returning=None,
        approved=None,
    )
    if status.phase is Phase.WAITING:
        # it is neither refused nor promoted: the gate is asked about it again
        moved = moved.set(canary_revision=status.promoted_revision)
    if not old.same_target(asked):
        unknown = dict.fromkeys(("promoted_revision", "previous_revision", "primary_revision", "canary_revision"), "")
        moved = moved.set(**unknown, primary_step=0, adopted_step=0, hand_over=None, primary_floor=0)
    text = f"{_difference(old, asked)}: initialising under the new names, the old ones serve until those do"
    return _release_scaler(moved, old).go_on("primary").tell(Reason.RENAMED, text)


def _difference(old: Names, new: Names) -> str:
    fields = (
        ("spec.targetRef", f"{old.kind} {old.target}", f"{new.kind} {new.target}"),
        ("spec.service.name", old.service, new.service),
        ("spec.service.port", old.port, new.port),
    )
    return ", ".join(f"{field} changed from {before} to {after}" for field, before, after in fields if before != after)


def exchange_scaler(draft: Draft) -> Draft:
    """The primary's scaler follows another one at once, and the former is released in the same wake."""
    names, status = draft.canary.names, draft.status
    if draft.canary.asked or status.names is None or status.names == names:
        return draft
    return handover.scaled_anew(_release_scaler(draft.set(names=names, settled=False), status.names))


def _release_scaler(draft: Draft, old: Names) -> Draft:
    """What is owed to the scaler that was in force before: :class:`handlers.objects.scalers.Scalers` pays it."""
    new = draft.status.names
    assert new is not None  # noqa: S101 - the caller has set them
    owed = tuple(names for names in (*draft.status.former_scalers, old) if names.scaler and not names.same_scaler(new))
    draft = draft.set(former_scalers=tuple(dict.fromkeys(owed)))
    if not old.scaler or old.same_scaler(new):
        return draft
    text = f"spec.autoscalerRef names {old.scaler_kind} {old.scaler} no more: its copy {old.scaler}-primary goes"
    if old.scaler_kind == SCALED_OBJECT.kind:
        text += f", and KEDA scales {old.kind} {old.target} after it again, without a rollout as well"
    return draft.tell(Reason.SPEC_EDITED, text)


def may_touch(canary: Canary, seen: Observation) -> bool:
    """While initialising: whether what is there already, and may serve, is led to the primary.

    Under new names what is made for them has had time to be known to the gateway before routes lead to it.
    """
    if not primary_readiness(canary, seen).ready:
        return False
    return not canary.status.former or seen.since(canary.status.weight_since) >= seen.rules.drain


# ---- what former names leave


def may_tidy(canary: Canary, seen: Observation) -> bool:
    """New routes are in force and drained, nothing runs, and everything of the former names was looked at."""
    status = canary.status
    if not status.former or status.phase not in IDLE or seen.orphans is None:
        return False
    drained = status.verdict_since is not None and seen.since(status.verdict_since) >= seen.rules.drain
    return drained and gateway(canary, seen).applied and not _in_use(canary, seen.orphans)


def _in_use(canary: Canary, orphans: tuple[Orphan, ...]) -> list[Orphan]:
    """Somebody's own objects that lead there; and routes of which a gateway that never reports says nothing."""
    silent = canary.status.gateway_silent
    return [item for item in orphans if not item.ours or (silent and item.kind == ROUTE_TABLE.kind)]


def tidy(draft: Draft) -> Draft:
    """Over when nothing of the former names is left, or when what is left is somebody else's to decide about."""
    status, orphans = draft.status, draft.seen.orphans
    if not status.former or status.phase not in IDLE or orphans is None:
        return draft
    if not orphans:
        names = ", ".join(dict.fromkeys(names.service for names in status.former))
        return draft.set(former=()).tell(Reason.TIDIED, f"What was made under the former names {names} is deleted")
    if used := _in_use(draft.canary, orphans):
        left = ", ".join(f"{item.kind} {item.name}" for item in orphans if item.ours)
        text = (
            f"{left} stay until the Canary goes: {', '.join(f'{item.kind} {item.name}' for item in used)} may still "
            "lead users there"
        )
        return draft.set(former=()).tell(Reason.LEFT_BEHIND, text, warn=True)
    for item in orphans:
        if item.kind == ROUTE_TABLE.kind and item.retired and item.verdict is not Verdict.SILENT:
            text = (
                f"a VirtualService still delegates to RouteTable {item.name}; "
                f"let it delegate to {draft.canary.service}, then the former is deleted"
            )
            return draft.hold(Reason.LEFT_BEHIND, text, waiting_for=status.waiting_for)
    return draft
