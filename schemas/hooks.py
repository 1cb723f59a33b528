"""A gate on the bus: what a hook with the url ``nats://subject`` is asked, and what it answers."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from schemas.base import Wire


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
