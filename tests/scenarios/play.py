"""Plays a scenario on a stage, and says which step of which file went otherwise than told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from handlers.core.explain import explain
from schemas.canary import Canary
from schemas.revision import is_our_hash
from schemas.status import CanaryStatus, LastStep
from tests.scenarios.format import NOTHING, ON_THE_CLUSTER, Scenario, Start, Step, Texts, Then


@dataclass(frozen=True)
class Seen:
    """The world after a step; ``told``, ``alerts``, ``asked``, ``reply`` and ``written`` belong to that step alone.

    None is what a world does not see.
    """

    phase: str
    weight: int
    failed_checks: int
    iterations: int
    reason: str
    held: str
    promoted: str
    waiting_for: str
    settled: bool
    last_transition_time: str
    explain: tuple[str, ...]
    image: dict[str, str]
    replicas: dict[str, int]
    told: tuple[str, ...] = ()
    alerts: tuple[tuple[str, str], ...] = ()
    asked: tuple[str, ...] = ()
    asked_once: tuple[str, ...] | None = None
    reply: str = ""
    reasons: tuple[str, ...] = ()
    events: tuple[str, ...] | None = None
    hashes: dict[str, str] | None = None
    queries: tuple[str, ...] = ()
    sent: tuple[str, ...] | None = None
    objects: Mapping[str, Any] | None = None
    gone: bool | None = None
    hears: tuple[str, ...] = ()
    payloads: tuple[tuple[str, Mapping[str, Any]], ...] | None = None
    series: dict[str, float] | None = None
    apex: str | None = None
    routes: tuple[str, ...] = ()
    content: dict[str, str] | None = None
    written: tuple[str, ...] = ()
    pods: dict[str, str] | None = None
    last: str = ""


def hashes_of(status: CanaryStatus) -> dict[str, str]:
    """In whose way the revisions are written that the status tells apart."""
    written = {"applied": status.last_applied_spec, "promoted": status.last_promoted_spec}
    return {name: "ours" if is_our_hash(text) else "Flagger's" if text else "none" for name, text in written.items()}


def summary(status: CanaryStatus) -> str:
    """What somebody who reads an error wants to know."""
    last = status.last_step or LastStep()
    ending = f", going back to end as {status.returning.phase}" if status.returning else ""
    where = f"{status.phase} at {status.canary_weight} %, step {status.step} on {last.stimulus}"
    return f"{where}: {last.reason}: {last.message}; waits for {status.waiting_for or 'nothing'}{ending}"


def explained(canary: Canary) -> tuple[str, ...]:
    """What a person is told who asks why it is not further."""
    told = explain(canary, 1)
    return (told.doing, told.why, told.following, *told.remarks, *told.commands)


def moved(before: CanaryStatus, after: CanaryStatus) -> str:
    """What the time of the last transition did."""
    return "stays" if before.last_transition_time == after.last_transition_time else "moves"


ANYTHING = Then()


class Stage(Protocol):
    """A world to play in. ``do`` raises AssertionError when a promise is broken that always holds."""

    async def begin(self, start: Start) -> None: ...

    async def do(self, action: str, value: Any) -> None: ...

    async def see(self, then: Then = ANYTHING) -> Seen:
        """``then`` says what is looked for; what takes calls of its own is seen only then."""


async def play(scenario: Scenario, stage: Stage) -> int:
    """How many of its steps were looked at; raises AssertionError with everything that is not as told."""
    looked = 0
    try:
        await stage.begin(scenario.start)
    except AssertionError as error:
        raise AssertionError(f"{scenario.file}: {scenario.scenario!r} never gets to its start: {error}") from error
    for number, step in enumerate(scenario.steps, 1):
        try:
            await stage.do(step.action, step.value)
            seen = None if step.then is None else await stage.see(step.then)
        except AssertionError as error:
            raise AssertionError(_where(scenario, number, step) + f"\n  breaks a promise: {error}") from error
        if step.then is None or seen is None:
            continue
        if wrong := compare(step.then, seen):
            raise AssertionError("\n  ".join([_where(scenario, number, step), *wrong, f"in short: {seen.last}"]))
        looked += 1
    return looked


def _where(scenario: Scenario, number: int, step: Step) -> str:
    return f"{scenario.file}: {scenario.scenario!r}, step {number} ({step.action}: {step.value})"


def compare(then: Then, seen: Seen) -> list[str]:
    """Every difference, in a line."""
    wrong = []
    for name in sorted(then.model_fields_set):
        wanted = getattr(then, name)
        if name in ON_THE_CLUSTER and getattr(seen, name.removeprefix("not_")) is None:
            wrong.append(f"{name}: this world sees nothing of it")
        elif name in _SENTENCES:
            wrong += _SENTENCES[name](wanted, seen)
        elif isinstance(wanted, dict):
            found = getattr(seen, name)
            wrong += [_line(f"{name} of {key}", value, found.get(key)) for key, value in wanted.items()
                      if found.get(key) != value]  # fmt: skip
        elif wanted != getattr(seen, name):
            wrong.append(_line(name, wanted, getattr(seen, name)))
    return wrong


def _line(what: str, wanted: object, seen: object) -> str:
    return f"{what}: expected {wanted!r}, saw {seen!r}"


def says(wanted: str, text: str) -> bool:
    """``wanted`` is a part of the text, or /a regular expression/."""
    if len(wanted) > 2 and wanted[0] == wanted[-1] == "/":
        return re.search(wanted[1:-1], text) is not None
    return wanted in text


def _each(what: str, wanted: Texts, found: tuple[str, ...]) -> list[str]:
    if wanted == NOTHING:
        return [_line(what, "nothing", found)] if found else []
    return [_line(what, text, found) for text in wanted if not any(says(text, one) for one in found)]


def _once(wanted: Texts, found: tuple[str, ...]) -> list[str]:
    return [_line(f"how often {text} was asked", 1, found.count(text)) for text in wanted if found.count(text) != 1]


def _none(what: str, unwanted: Texts, found: tuple[str, ...]) -> list[str]:
    return [f"{what}: nobody expected {one!r}" for text in unwanted for one in found if says(text, one)]


def _alert(wanted: Any, seen: Seen) -> list[str]:
    if wanted == "nothing":
        return [_line("alert", "nothing", seen.alerts)] if seen.alerts else []
    return [
        line
        for severity, texts in wanted.items()
        for line in _each(f"alert ({severity})", texts, tuple(text for its, text in seen.alerts if its == severity))
    ]


def _objects(wanted: Mapping[str, Any], seen: Seen) -> list[str]:
    found = seen.objects or {}
    return [line for place, parts in wanted.items() for line in _parts(place, parts, found.get(place))]


def _parts(place: str, wanted: Any, found: Any) -> list[str]:
    """What is not written here may be as it likes; null is for what must not be there."""
    if wanted == "missing" or found is None:
        return [] if found is None and wanted in ("missing", None) else [_line(place, wanted, found)]
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return [line for key, value in wanted.items() for line in _parts(f"{place} {key}", value, found.get(key))]
    return [] if wanted == found or _fits(wanted, found) else [_line(place, wanted, found)]


def _fits(wanted: Any, found: Any) -> bool:
    """Whether it is what a /regular expression/ asks for."""
    return isinstance(wanted, str) and isinstance(found, str) and wanted[:1] == "/" and says(wanted, found)


def _payloads(wanted: Mapping[str, Any], seen: Seen) -> list[str]:
    """Each hook was sent one that has all those parts."""
    wrong = []
    for hook, parts in wanted.items():
        sent = [body for name, body in seen.payloads or () if name == hook]
        if not any(not _parts(hook, parts, body) for body in sent):
            wrong.append(_line(f"payload of {hook}", parts, sent))
    return wrong


def _sentence(what: str, wanted: str, text: str) -> list[str]:
    return [] if says(wanted, text) else [_line(what, wanted, text)]


_SENTENCES: dict[str, Any] = {
    "told": lambda wanted, seen: _each("told", wanted, seen.told),
    "not_told": lambda wanted, seen: _none("told", wanted, seen.told),
    "asked": lambda wanted, seen: _each("asked", wanted, seen.asked),
    "not_asked": lambda wanted, seen: _none("asked", wanted, seen.asked),
    "asked_once": lambda wanted, seen: _once(wanted, seen.asked_once),
    "events": lambda wanted, seen: _each("events", wanted, seen.events),
    "explain": lambda wanted, seen: _each("explain", wanted, seen.explain),
    "routes": lambda wanted, seen: _each("routes", wanted, seen.routes),
    "objects": _objects,
    "payloads": _payloads,
    "queries": lambda wanted, seen: _each("queries", wanted, seen.queries),
    "sent": lambda wanted, seen: _each("sent", wanted, seen.sent),
    "not_sent": lambda wanted, seen: _none("sent", wanted, seen.sent),
    "reasons": lambda wanted, seen: _each("reasons", wanted, seen.reasons),
    "hears": lambda wanted, seen: _each("hears", wanted, seen.hears),
    "alert": _alert,
    "held": lambda wanted, seen: _sentence("held", wanted, seen.held),
    "promoted": lambda wanted, seen: _sentence("promoted", wanted, seen.promoted),
    "reply": lambda wanted, seen: _sentence("reply", wanted, seen.reply),
    "written": lambda wanted, seen: [_line("written", "nothing", seen.written)] if seen.written else [],
    "waiting_for": lambda wanted, seen: (
        [] if seen.waiting_for == ("" if wanted == "nothing" else wanted)
        else [_line("waitingFor", wanted, seen.waiting_for or "nothing")]
    ),
}  # fmt: skip
