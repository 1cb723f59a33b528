"""The route options that people add to their routes, as fields of an Envoy route."""

from __future__ import annotations

from collections.abc import Callable

from deploy.sandbox.gateway.durations import envoy_duration
from handlers.adapters.kube import Object


def apply_options(route: Object, options: Object) -> list[str]:
    """Adds ``options`` to an Envoy ``route``; returns the names of those that this stand-in does not translate.

    Raises :class:`ValueError` for a duration that is none.
    """
    if manipulation := options.get("headerManipulation"):
        route.update(header_manipulation(manipulation))
    if "route" in route:
        for name, translate in _ACTION.items():
            if options.get(name) is not None:
                route["route"].update(translate(options[name]))
    return sorted(set(options) - set(_ACTION) - {"headerManipulation"})


def header_manipulation(manipulation: Object) -> Object:
    """Gloo's ``headerManipulation`` as Envoy's four fields of a route or a weighted cluster."""
    fields: Object = {}
    for side in ("request", "response"):
        if added := manipulation.get(f"{side}HeadersToAdd"):
            fields[f"{side}_headers_to_add"] = [_added(header) for header in added]
        if removed := manipulation.get(f"{side}HeadersToRemove"):
            fields[f"{side}_headers_to_remove"] = removed
    return fields


def _added(header: Object) -> Object:
    append = header.get("append", True)
    return {
        "header": {"key": header["header"]["key"], "value": header["header"].get("value", "")},
        "append_action": "APPEND_IF_EXISTS_OR_ADD" if append else "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def _retries(retries: Object) -> Object:
    policy: Object = {"retry_on": retries.get("retryOn", ""), "num_retries": retries.get("numRetries") or 1}
    if limit := retries.get("perTryTimeout"):
        policy["per_try_timeout"] = envoy_duration(limit)
    if codes := retries.get("retriableStatusCodes"):
        policy["retriable_status_codes"] = codes
    if back_off := retries.get("retryBackOff"):
        names = {"baseInterval": "base_interval", "maxInterval": "max_interval"}
        policy["retry_back_off"] = {names[key]: envoy_duration(value) for key, value in back_off.items()}
    return {"retry_policy": policy}


def _regex_rewrite(rewrite: Object) -> Object:
    pattern = {"regex": rewrite["pattern"]["regex"]}
    return {"regex_rewrite": {"pattern": pattern, "substitution": rewrite.get("substitution", "")}}


_ACTION: dict[str, Callable[..., Object]] = {
    "timeout": lambda text: {"timeout": envoy_duration(text)},
    "idleTimeout": lambda text: {"idle_timeout": envoy_duration(text)},
    "retries": _retries,
    "prefixRewrite": lambda prefix: {"prefix_rewrite": prefix},
    "regexRewrite": _regex_rewrite,
    "hostRewrite": lambda host: {"host_rewrite_literal": host},
    "autoHostRewrite": lambda on: {"auto_host_rewrite": on},
}
