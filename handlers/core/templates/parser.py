"""From tokens to a tree. Whatever can be known without values is refused here, also in branches never taken."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NoReturn

from handlers.core.templates.errors import TemplateError, error_at
from handlers.core.templates.lexer import Action, Text, Token, scan
from handlers.core.templates.literals import read_number, read_string
from handlers.core.templates.tree import Body, Branch, Call, Jump, Literal, Loop, Node, Operand, Output, Pipe

_DEEPEST = 40
"""Blocks and parentheses inside each other."""
_ELSEWHERE = ("define", "template", "block")
_CONSTANTS = {"true": True, "false": False}


def parse(template: str, functions: Collection[str], values: Collection[str]) -> Body:
    """``functions`` are known by name; ``values`` are those among them that people write, for the error."""
    return _Parser(template, functions, values).whole()


class _Parser:
    def __init__(self, template: str, functions: Collection[str], values: Collection[str]) -> None:
        self._template = template
        self._functions = functions
        self._values = values
        self._pieces: Iterator[Text | Action] = scan(template)
        self._scopes: list[set[str]] = [{"$"}]
        self._loops = 0
        self._deep = 0
        self._tokens: list[Token] = []
        self._end = 0

    def whole(self) -> Body:
        body, ended_by = self._body()
        if ended_by:
            self._fail(ended_by.offset, f"unexpected {ended_by.text}: nothing is open that it could belong to")
        return body

    # ---- blocks

    def _body(self) -> tuple[Body, Token | None]:
        """Up to ``end`` or ``else`` (returned, with the rest of its action in line) or the end of the template."""
        nodes: list[Node] = []
        for piece in self._pieces:
            if isinstance(piece, Text):
                nodes.append(Literal(piece.text))
                continue
            self._begin(piece)
            first = self._next("there is nothing between {{ and }}")
            if first.kind == "name" and first.text in ("end", "else"):
                return tuple(nodes), first
            nodes.append(self._action(first))
            self._finish()
        return tuple(nodes), None

    def _begin(self, piece: Action) -> None:
        self._tokens = list(reversed(piece.tokens))
        self._end = piece.offset

    def _action(self, first: Token) -> Node:
        match first.text if first.kind == "name" else "":
            case "if" | "with" | "range":
                return self._block(first)
            case "break" | "continue":
                if not self._loops:
                    self._fail(first.offset, f"{first.text} outside of range")
                return Jump(ends=first.text == "break")
            case keyword if keyword in _ELSEWHERE:
                self._fail(first.offset, f"{keyword} is not supported: a query is one template")
        self._tokens.append(first)
        return Output(self._pipe())

    def _block(self, keyword: Token) -> Node:
        self._deeper(keyword.offset)
        self._scopes.append(set())
        pipe = self._pipe(loop=keyword.text == "range")
        self._finish()
        self._loops += keyword.text == "range"
        self._scopes.append(set())
        body, ended_by = self._body()
        self._scopes.pop()
        self._loops -= keyword.text == "range"
        otherwise = self._otherwise(keyword, ended_by)
        self._scopes.pop()
        self._deep -= 1
        if keyword.text == "range":
            return Loop(pipe, body, otherwise)
        return Branch(pipe, body, otherwise, sets_dot=keyword.text == "with")

    def _otherwise(self, keyword: Token, ended_by: Token | None) -> Body:
        if ended_by is None:
            self._fail(keyword.offset, f"this {keyword.text} is never closed; write {{{{ end }}}} behind it")
        if ended_by.text == "end":
            self._finish()
            return ()
        following = self._peek()
        if following and following.kind == "name" and following.text == keyword.text != "range":
            self._tokens.pop()
            return (self._block(following),)
        self._finish()
        self._scopes.append(set())
        body, ended_by = self._body()
        self._scopes.pop()
        if ended_by is None:
            self._fail(keyword.offset, f"this {keyword.text} is never closed; write {{{{ end }}}} behind it")
        if ended_by.text == "else":
            self._fail(ended_by.offset, f"a second else for one {keyword.text}")
        self._finish()
        return body

    # ---- pipelines

    def _pipe(self, *, loop: bool = False) -> Pipe:
        offset = self._tokens[-1].offset if self._tokens else self._end
        names, declares = self._targets(loop=loop)
        calls = [self._call()]
        while self._take("|"):
            calls.append(self._call())
            if calls[-1].operands[0].kind not in ("function", "group"):
                self._fail(calls[-1].operands[0].offset, "behind | comes a function")
        if declares:
            self._scopes[-1].update(names)
        return Pipe(tuple(calls), offset, names, declares)

    def _targets(self, *, loop: bool) -> tuple[tuple[str, ...], bool]:
        """The variables before ``:=`` or ``=``; ``range`` may have two of them."""
        at = len(self._tokens)
        heads = [token.text for token in reversed(self._tokens[max(0, at - 4) :])]
        count = 2 if loop and heads[1:2] == [","] else 1
        sign = heads[2 * count - 1 : 2 * count]
        if sign not in ([":="], ["="]) or self._tokens[-1].kind != "variable":
            return (), True
        names = []
        for _ in range(count):
            token = self._next("a variable is missing")
            if token.kind != "variable" or (sign == ["="] and not self._known(token.text)):
                self._fail(token.offset, f"{token.text} is no variable that is declared here")
            names.append(token.text)
            self._next("")
        return tuple(names), sign == [":="]

    def _call(self) -> Call:
        operands = [self._operand()]
        if operands[0].kind == "nil":
            self._fail(operands[0].offset, "nil is no value by itself")
        while (token := self._peek()) and not (token.kind == "operator" and token.text in "|)"):
            if not token.spaced:
                self._glued(operands[-1], token)
            if operands[0].kind not in ("function", "group") or operands[0].fields:
                self._fail(token.offset, f"unexpected {token.text} after {self._written(operands[0])}")
            operands.append(self._operand())
        return Call(tuple(operands))

    def _glued(self, before: Operand, token: Token) -> NoReturn:
        if before.name == "variables" and token.text.startswith("-"):
            self._fail(before.offset, 'a key with a dash is read as {{ index variables "a-b" }}')
        self._fail(token.offset, f"unexpected {token.text} after {self._written(before)}")

    def _written(self, operand: Operand) -> str:
        end = operand.fields[-1][1] + len(operand.fields[-1][0]) + 1 if operand.fields else operand.offset
        text = self._template[operand.offset : end] if operand.fields else operand.name
        return text or "this value"

    # ---- operands

    def _operand(self) -> Operand:
        token = self._next("a value is missing")
        operand = self._term(token)
        fields: list[tuple[str, int]] = []
        while (following := self._peek()) and following.kind == "field" and not following.spaced:
            self._tokens.pop()
            fields.append((following.text[1:], following.offset))
        if not fields:
            return operand
        if operand.kind in ("literal", "nil"):
            self._fail(fields[0][1], f"{token.text} has no fields")
        return Operand(**(vars(operand) | {"fields": (*operand.fields, *fields)}))

    def _term(self, token: Token) -> Operand:
        match token.kind:
            case "string" | "number":
                return Operand("literal", token.offset, self._literal(token))
            case "variable":
                if not self._known(token.text):
                    self._fail(token.offset, f"the variable {token.text} is not declared")
                return Operand("variable", token.offset, name=token.text)
            case "field":
                return Operand("dot", token.offset, fields=((token.text[1:], token.offset),))
            case "name":
                return self._name(token)
            case "operator" if token.text == ".":
                return Operand("dot", token.offset)
            case "operator" if token.text == "(":
                return self._group(token)
            case _:
                raise self._error(token.offset, f"{token.text!r} is not supported here")

    def _literal(self, token: Token) -> str | int | float:
        try:
            return read_string(token.text) if token.kind == "string" else read_number(token.text)
        except ValueError as error:
            raise error_at(self._template, token.offset, str(error)) from error

    def _name(self, token: Token) -> Operand:
        if token.text in _CONSTANTS:
            return Operand("literal", token.offset, _CONSTANTS[token.text])
        if token.text == "nil":
            return Operand("nil", token.offset)
        if token.text not in self._functions:
            known = ", ".join([*self._values, "variables.<key>"])
            self._fail(token.offset, f"{token.text} is not known; there are {known}")
        return Operand("function", token.offset, name=token.text)

    def _group(self, token: Token) -> Operand:
        self._deeper(token.offset)
        pipe = self._pipe()
        if not self._take(")"):
            self._fail(token.offset, "this ( is never closed")
        self._deep -= 1
        return Operand("group", token.offset, pipe=pipe)

    # ---- tokens

    def _peek(self) -> Token | None:
        return self._tokens[-1] if self._tokens else None

    def _next(self, missing: str) -> Token:
        if not self._tokens:
            self._fail(self._end, missing)
        token = self._tokens.pop()
        self._end = token.offset + len(token.text)
        return token

    def _take(self, text: str) -> bool:
        token = self._peek()
        if token is None or token.kind != "operator" or token.text != text:
            return False
        self._next("")
        return True

    def _finish(self) -> None:
        if token := self._peek():
            self._fail(token.offset, f"unexpected {token.text}")

    def _known(self, variable: str) -> bool:
        return any(variable in scope for scope in self._scopes)

    def _deeper(self, offset: int) -> None:
        self._deep += 1
        if self._deep > _DEEPEST:
            self._fail(offset, f"blocks and parentheses go deeper than {_DEEPEST}")

    def _fail(self, offset: int, message: str) -> NoReturn:
        raise self._error(offset, message)

    def _error(self, offset: int, message: str) -> TemplateError:
        return error_at(self._template, offset, message)
