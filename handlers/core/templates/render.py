"""Walking the tree with the values: the only state is the text so far and the variables in scope."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from handlers.core.templates.bounds import LONGEST
from handlers.core.templates.errors import Misuse, TemplateError, error_at
from handlers.core.templates.formats import shown
from handlers.core.templates.functions import LAZY, call, is_true, present
from handlers.core.templates.tree import Body, Branch, Call, Jump, Literal, Loop, Node, Operand, Output, Pipe

_MOST_STEPS = 20_000
"""Nodes and turns of loops; a real template needs some dozens."""
_MOST_MADE = 16 * LONGEST
"""Characters that functions may make in all: each of the steps could be as long as the longest value."""

Scope = list[dict[str, Any]]


class _Break(Exception):  # noqa: N818 - a jump, no error
    pass


class _Continue(Exception):  # noqa: N818 - a jump, no error
    pass


class Renderer:
    """``functions`` take no arguments."""

    def __init__(self, template: str, functions: Mapping[str, Any]) -> None:
        self._template = template
        self._functions = functions
        self._pieces: list[str] = []
        self._length = 0
        self._made = 0
        self._steps = 0

    def run(self, body: Body) -> str:
        self._body(body, None, [{"$": None}])
        return "".join(self._pieces)

    def _body(self, body: Body, dot: Any, scope: Scope) -> None:
        inner: Scope = [*scope, {}]
        for node in body:
            self._node(node, dot, inner)

    def _node(self, node: Node, dot: Any, scope: Scope) -> None:
        match node:
            case Literal(text):
                self._write(text, 0)
            case Output(pipe):
                value = self._pipe(pipe, dot, scope)
                if not pipe.names:
                    self._write(self._printable(value, pipe), pipe.offset)
            case Branch():
                self._branch(node, dot, [*scope, {}])
            case Loop():
                self._loop(node, dot, [*scope, {}])
            case Jump(ends):
                raise _Break if ends else _Continue

    def _branch(self, node: Branch, dot: Any, scope: Scope) -> None:
        value = self._pipe(node.pipe, dot, scope)
        if is_true(value):
            self._body(node.then, value if node.sets_dot else dot, scope)
        else:
            self._body(node.otherwise, dot, scope)

    def _loop(self, node: Loop, dot: Any, scope: Scope) -> None:
        items = self._items(self._pipe(node.pipe, dot, scope, assign=False), node.pipe)
        turned = False
        for key, value in items:
            turned = True
            self._count(node.pipe.offset)
            given = (key, value) if len(node.pipe.names) > 1 else (value,)
            for name, item in zip(node.pipe.names, given, strict=False):
                self._assign(name, item, scope, declare=node.pipe.declares)
            try:
                self._body(node.body, value, scope)
            except _Continue:
                continue
            except _Break:
                break
        if not turned:
            self._body(node.otherwise, dot, scope)

    def _items(self, value: Any, pipe: Pipe) -> Iterable[tuple[Any, Any]]:
        match value:
            case dict():
                return [(key, value[key]) for key in sorted(value)]
            case bool() | str() | float():
                raise self._error(pipe.offset, f"range goes over variables or a number, not over {shown(value)!r}")
            case int() if len(pipe.names) > 1:
                raise self._error(pipe.offset, "range over a number gives one variable, not two")
            case int():
                return ((number, number) for number in range(value))
            case _:
                return ()

    # ---- values

    def _pipe(self, pipe: Pipe, dot: Any, scope: Scope, *, assign: bool = True) -> Any:
        self._count(pipe.offset)
        value: Any = None
        for number, step in enumerate(pipe.calls):
            value = self._call(step, dot, scope, *(() if number == 0 else (value,)))
        if assign:
            for name in pipe.names:
                self._assign(name, value, scope, declare=pipe.declares)
        return value

    def _call(self, step: Call, dot: Any, scope: Scope, *piped: Any) -> Any:
        first, *rest = step.operands
        if first.kind != "function" or first.fields:
            if rest or piped:
                raise self._error(first.offset, "this is a value and takes no arguments")
            return self._operand(first, dot, scope)
        if first.name in self._functions:
            if rest or piped:
                raise self._error((rest or [first])[0].offset, f"{first.name} takes no arguments")
            return self._functions[first.name]
        later: list[Callable[[], Any]] = [lambda item=item: self._operand(item, dot, scope) for item in rest]  # type: ignore[misc]
        later += [lambda item=item: item for item in piped]  # type: ignore[misc]
        if first.name in LAZY:
            return self._lazy(first, later)
        return self._strict(first, [get() for get in later])

    def _lazy(self, first: Operand, later: list[Callable[[], Any]]) -> Any:
        """``and`` stops at the first that is false, ``or`` at the first that is true."""
        if not later:
            raise self._error(first.offset, f"{first.name} needs a value")
        for get in later:
            value = get()
            if is_true(value) == (first.name == "or"):
                break
        return value

    def _strict(self, first: Operand, arguments: list[Any]) -> Any:
        try:
            value = call(first.name, arguments)
        except Misuse as error:
            raise self._error(first.offset, str(error)) from error
        self._make(value, first.offset)
        return value

    def _operand(self, operand: Operand, dot: Any, scope: Scope) -> Any:
        self._count(operand.offset)
        match operand.kind:
            case "literal" | "nil":
                value: Any = operand.value
            case "variable":
                value = next(frame[operand.name] for frame in reversed(scope) if operand.name in frame)
            case "dot":
                value = dot
            case "group":
                assert operand.pipe is not None  # noqa: S101 - the parser gives every group its pipe
                value = self._pipe(operand.pipe, dot, scope)
            case _:
                value = self._functions[operand.name] if operand.name in self._functions else self._alone(operand)
        for name, offset in operand.fields:
            value = self._field(operand, value, name, offset)
        return value

    def _alone(self, operand: Operand) -> Any:
        return self._strict(operand, [])

    def _field(self, operand: Operand, value: Any, name: str, offset: int) -> Any:
        if not isinstance(value, dict):
            what = operand.name or "this value"
            raise self._error(operand.offset if operand.name else offset, f"{what} has no field {name}")
        if name not in value:
            known = ", ".join(sorted(value)) or "none"
            raise self._error(offset, f"templateVariables has no {name!r}; it has {known}")
        return value[name]

    def _printable(self, value: Any, pipe: Pipe) -> str:
        if isinstance(value, dict):
            raise self._error(pipe.offset, "say which variable: {{ variables.key }}")
        if value is None:
            # Go writes "<no value>" into the query
            raise self._error(pipe.offset, "there is no value here")
        try:
            return shown(present(value))
        except Misuse as error:
            raise self._error(pipe.offset, str(error)) from error

    # ---- bounds

    def _assign(self, name: str, value: Any, scope: Scope, *, declare: bool) -> None:
        frame = scope[-1] if declare else next(frame for frame in reversed(scope) if name in frame)
        frame[name] = value

    def _write(self, text: str, offset: int) -> None:
        self._length += len(text)
        if self._length > LONGEST:
            raise self._error(offset, f"the query becomes longer than {LONGEST} characters")
        self._pieces.append(text)

    def _make(self, value: Any, offset: int) -> None:
        length = len(value) if isinstance(value, str) else 0
        self._made += length
        if length > LONGEST:
            raise self._error(offset, f"a value becomes longer than {LONGEST} characters")
        if self._made > _MOST_MADE:
            raise self._error(offset, f"functions make more than {_MOST_MADE} characters; does a loop repeat itself?")

    def _count(self, offset: int) -> None:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise self._error(offset, "the template takes too long; does a loop repeat itself?")

    def _error(self, offset: int, message: str) -> TemplateError:
        return error_at(self._template, offset, message)
