"""Faults on purpose: the next requests that match are refused, delayed or answered from the past.

In a test: `api.faults.add(429, verb="get", resource="canaries", times=2, seconds=1)`.
Over HTTP, for a server in another process: `POST /faults` with the same names as JSON, `DELETE /faults`,
`GET /faults` (what is set, and the requests counted so far), `POST /faults/drop-watches`,
`POST /faults/compact`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from . import errors

KINDS = ("409", "410", "429", "500", "503", "timeout", "latency", "stale")


@dataclass
class Fault:
    """What to do to matching requests. `kind` is one of KINDS; `seconds` is for timeout, latency and
    Retry-After; `versions` says how far back a stale read looks."""

    kind: str
    verb: str = "*"
    resource: str = "*"
    name: str = "*"
    agent: str = "*"
    times: int = 1
    seconds: float = 1.0
    versions: int = 1

    def matches(self, verb: str, resource: str, name: str, agent: str) -> bool:
        return (
            self.times != 0
            and self.verb in ("*", verb)
            and self.resource in ("*", resource, resource.partition(".")[0])
            and self.name in ("*", name)
            and (self.agent == "*" or self.agent in agent)
        )

    def refusal(self, group: str, plural: str, name: str) -> errors.StatusError | None:
        match self.kind:
            case "409":
                return errors.conflict(group, plural, name)
            case "410":
                return errors.expired("too old resource version: 1 (2)")
            case "429":
                return errors.too_many_requests(max(1, int(self.seconds)))
            case "500":
                return errors.internal("a fault on purpose")
            case "503":
                return errors.StatusError(
                    503, "ServiceUnavailable", "the server is currently unable to handle the request"
                )
            case _:
                return None


class Faults:
    """What is set at the moment, and how many requests have come: (user agent, verb, resource) -> count."""

    def __init__(self) -> None:
        self.pending: list[Fault] = []
        self.requests: Counter[tuple[str, str, str]] = Counter()
        self.drop_watches: Any = lambda: None
        self.compact: Any = lambda: None

    def add(self, kind: str | int, **matching: Any) -> Fault:
        """Set a fault for the next `times` matching requests (-1: until `clear`)."""
        if str(kind) not in KINDS:
            raise ValueError(f"unknown fault {kind}: one of {', '.join(KINDS)}")
        fault = Fault(str(kind), **matching)
        self.pending.append(fault)
        return fault

    def clear(self) -> None:
        self.pending.clear()

    def take(self, verb: str, resource: str, name: str, agent: str) -> list[Fault]:
        """Count a request; the faults that it meets."""
        self.requests[agent, verb, resource] += 1
        if not self.pending:
            return []
        met = [fault for fault in self.pending if fault.matches(verb, resource, name, agent)]
        for fault in met:
            fault.times -= 1
        self.pending = [fault for fault in self.pending if fault.times != 0]
        return met

    def counted(self, agent: str = "", verb: str = "", resource: str = "") -> int:
        """Requests whose user agent contains `agent`, of this verb and resource; empty matches all."""
        return sum(
            count
            for (own_agent, own_verb, own_resource), count in self.requests.items()
            if agent in own_agent
            and verb in ("", own_verb)
            and resource in ("", own_resource, own_resource.partition(".")[0])
        )
