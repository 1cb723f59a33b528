"""Upstreams as Envoy clusters, and the ready pods of their Services as endpoints."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from deploy.sandbox.endpoints import ready_endpoints
from deploy.sandbox.gateway.durations import envoy_duration
from deploy.sandbox.gateway.snapshot import Snapshot
from deploy.sandbox.mirror import Ref
from deploy.sandbox.network import dial
from handlers.adapters.kube import Object

_CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
_ASSIGNMENT = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_CONNECT_TIMEOUT = "5s"
"""Gloo's default."""
_BREAKERS = {
    "maxConnections": "max_connections",
    "maxPendingRequests": "max_pending_requests",
    "maxRequests": "max_requests",
    "maxRetries": "max_retries",
    "trackRemaining": "track_remaining",
}


def cluster_name(upstream: Ref) -> str:
    return f"{upstream.name}_{upstream.namespace}"


def endpoint_file(directory: Path, cluster: str) -> Path:
    """Envoy wants the endpoints of each cluster in a file of their own."""
    return directory / "eds" / f"{cluster}.json"


def cluster(ref: Ref, spec: Object, directory: Path) -> Object:
    """The Envoy cluster of an Upstream. Raises :class:`ValueError` with what is wrong with its spec."""
    name = cluster_name(ref)
    connection = spec.get("connectionConfig") or {}
    made: Object = {
        "@type": _CLUSTER,
        "name": name,
        "connect_timeout": envoy_duration(connection.get("connectTimeout") or _CONNECT_TIMEOUT),
        **_discovery(name, spec, directory),
        **_load_balancer(spec.get("loadBalancerConfig") or {}),
        "typed_extension_protocol_options": {f"{_HTTP_OPTIONS}": _protocol(spec, connection)},
    }
    if limit := connection.get("perConnectionBufferLimitBytes"):
        made["per_connection_buffer_limit_bytes"] = limit
    if breakers := spec.get("circuitBreakers"):
        limits = {_BREAKERS[key]: value for key, value in breakers.items() if key in _BREAKERS}
        made["circuit_breakers"] = {"thresholds": [limits]}
    return made


def _discovery(name: str, spec: Object, directory: Path) -> Object:
    if "kube" in spec:
        source = {"resource_api_version": "V3", "path_config_source": {"path": str(endpoint_file(directory, name))}}
        return {"type": "EDS", "eds_cluster_config": {"eds_config": source}}
    hosts = (spec.get("static") or {}).get("hosts") or []
    if not hosts:
        raise ValueError("neither kube nor static.hosts: this gateway knows no other kind of upstream")
    literal = all(_is_address(host["addr"]) for host in hosts)
    return {
        "type": "STATIC" if literal else "STRICT_DNS",
        "load_assignment": _assignment(name, [(host["addr"], int(host["port"])) for host in hosts]),
    }


def _load_balancer(config: Object) -> Object:
    fields: Object = {"lb_policy": "ROUND_ROBIN"}
    if "leastRequest" in config:
        fields["lb_policy"] = "LEAST_REQUEST"
        if count := (config["leastRequest"] or {}).get("choiceCount"):
            fields["least_request_lb_config"] = {"choice_count": count}
    elif "random" in config:
        fields["lb_policy"] = "RANDOM"
    common: Object = {}
    if (threshold := config.get("healthyPanicThreshold")) is not None:
        common["healthy_panic_threshold"] = {"value": threshold}
    if config.get("closeConnectionsOnHostSetChange"):
        common["close_connections_on_host_set_change"] = True
    return {**fields, "common_lb_config": common} if common else fields


def _protocol(spec: Object, connection: Object) -> Object:
    kind = "http2_protocol_options" if spec.get("useHttp2") else "http_protocol_options"
    sizes = {
        "initialStreamWindowSize": "initial_stream_window_size",
        "initialConnectionWindowSize": "initial_connection_window_size",
    }
    tuned = {field: spec[key] for key, field in sizes.items() if spec.get("useHttp2") and spec.get(key)}
    options: Object = {
        "@type": f"type.googleapis.com/{_HTTP_OPTIONS}",
        "explicit_http_config": {kind: tuned},
    }
    common: Object = {}
    asked = connection.get("commonHttpProtocolOptions") or {}
    for key, field in {"idleTimeout": "idle_timeout", "maxStreamDuration": "max_stream_duration"}.items():
        if asked.get(key):
            common[field] = envoy_duration(asked[key])
    if limit := asked.get("maxHeadersCount"):
        common["max_headers_count"] = limit
    if limit := connection.get("maxRequestsPerConnection"):
        common["max_requests_per_connection"] = limit
    return {**options, "common_http_protocol_options": common} if common else options


def assignment(ref: Ref, spec: Object, snapshot: Snapshot) -> Object:
    """The ready endpoints of the Service that a ``kube`` upstream names; none if there is no such Service or port."""
    kube = spec["kube"]
    service = Ref(kube.get("serviceNamespace") or ref.namespace, kube.get("serviceName", ""))
    port = int(kube.get("servicePort") or 0)
    return _assignment(cluster_name(ref), ready_endpoints(service, port, snapshot.services, snapshot.endpoint_slices))


def _assignment(name: str, endpoints: list[tuple[str, int]]) -> Object:
    addresses = [{"socket_address": {"address": dial(address), "port_value": port}} for address, port in endpoints]
    endpoints_of = [{"endpoint": {"address": address}} for address in addresses]
    return {"@type": _ASSIGNMENT, "cluster_name": name, "endpoints": [{"lb_endpoints": endpoints_of}]}


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
