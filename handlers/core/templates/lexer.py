"""A template cut into literal text and actions, and actions into tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from handlers.core.templates.errors import error_at

_OPEN, _CLOSE = "{{", "}}"
_SPACE = " \t\r\n"
_COMMENT_START = re.compile(r"[ \t\r\n]?/\*")
_COMMENT = re.compile(r"[ \t\r\n]?/\*.*?\*/[ \t\r\n]?\Z", re.DOTALL)
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`|\'(?:[^\'\\\n]|\\.)+\'')
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
      | (?P<number>'(?:[^'\\\n]|\\.)+'|[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?!\w))
      | (?P<variable>\$\w*)
      | (?P<name>[^\W\d]\w*)
      | (?P<field>\.[^\W\d]\w*)
      | (?P<operator>:=|[=|(),.])
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """``spaced``: white space stands before it, so that it begins another operand."""

    kind: str
    text: str
    offset: int
    spaced: bool = False


class Text(NamedTuple):
    text: str


class Action(NamedTuple):
    """What stands between ``{{`` and ``}}``; ``offset`` is that of its first character."""

    tokens: tuple[Token, ...]
    offset: int


def scan(template: str) -> Iterator[Text | Action]:
    """``{{-`` and ``-}}`` take the white space beside them along; comments are left out."""
    position, trim = 0, False
    while (start := template.find(_OPEN, position)) >= 0:
        inside = start + len(_OPEN)
        trim_before = template[inside : inside + 1] == "-" and template[inside + 1 : inside + 2] in tuple(_SPACE)
        text = template[position:start]
        text = text.lstrip(_SPACE) if trim else text
        yield Text(text.rstrip(_SPACE) if trim_before else text)
        inside += trim_before
        end = _end_of_action(template, inside)
        trim = end - inside > 1 and template[end - 1] == "-" and template[end - 2] in _SPACE
        position = end + len(_CLOSE)
        body = template[inside : end - trim]
        if not _COMMENT.match(body):
            yield Action(tuple(_tokens(body, inside)), inside)
    rest = template[position:]
    yield Text(rest.lstrip(_SPACE) if trim else rest)


def _end_of_action(template: str, inside: int) -> int:
    position = inside
    if found := _COMMENT_START.match(template, inside):
        closed = template.find("*/", found.end())
        position = closed if closed >= 0 else len(template)
    while position < len(template):
        if template.startswith(_CLOSE, position):
            return position
        quoted = _QUOTED.match(template, position)  # may contain a }} that ends nothing
        position = quoted.end() if quoted else position + 1
    message = 'this {{ is never closed; write a literal one as {{ "{{" }}'
    raise error_at(template, template.rindex(_OPEN, 0, inside), message)


def _tokens(body: str, offset: int) -> Iterator[Token]:
    spaced = True
    for found in _TOKEN.finditer(body):
        kind = found.lastgroup or "other"
        if kind != "space":
            yield Token(kind, found.group(), offset + found.start(), spaced)
        spaced = kind == "space"
