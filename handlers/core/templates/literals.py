"""Strings and numbers as Go writes them."""

from __future__ import annotations

import re

_ESCAPE = re.compile(
    r"\\(?:(?P<simple>[abfnrtv\\'\"])|x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})"
    r"|U(?P<U>[0-9a-fA-F]{8})|(?P<octal>[0-7]{3})|(?P<wrong>.))",
    re.DOTALL,
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_BIGGEST = 2**63


def read_string(text: str) -> str:
    """Raises ValueError for an escape that Go does not have."""
    return text[1:-1] if text.startswith("`") else _ESCAPE.sub(_unescaped, text[1:-1])


def _unescaped(found: re.Match[str]) -> str:
    if found["wrong"] is not None:
        raise ValueError(f"\\{found['wrong']} is an escape that is not supported")
    if found["simple"] is not None:
        return _SIMPLE.get(found["simple"], found["simple"])
    digits = next(filter(None, (found["x"], found["u"], found["U"])), None)
    number = int(digits, 16) if digits is not None else int(found["octal"], 8)
    if number > 0x10FFFF or 0xD800 <= number < 0xE000:
        raise ValueError(f"{found.group()} is no character")
    return chr(number)


def read_number(text: str) -> int | float:
    """Raises ValueError for a number that is too big for Go, or a quoted one that is not one character."""
    if text.startswith("'"):
        letter = _ESCAPE.sub(_unescaped, text[1:-1])
        if len(letter) != 1:
            raise ValueError(f"{text} is not one character; strings are written in double quotes")
        return ord(letter)
    if text.lower().lstrip("+-").startswith("0x"):
        number = int(text, 16)
    elif any(letter in text for letter in ".eE"):
        return _finite(text)
    else:
        digits = text.lstrip("+-")
        number = int(text, 8 if len(digits) > 1 and digits.startswith("0") else 10)
    if not -_BIGGEST <= number < _BIGGEST:
        raise ValueError(f"{text} is too big")
    return number


def _finite(text: str) -> float:
    number = float(text)
    if abs(number) == float("inf"):
        raise ValueError(f"{text} is too big")
    return number
