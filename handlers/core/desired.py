"""What the cluster should look like for a committed status: absolute values, rendered from nothing but their inputs.

Routes, upstreams and Services are here, the primary in :mod:`handlers.core.primary`, its
scaler in :mod:`handlers.core.scaler`.

The names and fields are an interface (spec gloo 4.1, targets 3.1, 3.4, 3.6).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from handlers.core import additions, marks
from handlers.core.belongings import owners
from handlers.core.kinds import KINDS, kind_of
from handlers.core.kinds.anatomy import Role, Selectors
from handlers.core.matchers import matchers
from handlers.core.ports import ports
from schemas.canary import Canary, CustomMetadata
from schemas.gloo import ROUTE_STEP
from schemas.status import IDLE, CanaryStatus, Phase
from schemas.workload import TARGET_STEP, Workload

Object = dict[str, Any]

FLUX_OFF = {
    "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
    "helm.toolkit.fluxcd.io/driftDetection": "disabled",
}
COPIED_UPSTREAM_FIELDS = (
    "labels",
    "sslConfig",
    "circuitBreakers",
    "connectionConfig",
    "loadBalancerConfig",
    "useHttp2",
    "initialStreamWindowSize",
    "initialConnectionWindowSize",
    "httpProxyHostname",
)


def canary_wanted(status: CanaryStatus) -> bool:
    """Whether the target should run: during a rollout, and as long as traffic is on it."""
    return status.phase not in (*IDLE, Phase.WAITING) or status.canary_weight > 0


def apex_due(canary: Canary, target: Workload) -> bool:
    """The apex Service leads to the primary when that is ready, and before the target is parked."""
    status = canary.status
    unparked = status.phase is Phase.INITIALIZED and target.fence(TARGET_STEP) != status.target_step
    return not kind_of(canary).brings_services and (unparked or status.phase is Phase.INITIALIZING)


def _metadata(
    canary: Canary, name: str, extra: CustomMetadata | None, labels: Mapping[str, str], settings: Sequence[str] = ()
) -> Object:
    """``extra`` is the user's and follows the spec, as do the ``settings`` beside it."""
    theirs: Object = {"labels": extra.labels, "annotations": extra.annotations} if extra else {}
    recorded = marks.marked(theirs, settings)
    return {
        "name": name,
        "namespace": canary.metadata.namespace,
        "labels": {**(recorded.get("labels") or {}), **labels},
        "annotations": {**(recorded.get("annotations") or {}), **FLUX_OFF},
        "ownerReferences": owners(canary),
    }


# ---- routes


def route_table(canary: Canary, status: CanaryStatus, existing: Mapping[str, Any] | None = None) -> Object:
    """Metadata with the fence, and the routes; what a user added to the existing routes stays."""
    table = {
        "metadata": _metadata(canary, canary.service, canary.spec.service.apex, {}),
        "spec": {"routes": _wanted_routes(canary, status, _existing_routes(existing))},
    }
    table["metadata"]["annotations"][ROUTE_STEP] = str(status.route_step)
    return table


def _existing_routes(existing: Mapping[str, Any] | None) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = ((existing or {}).get("spec") or {}).get("routes") or ()
    return found


def _wanted_routes(canary: Canary, status: CanaryStatus, existing: Sequence[Mapping[str, Any]]) -> list[Object]:
    return routes_to_target(canary, existing) if status.returned else routes(canary, status.canary_weight, existing)


def routes_to_target(canary: Canary, existing: Sequence[Mapping[str, Any]] = ()) -> list[Object]:
    """One route that names the target's upstream alone: the primary's goes with the Canary, and must not be missed."""
    target = [item for item in _split(canary, 100) if item["weight"]]
    return additions.kept([_route(target)], existing)


def routes(canary: Canary, weight: int, existing: Sequence[Mapping[str, Any]] = ()) -> list[Object]:
    """One route, or with ``match`` one for those users and one that sends everybody else to the primary."""
    split, everybody = _route(_split(canary, weight)), _route(_split(canary, 0))
    wanted = [split]
    if canary.spec.analysis.selects:
        found = matchers(canary)
        wanted = [{**split, "matchers": found}, everybody] if found else [everybody]
    return additions.kept(wanted, existing)


def _route(destinations: list[Object]) -> Object:
    return {"inheritablePathMatchers": True, "routeAction": {"multi": {"destinations": destinations}}}


def weight_of(table: Mapping[str, Any]) -> int | None:
    """The canary's share in percent where a route names both sides; None where none does, or nobody gets anything.

    Upstreams are known by their form: service and port may have been edited since they were named after them.
    """
    for route in _existing_routes(table):
        primary, own = _share(route, "primary"), _share(route, "canary")
        if primary is not None and own is not None:
            return round(100 * own / (primary + own)) if primary + own else None
    return None


def _share(route: Mapping[str, Any], role: Role) -> int | None:
    destinations = ((route.get("routeAction") or {}).get("multi") or {}).get("destinations") or ()
    found = [int(item.get("weight") or 0) for item in destinations if f"-{role}upstream-" in _upstream_name(item)]
    return sum(found) if found else None


def _split(canary: Canary, weight: int) -> list[Object]:
    namespace = canary.metadata.namespace
    return [
        {"destination": {"upstream": {"name": canary.upstream(role), "namespace": namespace}}, "weight": share}
        for role, share in _shares(weight)
    ]


def _shares(weight: int) -> tuple[tuple[Role, int], tuple[Role, int]]:
    return ("primary", 100 - weight), ("canary", weight)


def routes_back(existing: Sequence[Mapping[str, Any]]) -> list[Object]:
    """The routes as they are with all weight on the primary: for a Canary too broken to render its own."""
    back = [copy.deepcopy(dict(route)) for route in existing]
    for route in back:
        destinations = ((route.get("routeAction") or {}).get("multi") or {}).get("destinations") or ()
        to_primary = ["-primaryupstream-" in _upstream_name(destination) for destination in destinations]
        for destination, ours in zip(destinations, to_primary, strict=True):
            # a route to others only is somebody's own: without any weight the gateway would refuse it
            if any(to_primary):
                destination["weight"] = 100 if ours else 0
    return back


def _upstream_name(destination: Mapping[str, Any]) -> str:
    return str(((destination.get("destination") or {}).get("upstream") or {}).get("name", ""))


def route_table_is_current(canary: Canary, status: CanaryStatus, item: Mapping[str, Any]) -> bool:
    """Whether the table is what the status renders; unset weights count as zero, foreign metadata does not count."""
    wanted = _wanted_routes(canary, status, _existing_routes(item))
    return [_plain(route) for route in wanted] == [_plain(route) for route in _existing_routes(item)]


def _plain(route: Mapping[str, Any]) -> Object:
    plain: Object = copy.deepcopy(dict(route))
    for destination in ((plain.get("routeAction") or {}).get("multi") or {}).get("destinations") or ():
        destination.setdefault("weight", 0)
    if not plain.get("matchers"):
        plain.pop("matchers", None)
    return plain


# ---- upstreams and Services


def upstream(canary: Canary, role: Role, selector: Mapping[str, str], source: Mapping[str, Any] | None) -> Object:
    """``source`` is the upstream named by ``upstreamRef``, whose connection settings are kept in step."""
    namespace = canary.metadata.namespace
    kube: Object = {
        "serviceName": f"{canary.service}-{role}",
        "serviceNamespace": namespace,
        "servicePort": canary.spec.service.port,
    }
    spec: Object = {"kube": {**kube, **({"selector": dict(selector)} if selector else {})}}
    settings = (source or {}).get("spec") or {}
    copied = {key: settings[key] for key in COPIED_UPSTREAM_FIELDS if key in settings}
    spec |= copied
    metadata = marks.marked({}, copied) | {
        "name": canary.upstream(role),
        "namespace": namespace,
        "ownerReferences": owners(canary),
    }
    return {"metadata": metadata, "spec": spec}


def selectors(target: Workload, keys: Sequence[str], primary: Workload | None = None) -> Selectors:
    """Which pods are the canary's and which the primary's. Raises ValueError without a selector label."""
    return KINDS[target.kind].selectors(target, keys, primary)


def services(
    canary: Canary, target: Workload, keys: Sequence[str], primary: Workload | None = None
) -> dict[str, Object]:
    """By role: ``canary``, ``primary`` and ``apex`` (which selects the primary); none around a Service as target.

    Users meet the ``primary``: what leads to it has its labels and its ports, not those of what is to be analysed yet.
    """
    if kind_of(canary).brings_services:
        return {}
    chosen, wanted = selectors(target, keys, primary), canary.spec.service
    (label_key,) = chosen["canary"]
    met: Mapping[Role, Workload] = {"canary": target, "primary": primary or target}
    spread = ["trafficDistribution"] if wanted.traffic_distribution else []
    parts: tuple[tuple[str, str, CustomMetadata | None, Role], ...] = (
        ("canary", f"{canary.service}-canary", wanted.canary, "canary"),
        ("primary", f"{canary.service}-primary", wanted.primary, "primary"),
        ("apex", canary.service, wanted.apex, "primary"),
    )
    return {
        role: {
            "metadata": _metadata(canary, name, extra, {label_key: name}, spread),
            "spec": _service_spec(canary, met[pods], chosen[pods]),
        }
        for role, name, extra, pods in parts
    }


def _service_spec(canary: Canary, met: Workload, selector: Mapping[str, str]) -> Object:
    wanted = canary.spec.service
    spec: Object = {"type": "ClusterIP", "selector": dict(selector), "ports": ports(canary, met)}
    if wanted.headless:
        spec["clusterIP"] = "None"
    if wanted.traffic_distribution:
        spec["trafficDistribution"] = wanted.traffic_distribution
    return spec
