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
from schemas.workload import PRIMARY_STEP, Workload

_OF_CONTROLLERS = ("deployment.kubernetes.io/", "deprecated.daemonset.")


def primary(source: Source, status: CanaryStatus) -> Object:
    """A new primary that runs ``primaryRevision``, the snapshot that ``source`` brings."""
    kind = kind_of(source.canary)
    spec = kind.spec(source, None)
    metadata = {
        "name": source.canary.primary,
        "namespace": source.canary.metadata.namespace,
        "ownerReferences": owners(source.canary),
    }
    return {"metadata": metadata | _marked(source, status, spec, kind.inherited(source)), "spec": spec}


def primary_again(source: Source, status: CanaryStatus, existing: Workload) -> Object:
    """The existing primary as another revision: its labels and annotations are replaced, as at each promotion."""
    spec = kind_of(source.canary).spec(source, existing)
    marked = _marked(source, status, spec, promoted(source))
    marked["annotations"] |= {
        key: value for key, value in existing.annotations.items() if key.startswith(_OF_CONTROLLERS)
    }
    return {**existing.item, "metadata": {**existing.item["metadata"], **marked}, "spec": spec}


def marks(status: CanaryStatus, content: Mapping[str, Any]) -> dict[str, str]:
    """The fence, the revision, and what its content was when we wrote it."""
    return {PRIMARY_STEP: str(status.primary_step), REVISION: status.primary_revision, TEMPLATE: digest(content)}


def _marked(source: Source, status: CanaryStatus, spec: Object, inherited: Inherited) -> Object:
    written = Workload({"kind": source.target.kind, "metadata": {}, "spec": spec}).content
    labels = inherited.labels | kind_of(source.canary).labels(source)
    return {"labels": labels, "annotations": inherited.annotations | marks(status, written)}
