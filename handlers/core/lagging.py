"""A gateway that does not follow: it takes its second or two, then people can see it, then they are told."""

from __future__ import annotations

from handlers.core import conditions
from handlers.core.draft import Draft
from handlers.core.observation import Gateway
from schemas.status import Reason


def behind(draft: Draft, found: Gateway, *, patience: float = 0) -> Draft:
    """Hold for it. Refused routes are an Event at once; who lags past the Canary's deadline is an alert, once.

    ``patience``: seconds for which nobody has to know.
    """
    since, deadline = draft.status.behind_since or draft.seen.now, draft.canary.spec.deadline
    noted, waited = draft.set(behind_since=since, waiting_for="gateway"), draft.seen.since(since)
    route = f"RouteTable {draft.canary.service}.{draft.canary.metadata.namespace}"
    if waited > deadline:
        late = f"{route}: for more than {deadline} s "
        said, text = conditions.of_type(draft.canary.status, conditions.HELD), f"{late}{found.words}"
        # whoever was alerted is not alerted again because it lags in another way
        known = said is not None and said.message.startswith(late)
        return noted.hold(
            Reason.GATEWAY_BEHIND, text, waiting_for="gateway", alert=text, severity="error", alarmed=known
        )
    if found.refused or waited >= patience:
        text = f"{route}: {found.words}"
        return noted.hold(Reason.GATEWAY_BEHIND, text, waiting_for="gateway", quiet=not found.refused)
    return noted
