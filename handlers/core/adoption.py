"""What another controller left behind: an idle Canary whose hashes say nothing here (design sections 6 and 7).

The primary is not touched: what serves users goes on serving them, until a revision of ours is promoted.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from handlers.core.draft import Draft
from handlers.core.kinds import Source, kind_of
from handlers.core.kinds.pods import RESTARTED_BY
from handlers.core.observation import Rules
from schemas.canary import Canary
from schemas.revision import canonical, is_our_hash
from schemas.status import IDLE, Phase, Reason
from schemas.workload import Workload

_CONFIG_REFS = ("configMap", "configMapRef", "configMapKeyRef", "secret", "secretRef", "secretKeyRef")


def adopt(draft: Draft) -> Draft:
    """The target counts as promoted only if the primary runs the same; else it is new, or refused if that is known."""
    status, seen = draft.status, draft.seen
    target, own = seen.target_workload, seen.primary_workload
    if (
        status.step
        or status.phase not in IDLE
        or target is None
        or own is None
        or is_our_hash(status.last_applied_spec)
    ):
        return draft
    revision = seen.target_revision
    known = draft.set(route_step=draft.step, target_step=draft.step, weight_since=seen.now, settled=False)
    text = f"Canary {draft.place} adopted in phase {status.phase.value}"
    if runs_the_same(draft.canary, target, own, seen.rules):
        known = known.set(
            last_applied_spec=revision,
            last_promoted_spec=revision,
            promoted_revision=revision,
            primary_revision=revision,
            canary_revision=revision,
        )
    elif status.phase is Phase.FAILED:
        text += f", the revision of {draft.target_place} stays refused"
        known = known.set(last_applied_spec=revision, canary_revision=revision)
    else:
        text += f", {draft.primary_place} runs another revision than {draft.target_place}"
    return known.tell(Reason.ADOPTED, text)


def runs_the_same(canary: Canary, target: Workload, primary: Workload, rules: Rules) -> bool:
    """Whether the primary's content is the target's, but for what the peer changes in a copy."""
    kind = kind_of(canary)
    if any(kind.problems(canary, target, rules)):
        return False
    expected = kind.content(Source(canary, target, "", target.content, rules))
    return canonical(_plain(expected)) == canonical(_plain(primary.content))


def _plain(content: Mapping[str, Any]) -> Any:
    """The peer restarts a primary's pods with another value each time."""
    plain = copy.deepcopy(dict(content))
    metadata = plain.setdefault("metadata", {})
    annotations = metadata.get("annotations") or {}
    metadata["annotations"] = {name: text for name, text in annotations.items() if name != RESTARTED_BY}
    return _without_copies(plain)


def _without_copies(value: Any, key: str = "") -> Any:
    """Names of tracked configs as the target writes them: their copies for the primary end in ``-primary``."""
    if isinstance(value, Mapping):
        names = ("name", "secretName") if key in _CONFIG_REFS else ()
        return {
            name: str(item).removesuffix("-primary") if name in names else _without_copies(item, name)
            for name, item in value.items()
        }
    return [_without_copies(item) for item in value] if isinstance(value, list) else value
