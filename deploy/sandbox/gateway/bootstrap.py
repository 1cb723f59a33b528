"""What Envoy is started with: where its configuration is found, and the one HTTP listener."""

from __future__ import annotations

from pathlib import Path

from deploy.sandbox.gateway.translate import ROUTE_CONFIGURATION
from handlers.adapters.kube import Object

_TYPES = "type.googleapis.com/envoy.extensions.filters"


def source(path: Path) -> Object:
    """A file that Envoy reads again when another one is renamed over it."""
    watched = {"path": str(path), "watched_directory": {"path": str(path.parent)}}
    return {"resource_api_version": "V3", "path_config_source": watched}


def bootstrap(admin_port: int, directory: Path) -> Object:
    """Histograms move at each flush only: a second, or the metrics of a step come too late."""
    return {
        "node": {"id": "gateway-proxy", "cluster": "gateway"},
        "admin": {"address": _address(admin_port)},
        "stats_flush_interval": "1s",
        "dynamic_resources": {
            "lds_config": source(directory / "lds" / "listeners.json"),
            "cds_config": source(directory / "cds" / "clusters.json"),
        },
    }


def listener(port: int, directory: Path) -> Object:
    manager = {
        "@type": f"{_TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "http",
        "rds": {"route_config_name": ROUTE_CONFIGURATION, "config_source": source(directory / "rds" / "routes.json")},
        "use_remote_address": True,
        "normalize_path": True,
        "merge_slashes": True,
        "http_filters": [_filter("cors", "Cors"), _filter("router", "Router")],
    }
    network = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    return {
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": "listener-::-8080",
        "address": _address(port),
        "enable_reuse_port": False,  # a port that is taken must be an error, not a port shared
        "filter_chains": [{"filters": [network]}],
    }


def _address(port: int) -> Object:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _filter(name: str, kind: str) -> Object:
    return {
        "name": f"envoy.filters.http.{name}",
        "typed_config": {"@type": f"{_TYPES}.http.{name}.v3.{kind}"},
    }
