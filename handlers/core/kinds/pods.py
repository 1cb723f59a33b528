"""What Deployments and DaemonSets have in common: pods from a template, found by one label."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence

from handlers.core.kinds.anatomy import Inherited, Object, Role, Source, copied, promoted
from handlers.core.observation import Rules
from schemas.canary import Canary
from schemas.workload import Workload

RESTARTED_BY = "flagger-id"
"""On the primary's template: another one for each revision, so that its pods restart even if only a config changed."""


def problems(canary: Canary, target: Workload, rules: Rules) -> Iterator[str]:
    if target.selector_label(rules.selector_labels) is not None:
        return
    keys, place = " ".join(rules.selector_labels), f"{canary.target}.{canary.metadata.namespace}"
    yield (
        f"{target.kind.lower()} {place} spec.selector.matchLabels must contain one of [{keys}]; "
        "add one, or name yours in CANARYBUS_SELECTOR_LABELS"
    )


def selectors(target: Workload, keys: Sequence[str]) -> Mapping[Role, Mapping[str, str]]:
    label = target.selector_label(keys)
    if label is None:
        raise ValueError(f"{target.name}: spec.selector.matchLabels has none of {' '.join(keys)}")
    key, value = label
    return {"canary": {key: value}, "primary": {key: f"{value}-primary"}}


def labels(source: Source) -> dict[str, str]:
    return dict(selectors(source.target, source.rules.selector_labels)["primary"])


def template(source: Source) -> Object:
    """The template of a revision as the primary runs it: under its own label, restarted by another revision."""
    made: Object = copy.deepcopy(dict(source.content))
    metadata = made.setdefault("metadata", {})
    metadata["labels"] = copied(metadata.get("labels") or {}) | labels(source)
    annotations = copied(metadata.get("annotations") or {})
    metadata["annotations"] = annotations | {RESTARTED_BY: source.revision}
    return made


def origin(primary: Workload, rules: Rules) -> Object:
    """The template that a primary was made from, under the target's own label."""
    made: Object = copy.deepcopy(dict(primary.content))
    metadata = made.setdefault("metadata", {})
    if label := primary.selector_label(rules.selector_labels):
        key, value = label
        metadata["labels"] = {**(metadata.get("labels") or {}), key: value.removesuffix("-primary")}
    annotations = {key: text for key, text in (metadata.pop("annotations", None) or {}).items() if key != RESTARTED_BY}
    if annotations:
        metadata["annotations"] = annotations
    return made


def inherited(source: Source) -> Inherited:
    """All annotations, but no labels that nobody asked for: the target's selector must not find the primary."""
    return Inherited(promoted(source).labels, copied(source.target.annotations))


def spec(source: Source, existing: Workload | None, fields: tuple[str, ...], made: Object) -> Object:
    """What others wrote into an existing primary's spec stays, but for ``fields``, which are the target's or nobody's.

    A selector is for ever.
    """
    before = existing.item["spec"] if existing else {"selector": {"matchLabels": labels(source)}}
    kept = {name: value for name, value in before.items() if name not in fields}
    theirs = source.target.spec
    return {**kept, **{name: theirs[name] for name in fields if name in theirs}, "template": made}
