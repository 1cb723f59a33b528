"""Values as Go prints them: by themselves, and by ``printf``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from handlers.core.templates.bounds import joined
from handlers.core.templates.errors import Misuse

_VERB = re.compile(r"%(?P<flags>[-+# 0]*)(?P<width>\d*)(?:\.(?P<precision>\d*))?(?P<verb>.)?", re.DOTALL)
_WIDEST = 1000


def shown(value: Any) -> str:
    """As ``{{ value }}`` prints it."""
    match value:
        case None:
            return "<no value>"
        case bool():
            return str(value).lower()
        case float():
            return _shortest(value)
        case dict():
            return "map[" + " ".join(f"{key}:{shown(value[key])}" for key in sorted(value)) + "]"
        case _:
            return str(value)


def _shortest(value: float) -> str:
    """Go's ``%v`` and ``%g``: the fewest digits that mean the same number, an exponent below 1e-4 and from 1e6 on."""
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return f"{Decimal(repr(value)):f}".removesuffix(".0")
    sign, digits, _ = Decimal(repr(value)).normalize().as_tuple()
    exponent = Decimal(repr(value)).adjusted()
    mantissa = "-" * sign + str(digits[0]) + ("." + "".join(map(str, digits[1:])) if len(digits) > 1 else "")
    return f"{mantissa}e{exponent:+03d}"


def printf(arguments: Sequence[Any]) -> str:
    """Raises :class:`Misuse` where Go would write a ``%!`` into the text: no provider takes that for a query."""
    if not arguments or not isinstance(arguments[0], str):
        raise Misuse('printf needs a format in quotes, such as printf "%s-%s" name namespace')
    rest = iter(arguments[1:])
    text = joined(_pieces(arguments[0], rest))
    if left := list(rest):
        raise Misuse(f"printf has {len(left)} values more than verbs")
    return text


def _pieces(format_: str, rest: Iterator[Any]) -> Iterator[str]:
    end = 0
    for found in _VERB.finditer(format_):
        yield format_[end : found.start()]
        yield _one(found, rest)
        end = found.end()
    yield format_[end:]


def _one(found: re.Match[str], rest: Iterator[Any]) -> str:
    verb = found["verb"]
    if verb == "%":
        return "%"
    format_ = _VERBS.get(verb or "")
    if format_ is None:
        raise Misuse(f"printf has no verb {found.group()}; there are %s %d %v %q %f %g %e %t %x %%")
    if int(found["width"] or 0) > _WIDEST or int(found["precision"] or 0) > _WIDEST:
        raise Misuse(f"{found.group()} is too wide")
    try:
        value = next(rest)
    except StopIteration:
        raise Misuse(f"printf has no value for {found.group()}") from None
    return _padded(format_(value, found), found, numeric=isinstance(value, int | float))


def _padded(text: str, found: re.Match[str], *, numeric: bool) -> str:
    width, flags = int(found["width"] or 0), found["flags"]
    if "-" in flags:
        return text.ljust(width)
    if "0" in flags and numeric:
        return text.zfill(width)
    return text.rjust(width)


def _precision(found: re.Match[str], usual: int) -> int:
    return usual if found["precision"] is None else int(found["precision"] or 0)


def _signed(text: str, found: re.Match[str]) -> str:
    return "+" + text if "+" in found["flags"] and not text.startswith("-") else text


def _need(value: Any, kinds: type | tuple[type, ...], found: re.Match[str], what: str) -> None:
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool):
        raise Misuse(f"{found.group()} needs {what}, not {shown(value)!r}")


def _string(value: Any, found: re.Match[str]) -> str:
    _need(value, str, found, "a string")
    return str(value)[: _precision(found, len(value))]


def _whole(value: Any, found: re.Match[str]) -> str:
    _need(value, int, found, "a whole number")
    return _signed(str(value), found)


def _quoted(value: Any, found: re.Match[str]) -> str:
    _need(value, str, found, "a string")
    return json.dumps(value, ensure_ascii=False)


def _truth(value: Any, found: re.Match[str]) -> str:
    _need(value, bool, found, "true or false")
    return shown(value)


def _hexadecimal(value: Any, found: re.Match[str]) -> str:
    _need(value, (int, str), found, "a whole number or a string")
    text = value.encode().hex() if isinstance(value, str) else f"{value:x}"
    return text.upper() if found["verb"] == "X" else text


def _fixed(value: Any, found: re.Match[str]) -> str:
    _need(value, float, found, "a number with a point, such as 1.0")
    return _signed(f"{value:.{_precision(found, 6)}f}", found)


def _scientific(value: Any, found: re.Match[str]) -> str:
    _need(value, float, found, "a number with a point, such as 1.0")
    return _signed(f"{value:.{_precision(found, 6)}e}", found)


def _general(value: Any, found: re.Match[str]) -> str:
    _need(value, float, found, "a number with a point, such as 1.0")
    text = _shortest(value) if found["precision"] is None else f"{value:.{_precision(found, 6)}g}"
    return _signed(text, found)


def _any(value: Any, found: re.Match[str]) -> str:
    return _general(value, found) if isinstance(value, float) else shown(value)


_VERBS: dict[str, Callable[[Any, re.Match[str]], str]] = {
    "s": _string,
    "d": _whole,
    "v": _any,
    "q": _quoted,
    "t": _truth,
    "x": _hexadecimal,
    "X": _hexadecimal,
    "f": _fixed,
    "F": _fixed,
    "e": _scientific,
    "g": _general,
}
