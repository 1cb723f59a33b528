"""Users who are left on the target meet no pods that nobody analysed, whatever is pushed to it meanwhile.

While the primary is given a revision, or goes back from it, the target's pods are the only ones known to be good, and
Kubernetes would replace all of them as soon as somebody pushes a fix. So from the promotion on they are frozen: a
Deployment is paused, a DaemonSet waits for somebody to delete its pods. What the spec said before is kept beside it,
and comes back when those users have left.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from handlers.core.draft import Draft
from handlers.core.kinds import kind_of
from handlers.core.kinds.anatomy import Object
from schemas.canary import Canary
from schemas.status import IDLE, CanaryStatus, Phase
from schemas.workload import FROZEN, Workload


def freezes(status: CanaryStatus) -> bool:
    """Whether users are on the target only because the primary cannot take them yet, or again."""
    return status.canary_weight > 0 and status.phase in (Phase.PROMOTING, *IDLE)


def begun(draft: Draft) -> Draft:
    """The target is written once more where it has pods that are to be kept from here on."""
    target = draft.seen.target_workload
    keeps = freezes(draft.status) and target is not None and bool(kind_of(draft.canary).frozen(target))
    return draft.rescale_target() if keeps else draft


def turned(canary: Canary, target: Workload) -> tuple[dict[str, str | None], Object]:
    """Annotations and a merge patch of the spec; empty when the target is as it should be.

    Pods that are being replaced already are let go on: half of two revisions is worse than either.
    """
    if not freezes(canary.status):
        return ({FROZEN: None}, dict(target.frozen)) if target.frozen is not None else ({}, {})
    change = kind_of(canary).frozen(target)
    if target.frozen is not None:
        # pods are being replaced already, but each one less is one that nobody analysed less
        return ({FROZEN: _noted(target.frozen)}, change) if target.thawed else ({}, {})
    if not change or not target.resting:
        return {}, {}
    before = {field: target.item["spec"].get(field) for field in change}
    return {FROZEN: _noted(before)}, change


def _noted(before: Mapping[str, Any]) -> str:
    return json.dumps(before, sort_keys=True)


def is_undone(canary: Canary, target: Workload) -> bool:
    """Whether an apply of the target's manifest has thawed it, whatever we believe: it is frozen again in each wake."""
    return freezes(canary.status) and target.thawed


def meanwhile(draft: Draft) -> str:
    """The end of a sentence about users who wait on the target; empty when its pods are not frozen."""
    target = draft.seen.target_workload
    if target is None or target.frozen is None:
        return ""
    kind = draft.canary.spec.target_ref.kind
    return f"; {kind} {draft.target_place} is frozen until its users have left it, what is pushed meanwhile waits"
