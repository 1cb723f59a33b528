"""The command line of the sandbox, where something is wrong."""

from __future__ import annotations

import sys

import pytest

from deploy.sandbox import __main__ as command
from deploy.sandbox.binaries import ProgramMissingError
from deploy.sandbox.parts import Part, prints
from deploy.sandbox.sandbox import Sandbox


def broken(sandbox: Sandbox) -> Part:
    failing = (sys.executable, "-c", "raise SystemExit('the disk is full')")
    return Part("nats", "bus", failing, prints("never"), sandbox.state / "nats.log")


def test_a_part_that_cannot_start_ends_the_sandbox_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Sandbox, "_nats", broken)
    monkeypatch.setattr(sys, "argv", ["sandbox", "up"])

    assert command.main() == 1

    said = capsys.readouterr().err
    assert "sandbox: nats ended with 1; try `make setup`" in said
    assert "| the disk is full" in said


def test_a_missing_program_is_told_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def find(program: str) -> str:
        raise ProgramMissingError(f"{program} was not found; run `make setup`")

    monkeypatch.setattr("deploy.sandbox.sandbox.find", find)
    monkeypatch.setattr(sys, "argv", ["sandbox", "demo", "--act", "ab"])

    assert command.main() == 1
    assert capsys.readouterr().err == "sandbox: nats-server was not found; run `make setup`\n"


def test_an_act_that_is_not_there_is_refused_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["sandbox", "demo", "--act", "encore"])

    with pytest.raises(SystemExit) as ended:
        command.main()

    assert ended.value.code == 2
    assert "custom-metric" in capsys.readouterr().err
