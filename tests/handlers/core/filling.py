"""Query templates, filled in with what a Canary has."""

from __future__ import annotations

from handlers.core.templates import fill_in

VALUES = {"name": "podinfo", "namespace": "test", "interval": "1m"}
VARIABLES = {"key": "v", "a-b": "w", "n": "3", "empty": ""}


def fill(template: str, **variables: str) -> str:
    return fill_in(template, VALUES, variables or VARIABLES)
