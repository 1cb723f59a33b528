"""What is wrong with a template, and where."""

from __future__ import annotations

_LONGEST = 300
"""Characters of a text: a mistake may show a value, which may be long."""


class TemplateError(ValueError):
    """A query template that cannot be rendered; ``line`` and ``column`` count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message[:_LONGEST]}")
        self.line = line
        self.column = column


class Misuse(ValueError):  # noqa: N818 - the mistake of a call, before anybody knows where it stands
    """A function was given what it cannot work with."""


def error_at(template: str, offset: int, message: str) -> TemplateError:
    line = template.count("\n", 0, offset) + 1
    return TemplateError(message, line, offset - template.rfind("\n", 0, offset))
