"""From nothing to Initialized: the primary runs the target's revision, the routes are in force."""

from __future__ import annotations

from handlers.core import lagging
from handlers.core.beginnings import initialise
from handlers.core.draft import Draft
from handlers.core.gate import gateway, primary_not_ready, primary_readiness
from handlers.core.texts import silent_gateway
from schemas.gloo import Verdict
from schemas.status import Phase, Reason
from schemas.workload import Readiness


def begin(draft: Draft) -> Draft:
    """The first look. Needs no revision event: the target as it is now is the first revision."""
    kind = draft.canary.spec.target_ref.kind
    return initialise(draft).because(Reason.INITIALIZING, f"New {kind} detected, starting initialization.")


def go_on(draft: Draft) -> Draft:
    """Until the first promotion the primary follows the target: a mended image replaces one that never got ready."""
    draft = _listen(draft)
    seen, status = draft.seen, draft.status
    if not status.primary_revision:
        # another target than before
        return begin(draft)
    if not status.promoted_revision and seen.target_revision != status.primary_revision:
        followed = draft.run_on_primary(seen.target_revision).set(canary_revision=seen.target_revision)
        text = f"{draft.primary_place} follows the new revision of {draft.target_place}: nothing is promoted yet"
        return followed.set(waiting_for="primary").tell(Reason.FOLLOWED, text)
    found = primary_readiness(draft.canary, seen)
    if not found.ready:
        # the gateway has nothing to follow before that
        return _primary_late(draft.set(behind_since=None), found)
    if not draft.canary.spec.skip_analysis:
        if seen.answers is None and draft.canary.spec.analysis.metrics:
            # pods became available while we looked: the providers are asked at the next wake
            return draft.set(waiting_for="primary")
        if seen.answers is not None and seen.answers.providers:
            text = f"Error checking metric providers: {seen.answers.providers}"
            return draft.hold(Reason.NO_DATA, text, waiting_for="data", alert=text, severity="error")
    return _routes(draft)


def _primary_late(draft: Draft, found: Readiness) -> Draft:
    text = primary_not_ready(draft.canary, found)
    deadline = draft.canary.spec.deadline
    if found.stuck or draft.seen.since(draft.status.primary_not_ready_since) > deadline:
        alert = f"Initialization is stuck: {text}"
        return draft.hold(Reason.DEADLINE_EXCEEDED, text, waiting_for="primary", alert=alert, severity="error")
    return draft.hold(Reason.NOT_READY, text, waiting_for="primary")


def _routes(draft: Draft) -> Draft:
    """Wait for the gateway; one that has never reported anything is noted and believed after a while."""
    seen, status = draft.seen, draft.status
    found = gateway(draft.canary, seen)
    if found.applied:
        return _initialised(draft)
    route = f"RouteTable {draft.canary.service}.{draft.canary.metadata.namespace}"
    if status.silent_since and seen.since(status.silent_since) >= seen.rules.gateway_settle:
        return _unheard(draft, route)
    return lagging.behind(draft, found)


def _listen(draft: Draft) -> Draft:
    """A silence is counted from when the routes were seen to be there: until then nobody can say a word about them."""
    seen = draft.seen
    written = seen.route_current and seen.route_fence == draft.status.route_step
    silent = written and seen.report is not None and seen.report.verdict is Verdict.SILENT
    return draft.set(silent_since=(draft.status.silent_since or seen.now) if silent else None)


def _unheard(draft: Draft, route: str) -> Draft:
    """Of a Canary under new names only if nothing was ever heard: else users come by the former routes yet."""
    status, settle = draft.status, draft.seen.rules.gateway_settle
    if status.former and not status.gateway_silent:
        former = ", ".join(dict.fromkeys(names.service for names in status.former))
        text = f"{route} gets no status from the gateway; let the VirtualService of {former} delegate to it"
        return draft.hold(Reason.GATEWAY_SILENT, text, waiting_for="gateway", alert=text, severity="warn")
    text = silent_gateway(draft.canary, settle)
    noted = draft if status.gateway_silent else draft.tell(Reason.GATEWAY_SILENT, text, warn=True)
    return _initialised(noted.set(gateway_silent=True))


def _initialised(draft: Draft) -> Draft:
    revision = draft.status.primary_revision
    kind, answers = draft.canary.spec.target_ref.kind, draft.seen.answers
    if answers is not None and answers.asked:
        draft = draft.tell(Reason.PROVIDERS_AVAILABLE, "all the metrics providers are available!")
    if not draft.status.promoted_revision:
        # otherwise it is only under other names: what was promoted and what was refused stays so
        draft = draft.set(last_applied_spec=revision, canary_revision=revision)
        draft = draft.set(last_promoted_spec=revision, promoted_revision=revision)
    done = draft.enter(
        Phase.INITIALIZED,
        failed_checks=0,
        iterations=0,
        primary_not_ready_since=None,
        silent_since=None,
        # the apex Service may have moved just now: connections drain from here on
        verdict_since=draft.seen.now,
    )
    return (
        done.rescale_target()
        .go_on()
        .tell(
            Reason.INITIALIZED,
            f"Initialization done! {draft.place}",
            alert=f"New {kind} detected, initialization completed.",
            severity="info",
            facts=True,
        )
    )
