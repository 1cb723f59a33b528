"""What the cluster should look like for a committed status: absolute values, rendered from nothing but their inputs.

Routes, upstreams and Services are here, the primary in :mod:`handlers.core.primary`, its
scaler in :mod:`handlers.core.scaler`.

The names and fields are an interface (spec gloo 4.1, targets 3.1, 3.4, 3.6).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from handlers.core.belongings import owners
from handlers.core.kinds import KINDS, kind_of
from handlers.core.kinds.anatomy import Role
from handlers.core.patterns import regex_problem
from schemas.canary import Canary, CustomMetadata, HttpMatch, StringMatch
from schemas.gloo import ROUTE_STEP
from schemas.status import IDLE, CanaryStatus, Phase
from schemas.workload import Workload

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
_OURS_IN_A_ROUTE = ("inheritablePathMatchers", "matchers", "routeAction")


def canary_wanted(status: CanaryStatus) -> bool:
    """Whether the target should run: during a rollout, and as long as traffic is on it."""
    return status.phase not in (*IDLE, Phase.WAITING) or status.canary_weight > 0


def _metadata(canary: Canary, name: str, extra: CustomMetadata | None, labels: Mapping[str, str]) -> Object:
    return {
        "name": name,
        "namespace": canary.metadata.namespace,
        "labels": {**(extra.labels if extra else {}), **labels},
        "annotations": {**(extra.annotations if extra else {}), **FLUX_OFF},
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
    """One route that names the target's upstream alone: the primary's goes with the Canary, and must not be missed.

    What a user added to the route for everybody stays.
    """
    theirs = {key: value for key, value in (existing or ({},))[-1].items() if key not in _OURS_IN_A_ROUTE}
    target = [item for item in _split(canary, 100) if item["weight"]]
    return [{**theirs, "inheritablePathMatchers": True, "routeAction": {"multi": {"destinations": target}}}]


def routes(canary: Canary, weight: int, existing: Sequence[Mapping[str, Any]] = ()) -> list[Object]:
    """One route, or with ``match`` one for those users and one that sends everybody else to the primary."""
    matchers = [found for item in canary.spec.analysis.match if (found := _matcher(item))]
    split = {"inheritablePathMatchers": True, "routeAction": {"multi": {"destinations": _split(canary, weight)}}}
    wanted = [split]
    if canary.spec.analysis.match:
        everybody = {"inheritablePathMatchers": True, "routeAction": {"multi": {"destinations": _split(canary, 0)}}}
        wanted = [{**split, "matchers": matchers}, everybody] if matchers else [everybody]
    if len(existing) != len(wanted):
        return wanted
    return [
        {**{key: value for key, value in theirs.items() if key not in _OURS_IN_A_ROUTE}, **ours}
        for theirs, ours in zip(existing, wanted, strict=True)
    ]


def weight_of(canary: Canary, table: Mapping[str, Any]) -> int | None:
    """The canary's share in percent where a route names both sides; None where none does, or nobody gets anything."""
    names = canary.upstream("primary"), canary.upstream("canary")
    for route in _existing_routes(table):
        shares = {
            ((item.get("destination") or {}).get("upstream") or {}).get("name"): int(item.get("weight") or 0)
            for item in ((route.get("routeAction") or {}).get("multi") or {}).get("destinations") or ()
        }
        if all(name in shares for name in names):
            primary, own = (shares[name] for name in names)
            return round(100 * own / (primary + own)) if primary + own else None
    return None


def _split(canary: Canary, weight: int) -> list[Object]:
    namespace = canary.metadata.namespace
    return [
        {"destination": {"upstream": {"name": canary.upstream(role), "namespace": namespace}}, "weight": share}
        for role, share in _shares(weight)
    ]


def _shares(weight: int) -> tuple[tuple[Role, int], tuple[Role, int]]:
    return ("primary", 100 - weight), ("canary", weight)


def _matcher(match: HttpMatch) -> Object | None:
    """One item: all its headers, in the order of their names. None if it has no header, or one that RE2 refuses."""
    headers = [_header(name, wanted) for name, wanted in sorted(match.headers.items())]
    if not headers or any(item.get("regex") and regex_problem(item["value"]) for item in headers):
        return None
    return {"headers": headers}


def _header(name: str, wanted: StringMatch) -> Object:
    if wanted.exact is not None:
        return {"name": name, "value": wanted.exact}
    if wanted.prefix is not None:
        return {"name": name, "value": re.escape(wanted.prefix) + ".*", "regex": True}
    if wanted.suffix is not None:
        return {"name": name, "value": ".*" + re.escape(wanted.suffix), "regex": True}
    return {"name": name, "value": wanted.regex or "", "regex": True}


def routes_back(existing: Sequence[Mapping[str, Any]]) -> list[Object]:
    """The routes as they are with all weight on the primary: for a Canary too broken to render its own."""
    back = [copy.deepcopy(dict(route)) for route in existing]
    for route in back:
        for destination in ((route.get("routeAction") or {}).get("multi") or {}).get("destinations") or ():
            name = ((destination.get("destination") or {}).get("upstream") or {}).get("name", "")
            destination["weight"] = 100 if "-primaryupstream-" in name else 0
    return back


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
    spec |= {key: settings[key] for key in COPIED_UPSTREAM_FIELDS if key in settings}
    metadata = {"name": canary.upstream(role), "namespace": namespace, "ownerReferences": owners(canary)}
    return {"metadata": metadata, "spec": spec}


def selectors(target: Workload, keys: Sequence[str]) -> Mapping[Role, Mapping[str, str]]:
    """Which pods are the canary's and which the primary's. Raises ValueError without a selector label."""
    return KINDS[target.kind].selectors(target, keys)


def services(canary: Canary, target: Workload, keys: Sequence[str]) -> dict[str, Object]:
    """By role: ``canary``, ``primary`` and ``apex`` (which selects the primary); none around a Service as target."""
    if kind_of(canary).brings_services:
        return {}
    chosen, wanted = selectors(target, keys), canary.spec.service
    label = target.selector_label(keys)
    label_key = label[0] if label else "app"
    parts: tuple[tuple[str, str, CustomMetadata | None, Role], ...] = (
        ("canary", f"{canary.service}-canary", wanted.canary, "canary"),
        ("primary", f"{canary.service}-primary", wanted.primary, "primary"),
        ("apex", canary.service, wanted.apex, "primary"),
    )
    return {
        role: {
            "metadata": _metadata(canary, name, extra, {label_key: name}),
            "spec": _service_spec(canary, target, chosen[pods]),
        }
        for role, name, extra, pods in parts
    }


def _service_spec(canary: Canary, target: Workload, selector: Mapping[str, str]) -> Object:
    wanted = canary.spec.service
    first: Object = {
        "name": wanted.port_name or "http",
        "protocol": "TCP",
        "port": wanted.port,
        "targetPort": wanted.target_port or wanted.port,
    }
    if wanted.app_protocol:
        first["appProtocol"] = wanted.app_protocol
    ports = [first, *(_discovered_ports(canary, target) if wanted.port_discovery else ())]
    spec: Object = {"type": "ClusterIP", "selector": dict(selector), "ports": ports}
    if wanted.headless:
        spec["clusterIP"] = "None"
    if wanted.traffic_distribution:
        spec["trafficDistribution"] = wanted.traffic_distribution
    return spec


def _discovered_ports(canary: Canary, target: Workload) -> list[Object]:
    """Every other container port, but those of the mesh's sidecars; a port number is taken once."""
    main = canary.spec.service.target_port or canary.spec.service.port
    found: list[Object] = []
    taken = {canary.spec.service.port}
    names = {canary.spec.service.port_name or "http"}
    for container in (target.template.get("spec") or {}).get("containers") or ():
        if container["name"] in ("istio-proxy", "envoy"):
            continue
        for index, port in enumerate(container.get("ports") or ()):
            number = port["containerPort"]
            if number in taken or main in (number, port.get("name")):
                continue
            taken.add(number)
            name = port.get("name") or ""
            if not name or name in names:
                # two containers may name their ports alike, a Service may not
                name = f"tcp-{container['name']}-{index}"
            names.add(name)
            found.append({"name": name, "protocol": "TCP", "port": number, "targetPort": number})
    return found
