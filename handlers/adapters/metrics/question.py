"""What a metric provider is asked and what it gives: the anatomy that all of them share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol

from nats.aio.client import Client

from handlers.adapters.metrics.http import Http
from schemas.resources import Resource


@dataclass(frozen=True)
class Question:
    """One metric. ``query`` is rendered, ``window`` in seconds (the metric's interval), ``namespace`` the Canary's.

    ``secret``: the decoded data of the template's ``secretRef``, None without one; it is never shown.
    ``now``: seconds since the epoch at which a window ends. ``payload``: what a judge on the bus is asked.
    """

    name: str
    query: str
    now: float
    address: str = field(default="", repr=False)
    window: float = 60.0
    namespace: str = ""
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    secret: Mapping[str, str] | None = field(default=None, repr=False)
    region: str = ""
    insecure_skip_verify: bool = False
    payload: bytes = field(default=b"", repr=False)

    def reach_of(self, at: float) -> float:
        """Seconds before ``now`` that a point of the moment ``at`` tells about: late ones are older than the window."""
        return max(0.0, self.now - at) + self.window

    def credential(self, key: str, provider: str) -> str:
        """Raises ValueError in the peer's words; white space around a pasted key is no part of it."""
        found = (self.secret or {}).get(key, "").strip()
        if not found:
            raise ValueError(f"{provider} credentials does not contain {key}")
        return found


class Reading(NamedTuple):
    """``value`` is None when the provider answered that there is nothing; ``samples`` where it says how many.

    ``passed`` is a judge's own verdict, which needs no value; ``message`` is for people. ``reach``: seconds before
    ``Question.now`` that the value tells about, where that is more than the window.
    """

    value: float | None
    samples: float | None = None
    passed: bool | None = None
    message: str = ""
    reach: float = 0.0


class Cluster(Protocol):
    """What the providers inside the cluster need of the Kubernetes API (:class:`handlers.adapters.kube.Kube`)."""

    async def raw(self, path: str) -> Any: ...

    async def get(self, resource: Resource, namespace: str, name: str) -> dict[str, Any]: ...

    async def create(self, resource: Resource, body: dict[str, Any]) -> dict[str, Any]: ...

    async def delete(self, resource: Resource, namespace: str, name: str) -> Any: ...


class Tools(NamedTuple):
    http: Http
    cluster: Cluster
    bus: Client | None = None


class Provider(Protocol):
    """One module each. ``read`` and ``check`` raise Refused, Unreachable, ValueError or TimeoutError."""

    default_address: ClassVar[str]
    """Where it is asked when the template names no address; empty: the template must."""
    timeout: ClassVar[float]
    """Seconds for the whole question."""

    def __init__(self, tools: Tools) -> None: ...

    async def read(self, question: Question) -> Reading:
        """The newest value."""

    async def check(self, question: Question) -> None:
        """Whether it would answer at all; asked once, before the first rollout."""
