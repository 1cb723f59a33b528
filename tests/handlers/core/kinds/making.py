"""Primaries as they are made from a target, and made again by a promotion."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from handlers.core.kinds import Source
from handlers.core.observation import Rules
from handlers.core.primary import primary, primary_again
from schemas.canary import Canary
from schemas.status import CanaryStatus, Phase
from schemas.workload import Workload
from tests.handlers.core.manifests import weighted

FIRST, SECOND = "0123456789abcdef", "fedcba9876543210"


def canary(target: dict[str, Any], **spec: Any) -> Canary:
    ref = {"targetRef": {"kind": target["kind"], "name": target["metadata"]["name"]}}
    metadata = {"name": "podinfo", "namespace": "test", "uid": "u"}
    return Canary.from_object({"metadata": metadata, "spec": weighted() | ref | spec})


def source(
    target: dict[str, Any], *, revision: str = FIRST, content: Any = None, prefixes: tuple[str, ...] = (), **spec: Any
) -> Source:
    """``content``: the snapshot, unless it is what the target is now."""
    workload = Workload(target)
    rules = Rules(include_label_prefix=prefixes)
    return Source(canary(target, **spec), workload, revision, content or workload.content, rules)


def made(target: dict[str, Any], **options: Any) -> dict[str, Any]:
    return primary(source(target, **options), CanaryStatus(primary_revision=FIRST, primary_step=4))


def made_again(existing: dict[str, Any], target: dict[str, Any], **options: Any) -> dict[str, Any]:
    return made_later(existing, target, CanaryStatus(phase=Phase.PROMOTING), **options)


def made_later(existing: dict[str, Any], target: dict[str, Any], now: CanaryStatus, **options: Any) -> dict[str, Any]:
    """As the status has it ``now``."""
    later = now.model_copy(update={"primary_revision": SECOND, "primary_step": 9})
    wanted = source(target, revision=SECOND, **options)
    wanted = replace(wanted, canary=wanted.canary.model_copy(update={"status": later}))
    return primary_again(wanted, later, workload(existing, target))


def workload(primary: dict[str, Any], target: dict[str, Any]) -> Workload:
    """As read: the API server says which kind it is."""
    return Workload({"kind": target["kind"], **primary})
