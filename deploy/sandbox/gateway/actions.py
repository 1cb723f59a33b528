"""What a route does with a request: Gloo's actions as Envoy's."""

from __future__ import annotations

from deploy.sandbox.gateway.clusters import cluster_name
from deploy.sandbox.gateway.matchers import InvalidRouteError
from deploy.sandbox.gateway.options import header_manipulation
from deploy.sandbox.gateway.snapshot import Objects
from deploy.sandbox.mirror import Ref
from handlers.adapters.kube import Object

NO_WEIGHT = (
    "Incorrect configuration for Weighted Destination for route - "
    "Weighted Destinations require a total weight that is greater than or equal to 1"
)
_NOT_FOUND = {"cluster_not_found_response_code": "INTERNAL_SERVER_ERROR"}


class RejectedRouteError(Exception):
    """The route is refused under the proxy, and the routes of its object stay as they were."""


def action(route: Object, upstreams: Objects) -> tuple[Object, list[str]]:
    """The Envoy fields of a route's action, and Gloo's warnings about it.

    Raises :class:`RejectedRouteError` or :class:`InvalidRouteError`.
    """
    if "directResponseAction" in route:
        answer = route["directResponseAction"]
        body = {"body": {"inline_string": answer["body"]}} if answer.get("body") else {}
        return {"direct_response": {"status": answer.get("status", 200), **body}}, []
    if "redirectAction" in route:
        return {"redirect": _redirect(route["redirectAction"])}, []
    chosen = route.get("routeAction") or {}
    if "single" in chosen:
        return _single(chosen["single"], upstreams)
    if "multi" in chosen:
        return _multi(chosen["multi"].get("destinations") or [], upstreams)
    raise InvalidRouteError("no action that this gateway knows: single, multi, delegate, direct response or redirect")


def _single(destination: Object, upstreams: Objects) -> tuple[Object, list[str]]:
    target = _upstream(destination)
    warnings = [] if target in upstreams else [_missing(target)]
    return {"route": {"cluster": cluster_name(target), **_NOT_FOUND}}, warnings


def _multi(destinations: list[Object], upstreams: Objects) -> tuple[Object, list[str]]:
    if not destinations:
        raise RejectedRouteError("must specify at least one weighted destination for multi destination routes")
    targets = [_upstream(weighted.get("destination") or {}) for weighted in destinations]
    if sum(weighted.get("weight") or 0 for weighted in destinations) < 1:
        raise RejectedRouteError(NO_WEIGHT)
    clusters = [
        {
            "name": cluster_name(target),
            "weight": weighted.get("weight") or 0,
            **header_manipulation((weighted.get("options") or {}).get("headerManipulation") or {}),
        }
        for target, weighted in zip(targets, destinations, strict=True)
    ]
    missing = [target for target in targets if target not in upstreams]
    warnings = [f"invalid destination in weighted destination list: {_missing(target)}" for target in missing[:1]]
    return {"route": {"weighted_clusters": {"clusters": clusters}, **_NOT_FOUND}}, warnings


def _upstream(destination: Object) -> Ref:
    chosen = destination.get("upstream") or {}
    if not chosen.get("name"):
        raise InvalidRouteError("a destination without an upstream: this gateway knows no other kind")
    return Ref(chosen.get("namespace") or "", chosen["name"])


def _missing(target: Ref) -> str:
    return f"*v1.Upstream {{ {target} }} not found"


def _redirect(asked: Object) -> Object:
    names = {
        "hostRedirect": "host_redirect",
        "pathRedirect": "path_redirect",
        "prefixRewrite": "prefix_rewrite",
        "portRedirect": "port_redirect",
        "responseCode": "response_code",
        "httpsRedirect": "https_redirect",
        "stripQuery": "strip_query",
    }
    return {field: asked[key] for key, field in names.items() if asked.get(key)}
