"""How the demo looks: live on a terminal, plain lines everywhere else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from deploy.sandbox.demo.scene import Outcome, Scene, by_version, limits
from deploy.sandbox.follow import Told

_BAR = 40
_REFRESH = 4
"""Pictures per second."""
_COLOURS = ("cyan", "green", "magenta", "yellow")


class View(Protocol):
    """Lines are for good; what is between them may be a moving picture."""

    def line(self, text: str) -> None: ...

    def event(self, told: Told) -> None: ...

    def table(self, outcomes: Iterable[Outcome]) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def view_of(scene: Scene) -> View:
    """A live one on a terminal, unless ``NO_COLOR`` asks for plain text."""
    live = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return LiveView(scene) if live else PlainView(scene)


class PlainView:
    """One line for each step and event."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def line(self, text: str) -> None:
        print(text, flush=True)

    def event(self, told: Told) -> None:
        status = self._scene.status
        place = f"{status.phase.value or 'New':<12} {status.canary_weight:>3} %"
        mark = "!" if told.type == "Warning" else " "
        self.line(f"{self._scene.seconds:7.1f} s  {place} {mark} {told.message}{self._checks()}")

    def _checks(self) -> str:
        """The values of the last step, when there were any."""
        found = [
            f"{check.name} {check.value:.1f} ({limits(check)})"
            for check in self._scene.checks.values()
            if check.value is not None
        ]
        return f"  [{', '.join(found)}]" if found else ""

    def table(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            print(f"\n{'as told' if outcome.as_told else 'DIFFERS'}  {outcome.title}  ({outcome.seconds:.1f} s)")
            print(f"  expected: {outcome.expected}\n  happened: {outcome.happened}")
        print(flush=True)


class LiveView:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._console = Console()
        self._live = Live(
            console=self._console, get_renderable=self._picture, refresh_per_second=_REFRESH, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def line(self, text: str) -> None:
        self._console.print(Text(text))

    def event(self, told: Told) -> None:
        """It is in the picture already."""

    def table(self, outcomes: Iterable[Outcome]) -> None:
        self._console.print(_ending(outcomes))

    def _picture(self) -> RenderableType:
        return picture(self._scene)


def picture(scene: Scene) -> RenderableType:
    """The whole scene as one panel."""
    status = scene.status
    head = Text.assemble(
        (f"{status.phase.value or 'New'}", "bold"),
        f"   failed checks {status.failed_checks}   round {status.iterations}   step {status.step}",
    )
    parts: list[RenderableType] = [head, _bar("weight", status.canary_weight, "yellow")]
    parts += [Text(), *_traffic(scene), Text(), _checks(scene), Text(), *_events(scene)]
    return Panel(Group(*parts), title=f"{scene.title} · {scene.seconds:.0f} s", border_style="blue")


def _bar(name: str, percent: float, colour: str) -> Text:
    full = round(percent / 100 * _BAR)
    return Text.assemble(f"{name:<10}", ("█" * full, colour), ("·" * (_BAR - full), "dim"), f" {percent:5.1f} %")


def _traffic(scene: Scene) -> list[RenderableType]:
    """Users' answers of the last second by version, and how many requests failed since the start."""
    if scene.users is None:
        return [Text("no users yet", style="dim")]
    shown = by_version(scene.users.last_second)
    bars: list[RenderableType] = [
        _bar(version, share, _COLOURS[number % len(_COLOURS)]) for number, (version, share) in enumerate(shown)
    ]
    total = scene.users.total
    failed = Text(f"users: {total.requests} requests, {total.failed} failed", "bold red" if total.failed else "green")
    return [*bars, failed, *_others(scene)]


def _others(scene: Scene) -> Iterable[RenderableType]:
    for name, counts in scene.others.items():
        meant = f", {counts.provoked.total()} of them meant to fail" if name.startswith("/") else ""
        yield Text(f"{name}: {counts.requests} requests{meant}, {counts.failed} failed", "dim")


def _checks(scene: Scene) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for check in scene.checks.values():
        value = "no data" if check.value is None else f"{check.value:.2f}"
        colour = {"pass": "green", "fail": "bold red"}.get(check.verdict, "yellow")
        table.add_row(check.name, Text(value, colour), limits(check), Text(check.verdict, colour))
    return table


def _events(scene: Scene) -> Iterable[RenderableType]:
    for seconds, told in scene.events:
        yield Text(f"{seconds:6.1f} s  {told.message}", "yellow" if told.type == "Warning" else "")


def _ending(outcomes: Iterable[Outcome]) -> Table:
    table = Table(title="canarybus: the tutorial")
    for heading in ("act", "expected", "happened"):
        table.add_column(heading, overflow="fold")
    table.add_column("seconds", justify="right")
    for outcome in outcomes:
        happened = Text("as expected", "green") if outcome.as_told else Text(outcome.happened, "bold red")
        table.add_row(outcome.title, outcome.expected, happened, f"{outcome.seconds:.1f}")
    return table
