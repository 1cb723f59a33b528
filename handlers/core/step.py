"""The one decision: what a Canary does next, given what was seen. Pure; the map of the core.

::

    "" -> Initializing -> Initialized -> [Waiting] -> Progressing -> [WaitingPromotion] -> Promoting
                                                          |                                    |
                                                          +----> Failed     Succeeded <-- Finalising

Each phase is one small module: :mod:`initialising`, :mod:`idle` (with Waiting), :mod:`progressing`, :mod:`promoting`;
:mod:`endings` holds what several of them share, :mod:`commands` what people ask for.
"""

from __future__ import annotations

from typing import assert_never

from handlers.core import commands, endings, idle, initialising, progressing, promoting
from handlers.core.draft import Decision, Draft
from handlers.core.gate import gateway
from handlers.core.observation import Observation
from handlers.core.plan import is_fresh
from schemas.canary import Canary
from schemas.events import Command
from schemas.gloo import Verdict
from schemas.revision import is_our_hash
from schemas.status import IDLE, JUDGED, Phase, Reason


def step(canary: Canary, seen: Observation) -> Decision:
    """Never raises; whatever is wrong becomes a status with a reason. Nothing changed: an unchanged status."""
    draft = _arrive(Draft.begin(canary, seen))
    if isinstance(seen.stimulus, Command):
        return commands.obey(draft, seen.stimulus)
    return decide(draft).done()


def decide(draft: Draft) -> Draft:
    canary, status = draft.canary, draft.status
    if canary.metadata.deletion_timestamp:
        return draft
    if draft.seen.problems:
        return endings.invalid(draft)
    if status.invalid:
        draft = draft.set(invalid_since=None).tell(Reason.MENDED, f"Canary {draft.place} is valid again").go_on()
    if canary.spec.suspend:
        return _suspended(draft)
    return _by_phase(draft)


def _by_phase(draft: Draft) -> Draft:
    match draft.status.phase:
        case Phase.NEW:
            return initialising.begin(draft)
        case Phase.INITIALIZING:
            return initialising.go_on(draft)
        case Phase.INITIALIZED | Phase.SUCCEEDED | Phase.FAILED | Phase.TERMINATED:
            return idle.idle(draft)
        case Phase.WAITING:
            return idle.waiting(draft)
        case Phase.PROGRESSING | Phase.WAITING_PROMOTION:
            return progressing.progressing(draft)
        case Phase.PROMOTING:
            return promoting.promoting(draft)
        case Phase.FINALISING:
            return promoting.finalising(draft)
        case Phase.TERMINATING:
            return draft
        case _:
            assert_never(draft.status.phase)


def _arrive(draft: Draft) -> Draft:
    """What every wake notes: the slot that it used up, and the gateway's verdict the first time it is seen."""
    seen, status = draft.seen, draft.status
    if seen.tick is not None and is_fresh(draft.canary, seen) and status.phase in JUDGED:
        draft = draft.set(last_tick=seen.tick.slot)
    if status.gateway_silent and seen.report is not None and seen.report.verdict is not Verdict.SILENT:
        draft = draft.set(gateway_silent=False)
    if status.verdict_since is None and status.route_step and gateway(draft.canary, seen).applied:
        draft = draft.set(verdict_since=seen.now)
    return _adopt(draft)


def _adopt(draft: Draft) -> Draft:
    """An idle Canary that the peer left: its hashes say nothing here, so what the target is now counts as promoted."""
    status, seen = draft.status, draft.seen
    if status.step or status.phase not in IDLE or not seen.target_revision or is_our_hash(status.last_applied_spec):
        return draft
    revision = seen.target_revision
    adopted = draft.set(
        last_applied_spec=revision,
        last_promoted_spec=revision,
        promoted_revision=revision,
        canary_revision=revision,
        route_step=draft.step,
        target_step=draft.step,
        weight_since=seen.now,
        settled=False,
    ).run_on_primary(revision)
    return adopted.tell(Reason.ADOPTED, f"Canary {draft.place} adopted in phase {status.phase.value}")


def _suspended(draft: Draft) -> Draft:
    """No new decision and no question; what is committed is projected until it has been seen once, then hands off."""
    weight = draft.status.canary_weight
    held = idle.settle(draft) if not draft.status.settled else draft
    text = f"skipping canary run as object is suspended, canary weight stays at {weight}"
    return held.hold(Reason.SUSPENDED, text, waiting_for=held.status.waiting_for)
