"""Regular expressions of header matchers, checked by the library that the gateway uses."""

from __future__ import annotations

import re2


def regex_problem(pattern: str) -> str:
    """RE2's own words, empty when it compiles: an invalid one would freeze every route of the gateway (spec B28)."""
    try:
        options = re2.Options()
        options.log_errors = False
        re2.compile(pattern, options)
    except re2.error as error:
        first = error.args[0] if error.args else "invalid"
        return first.decode() if isinstance(first, bytes) else str(first)
    return ""
