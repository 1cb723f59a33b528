"""How things begin: initialisation, and an analysis, the first time or again."""

from __future__ import annotations

from handlers.core import handover
from handlers.core.draft import Draft
from schemas.status import Phase, Reason


def initialise(draft: Draft) -> Draft:
    """The target as it is now is the first revision; a primary that runs the same already keeps its pods."""
    seen = draft.seen
    begun = handover.begin(draft.enter(Phase.INITIALIZING)).run_on_primary(seen.target_revision)
    return begun.set(
        canary_revision=seen.target_revision,
        revision_since=seen.now,
        canary_weight=0,
        weight_since=seen.now,
        behind_since=None,
        route_step=draft.step,
        adopted_step=draft.step,
        strategy=draft.canary.spec.analysis.strategy.value,
        names=draft.canary.names,
        waiting_for="primary",
    )


def only_refused(draft: Draft) -> Draft | None:
    """Held: the primary is gone, and what the target runs was refused; None when a primary can be made from it."""
    target, status = draft.seen.target_revision, draft.status
    if status.phase is not Phase.FAILED or status.canary_revision not in ("", target):
        return None
    text = (
        f"{draft.primary_place} is missing, and the only revision there is was refused: "
        f"give {draft.target_place} a good one"
    )
    held = draft.set(canary_revision=target)
    return held.hold(Reason.NOT_READY, text, waiting_for="primary", alert=text, severity="error")


def from_zero(draft: Draft, *, skip: bool = False) -> Draft:
    """Analyse the target as it is now; routes to 100/0 first, counters and clocks at zero.

    ``skip`` goes to production without analysis. A pause stays. Without an analysis no slot is waited for, only pods.
    """
    seen, spec = draft.seen, draft.canary.spec
    begun = name_changes(draft).enter(
        Phase.PROGRESSING,
        canary_revision=seen.target_revision,
        last_applied_spec=seen.target_revision,
        failed_checks=0,
        iterations=0,
        in_a_row={},
        pre_rollout_passed=False,
        slots_from=None,
        revision_since=seen.now,
        not_ready_since=seen.now,
        primary_not_ready_since=seen.now,
        no_data_since=None,
        strategy=spec.analysis.strategy.value,
        skip_to="promotion" if skip else "",
        returning=None,
        hand_over=None,
        approved=None,
        closed_gate=None,
    )
    # the target's copy, where there is one, becomes another revision
    fenced = handover.begin(begun).take_traffic().rescale_target()
    if fenced.status.restart_step > draft.status.target_step:
        fenced = fenced.set(restart_step=draft.step)
    return fenced.go_on("target")


def name_changes(draft: Draft) -> Draft:
    """Tell which ConfigMaps and Secrets have other contents, in the peer's words; who reads which is the template's.

    Pods that run by then have read the old ones, and would be analysed with them: they have to start anew.
    """
    before, now = draft.status.tracked_configs, draft.seen.configs
    changed = [key for key in sorted(now) if before.get(key) != now[key]]
    for key in changed:
        if key in before:
            draft = draft.tell(Reason.NEW_REVISION, f"{key.replace('/', ' ', 1)} has changed")
    return draft.set(restart_step=draft.step) if changed else draft
