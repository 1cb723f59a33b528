"""While nothing happens around a Canary nobody is told the same again, and it comes to rest.

Only time passes: whatever is told then a second time torments whoever reads it, and says nothing.
"""

from __future__ import annotations

from typing import Any

from schemas.events import Command, Stimulus
from schemas.status import CanaryStatus, Notice, Reason
from tests.handlers.core.cluster import Cluster
from tests.handlers.core.words import held_of

_WORLD = vars(Cluster()).keys() - {"now", "promoted", "primary_revisions", "restarts"} | {
    "item",
    "hooks",
    "measured",
    "providers",
    "moved",
}
"""Of a world: all that there is, and what it answers; not the clock, and what tests read."""
_NOTED = ("step", "last_step", "last_tick", "last_command", "earlier_commands")
"""Of a status: what each wake may write down without anything having changed."""
ANSWERS = frozenset({Reason.COMMAND_ACCEPTED, Reason.COMMAND_REFUSED})
"""Each command has its answer, also the second of a kind that changes nothing: somebody has asked, and waits for it."""

Position = tuple[object, ...]


class Repeats:
    """Raises AssertionError in the wake that tells what was told, or in which ``Held`` says once more what it said."""

    def __init__(self) -> None:
        self._left = ""
        """The world as the last wake left it."""
        self._told: set[Position] = set()
        self._held: list[Position] = []
        """Each different one that was said, since somebody moved something."""

    def arrive(self, world: Cluster) -> None:
        """A wake begins: whatever is not as the last one left it was moved by somebody."""
        if _everything(world) != self._left:
            self._moved()

    def judge(self, stimulus: Stimulus, before: CanaryStatus, after: CanaryStatus, told: list[Notice]) -> None:
        asked = isinstance(stimulus, Command)
        if _soaks(after) or (asked and content_of(before) != content_of(after)):
            # a command that changes something is as good as a hand in the world; so are routes that came into force
            # while nobody looked, and whatever holds it besides comes after them
            self._moved()
        position = position_of(after)
        for one in _sayings(told, position):
            answer = asked and one[1] in ANSWERS
            assert answer or one not in self._told, f"told again, and nothing has changed: {one}"
        self._told |= set(_sayings(told, position))
        self._follow_held(after, position)

    def leave(self, world: Cluster, *, died: bool) -> None:
        """``died``: before its writes. The routes that it has not written are waited for once more."""
        self._left = _everything(world)
        if died:
            self._held = []

    def _moved(self) -> None:
        self._told, self._held = set(), []

    def _follow_held(self, after: CanaryStatus, position: Position) -> None:
        held = held_of(after)
        if held is None:
            return
        said = (held.status, held.reason, held.message, position, after.primary_revision)
        if self._held and self._held[-1] == said:
            return
        assert said not in self._held, f"Held takes turns: {[one[:3] for one in self._held]}, and again {said[:3]}"
        self._held.append(said)


def _soaks(status: CanaryStatus) -> bool:
    held = held_of(status)
    return held is not None and held.reason == Reason.SOAKING and status.verdict_since is not None


def position_of(status: CanaryStatus) -> Position:
    """How far a rollout is: whoever moves on may say the same of another weight, or of the next failed check."""
    return (status.phase, status.canary_weight, status.iterations, status.failed_checks, status.canary_revision)


def content_of(status: CanaryStatus) -> dict[str, Any]:
    """Without what only says that somebody looked."""
    return {name: value for name, value in vars(status).items() if name not in _NOTED}


def _sayings(told: list[Notice], position: Position) -> list[Position]:
    """Each Event, and each alert: a new Event may alert people in words that they have heard."""
    events: list[Position] = [("event", one.reason, one.message, position) for one in told]
    return events + [("alert", one.reason, one.alert, position) for one in told if one.severity]


def _everything(world: Cluster) -> str:
    found = vars(world)
    kept = {name: found[name] for name in sorted(_WORLD)}
    return repr({name: sorted(value) if isinstance(value, set) else value for name, value in kept.items()})


def fences_of(status: CanaryStatus) -> Position:
    return (status.route_step, status.target_step, status.primary_step, status.scaler_step, status.restart_step)
