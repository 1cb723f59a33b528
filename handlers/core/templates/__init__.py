"""Go's text/template, as far as queries use it (spec gloo 4.5): what the peer renders, this renders the same way.

It is read here and not by a larger engine: another language would accept what the peer refuses, and could not tell the
column of a mistake. A template sees its values and nothing else; its steps, its depth, its text and every
value are bounded.

``lexer`` -> ``parser`` -> ``render``; ``functions`` and ``formats`` are Go's built-ins and ``printf``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handlers.core.templates.bounds import LONGEST
from handlers.core.templates.errors import TemplateError
from handlers.core.templates.functions import BUILT_IN, LAZY
from handlers.core.templates.parser import parse
from handlers.core.templates.render import Renderer


def fill_in(template: str, values: Mapping[str, str], variables: Mapping[str, str]) -> str:
    """``values`` by name, ``variables`` as ``variables.key`` or ``index variables "key"``.

    Raises :class:`TemplateError` with line and column.
    """
    if len(template) > LONGEST:
        raise TemplateError(f"the template is longer than {LONGEST} characters", 1, 1)
    functions: dict[str, Any] = {**values, "variables": dict(variables)}
    body = parse(template, {*functions, *BUILT_IN, *LAZY}, tuple(values))
    return Renderer(template, functions).run(body)


__all__ = ["LONGEST", "TemplateError", "fill_in"]
