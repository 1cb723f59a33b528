"""The demo's picture and its plain lines show what happened, whatever is still missing."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import orjson
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from rich.console import Console

from deploy.sandbox.demo.scene import Outcome, Scene
from deploy.sandbox.demo.view import LiveView, PlainView, picture, view_of
from deploy.sandbox.follow import Told
from deploy.sandbox.load import Load
from deploy.sandbox.load.client import Answer
from schemas.events import StepResult
from schemas.status import CanaryStatus, CheckResult, Phase


@pytest.fixture
def scene() -> Scene:
    users = Load("http://127.0.0.1:9")
    for version, number in (("6.0.0", 3), ("6.0.1", 1)):
        for _ in range(number):
            users.last_second.add(Answer(200, version, 0.01, None))
    users.total.add(Answer(502, "", 0.01, "5xx"))
    found = Scene(title="Promotion", users=users)
    found.see(CanaryStatus(phase=Phase.PROGRESSING, canary_weight=25, failed_checks=1), 3)
    found.checks["request-success-rate"] = CheckResult(name="request-success-rate", verdict="fail", value=97.5, min=99)
    found.hear(Told("Warning", "CheckFailed", "Halt podinfo.test advancement success rate 97.50% < 99%"))
    return found


def drawn(scene: Scene) -> str:
    console = Console(file=io.StringIO(), width=110, record=True)
    console.print(picture(scene))
    return console.export_text()


def test_the_picture_shows_phase_weight_checks_traffic_failures_and_the_last_event(scene: Scene) -> None:
    shown = drawn(scene)

    for text in (
        "Promotion",
        "Progressing   failed checks 1",
        " 25.0 %",
        "97.50",
        "≥ 99",
        "fail",
        "Halt podinfo.test advancement success rate 97.50% < 99%",
        "users: 1 requests, 1 failed",
    ):
        assert text in shown
    bars = {line.split()[1]: line for line in shown.splitlines() if "█" in line}
    assert bars["6.0.0"].count("█") == 3 * bars["6.0.1"].count("█") == 30


async def test_what_was_measured_of_a_revision_is_not_shown_beside_the_next_one() -> None:
    scene = Scene()
    for revision, checks in (("one", (CheckResult(name="errors", verdict="pass", value=1),)), ("two", ())):
        about = {"namespace": "test", "name": "podinfo", "uid": "u", "step": 1, "stimulus": "tick", "weight": 5}
        said = {"phase": "Progressing", "reason": "StepTaken", "message": "", "time": datetime.now(UTC)}
        result = StepResult.model_validate({**about, **said, "revision": revision, "checks": checks})
        await scene.result(Msg(_client=Client(), data=orjson.dumps(result.to_wire())))
    assert scene.checks == {}


def test_the_picture_can_be_drawn_before_anything_has_happened() -> None:
    assert "no users yet" in drawn(Scene())


def test_without_a_terminal_there_are_plain_lines_without_colours(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    view = view_of(scene)
    view.event(scene.events[0][1])
    view.table([Outcome("Promotion", "Succeeded", "Failed", 12.3)])

    said = capsys.readouterr().out
    assert isinstance(view, PlainView)
    assert "Progressing   25 % ! Halt podinfo.test advancement success rate 97.50% < 99%" in said
    assert "DIFFERS  Promotion  (12.3 s)\n  expected: Succeeded\n  happened: Failed" in said
    assert "\x1b" not in said


def test_a_terminal_gets_the_live_picture_unless_no_color_is_set(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert isinstance(view_of(scene), LiveView)

    monkeypatch.setenv("NO_COLOR", "1")
    assert isinstance(view_of(scene), PlainView)
