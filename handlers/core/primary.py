"""The primary, rendered: the second half of :mod:`handlers.core.desired` (spec targets 3.1 to 3.3).

What depends on the target's kind is in :mod:`handlers.core.kinds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handlers.core.belongings import owners
from handlers.core.desired import Object
from handlers.core.kinds import Source, kind_of
from handlers.core.kinds.anatomy import Inherited, promoted
from schemas.revision import REVISION, TEMPLATE, digest
from schemas.status import CanaryStatus
from schemas.workload import OF_CONTROLLERS, PRIMARY_STEP, Workload


def primary(source: Source, status: CanaryStatus) -> Object:
    """A new primary that runs ``primaryRevision``, the snapshot that ``source`` brings."""
    kind = kind_of(source.canary)
    spec = kind.spec(source, None)
    metadata = {
        "name": source.canary.primary,
        "namespace": source.canary.metadata.namespace,
        "ownerReferences": owners(source.canary),
    }
    fence = PRIMARY_STEP, status.primary_step
    return {"metadata": metadata | marked(source, spec, kind.inherited(source), fence), "spec": spec}


def primary_again(source: Source, status: CanaryStatus, existing: Workload) -> Object:
    """The existing primary as another revision: its labels and annotations are replaced, as at each promotion."""
    spec = kind_of(source.canary).spec(source, existing)
    metadata = marked(source, spec, promoted(source), (PRIMARY_STEP, status.primary_step))
    metadata["annotations"] |= {
        key: value for key, value in existing.annotations.items() if key.startswith(OF_CONTROLLERS)
    }
    return {**existing.item, "metadata": {**existing.item["metadata"], **metadata}, "spec": spec}


def marks(status: CanaryStatus, content: Mapping[str, Any]) -> dict[str, str]:
    """The fence, the revision, and what its content was when we wrote it."""
    return {PRIMARY_STEP: str(status.primary_step), REVISION: status.primary_revision, TEMPLATE: digest(content)}


def as_stored(answer: Mapping[str, Any]) -> Object | None:
    """A guarded patch that notes what became of a copy that was written; None when it is as it was written.

    Without that it would count as edited by somebody, and be written again with each look.
    """
    stored = Workload(answer)
    content = digest(stored.content)
    if stored.annotations.get(TEMPLATE) == content:
        return None
    return {"metadata": {"resourceVersion": stored.resource_version, "annotations": {TEMPLATE: content}}}


def marked(source: Source, spec: Object, inherited: Inherited, fence: tuple[str, int]) -> Object:
    """Labels and annotations of a copy of the target; ``fence``: its annotation and the step."""
    written = Workload({"kind": source.target.kind, "metadata": {}, "spec": spec}).content
    key, step = fence
    ours = {key: str(step), REVISION: source.revision, TEMPLATE: digest(written)}
    own = kind_of(source.canary).selectors(source.target, source.rules.selector_labels)["primary"]
    return {"labels": {**inherited.labels, **own}, "annotations": inherited.annotations | ours}
