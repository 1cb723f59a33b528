"""What another controller left behind, taken over as it is: one step of its own, in which nothing moves.

The peer's hashes say nothing here (design section 6), so the primary's template is compared with the target's. Weights
are those of the RouteTable: the peer writes others into its status (spec 1.1.4). Its hashes stay in ``lastAppliedSpec``
and ``lastPromotedSpec`` until there is another revision: who goes back to it finds what it wrote.

Where something is unknown, traffic goes to the primary, and the event says why.
"""

from __future__ import annotations

from typing import assert_never

from handlers.core import handover
from handlers.core.beginnings import from_zero, initialise, only_refused
from handlers.core.desired import weight_of
from handlers.core.draft import Draft
from handlers.core.gate import primary_readiness
from handlers.core.inherited import carried_revision
from handlers.core.texts import silent_gateway, suspended
from schemas.canary import Analysis, Strategy
from schemas.gloo import Verdict
from schemas.status import IDLE, CanaryStatus, Phase, Reason

_AT_REST = (*IDLE, Phase.WAITING, Phase.INITIALIZING)


def is_foreign(status: CanaryStatus) -> bool:
    """A status that another controller wrote: ours names the step of its routes as soon as anything was looked at."""
    return status.phase is not Phase.NEW and not status.route_step


def adopt(draft: Draft) -> Draft:
    """Nothing is adopted from a spec that cannot be read, and nothing at rest whose revision cannot be told."""
    if draft.status.settled and not draft.canary.spec.suspend:
        # only a suspension settled it: whatever is left to wait for is looked at again
        draft = draft.set(settled=False)
    phase, seen = draft.status.phase, draft.seen
    unknown = seen.target is None or bool(seen.config_problems)
    if draft.canary.problems or (unknown and phase in _AT_REST):
        return draft
    weight = None if seen.route is None else weight_of(seen.route)
    if draft.canary.deleting or phase in (Phase.TERMINATING, Phase.TERMINATED):
        # how far the peer came is not known: the deletion begins again
        return _told(take_stock(_inherit(draft, weight or 0)).set(target_step=0), "")
    if seen.primary is None or phase is Phase.INITIALIZING:
        return _again(draft, weight)
    match phase:
        case Phase.INITIALIZED | Phase.SUCCEEDED | Phase.FAILED | Phase.WAITING:
            return _told(*_idle(draft, _known(draft, weight)))
        case Phase.PROGRESSING | Phase.WAITING_PROMOTION:
            return _told(*_analysing(draft, weight))
        case Phase.PROMOTING | Phase.FINALISING:
            return _told(_promoting(draft, _known(draft, weight)), "")
        case Phase.NEW:
            return draft
        case _:
            assert_never(phase)


def take_stock(draft: Draft) -> Draft:
    """What the primary runs counts as promoted, and its pods stay: only its marks are written."""
    carried = carried_revision(draft.canary, draft.seen)
    if not carried:
        return draft
    known = draft.set(promoted_revision=carried, primary_revision=carried, primary_step=draft.step, settled=False)
    return known.set(adopted_step=draft.step, canary_revision=draft.status.canary_revision or carried)


def _inherit(draft: Draft, weight: int) -> Draft:
    """Routes and target as they are, from here on behind our fences."""
    seen = draft.seen
    silent = seen.report is not None and seen.report.verdict is Verdict.SILENT
    return draft.set(
        canary_weight=weight,
        route_step=draft.step,
        target_step=draft.step,
        gateway_silent=silent,
        weight_since=seen.now,
        verdict_since=None,
        behind_since=seen.now,
        revision_since=seen.now,
        strategy=draft.canary.spec.analysis.strategy.value,
        names=draft.canary.names,
        settled=False,
    )


def _known(draft: Draft, weight: int | None) -> int:
    """Where the RouteTable says nothing, or is not under the name asked for: what the phase says of the peer's routes.

    Nobody is sent to a primary of a promotion that may not be ready.
    """
    phase, strategy = draft.status.phase, draft.canary.spec.analysis.strategy
    if weight is not None or phase not in (Phase.FAILED, Phase.PROMOTING):
        return weight or 0
    if phase is Phase.PROMOTING and strategy is not Strategy.CANARY:
        # the status never names the weight of these, and it is all of it until the primary is ready
        return 100
    return draft.status.canary_weight


def _idle(draft: Draft, weight: int) -> tuple[Draft, str]:
    target, phase, revision = draft.seen.target_workload, draft.status.phase, draft.seen.target_revision
    serves = target is not None and target.available > 0
    refused = revision if phase is Phase.FAILED else ""
    if weight and serves:
        # the peer's end of a failed promotion: nobody knows whether the primary is any good
        kept = _inherit(draft.enter(Phase.FAILED) if phase is Phase.WAITING else draft, weight)
        return handover.begin(kept).set(canary_revision=refused), "users stay on the canary until the primary is ready"
    unusual = f"{draft.target_place} has no pods, routing all traffic to primary" if weight else ""
    known = take_stock(_inherit(draft, 0).set(canary_revision=refused))
    if phase is Phase.WAITING:
        return known.set(canary_revision=revision, waiting_for="gate"), unusual
    if unusual or known.status.promoted_revision == revision:
        return known, unusual
    if phase is Phase.FAILED:
        return known, f"the revision of {draft.target_place} stays refused"
    return known, f"{draft.primary_place} runs another revision than {draft.target_place}"


def _analysing(draft: Draft, weight: int | None) -> tuple[Draft, str]:
    """The target as it is now counts as the analysed revision: nobody kept another."""
    seen, status = draft.seen, draft.status
    known = handover.begin(take_stock(_inherit(draft, weight or 0))).set(canary_revision=seen.target_revision)
    if known.status.promoted_revision == seen.target_revision:
        return _nothing_to_analyse(draft, known), f"{draft.primary_place} runs the revision of {draft.target_place}"
    done = _iterations(draft.canary.spec.analysis, status, weight)
    if weight is None or done is None:
        why = "its RouteTable names no weights" if weight is None else f"weight {weight} fits no iteration"
        again = from_zero(known).set(last_applied_spec=status.last_applied_spec, route_step=draft.step)
        return again, f"{why}, restarting the analysis"
    passed = weight > 0 or done > 0
    return known.set(iterations=done, pre_rollout_passed=passed, not_ready_since=seen.now), ""


def _nothing_to_analyse(draft: Draft, known: Draft) -> Draft:
    """Somebody took the target back, which the peer does not notice (spec B6); or the peer had begun to promote it.

    A primary whose pods all run it has run it before: the next wake ends the rollout as reverted. Else traffic waits
    for it. Which of the two it was nobody knows for sure, so the peer's hash of what it analysed is not noted as
    promoted: it would never analyse that revision again.
    """
    if primary_readiness(draft.canary, draft.seen).ready:
        return known
    return _promoting(draft, known.status.canary_weight).set(last_applied_spec=draft.status.last_promoted_spec)


def _iterations(analysis: Analysis, status: CanaryStatus, weight: int | None) -> int | None:
    """How many are done, judging by where the traffic is; None if it is where no iteration would have it."""
    last, waits = analysis.iterations, status.phase is Phase.WAITING_PROMOTION
    match analysis.strategy:
        case Strategy.CANARY:
            return 0
        case Strategy.AB_TESTING if weight == 100:
            return last if waits else min(max(status.iterations, 1), last)
        case Strategy.BLUE_GREEN if weight == 100:
            return last + 1
        case Strategy.BLUE_GREEN if weight == 0:
            return last if waits else max(0, min(status.iterations, last))
        case _:
            return 0 if weight == 0 and status.iterations <= 0 and not waits else None


def _promoting(draft: Draft, weight: int) -> Draft:
    """The primary has the analysed revision already; what it ran before is not known."""
    phase = Phase.FINALISING if draft.status.phase is Phase.FINALISING and not weight else Phase.PROMOTING
    carried = carried_revision(draft.canary, draft.seen)
    known = handover.begin(_inherit(draft.enter(phase), weight).run_on_primary(carried))
    skipped = "skipAnalysis" if draft.canary.spec.skip_analysis else ""
    known = known.set(skip_to=skipped, canary_revision=carried, promoted_revision="")
    return known.set(adopted_step=draft.step, waiting_for="primary")


def _again(draft: Draft, weight: int | None) -> Draft:
    """Initialisation goes on, or begins again: without a primary users are cut off, and only the target is left.

    A revision that was refused, and a Canary that is suspended, wait for somebody.
    """
    if draft.status.phase is Phase.INITIALIZING:
        return _told(initialise(draft), "")
    if draft.canary.spec.suspend:
        # the status would have the routes as it names them: those that are there stay, hands off
        kept = draft.set(canary_weight=_known(draft, weight), settled=True)
        text = suspended(kept.status.canary_weight)
        return kept.hold(Reason.SUSPENDED, text, waiting_for=kept.status.waiting_for, warn=False)
    if (held := only_refused(draft)) is not None:
        return held
    text = f"{draft.primary_place} is missing and is made again from {draft.target_place}"
    return _told(initialise(draft), text, alert=True)


def _told(draft: Draft, unusual: str, *, alert: bool = False) -> Draft:
    status = draft.status
    text = f"Canary {draft.place} adopted in phase {status.phase.value}, canary weight {status.canary_weight}"
    if status.failed_checks:
        text += f", failed checks {status.failed_checks}"
    if unusual:
        text += f": {unusual}"
    told = draft.tell(Reason.ADOPTED, text, warn=alert, severity="error" if alert else None)
    if draft.seen.route_fence:
        again = f"another controller wrote the status of {draft.place} over ours; run one of the two"
        told = told.tell(Reason.ADOPTED, again, warn=True).because(Reason.ADOPTED, text)
    if status.gateway_silent:
        told = told.tell(
            Reason.GATEWAY_SILENT, silent_gateway(draft.canary, draft.seen.rules.gateway_settle), warn=True
        )
    return told.because(Reason.ADOPTED, text)
