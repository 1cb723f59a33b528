"""What is wrong with a Canary, in words a user can act on: the field, what it is, and the remedy.

The CRD refuses most shapes before they get here; this covers what a schema cannot say, and API servers without our CRD.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from handlers.core import lengths, scaler
from handlers.core.kinds import KINDS, kind_of
from handlers.core.observation import Observation
from handlers.core.patterns import is_header_name, pattern_of, program_size, regex_problem
from schemas.analysis import BUILT_IN
from schemas.canary import Canary, HookType, Metric, Strategy, StringMatch, Webhook
from schemas.resources import SCALED_OBJECT, SCALERS
from schemas.status import IDLE, Phase

_PROMETHEUS = re.compile(r"(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?")
"""What stands between the brackets of a range."""
_PLACEHOLDER = re.compile(r"\{\{[^}]*\binterval\b")
_NEEDED = frozenset(HookType) - {HookType.ROLLBACK, HookType.POST_ROLLOUT, HookType.EVENT}
_ROLLOUT = frozenset(Phase) - IDLE - {Phase.NEW, Phase.INITIALIZING, Phase.WAITING}


def problems(canary: Canary, seen: Observation) -> tuple[str, ...]:
    """Empty when there is nothing wrong. A missing target is a problem only while no rollout runs (then it ends it)."""
    if canary.problems:
        return canary.problems
    asked = canary.under(canary.asked) if canary.asked else canary
    # what nobody is going to ask can be as it likes
    skipped = asked.spec.skip_analysis
    judged = () if skipped else (*_analysis(asked), *_metrics(asked))
    return (*obstacles(canary, seen), *judged, *_webhooks(asked))


def obstacles(canary: Canary, seen: Observation) -> tuple[str, ...]:
    """Those of them with which its objects cannot be made; the others only keep a rollout from being judged."""
    if canary.problems:
        return canary.problems
    if canary.asked:
        # what is written now is judged, whatever is still in force
        return obstacles(canary.under(canary.asked), seen.model_copy(update={"target": seen.asked_target}))
    matched = _match(canary, seen.rules.regex_max_program_size)
    return (*_service(canary), *matched, *lengths.problems(canary, seen), *_references(canary, seen))


def _service(canary: Canary) -> Iterator[str]:
    port = canary.spec.service.port
    if not 0 < port < 65536:
        yield f"spec.service.port: {port or 'missing'}; give the port of the Service, 1 to 65535"
    kind = canary.spec.target_ref.kind
    if kind not in KINDS:
        yield f"spec.targetRef.kind: {kind} is not supported; use a Deployment, a DaemonSet or a Service"


def _analysis(canary: Canary) -> Iterator[str]:
    analysis = canary.spec.analysis
    if analysis.strategy is not Strategy.CANARY:
        return
    if analysis.mirror:
        yield "spec.analysis.mirror: Gloo routes cannot mirror traffic; remove it or set it to false"
    if not analysis.step_weight and not analysis.step_weights:
        yield "spec.analysis: no step is defined; set stepWeight, stepWeights or iterations"
    if analysis.step_weight < 0:
        yield f"spec.analysis.stepWeight: {analysis.step_weight} is no percentage; use 1 to 100"
    if analysis.step_weight:
        return
    yield from _step_weights(analysis.step_weights)


def _step_weights(weights: tuple[int, ...]) -> Iterator[str]:
    """They have to rise until one is as high as the last: there the revision is promoted, whatever comes after.

    More than everything is everything. (Spec lifecycle 2.4.1: else the peer stands still.)
    """
    weight, field = 0, f"spec.analysis.stepWeights: {list(weights)}"
    for following in weights:
        if following <= 0 or weights[-1] <= 0:
            yield f"{field} must be percentages from 1 to 100"
            return
        if weight >= min(100, weights[-1]):
            return
        if following <= weight:
            yield f"{field} must rise from step to step; sort them"
            return
        weight = following


def _match(canary: Canary, largest: int) -> Iterator[str]:
    for number, match in enumerate(canary.spec.analysis.match):
        field = f"spec.analysis.match[{number}].headers"
        for name, wanted in match.headers.items():
            if is_header_name(name):
                yield from _header(f"{field}.{name}", wanted, largest)
            else:
                yield f"{field}: {name!r} is refused by the gateway; write the name of a header, on one line"


def _header(field: str, wanted: StringMatch, largest: int) -> Iterator[str]:
    """``largest``: the program size up to which the gateway takes a regular expression; it makes one of a prefix."""
    given = [kind for kind in ("exact", "prefix", "suffix", "regex") if getattr(wanted, kind) is not None]
    if len(given) != 1:
        yield f"{field}: give exactly one of exact, prefix, suffix and regex"
        return
    field, pattern = f"{field}.{given[0]}", pattern_of(wanted) or ""
    if wrong := regex_problem(pattern):
        yield f"{field}: {pattern!r} is refused by RE2, which the gateway uses: {wrong}"
    elif (size := program_size(pattern)) > largest:
        yield (
            f"{field}: its program size is {size}, and the gateway takes {largest} at most; shorten it, "
            "or raise regexMaxProgramSize in Gloo's Settings and CANARYBUS_REGEX_MAX_PROGRAM_SIZE with it"
        )


def _metrics(canary: Canary) -> Iterator[str]:
    for number, metric in enumerate(canary.spec.analysis.metrics):
        field = f"spec.analysis.metrics[{number}]"
        yield from _metric(field, metric)


def _metric(field: str, metric: Metric) -> Iterator[str]:
    if not any(metric.parts):
        yield (
            f"{field}.name: {metric.name!r} is no built-in metric; give it a query or a templateRef, "
            f"or use {BUILT_IN[0]} or {BUILT_IN[1]}"
        )
    if metric.interval and is_pasted(metric) and not _is_range(metric.interval):
        yield f"{field}.interval: {metric.interval!r} is no range to Prometheus; write it as 30s, 1m or 1m30s"
    bounds = metric.threshold_range
    if bounds and bounds.min is not None and bounds.max is not None and bounds.min > bounds.max:
        yield f"{field}.thresholdRange: min {bounds.min:g} is above max {bounds.max:g}; no value can pass"


def is_needed(canary: Canary, hook: Webhook) -> bool:
    """Whether a rollout comes to nothing without a pass of this hook."""
    # by name: a type that nobody knows is told, and nothing to stumble over
    return (hook.type or HookType.ROLLOUT) in ({HookType.CONFIRM_ROLLOUT} if canary.spec.skip_analysis else _NEEDED)


def is_pasted(metric: Metric) -> bool:
    """Whether its interval becomes a range in PromQL. What a template does with it is not known here."""
    inline = (part.query for part in metric.parts if part.template_ref is None)
    return any(not query or _PLACEHOLDER.search(query) for query in inline)


def _is_range(text: str) -> bool:
    return bool(_PROMETHEUS.fullmatch(text)) and re.search("[1-9]", text) is not None


def _webhooks(asked: Canary) -> Iterator[str]:
    for number, hook in enumerate(asked.spec.analysis.webhooks):
        field = f"spec.analysis.webhooks[{number}]"
        try:
            _ = hook.hook_type
        except ValueError:
            yield f"{field}.type: {hook.type!r} is no webhook type; use rollout, pre-rollout, confirm-promotion …"
        if not hook.addressed and is_needed(asked, hook):
            yield f"{field}.url: {hook.shown_url!r} is no address; start it with http://, https:// or nats://"
        try:
            _ = hook.subject
        except ValueError as error:
            yield f"{field}.url: {str(error).replace(hook.url, hook.shown_url)}"


def _references(canary: Canary, seen: Observation) -> Iterator[str]:
    namespace = canary.metadata.namespace
    if seen.older_twin:
        yield (
            f"spec.targetRef: {canary.target} already belongs to Canary {seen.older_twin}; "
            "point this one at another target or delete one of the two"
        )
    elif seen.older_namesake:
        yield (
            f"spec.service.name: {canary.service} already belongs to Canary {seen.older_namesake}; "
            "give this one another name or delete one of the two"
        )
    target = seen.target_workload
    kind = canary.spec.target_ref.kind
    if target is None:
        if canary.status.phase not in _ROLLOUT:
            yield f"spec.targetRef: {kind} {canary.target}.{namespace} not found; create it or mend the name"
    elif kind in KINDS:
        own = seen.primary_workload
        beside = own if own is not None and own.name == canary.primary else None
        yield from kind_of(canary).problems(canary, target, seen.rules, beside)
    for missing in seen.missing:
        keda = f", and install KEDA if there are no {SCALED_OBJECT.kind}s here" if SCALED_OBJECT.kind in missing else ""
        yield f"{missing} not found; create it or mend the name{keda}"
    yield from seen.config_problems
    yield from _scaler(canary, seen)
    if seen.rules.no_cross_namespace_refs:
        yield from _cross_namespace(canary)


def _scaler(canary: Canary, seen: Observation) -> Iterator[str]:
    """The primary's bounds must be in order; what is not overridden is as in the target's own scaler."""
    ref = canary.spec.autoscaler_ref
    if ref is None:
        return
    if ref.kind not in SCALERS:
        yield f"spec.autoscalerRef.kind: {ref.kind} is no scaler; use {' or '.join(SCALERS)}"
        return
    override = ref.primary_scaler_replicas
    if override is None:
        return
    least, most = scaler.bounds(seen.scaler or {}, ref.kind)
    low = least if override.min_replicas is None else override.min_replicas
    high = most if override.max_replicas is None else override.max_replicas
    if low is None or high is None or low <= high:
        return
    field, theirs = "spec.autoscalerRef.primaryScalerReplicas", f"{ref.kind} {ref.name}"
    if override.min_replicas is None:
        remedy = "raise it or give a lower minReplicas"
        yield f"{field}.maxReplicas: {high} is below the minimum of {theirs}, {low}; {remedy}"
        return
    whose = f"the maximum of {theirs}" if override.max_replicas is None else "maxReplicas"
    yield f"{field}.minReplicas: {low} is above {whose}, {high}; lower it or give a higher maxReplicas"


def _cross_namespace(canary: Canary) -> Iterator[str]:
    namespace, spec = canary.metadata.namespace, canary.spec
    blocked = "cross-namespace references are blocked"
    if spec.upstream_ref and spec.upstream_ref.namespace not in ("", namespace):
        yield f"can't access gloo upstream {spec.upstream_ref.name}.{spec.upstream_ref.namespace}, {blocked}"
    for metric in spec.analysis.metrics:
        ref = metric.template_ref
        if ref and ref.namespace not in ("", namespace):
            yield f"can't access metric template {ref.name}.{ref.namespace}, {blocked}"
    for alert in spec.analysis.alerts:
        provider = alert.provider_ref
        if provider and provider.namespace not in ("", namespace):
            yield f"can't access alert provider {provider.name}.{provider.namespace}, {blocked}"
