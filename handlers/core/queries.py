"""Queries: the two built-in ones for Gloo, what users write, rendered (spec gloo 4.4 and 4.5), and a judge's."""

from __future__ import annotations

from handlers.core.hooks import phase_told
from handlers.core.templates import fill_in
from schemas.analysis import DURATION, SUCCESS_RATE
from schemas.canary import Canary, HookType, Metric
from schemas.judges import JudgeQuestion


def built_in(canary: Canary, metric: Metric) -> str:
    """PromQL for a metric of that name; raises KeyError for any other.

    The success rate is in percent: 0 when every answer was a 5xx, and empty only when there was no request. The
    duration is the 99th percentile in milliseconds, empty when there was no request.
    """
    cluster = _cluster_pattern(canary.metadata.namespace, canary.service)
    window = metric.interval or "1m"
    return {SUCCESS_RATE: _success_rate, DURATION: _duration}[metric.name](cluster, window)


def samples_of(canary: Canary, metric: Metric) -> str:
    """PromQL for the number of requests that a built-in metric is about."""
    cluster = _cluster_pattern(canary.metadata.namespace, canary.service)
    return f'sum(increase(envoy_cluster_upstream_rq{{envoy_cluster_name=~"{cluster}"}}[{metric.interval or "1m"}]))'


def _success_rate(cluster: str, window: str) -> str:
    every = f'envoy_cluster_upstream_rq{{envoy_cluster_name=~"{cluster}"}}[{window}]'
    good = f'envoy_cluster_upstream_rq{{envoy_cluster_name=~"{cluster}", envoy_response_code!~"5.*"}}[{window}]'
    # without "or vector(0)" a canary that answers nothing but 5xx would look as if it had no traffic
    return f"(sum(rate({good})) or vector(0)) / sum(rate({every})) * 100"


def _duration(cluster: str, window: str) -> str:
    buckets = f'envoy_cluster_upstream_rq_time_bucket{{envoy_cluster_name=~"{cluster}"}}[{window}]'
    return f"histogram_quantile(0.99, sum(rate({buckets})) by (le))"


def _cluster_pattern(namespace: str, service: str) -> str:
    """Envoy's name of the canary upstream: ``<upstream>_<namespace>``, whatever prefix a gateway puts before it.

    The namespace at the end is part of the pattern: ``a`` with service ``b-c`` and ``a-b`` with service ``c`` would
    else be the same. A prefix ends in something that no name contains, for the same reason.
    """
    return f"(.*[^0-9a-zA-Z-])?{namespace}-{service}-canaryupstream-[0-9]+_{namespace}"


def render(template: str, canary: Canary, metric: Metric) -> str:
    """The query. Raises :class:`TemplateError`."""
    spec = canary.spec
    values = {
        "name": canary.metadata.name,
        "namespace": canary.metadata.namespace,
        "target": canary.target,
        "service": canary.service,
        "ingress": spec.ingress_ref.name if spec.ingress_ref else canary.target,
        "route": spec.route_ref.name if spec.route_ref else canary.target,
        "interval": metric.interval or "1m",
    }
    return fill_in(template, values, metric.template_variables)


def judge_question(canary: Canary, metric: Metric, query: str) -> bytes:
    """What a judge on the bus is asked: a rollout hook's payload, and what this metric is about."""
    asked = JudgeQuestion(
        name=canary.metadata.name,
        namespace=canary.metadata.namespace,
        phase=phase_told(canary, HookType.ROLLOUT),
        checksum=canary.status.canary_revision,
        metadata=dict(sorted(metric.template_variables.items())),
        metric=metric.name,
        query=query,
        interval=metric.window,
        target=canary.target,
        service=canary.service,
        weight=canary.status.canary_weight,
    )
    return asked.model_dump_json(by_alias=True, exclude={"metadata"} if not asked.metadata else None).encode()
