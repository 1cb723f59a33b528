"""What header matchers ask for, checked by the library that the gateway uses.

One that Envoy refuses freezes every route of the gateway, for all applications (spec B28, gloo 4.7).
"""

from __future__ import annotations

import re
from typing import Any

import re2

from schemas.canary import StringMatch

_NAME = re.compile(r"[^\x00\r\n]+")


def pattern_of(wanted: StringMatch) -> str | None:
    """The regular expression that stands for it, which Envoy matches against the whole value; None for a fixed text."""
    if wanted.prefix is not None:
        return re.escape(wanted.prefix) + ".*"
    if wanted.suffix is not None:
        return ".*" + re.escape(wanted.suffix)
    return wanted.regex


def is_header_name(name: str) -> bool:
    """As far as Envoy takes it into a configuration."""
    return _NAME.fullmatch(name) is not None


def regex_problem(pattern: str) -> str:
    """RE2's own words, empty when it compiles."""
    try:
        _compiled(pattern)
    except re2.error as error:
        first = error.args[0] if error.args else "invalid"
        return first.decode() if isinstance(first, bytes) else str(first)
    return ""


def program_size(pattern: str) -> int:
    """What Envoy holds against its limit; raises ``re2.error`` unless it compiles."""
    size: int = _compiled(pattern).programsize
    return size


def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)
