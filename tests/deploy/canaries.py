"""Canaries as people write them, right and wrong, with what the definition has to make of each (spec 1.1)."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from typing import Any, NamedTuple

GONE = object()
"""In changes: take the field away. In what is stored: it is not there."""

Changes = Mapping[str, Any]

_BASE: dict[str, Any] = {
    "provider": "gloo",
    "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
    "autoscalerRef": {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "name": "podinfo"},
    "progressDeadlineSeconds": 60,
    "service": {"port": 9898, "targetPort": "http"},
    "analysis": {
        "interval": "10s",
        "threshold": 5,
        "maxWeight": 50,
        "stepWeight": 5,
        "metrics": [{"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "1m"}],
        "webhooks": [
            {
                "name": "load-test",
                "url": "http://flagger-loadtester.test/",
                "timeout": "5s",
                "metadata": {"cmd": "hey -z 2m -q 5 -c 2 http://app.example.com/"},
            }
        ],
    },
}


class Case(NamedTuple):
    """``stored`` are the paths of the spec that the server keeps otherwise than they were sent."""

    why: str
    changes: Changes
    accepted: bool = True
    stored: Changes = {}


def changed(changes: Changes) -> dict[str, Any]:
    """The spec of a usual Canary with ``changes``: a path is ``a.b.0.c``; GONE takes away."""
    spec = copy.deepcopy(_BASE)
    lay_over(spec, changes)
    return spec


def lay_over(spec: dict[str, Any], changes: Changes) -> None:
    for path, value in changes.items():
        *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        node: Any = spec
        for part in way:
            node = node.setdefault(part, {}) if isinstance(node, dict) else node[part]
        if value is GONE:
            del node[last]
        elif isinstance(node, list) and last == len(node):
            node.append(value)
        else:
            node[last] = copy.deepcopy(value)


_STEPS = {"analysis.stepWeight": GONE}
_REFERENCE = {"apiVersion": "v1", "kind": "Upstream", "name": "settings"}

CASES = (
    Case("the tutorial's canary", {}),
    # what is required
    Case("no target", {"targetRef": GONE}, accepted=False),
    Case("no analysis", {"analysis": GONE}, accepted=False),
    Case("no service is the schema's business", {"service": GONE}),
    Case("a service without a port", {"service.port": GONE}, accepted=False),
    Case("a target without an apiVersion", {"targetRef.apiVersion": GONE}, accepted=False),
    Case("a target without a kind", {"targetRef.kind": GONE}, accepted=False),
    Case("a metric without a name", {"analysis.metrics.0.name": GONE}, accepted=False),
    Case("a webhook without a url", {"analysis.webhooks.0.url": GONE}, accepted=False),
    Case("an alert without a receiver", {"analysis.alerts": [{"name": "on-call"}]}, accepted=False),
    Case("an alert", {"analysis.alerts": [{"name": "on-call", "providerRef": {"name": "slack"}}]}),
    Case("a receiver without a name", {"analysis.alerts": [{"name": "a", "providerRef": {}}]}, accepted=False),
    # one way to step, and only one
    Case("weights listed", _STEPS | {"analysis.stepWeights": [1, 5, 20, 80]}),
    Case("iterations", _STEPS | {"analysis.iterations": 10}),
    Case("no way to step", _STEPS, accepted=False),
    Case("two ways to step", {"analysis.iterations": 10}, accepted=False),
    Case("three ways to step", {"analysis.iterations": 1, "analysis.stepWeights": [1]}, accepted=False),
    Case("no interval", {"analysis.interval": GONE}, accepted=False),
    Case("no threshold", {"analysis.threshold": GONE}, accepted=False),
    # durations
    Case("one minute and a half", {"analysis.interval": "1m30s"}),
    Case("the pattern has no end", {"analysis.interval": "500ms"}),
    Case("hours", {"analysis.interval": "1h"}, accepted=False),
    Case("an empty interval", {"analysis.interval": ""}, accepted=False),
    Case("a bare number as an interval", {"analysis.interval": 30}, accepted=False),
    Case("a metric over hours", {"analysis.metrics.0.interval": "1h"}, accepted=False),
    Case("a webhook that may take for ever", {"analysis.webhooks.0.timeout": "forever"}, accepted=False),
    # enumerations
    Case("another provider", {"provider": "istio"}),
    Case("the Gateway API", {"provider": "gatewayapi:v1"}),
    Case("no provider", {"provider": GONE}),
    Case("an unknown provider", {"provider": "gloo:v2"}, accepted=False),
    Case("a DaemonSet", {"targetRef.kind": "DaemonSet"}),
    Case("a Service", {"targetRef.kind": "Service"}),
    Case("a StatefulSet", {"targetRef.kind": "StatefulSet"}, accepted=False),
    Case("a ScaledObject", {"autoscalerRef.kind": "ScaledObject"}),
    Case("a VerticalPodAutoscaler", {"autoscalerRef.kind": "VerticalPodAutoscaler"}, accepted=False),
    Case("an Upstream to copy", {"upstreamRef": _REFERENCE | {"namespace": "gloo-system"}}),
    Case("something else to copy", {"upstreamRef": _REFERENCE | {"kind": "Service"}}, accepted=False),
    Case("an Ingress", {"ingressRef": _REFERENCE | {"kind": "Ingress"}}),
    Case("a Route for an Ingress", {"ingressRef": _REFERENCE | {"kind": "Route"}}, accepted=False),
    Case("an ApisixRoute", {"routeRef": _REFERENCE | {"kind": "ApisixRoute"}}),
    Case("every webhook type, the empty one too", {"analysis.webhooks.0.type": ""}),
    Case("a gate", {"analysis.webhooks.0.type": "confirm-traffic-increase"}),
    Case("an unknown webhook type", {"analysis.webhooks.0.type": "before"}, accepted=False),
    Case("an unknown severity", {"analysis.alerts": [{"name": "a", "severity": "fatal", "providerRef": {"name": "a"}}]},
         accepted=False),
    Case("traffic close by", {"service.trafficDistribution": "PreferClose"}),
    Case("traffic far away", {"service.trafficDistribution": "PreferFar"}, accepted=False),
    # numbers
    Case("fractions, as the peer", {"analysis.stepWeight": 2.5, "analysis.threshold": 1.5}),
    Case("a weight in words", {"analysis.stepWeight": "5"}, accepted=False),
    Case("a port by name", {"service.port": "http"}, accepted=False),
    Case("a target port by number", {"service.targetPort": 9898}),
    Case("a target port that is a list", {"service.targetPort": ["http"]}, accepted=False),
    Case("replicas of the primary", {"autoscalerRef.primaryScalerReplicas": {"minReplicas": 2, "maxReplicas": 4}}),
    Case("no replicas of the primary", {"autoscalerRef.primaryScalerReplicas": {"minReplicas": 0}}, accepted=False),
    Case("half a replica", {"autoscalerRef.primaryScalerReplicas": {"maxReplicas": 2.5}}, accepted=False),
    # who the canary gets
    Case("a header", {"analysis.match": [{"headers": {"x-canary": {"exact": "insider"}}}]}),
    Case("a suffix", {"analysis.match": [{"headers": {"x-canary": {"suffix": "er"}}}]}),
    Case("a header matched twice", {"analysis.match": [{"headers": {"a": {"exact": "b", "regex": "c"}}}]},
         accepted=False),
    Case("a header matched by nothing", {"analysis.match": [{"headers": {"x-canary": {}}}]}, accepted=False),
    Case("a query parameter matched by nothing", {"analysis.match": [{"queryParams": {"debug": {}}}]}),
    Case("a query parameter matched twice", {"analysis.match": [{"queryParams": {"a": {"exact": "b", "prefix": "c"}}}]},
         accepted=False),
    Case("source labels", {"analysis.match": [{"sourceLabels": {"app": "web"}}]}),
    Case("a method is not known", {"analysis.match": [{"method": {"exact": "GET"}}]},
         stored={"analysis.match.0.method": GONE}),
    Case("a cookie for ever the same", {"analysis.sessionAffinity": {"cookieName": "who"}},
         stored={"analysis.sessionAffinity.maxAge": 86400}),
    Case("a cookie without a name", {"analysis.sessionAffinity": {"maxAge": 60}}, accepted=False),
    # what Gloo has no use for
    Case("routing for other gateways",
         {"service.timeout": "15s", "service.retries": {"attempts": 3, "perTryTimeout": "1s", "retryOn": "5xx"},
          "service.hosts": ["app.example.com"], "service.gateways": ["mesh"], "service.delegation": True,
          "service.headers": {"request": {"add": {"x": "y"}}}, "service.rewrite": {"uri": "/"},
          "service.corsPolicy": {"allowOrigins": [{"exact": "a"}]}, "service.match": [{"uri": {"prefix": "/"}}],
          "service.trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}, "service.gatewayRefs": [{"name": "edge"}]}),
    Case("hosts that are no list", {"service.hosts": "app.example.com"}, accepted=False),
    Case("a timeout in numbers", {"service.timeout": 15}, accepted=False),
    # unknown and empty
    Case("the old name of analysis", {"canaryAnalysis": {"interval": "1m"}}, stored={"canaryAnalysis": GONE}),
    Case("a slip", {"analysis.maxWieght": 50}, stored={"analysis.maxWieght": GONE}),
    Case("null means not given", {"metricsServer": None}, stored={"metricsServer": GONE}),
    Case("labels in numbers", {"service.apex": {"labels": {"version": 1}}}, accepted=False),
    Case("labels", {"service.apex": {"labels": {"team": "a"}, "annotations": {"b": "c"}}}),
    # our own fields
    Case("no data counts as failed", {"analysis.metrics.0.noData": "fail"}),
    Case("no data is something else", {"analysis.metrics.0.noData": "ignore"}, accepted=False),
    Case("three in a row", {"analysis.metrics.0.consecutive": 3}),
    Case("none in a row", {"analysis.metrics.0.consecutive": 0}, accepted=False),
    Case("a gate on the bus", {"analysis.webhooks.0.url": "nats://gates.podinfo"}),
)  # fmt: skip

_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 3, 2.5, 10**12, "", "10s", "1h", "gloo", "Deployment", "fail", "é"),
    *([], ["a"], [1], [{}], [None], {}, {"name": "a"}, {"exact": "a"}, {"a": {"exact": "b"}}, {"labels": {"a": None}}),
)


def mutated(chance: random.Random) -> dict[str, Any]:
    """An accepted spec with one or two of its values replaced, moved or taken away at random."""
    spec = changed(chance.choice([case for case in CASES if case.accepted]).changes)
    for _ in range(chance.randint(1, 2)):
        node, key = _somewhere(spec, chance)
        match chance.randrange(4):
            case 0:
                del node[key]
            case 1 if isinstance(node, dict):
                node[chance.choice(("consecutive", "noData", "name", "iterations", "sameSite", "new"))] = node.pop(key)
            case _:
                node[key] = copy.deepcopy(chance.choice(_VALUES))
        if not spec:
            break
    return spec


def _somewhere(spec: dict[str, Any], chance: random.Random) -> tuple[Any, Any]:
    node: Any = spec
    while True:
        key = chance.choice(list(node) if isinstance(node, dict) else range(len(node)))
        if isinstance(node[key], dict | list) and node[key] and chance.random() < 0.75:
            node = node[key]
        else:
            return node, key
