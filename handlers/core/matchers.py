"""Who is sent to the canary: ``analysis.match`` as Gloo's matchers (spec gloo 4.1, defect B4).

Gloo matches a request by its headers; Envoy matches a regular expression against the whole value of a header, with RE2.
"""

from __future__ import annotations

import re
from typing import Any

from handlers.core.patterns import regex_problem
from schemas.canary import Canary, HttpMatch, StringMatch

Object = dict[str, Any]
_EMPTY = "^$"


def matchers(canary: Canary) -> list[Object]:
    """One for each item that can match: they are alternatives. Beside others an item without headers selects nobody."""
    return [found for item in canary.spec.analysis.match if (found := _matcher(item))]


def _matcher(match: HttpMatch) -> Object | None:
    """All headers of one item, in the order of their names. None without any, or with one that RE2 refuses."""
    headers = [_header(name, wanted) for name, wanted in sorted(match.headers.items())]
    if not headers or any(item.get("regex") and regex_problem(item["value"]) for item in headers):
        return None
    return {"headers": headers}


def _header(name: str, wanted: StringMatch) -> Object:
    if wanted.exact:
        return {"name": name, "value": wanted.exact}
    return {"name": name, "value": _pattern(wanted) or _EMPTY, "regex": True}


def _pattern(wanted: StringMatch) -> str:
    """Never empty in the end: to Gloo no value means that the header need only be there."""
    if wanted.prefix is not None:
        return re.escape(wanted.prefix) + ".*"
    if wanted.suffix is not None:
        return ".*" + re.escape(wanted.suffix)
    return wanted.regex or ""
