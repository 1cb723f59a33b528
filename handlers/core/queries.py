"""Queries: the two built-in ones for Gloo, and the rendering of what users write (spec gloo 4.4 and 4.5).

The template language is the part of Go's text/template that queries need: a value, a variable, a string. It is read
here and not by a larger engine: that would accept what the peer refuses, and could not tell the column of a mistake.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from schemas.canary import Canary, Metric

REQUEST_SUCCESS_RATE = "request-success-rate"
REQUEST_DURATION = "request-duration"
BUILT_IN = frozenset({REQUEST_SUCCESS_RATE, REQUEST_DURATION})
LONGEST = 64 * 1024
"""Characters of a template and of a query: far more than a metrics provider accepts."""


def built_in(canary: Canary, metric: Metric) -> str:
    """PromQL for a metric of that name; raises KeyError for any other.

    The success rate is in percent: 0 when every answer was a 5xx, and empty only when there was no request. The
    duration is the 99th percentile in milliseconds, empty when there was no request.
    """
    cluster = _cluster_pattern(canary.metadata.namespace, canary.service)
    window = metric.interval or "1m"
    return {REQUEST_SUCCESS_RATE: _success_rate, REQUEST_DURATION: _duration}[metric.name](cluster, window)


def _success_rate(cluster: str, window: str) -> str:
    every = f'envoy_cluster_upstream_rq{{envoy_cluster_name=~"{cluster}"}}[{window}]'
    good = f'envoy_cluster_upstream_rq{{envoy_cluster_name=~"{cluster}", envoy_response_code!~"5.*"}}[{window}]'
    # without "or vector(0)" a canary that answers nothing but 5xx would look as if it had no traffic
    return f"(sum(rate({good})) or vector(0)) / sum(rate({every})) * 100"


def _duration(cluster: str, window: str) -> str:
    buckets = f'envoy_cluster_upstream_rq_time_bucket{{envoy_cluster_name=~"{cluster}"}}[{window}]'
    return f"histogram_quantile(0.99, sum(rate({buckets})) by (le))"


def _cluster_pattern(namespace: str, service: str) -> str:
    """Envoy's name of the canary upstream: ``<upstream>_<namespace>``, whatever prefix a gateway puts before it.

    The namespace at the end is part of the pattern: ``a`` with service ``b-c`` and ``a-b`` with service ``c`` would
    else be the same. A prefix ends in something that no name contains, for the same reason.
    """
    return f"(.*[^0-9a-zA-Z-])?{namespace}-{service}-canaryupstream-[0-9]+_{namespace}"


class TemplateError(ValueError):
    """A query template that cannot be rendered; ``line`` and ``column`` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.line = line
        self.column = column


def render(template: str, canary: Canary, metric: Metric) -> str:
    """The query. Raises :class:`TemplateError`."""
    spec = canary.spec
    values = {
        "name": canary.metadata.name,
        "namespace": canary.metadata.namespace,
        "target": canary.target,
        "service": canary.service,
        "ingress": spec.ingress_ref.name if spec.ingress_ref else canary.target,
        "route": spec.route_ref.name if spec.route_ref else canary.target,
        "interval": metric.interval or "1m",
    }
    return fill_in(template, values, metric.template_variables)


def fill_in(template: str, values: Mapping[str, str], variables: Mapping[str, str]) -> str:
    """``values`` by name, ``variables`` as ``variables.key`` or ``index variables "key"``."""
    if len(template) > LONGEST:
        raise TemplateError(f"the template is longer than {LONGEST} characters", 1, 1)
    pieces: list[str] = []
    length = 0
    for place, text, action in _parts(template):
        piece = text if action is None else _evaluate(_words(template, place, action), values, variables)
        length += len(piece)
        if length > LONGEST:
            raise _error(template, place, f"the query becomes longer than {LONGEST} characters")
        pieces.append(piece)
    return "".join(pieces)


_OPEN = "{{"
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`')
_COMMENT = re.compile(r"\s*/\*")
_WORD = re.compile(
    r"""(?P<space>\s+)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_LATER = re.compile(
    "if|else|end|range|with|define|template|block|break|continue|and|or|not|len|slice|print|printf|println|html|js|"
    "urlquery|call|eq|ne|lt|le|gt|ge"
)


class _Word(NamedTuple):
    kind: str
    text: str
    line: int
    column: int

    def error(self, message: str) -> TemplateError:
        return TemplateError(message, self.line, self.column)


def _parts(template: str) -> Iterator[tuple[int, str, str | None]]:
    """Where each piece begins, its text, and the action's inside (None for literal text); white space is trimmed."""
    position = 0
    trim = False
    while (start := template.find(_OPEN, position)) >= 0:
        inside = start + len(_OPEN)
        trim_before = template[inside : inside + 1] == "-" and template[inside + 1 : inside + 2].isspace()
        text = template[position:start]
        text = text.lstrip() if trim else text
        yield position, text.rstrip() if trim_before else text, None
        inside += trim_before
        end = _end_of_action(template, inside)
        trim = template[end - 1] == "-" and template[end - 2].isspace()
        position = end + len("}}")
        yield inside, "", template[inside : end - trim]
    rest = template[position:]
    yield position, rest.lstrip() if trim else rest, None


def _end_of_action(template: str, inside: int) -> int:
    position = inside
    if _COMMENT.match(template, inside) and (closed := template.find("*/", inside)) >= 0:
        position = closed
    while position < len(template):
        if template.startswith("}}", position):
            return position
        string = _STRING.match(template, position)  # may contain a }} that ends nothing
        position = string.end() if string else position + 1
    raise _error(template, inside - len(_OPEN), 'this {{ is never closed; write a literal one as {{ "{{" }}')


def _words(template: str, place: int, action: str) -> list[_Word]:
    words = []
    if action.strip().startswith("/*") and action.strip().endswith("*/"):
        return [_Word("comment", "", *_line_and_column(template, place))]
    for found in _WORD.finditer(action):
        kind = found.lastgroup or "other"
        if kind != "space":
            words.append(_Word(kind, found.group(), *_line_and_column(template, place + found.start())))
    return words or [_Word("empty", "", *_line_and_column(template, place))]


def _evaluate(words: list[_Word], values: Mapping[str, str], variables: Mapping[str, str]) -> str:
    first, *rest = words
    _refuse(first, values)
    if first.text == "index" and first.kind == "name":
        return _index(first, rest, variables)
    if rest and first.text.startswith("variables.") and rest[0].text == "-":
        raise first.error('a key with a dash is read as {{ index variables "a-b" }}')
    if rest:
        raise rest[0].error(f"unexpected {rest[0].text} after {first.text}")
    if first.kind == "string":
        return _unquoted(first)
    if first.kind == "comment":
        return ""
    if first.text.startswith("variables."):
        return _variable(first, first.text.removeprefix("variables."), variables)
    if first.text == "variables":
        raise first.error("say which variable: {{ variables.key }}")
    return values[first.text]


def _refuse(word: _Word, values: Mapping[str, str]) -> None:
    root = word.text.partition(".")[0]
    if word.kind == "empty":
        raise word.error("there is nothing between {{ and }}")
    if word.kind == "other":
        raise word.error(f"{word.text!r} is not supported; there are {_known(values)}, strings and index")
    if word.kind != "name" or root in ("variables", "index"):
        return
    if _LATER.fullmatch(root):
        raise word.error(f"{root} is not supported")
    if root not in values:
        raise word.error(f"{root} is not known; there are {_known(values)}")
    if root != word.text:
        raise word.error(f"{root} has no field {word.text.partition('.')[2]}")


def _known(values: Mapping[str, str]) -> str:
    return ", ".join([*values, "variables.<key>"])


def _index(first: _Word, rest: list[_Word], variables: Mapping[str, str]) -> str:
    if len(rest) != 2 or rest[0].text != "variables" or rest[1].kind != "string":
        raise first.error('write it as {{ index variables "key" }}')
    return _variable(rest[1], _unquoted(rest[1]), variables)


def _variable(word: _Word, key: str, variables: Mapping[str, str]) -> str:
    if key not in variables:
        known = ", ".join(sorted(variables)) or "none"
        raise word.error(f"templateVariables has no {key!r}; it has {known}")
    return variables[key]


def _unquoted(word: _Word) -> str:
    if word.text.startswith("`"):
        return word.text[1:-1]
    try:
        return str(json.loads(word.text, strict=False))
    except ValueError as error:
        raise word.error(f"{word.text} has an escape that is not supported") from error


def _error(template: str, place: int, message: str) -> TemplateError:
    return TemplateError(message, *_line_and_column(template, place))


def _line_and_column(template: str, place: int) -> tuple[int, int]:
    line = template.count("\n", 0, place) + 1
    return line, place - template.rfind("\n", 0, place)
