"""A gate on the bus (url ``nats://subject``): what it is asked and answers. And what is secret of any hook's url."""

from __future__ import annotations

import re
from urllib.parse import unquote

from pydantic import ConfigDict, Field

from schemas.base import Wire

_TELLING = re.compile("token|key|secret|pass|pwd|sig|auth|code|cred", re.IGNORECASE)
"""What is in the name of a parameter whose value is for nobody else."""


def secrets_in(url: str) -> tuple[str, ...]:
    """The login of a hook's url, and what of its query is a secret by its name; it need be no valid one."""
    before, _, query = url.partition("?")
    login = before.partition("://")[2].partition("/")[0].rpartition("@")[0]
    pairs = (pair.partition("=") for pair in query.partition("#")[0].split("&"))
    found = [login.partition(":")[2] or login, *(value for name, _, value in pairs if _TELLING.search(name))]
    return tuple(dict.fromkeys(form for secret in found if secret for form in (secret, unquote(secret))))


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
