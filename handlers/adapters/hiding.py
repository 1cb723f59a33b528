"""Secrets are taken out of texts that come from outside: some servers repeat what they were sent, or the beginning."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from urllib.parse import quote, unquote

_SHORTEST = 4
"""Characters; shorter secrets would blot out ordinary words."""
_BEGINNING = 8
"""So much of a longer one is enough to know it by: an answer may be cut off in the middle."""


def hidden(text: str, secrets: Iterable[str]) -> str:
    """``text`` with three stars for each secret and for each beginning of one, plain, quoted or in base 64."""
    forms = {form for secret in secrets for form in _forms(secret.strip()) if len(form) >= _SHORTEST}
    for form in sorted(forms, key=len, reverse=True):
        text = _without(text, form)
    return text


def secrets_of(address: str) -> list[str]:
    """What of an address is for nobody else: its login, and the values of its query. It need be no valid one."""
    before, _, query = address.partition("?")
    login = before.partition("://")[2].rpartition("@")[0]
    password = login.partition(":")[2]
    values = [pair.partition("=")[2] for pair in query.split("&")]
    return [secret for part in (password, login if password else "", *values) for secret in (part, unquote(part))]


def _forms(secret: str) -> tuple[str, ...]:
    return secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")


def _without(text: str, secret: str) -> str:
    """In one pass: the text may be as long as an answer, and all of it the secret."""
    pieces: list[str] = []
    start = 0
    while (found := text.find(secret[:_BEGINNING], start)) >= 0:
        end = found
        while end < len(text) and end - found < len(secret) and text[end] == secret[end - found]:
            end += 1
        pieces += text[start:found], "***"
        start = end
    return "".join([*pieces, text[start:]])
