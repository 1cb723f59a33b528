"""Gloo's route matchers: what a child route takes over from its parent, and how Envoy spells them."""

from __future__ import annotations

from typing import Any

from handlers.adapters.kube import Object

MAX_PROGRAM_SIZE = 1024
"""``regexMaxProgramSize`` in the Settings of a default installation, which Gloo passes on; Envoy's own is 100."""
_PATHS = ("prefix", "exact", "regex")


class InvalidRouteError(Exception):
    """A route that cannot be translated; the text is what the object's status says."""


def path_of(matcher: Object) -> tuple[str, str] | None:
    """The kind of the path specifier and its value, or None if the matcher has none."""
    return next(((kind, str(matcher[kind])) for kind in _PATHS if matcher.get(kind)), None)


def required_prefix(matchers: list[Object]) -> Object:
    """The one matcher of a delegating route. Raises :class:`InvalidRouteError` unless it is a prefix."""
    if not matchers:
        return {"prefix": "/"}
    if len(matchers) > 1:
        raise InvalidRouteError(f"routes with delegate actions must have one matcher or none, not {len(matchers)}")
    path = path_of(matchers[0])
    if path is not None and path[0] != "prefix":
        raise InvalidRouteError("routes with delegate actions must use a prefix matcher")
    return matchers[0] if path else {**matchers[0], "prefix": "/"}


def inherit(route: Object, parent: Object, *, inherit_path: bool, inherit_rest: bool) -> list[Object]:
    """The matchers of ``route`` below a delegating route with the matcher ``parent``.

    With ``inheritablePathMatchers`` a matcher without a path takes the parent's prefix; with ``inheritableMatchers``
    the parent's headers, methods and query parameters apply too. Raises :class:`InvalidRouteError` when a path of its
    own lies outside the parent's prefix.
    """
    return [
        _below(matcher, parent, inherit_path=inherit_path, inherit_rest=inherit_rest)
        for matcher in route.get("matchers") or [{}]
    ]


def _below(matcher: Object, parent: Object, *, inherit_path: bool, inherit_rest: bool) -> Object:
    prefix = str(parent["prefix"])
    kind, value = path_of(matcher) or ("prefix", prefix if inherit_path else "/")
    if not value.startswith(prefix):
        raise InvalidRouteError(f"required prefix {prefix} of the delegating route is missing in {kind} {value}")
    merged = {**matcher, kind: value}
    if inherit_rest:
        for key in ("headers", "methods", "queryParameters"):
            together = [*(parent.get(key) or []), *(matcher.get(key) or [])]
            if together:
                merged[key] = together
    return merged


def specificity(matchers: list[Object]) -> tuple[int, int]:
    """Sort key of routes that selectors merge: exact before regex before prefix, longer before shorter."""
    kind, value = path_of(matchers[0]) or ("prefix", "/")
    return ("exact", "regex", "prefix").index(kind), -len(value)


def envoy_match(matcher: Object) -> Object:
    """One matcher as an Envoy ``RouteMatch``."""
    kind, value = path_of(matcher) or ("prefix", "/")
    match: Object = _regex(value) if kind == "regex" else {{"exact": "path"}.get(kind, kind): value}
    if matcher.get("caseSensitive") is False:
        match["case_sensitive"] = False
    headers = [_header(header) for header in matcher.get("headers") or []]
    if matcher.get("methods"):
        headers.append({"name": ":method", "string_match": _regex("|".join(matcher["methods"]))})
    if headers:
        match["headers"] = headers
    if matcher.get("queryParameters"):
        match["query_parameters"] = [_named(parameter) for parameter in matcher["queryParameters"]]
    return match


def _header(header: Object) -> Object:
    return {**_named(header), **({"invert_match": True} if header.get("invertMatch") else {})}


def _named(wanted: Object) -> Object:
    """An empty value asks for presence only, whatever ``regex`` says."""
    value: Any = wanted.get("value") or ""
    if not value:
        return {"name": wanted["name"], "present_match": True}
    text = _regex(value) if wanted.get("regex") else {"exact": value}
    return {"name": wanted["name"], "string_match": text}


def _regex(pattern: str) -> Object:
    return {"safe_regex": {"google_re2": {"max_program_size": MAX_PROGRAM_SIZE}, "regex": pattern}}
