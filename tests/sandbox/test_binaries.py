from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from deploy.sandbox import binaries


@pytest.mark.parametrize(("program", "answer"), [("envoy", "version: "), ("nats-server", "nats-server: v")])
def test_a_program_of_a_wheel_is_found_and_runs(program: binaries.Program, answer: str) -> None:
    found = binaries.find(program)
    assert found.is_absolute()
    assert answer in subprocess.check_output([found, "--version"], text=True)


def test_envoy_is_the_program_itself_and_not_its_python_wrapper() -> None:
    assert binaries.find("envoy").read_bytes()[:4] == b"\x7fELF"


def test_an_unpacked_debian_package_is_found_without_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "usr" / "bin" / "prometheus"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr(binaries, "DEBIAN_ROOT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert binaries.find("prometheus") == program
    assert str(program.parent) in binaries.search_path().split(os.pathsep)


def test_a_missing_program_is_reported_with_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(binaries, "DEBIAN_ROOT", binaries.CHECKOUT / tmp_path.name)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert binaries.look_for("hey") is None
    with pytest.raises(binaries.ProgramMissingError, match="hey was not found; run `make setup`"):
        binaries.find("hey")


def test_a_file_that_cannot_be_executed_is_not_a_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "usr" / "bin" / "hey"
    program.parent.mkdir(parents=True)
    program.write_text("")
    program.chmod(0o644)
    monkeypatch.setattr(binaries, "DEBIAN_ROOT", tmp_path)
    monkeypatch.setattr(binaries, "CHECKOUT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert binaries.look_for("hey") is None
