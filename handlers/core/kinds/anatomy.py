"""What a target's kind decides about its primary, its size and its words (spec targets 3.1 to 3.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

from handlers.core.observation import Rules
from schemas.canary import Canary
from schemas.workload import Readiness, Workload

Object = dict[str, Any]
Role = Literal["primary", "canary"]
Selectors = Mapping[Role, Mapping[str, str]]
_OURS = "canarybus.dev/"


@dataclass(frozen=True)
class Source:
    """What a primary is made from: ``content`` is the snapshot of ``revision``, the rest is the live target's own."""

    canary: Canary
    target: Workload
    revision: str
    content: Mapping[str, Any]
    rules: Rules


class Inherited(NamedTuple):
    labels: dict[str, str]
    annotations: dict[str, str]


class TargetKind(Protocol):
    """The same questions for each kind; one module answers them for one kind."""

    brings_services: bool
    """Whether the target's copies are the Services that routes lead to, so that none have to be made around pods."""

    def problems(
        self, canary: Canary, target: Workload, rules: Rules, primary: Workload | None = None
    ) -> Iterator[str]:
        """What keeps this target from being rolled out beside its ``primary``: the field and the remedy."""
        ...

    def selectors(self, target: Workload, keys: Sequence[str], primary: Workload | None = None) -> Selectors:
        """The labels by which each side's pods are found; a ``primary`` that is there carries its own.

        Raises ValueError without a selector label.
        """
        ...

    def inherited(self, source: Source) -> Inherited:
        """What a new primary takes over from the target; at each promotion only what :func:`promoted` lets through."""
        ...

    def content(self, source: Source) -> Object:
        """The revision as the primary runs it."""
        ...

    def origin(self, canary: Canary, primary: Workload, rules: Rules) -> Object:
        """The content that ``primary`` was copied from: :meth:`content` taken back."""
        ...

    def spec(self, source: Source, existing: Workload | None) -> Object:
        """The whole spec of the primary; ``existing``: the primary as it is, None for a new one."""
        ...

    def sized(self, target: Workload, size: int) -> Object:
        """A merge patch of the spec that gives the target ``size`` pods; 0 parks it."""
        ...

    def frozen(self, target: Workload) -> Object:
        """A merge patch of the spec with which another template replaces no pods; empty when none does anyway."""
        ...

    def primary_not_ready(self, place: str, found: Readiness) -> str: ...

    def canary_not_ready(self, place: str, found: Readiness) -> str: ...


def promoted(source: Source) -> Inherited:
    """What a promotion takes over: ``CANARYBUS_INCLUDE_LABEL_PREFIX``, by default nothing."""
    target, prefixes = source.target, source.rules.include_label_prefix
    return Inherited(included(target.labels, prefixes), included(target.annotations, prefixes))


def included(values: Mapping[str, str], prefixes: Sequence[str]) -> dict[str, str]:
    """``*`` lets everything through, but never what is not the user's."""
    allowed = tuple(prefixes)
    return {key: value for key, value in copied(values).items() if "*" in allowed or key.startswith(allowed)}


def copied(values: Mapping[str, str]) -> dict[str, str]:
    """Without the marks of those who work on the original: Flux, and our fences."""
    return {key: value for key, value in values.items() if "toolkit.fluxcd.io" not in key and not key.startswith(_OURS)}
