"""Who is sent to the canary: ``analysis.match`` as Gloo's matchers (spec gloo 4.1, defect B4).

Gloo matches a request by its headers; Envoy matches a regular expression against the whole value of a header, with RE2.
"""

from __future__ import annotations

from typing import Any

from handlers.core.patterns import is_header_name, pattern_of, regex_problem
from schemas.canary import Canary, HttpMatch, StringMatch

Object = dict[str, Any]
_EMPTY = "^$"


def matchers(canary: Canary) -> list[Object]:
    """One for each item that can match: they are alternatives. Beside others an item without headers selects nobody."""
    return [found for item in canary.spec.analysis.match if (found := _matcher(item))]


def _matcher(match: HttpMatch) -> Object | None:
    """All headers of one item, in the order of their names. None without any, or with one that no gateway takes."""
    if not match.headers or not all(_is_taken(name, wanted) for name, wanted in match.headers.items()):
        return None
    return {"headers": [_header(name, wanted) for name, wanted in sorted(match.headers.items())]}


def _is_taken(name: str, wanted: StringMatch) -> bool:
    """How large a pattern may be is a setting of the gateway: that is judged before anything is rendered."""
    return is_header_name(name) and not regex_problem(pattern_of(wanted) or "")


def _header(name: str, wanted: StringMatch) -> Object:
    if wanted.exact:
        return {"name": name, "value": wanted.exact}
    # never empty: to Gloo no value means that the header need only be there
    return {"name": name, "value": pattern_of(wanted) or _EMPTY, "regex": True}
