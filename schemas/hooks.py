"""A gate on the bus (url ``nats://subject``): what it is asked and answers. And what is secret of any hook's url."""

from __future__ import annotations

import re
from urllib.parse import unquote

from pydantic import ConfigDict, Field

from schemas.base import Wire

_TELLING = frozenset(
    [
        "token",
        "key",
        "apikey",
        "secret",
        "password",
        "passwd",
        "pwd",
        "pass",
        "sig",
        "signature",
        "auth",
        "authorization",
        "code",
        "credential",
        "credentials",
        "jwt",
        "bearer",
    ]
)
"""Words in the name of a parameter whose value is for nobody else."""
_LOGIN = re.compile(r"^((?:[^/?#]*:)?//)?(?:([^/?#@:]*)(:(?!\d*[/?#])[^@]*(?:@[^@/?#]*)*?)?@)")
_VALUE = re.compile(r"([?&#;])([^=?&#;]+)=([^&#;]*)")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_LONG = 8
"""Characters; a shorter word, or one without a digit, may stand in any sentence."""


def shown_url(url: str) -> str:
    """For people: with three stars for a password, and for what of the query is a secret by its name."""
    return _VALUE.sub(lambda found: _starred(found) if _tells(found[2]) else found[0], _LOGIN.sub(_without_login, url))


def secrets_in(url: str) -> tuple[str, ...]:
    """The same, to be taken out of a text: what might be an ordinary word stays there."""
    login = _LOGIN.match(url)
    password = (login[3] or "").removeprefix(":") if login else ""
    values = [found[3] for found in _VALUE.finditer(url) if _tells(found[2])]
    found = [password, *(value for value in values if len(value) >= _LONG and any(map(str.isdigit, value)))]
    return tuple(dict.fromkeys(form for secret in found if secret for form in (secret, unquote(secret))))


def _without_login(found: re.Match[str]) -> str:
    return f"{found[1] or ''}{found[2]}{':***' if found[3] else ''}@"


def _starred(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2]}=***"


def _tells(name: str) -> bool:
    return not _TELLING.isdisjoint(word.lower() for word in _WORD.findall(name))


class HookQuestion(Wire):
    """The same as over HTTP (spec lifecycle 2.8); ``metadata`` is left out when it is empty."""

    name: str
    namespace: str
    phase: str
    checksum: str
    metadata: dict[str, str] = {}


class HookVerdict(Wire):
    """``message`` is shown to people, the first 300 characters of it."""

    model_config = ConfigDict(**{**Wire.model_config, "strict": True, "populate_by_name": False})

    passed: bool = Field(alias="pass")
    message: str = ""
