"""Go's built-in functions, as far as a query can use them. Each takes values and returns one, or raises Misuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import quote_plus

from handlers.core.templates.bounds import joined
from handlers.core.templates.errors import Misuse
from handlers.core.templates.formats import printf, shown


class Absent(str):
    """What ``index variables "key"`` gives for a key that is not there: empty for a condition, an error in a query."""

    __slots__ = ("known",)
    known: str

    @classmethod
    def of(cls, key: str, variables: dict[str, str]) -> Absent:
        absent = cls("")
        absent.known = f"templateVariables has no {key!r}; it has {', '.join(sorted(variables)) or 'none'}"
        return absent


def is_true(value: Any) -> bool:
    """Go's truth: false, zero, nil and whatever is empty are false."""
    return bool(value)


def present(value: Any) -> Any:
    """``value``, unless it is a variable that nobody gave."""
    if isinstance(value, Absent):
        raise Misuse(value.known)
    return value


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case str():
            return "string"
        case int():
            return "int"
        case float():
            return "float"
        case _:
            raise Misuse("only strings, numbers and booleans can be compared")


def _same_kind(one: Any, other: Any) -> None:
    if _kind(one) != _kind(other):
        raise Misuse(f"{shown(one)!r} and {shown(other)!r} are of different types and cannot be compared")


def _equal(first: Any, *others: Any) -> bool:
    """``eq a b c``: whether a is b or c."""
    if not others:
        raise Misuse("eq needs two values")
    for other in others:
        if first is not None and other is not None:
            _same_kind(first, other)
    return any(first == other for other in others)


def _not_equal(one: Any, other: Any) -> bool:
    return not _equal(one, other)


def _less(one: Any, other: Any) -> bool:
    _same_kind(one, other)
    if isinstance(one, bool):
        raise Misuse("true and false have no order")
    return bool(one < other)


def _less_or_equal(one: Any, other: Any) -> bool:
    return _less(one, other) or _equal(one, other)


def _greater(one: Any, other: Any) -> bool:
    return not _less_or_equal(one, other)


def _greater_or_equal(one: Any, other: Any) -> bool:
    return not _less(one, other)


def _length(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, dict):
        return len(value)
    raise Misuse(f"{shown(value)!r} has no length")


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if not isinstance(value, dict):
            raise Misuse('write it as {{ index variables "key" }}')
        if not isinstance(key, str):
            raise Misuse(f"a key is a string, not {shown(key)}")
        value = value[key] if key in value else Absent.of(key, value)
    return value


def _slice(value: Any, *bounds: Any) -> str:
    if not isinstance(value, str):
        raise Misuse("only strings can be cut")
    raw = value.encode()
    if len(bounds) > 2 or any(type(bound) is not int or not 0 <= bound <= len(raw) for bound in bounds):
        raise Misuse(f"a cut of {value!r} goes from 0 to {len(raw)}")
    start = bounds[0] if bounds else 0
    end = bounds[1] if len(bounds) > 1 else len(raw)
    if start > end:
        raise Misuse(f"a cut cannot end at {end} before it starts at {start}")
    return raw[start:end].decode(errors="replace")


def _alone(value: Any) -> str:
    return "<nil>" if value is None else shown(present(value))


def _print(*values: Any) -> str:
    """A space between two values of which neither is a string."""

    def pieces() -> Iterator[str]:
        for number, value in enumerate(values):
            if number and not isinstance(value, str) and not isinstance(values[number - 1], str):
                yield " "
            yield _alone(value)

    return joined(pieces())


def _println(*values: Any) -> str:
    return joined(piece for number, value in enumerate(values) for piece in (" " * bool(number), _alone(value))) + "\n"


def _printf(*values: Any) -> str:
    return printf([present(value) for value in values])


def _html(*values: Any) -> str:
    text = _print(*values)
    for letter, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&#34;"), ("'", "&#39;")):
        text = text.replace(letter, entity)
    return text


def _urlquery(*values: Any) -> str:
    return quote_plus(_print(*values))


def _negated(value: Any) -> bool:
    return not is_true(value)


LAZY = frozenset({"and", "or"})
"""They look at their arguments one by one, and return the one that decides."""

BUILT_IN: dict[str, Callable[..., Any]] = {
    "not": _negated,
    "eq": _equal,
    "ne": _not_equal,
    "lt": _less,
    "le": _less_or_equal,
    "gt": _greater,
    "ge": _greater_or_equal,
    "len": _length,
    "index": _index,
    "slice": _slice,
    "print": _print,
    "println": _println,
    "printf": _printf,
    "html": _html,
    "urlquery": _urlquery,
}


def call(name: str, arguments: Sequence[Any]) -> Any:
    """Raises :class:`Misuse`, also for the wrong number of arguments."""
    try:
        return BUILT_IN[name](*arguments)
    except TypeError as error:
        raise Misuse(f"{name} cannot take {len(arguments)} values") from error
