"""What Deployments and DaemonSets have in common: pods from a template, found by one label."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

from handlers.core.kinds.anatomy import Inherited, Object, Selectors, Source, copied, promoted
from handlers.core.observation import Rules
from schemas.canary import Canary
from schemas.workload import Workload

RESTARTED_BY = "flagger-id"
"""On the primary's template: another one for each revision, so that its pods restart even if only a config changed."""


def problems(canary: Canary, target: Workload, rules: Rules, primary: Workload | None) -> Iterator[str]:
    place = f"{target.kind.lower()} {canary.target}.{canary.metadata.namespace}"
    if target.selector_label(rules.selector_labels) is None:
        yield (
            f"{place} spec.selector.matchLabels must contain one of [{' '.join(rules.selector_labels)}]; "
            "add one, or name yours in CANARYBUS_SELECTOR_LABELS"
        )
    elif primary is not None:
        yield from _found_together(place, selectors(target, rules.selector_labels, primary), primary)


def _found_together(place: str, chosen: Selectors, primary: Workload) -> Iterator[str]:
    """A target that was deleted and made again may select by what the primary's pods have in common with its own."""
    ((key, value),) = chosen["canary"].items()
    if ((primary.template.get("metadata") or {}).get("labels") or {}).get(key) != value:
        return
    before = ", ".join(chosen["primary"])
    yield (
        f"{place} spec.selector.matchLabels: {key}={value} is on the pods of {primary.name} as well; "
        f"give {key} another value, or select by {before} as before"
    )


def selectors(target: Workload, keys: Sequence[str], primary: Workload | None) -> Selectors:
    """What a primary selects is for ever; the target's pods are told from its own by the same label if they have it."""
    own = primary.selector if primary else {}
    before = [key for key, value in own.items() if target.selector.get(key) not in (None, value)]
    label = target.selector_label([*before, *keys])
    if label is None:
        raise ValueError(f"{target.name}: spec.selector.matchLabels has none of {' '.join(keys)}")
    key, value = label
    return {"canary": {key: value}, "primary": own or {key: f"{value}-primary"}}


def labels(source: Source) -> dict[str, str]:
    return dict(selectors(source.target, source.rules.selector_labels, None)["primary"])


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

    A selector is for ever, so its pods go on carrying what it selects, whatever the target selects by now.
    """
    before = existing.item["spec"] if existing else {"selector": {"matchLabels": labels(source)}}
    kept = {name: value for name, value in before.items() if name not in fields}
    metadata, theirs = made["metadata"], source.target.spec
    metadata["labels"] = {**metadata["labels"], **(existing.selector if existing else {})}
    return {**kept, **{name: theirs[name] for name in fields if name in theirs}, "template": made}
