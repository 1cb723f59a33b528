"""What the resources demand beyond the models: the peer's constraints (spec 1.1-1.3), and words for kubectl explain.

Anything that the peer's definition accepts is accepted here, and what it refuses is refused, but for our own fields.
The models are more lenient, because they read what some definition has already let through.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.canary import HookType
from schemas.status import Phase

Constraints = Mapping[str, Mapping[str, Any]]

_DURATION = {"type": "string", "pattern": "^[0-9]+(m|s)"}
_STRING = {"type": "string"}
_STRINGS = {"type": "array", "items": _STRING}
_STRING_MAP = {"type": "object", "additionalProperties": _STRING}
_NUMBER = {"type": "number"}
_OBJECT = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_IGNORED = "Accepted, and without effect on Gloo."
_REFERENCE = ["apiVersion", "kind", "name"]
_PROVIDERS = [
    "apisix",
    "appmesh",
    "appmesh:v1beta2",
    "contour",
    "gatewayapi:v1",
    "gatewayapi:v1beta1",
    "gloo",
    "istio",
    "knative",
    "kubernetes",
    "kuma",
    "linkerd",
    "nginx",
    "osm",
    "skipper",
    "smi:v1alpha1",
    "smi:v1alpha2",
    "smi:v1alpha3",
    "traefik",
]


def _one_of(*fields: str) -> list[dict[str, Any]]:
    return [{"required": [field]} for field in fields]


def _none_or_one_of(*fields: str) -> list[dict[str, Any]]:
    return [{"not": {"anyOf": _one_of(*fields)}}, *_one_of(*fields)]


_QUERY_PARAMETER = {
    "type": "object",
    "properties": {"exact": _STRING, "prefix": _STRING, "regex": _STRING},
    "oneOf": _none_or_one_of("exact", "prefix", "regex"),
}
_SESSION_AFFINITY = {
    "type": "object",
    "required": ["cookieName"],
    "properties": {
        "cookieName": _STRING,
        "primaryCookieName": _STRING,
        "domain": _STRING,
        "httpOnly": {"type": "boolean"},
        "maxAge": {"type": "number", "default": 86400},
        "partitioned": {"type": "boolean"},
        "path": _STRING,
        "sameSite": {"type": "string", "enum": ["Strict", "Lax", "None"]},
        "secure": {"type": "boolean"},
    },
}

CANARY_SPEC: Constraints = {
    "": {
        "description": "How new versions of one workload are released.",
        "required": ["targetRef", "analysis"],
    },
    "provider": {
        "description": "Who routes the traffic; gloo unless the installation says otherwise.",
        "enum": _PROVIDERS,
    },
    "metricsServer": {"description": "Prometheus URL of the built-in metrics and of inline queries."},
    "progressDeadlineSeconds": {"description": "Seconds that a rollout may be stuck before it is rolled back; 600."},
    "skipAnalysis": {"description": "Promote new versions without analysis."},
    "revertOnDeletion": {"description": "Give the target its traffic and replicas back when this Canary is deleted."},
    "suspend": {"description": "Decide nothing; what was decided before is still carried out."},
    "targetRef": {"description": "The workload under control, in the same namespace.", "required": _REFERENCE},
    "targetRef.kind": {"enum": ["DaemonSet", "Deployment", "Service"]},
    "autoscalerRef": {"description": "The target's scaler, copied for the primary.", "required": _REFERENCE},
    "autoscalerRef.kind": {"enum": ["HorizontalPodAutoscaler", "ScaledObject"]},
    "autoscalerRef.primaryScalerQueries": {"description": "By name of the trigger: its query for the primary (KEDA)."},
    "autoscalerRef.primaryScalerReplicas": {"description": "Limits of the primary's scaler."},
    "ingressRef": {"description": "Only names {{ ingress }} in query templates.", "required": _REFERENCE},
    "ingressRef.kind": {"enum": ["Ingress"]},
    "routeRef": {"description": "Only names {{ route }} in query templates.", "required": _REFERENCE},
    "routeRef.kind": {"enum": ["ApisixRoute"]},
    "upstreamRef": {
        "description": "The Gloo Upstream whose connection settings the generated ones copy.",
        "required": _REFERENCE,
    },
    "upstreamRef.kind": {"enum": ["Upstream"]},
    "upstreamRef.namespace": {"description": "The Canary's own when it is empty."},
}

CANARY_SERVICE: Constraints = {
    "": {"description": "The Services and routes that are generated.", "required": ["port"]},
    "name": {"description": "Of the apex Service and the RouteTable; the target's name when it is empty."},
    "port": {"description": "Port of the Services."},
    "portName": {"description": "Name of that port; http when it is empty."},
    "targetPort": {"description": "Number or name of the container's port; the same as port when it is empty."},
    "appProtocol": {"description": "Application protocol of that port."},
    "portDiscovery": {"description": "Add the container's other ports to the Services."},
    "headless": {"description": "Create the Services without a cluster IP."},
    "trafficDistribution": {"enum": ["PreferClose", "PreferSameZone", "PreferSameNode"]},
    "apex": {"description": "Labels and annotations of the apex Service and the RouteTable."},
    "primary": {"description": "Labels and annotations of the primary's Service."},
    "canary": {"description": "Labels and annotations of the canary's Service."},
    "unmanagedMetadata": {"description": "Keys of labels and annotations on the Services that are left alone."},
    "timeout": {"description": _IGNORED} | _STRING,
    "backendTimeout": {"description": _IGNORED} | _STRING,
    "meshName": {"description": _IGNORED} | _STRING,
    "delegation": {"description": _IGNORED, "type": "boolean"},
    "gateways": {"description": _IGNORED} | _STRINGS,
    "hosts": {"description": _IGNORED} | _STRINGS,
    "backends": {"description": _IGNORED} | _STRINGS,
    "gatewayRefs": {"description": _IGNORED, "type": "array", "items": _OBJECT},
    "match": {"description": _IGNORED, "type": "array", "items": _OBJECT},
    "mirror": {"description": _IGNORED, "type": "array", "items": _OBJECT},
    "trafficPolicy": {"description": _IGNORED} | _OBJECT,
    "rewrite": {"description": _IGNORED} | _OBJECT,
    "retries": {"description": _IGNORED} | _OBJECT,
    "headers": {"description": _IGNORED} | _OBJECT,
    "corsPolicy": {"description": _IGNORED} | _OBJECT,
}

CANARY_ANALYSIS: Constraints = {
    "": {
        "description": "When a new version gets more traffic, and when it is rolled back.",
        "oneOf": [
            {"required": ["interval", "threshold", "iterations"]},
            {"required": ["interval", "threshold", "stepWeight"]},
            {"required": ["interval", "threshold", "stepWeights"]},
        ],
    },
    "interval": {"description": "Time between two steps: 30s, 1m, 1m30s."} | _DURATION,
    "threshold": {"description": "Failed steps at which the rollout is rolled back."},
    "iterations": {"description": "Steps to judge before all traffic moves at once (A/B testing, blue/green)."},
    "stepWeight": {"description": "Percent of the traffic that each step adds."},
    "stepWeights": {"description": "Percent of the traffic at each step, in place of stepWeight."},
    "maxWeight": {"description": "Percent of the traffic at which the new version is promoted; 100."},
    "stepWeightPromotion": {"description": "Percent per step on the way back to the primary; 0 is all at once."},
    "mirror": {"description": "Not possible with Gloo."},
    "mirrorWeight": {"description": _IGNORED},
    "primaryReadyThreshold": {"description": "Percent of the primary's replicas that must be available; 100."},
    "canaryReadyThreshold": {"description": "Percent of the canary's replicas that must be available; 100."},
    "match": {"description": "Which requests the canary gets. Items are alternatives; headers of one must all match."},
    "match[].headers{}": {"oneOf": _one_of("exact", "prefix", "suffix", "regex")},
    "match[].headers{}.regex": {"description": "RE2, and of the whole value."},
    "match[].queryParams": {
        "description": _IGNORED,
        "type": "object",
        "additionalProperties": _QUERY_PARAMETER,
    },
    "match[].sourceLabels": {"description": _IGNORED} | _STRING_MAP,
    "sessionAffinity": {"description": _IGNORED} | _SESSION_AFFINITY,
    "metrics": {"description": "What is measured at each step."},
    "metrics[].name": {"description": "request-success-rate and request-duration are built in."},
    "metrics[].interval": {"description": "Window of the query; 1m when it is empty."} | _DURATION,
    "metrics[].threshold": {"description": "Older form of thresholdRange."},
    "metrics[].thresholdRange": {"description": "Limits of the value, inclusive."},
    "metrics[].query": {"description": "PromQL with the placeholders of a MetricTemplate."},
    "metrics[].templateRef": {"description": "A MetricTemplate; in the Canary's namespace unless it names one."},
    "metrics[].templateVariables": {"description": "Values of {{ variables.<key> }} in the template."},
    "metrics[].noData": {"description": "What an empty answer means: hold (neither pass nor failure), fail or pass."},
    "metrics[].consecutive": {"description": "Failed checks in a row before one counts; 1."},
    "alerts": {"description": "Who is told."},
    "alerts[]": {"required": ["providerRef", "name"]},
    "alerts[].severity": {"description": "Least severity that is sent."},
    "alerts[].providerRef": {"description": "An AlertProvider; in the Canary's namespace unless it names one."},
    "webhooks": {"description": "Services that are asked for leave, asked to test, or told what happened."},
    "webhooks[].type": {
        "description": "When it is called; rollout (at each step) when it is empty.",
        "enum": ["", *(kind.value for kind in HookType)],
    },
    "webhooks[].url": {"description": "http, https, or nats://subject."},
    "webhooks[].timeout": {"description": "Of each attempt; 10s when it is empty."} | _DURATION,
    "webhooks[].retries": {"description": "Attempts after the first one."},
    "webhooks[].muteAlert": {"description": "A closed gate alerts nobody."},
    "webhooks[].disableTLS": {"description": "Do not verify the server's certificate."},
    "webhooks[].metadata": {"description": "Part of the request's body, as it is."},
}

CANARY_STATUS: Constraints = {
    "": {"description": "What is known about the rollout; the only state there is."},
    "phase": {
        "enum": [phase.value for phase in Phase],
    },
    "failedChecks": {"description": "Failed steps of this rollout."} | _NUMBER,
    "canaryWeight": {"description": "Percent of the traffic that goes to the canary."} | _NUMBER,
    "iterations": {"description": "Steps judged (A/B testing, blue/green)."} | _NUMBER,
    "conditions[]": {"required": ["type", "status", "reason"]},
    "step": {"description": "Decisions taken over this Canary's whole life."},
    "settled": {"description": "Whether the cluster was seen as the last decision wants it."},
    "waitingFor": {"description": "target, primary, gateway, gate, data or nothing."},
    "lastStep": {"description": "The last decision, why, and what was measured for it."},
    "lastCommand": {"description": "The last command from the bus and what became of it."},
    "paused": {"description": "Who holds the weight, and since when."},
}

METRIC_TEMPLATE_SPEC: Constraints = {
    "": {"description": "A query that Canaries share.", "required": ["provider", "query"]},
    "provider": {"description": "Where the query is asked.", "required": ["type"]},
    "provider.address": {"description": "Base URL; or nats://subject, a judge on the bus."},
    "provider.headers": {"description": "Further HTTP headers."},
    "provider.secretRef": {"description": "A Secret with the credentials, in this namespace."},
    "provider.region": {"description": "Of CloudWatch."},
    "provider.insecureSkipVerify": {"description": "Do not verify the server's certificate."},
    "query": {"description": "With {{ name }}, {{ namespace }}, {{ target }}, {{ interval }}, {{ variables.<key> }}."},
}

ALERT_PROVIDER_SPEC: Constraints = {
    "": {
        "description": "Where alerts are sent: to an address, or to the one in a Secret.",
        "oneOf": [{"required": ["type", "address"]}, {"required": ["type", "secretRef"]}],
    },
    "channel": {"description": "general when it is empty."},
    "username": {"description": "flagger when it is empty."},
    "address": {"description": "URL of the receiver's hook."},
    "proxy": {"description": "HTTP proxy on the way there."},
    "secretRef": {"description": "A Secret in this namespace with the key address, and token for Slack."},
}
