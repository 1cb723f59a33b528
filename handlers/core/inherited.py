"""A primary that another controller made: what it runs, and from what it was copied (spec targets 3.1 to 3.3).

The peer copies a target with a ``flagger-id``, another value of the selector label, anti-affinity and spread rules that
name the primary, and config names that end in ``-primary``. All of that can be taken back.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, cast

from handlers.core.desired import Object
from handlers.core.kinds import Source, kind_of
from handlers.core.kinds.pods import RESTARTED_BY
from handlers.core.observation import Observation
from schemas.canary import Canary
from schemas.configs import places
from schemas.revision import canonical, revision_hash
from schemas.status import CanaryStatus
from schemas.workload import PRIMARY_STEP, Workload

_SUFFIX = "-primary"
_RESTARTED = "kubectl.kubernetes.io/restartedAt"
"""What ``kubectl rollout restart`` leaves on a primary; its pods are new, their template is not."""


def runs_the_same(source: Source, primary: Workload) -> bool:
    """Whether ``primary`` runs ``source``, but for what the peer changes in a copy."""
    kind = kind_of(source.canary)
    if any(kind.problems(source.canary, source.target, source.rules)):
        return False
    return canonical(_plain(kind.content(source))) == canonical(_plain(primary.content))


def is_inherited(source: Source, status: CanaryStatus, primary: Workload) -> bool:
    """Made by somebody else from what it should run, and not edited since it was taken over: its pods may stay."""
    taken_over = status.primary_step == status.adopted_step != primary.fence(PRIMARY_STEP)
    return taken_over and runs_the_same(source, primary)


def carried_revision(canary: Canary, seen: Observation) -> str:
    """The revision that the primary runs: the target's if it is the same; else what it was made from, "" without it.

    The same means the contents of its configs as well.
    """
    target, own = seen.target_workload, seen.primary_workload
    if own is None:
        return ""
    contents = target is not None and seen.primary_configs == seen.configs
    if target is not None and contents and runs_the_same(Source(canary, target, "", target.content, seen.rules), own):
        return seen.target_revision
    return revision_hash(origin(canary, seen, own), seen.primary_configs)


def found_revisions(canary: Canary, seen: Observation) -> dict[str, Mapping[str, Any]]:
    """What can be kept of what is there: the target's content, and of a primary that is taken over its origin."""
    target, own = seen.target_workload, seen.primary_workload
    found: dict[str, Mapping[str, Any]] = {}
    if own is not None and not canary.status.primary_step:
        found[carried_revision(canary, seen)] = origin(canary, seen, own)
    if target is not None:
        found[seen.target_revision] = target.content
    return found


def origin(canary: Canary, seen: Observation, primary: Workload) -> Object:
    """What ``primary`` was copied from; a config that the target itself names so keeps its name."""
    made = kind_of(canary).origin(canary, primary, seen.rules)
    target = seen.target_workload
    _rename(made, frozenset(place.key for place in places(target.content)) if target else frozenset())
    return made


def _plain(content: Mapping[str, Any]) -> Object:
    """Names of tracked configs as the target writes them: their copies for the primary end in ``-primary``."""
    plain: Object = copy.deepcopy(dict(content))
    metadata = plain.setdefault("metadata", {})
    annotations = metadata.get("annotations") or {}
    metadata["annotations"] = {
        name: text for name, text in annotations.items() if name not in (RESTARTED_BY, _RESTARTED)
    }
    _rename(plain, frozenset())
    return plain


def _rename(content: Object, own: frozenset[str]) -> None:
    for place in places(content):
        if place.key not in own:
            cast("Object", place.holder)[place.field] = place.name.removesuffix(_SUFFIX)
