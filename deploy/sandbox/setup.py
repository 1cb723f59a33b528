"""Set-up on a fresh machine: a virtual environment with the locked packages, and three programs from Debian.

Needs only Python's standard library, pip and apt; without root the Debian packages are unpacked below ``.sandbox``.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".venv"
UNPACKED = ROOT / ".sandbox" / "debian"
PARTS = (
    "deploy.sandbox.demo.show",
    "deploy.sandbox.install",
    "deploy.sandbox.kube.__main__",
    "deploy.sandbox.loadtester.app",
    "deploy.sandbox.node",
    "deploy.sandbox.podinfo.app",
    "handlers.__main__",
    "watcher.__main__",
)
"""What the sandbox runs: imported once it is compiled, into PYTHONPYCACHEPREFIX, and not by each part for itself."""
PROGRAMS = {"prometheus": "prometheus", "hey": "hey", "kubectl": "kubernetes-client"}
"""Program to Debian package; the packages themselves need nothing but libc."""


def main() -> int:
    started = time.monotonic()
    try:
        fetching = _fetch_programs()
        _make_environment()
        _finish(fetching)
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd))
        print(f"set-up failed: {command}\n{error.stderr or ''}", file=sys.stderr)
        return 1
    _say(f"ready in {time.monotonic() - started:.0f} s")
    return 0


def _say(text: str) -> None:
    print(f"set-up: {text}", flush=True)


def _make_environment() -> None:
    _say(f"virtual environment with Python {sys.version_info.major}.{sys.version_info.minor}")
    python = ENVIRONMENT / "bin" / "python"
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
    lock = (ROOT / "requirements.lock").read_text()
    _say(f"installing {len(re.findall(r'^[a-zA-Z0-9]', lock, re.MULTILINE))} locked packages (about half a minute)")
    pip: list[str | Path] = [python, "-m", "pip", "install", "-q", "--no-compile", "--disable-pip-version-check"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as newer:
        # the pip that comes with older Pythons takes a minute to look through the index, a newer one seconds
        newer.writelines(re.findall(r"^(?:pip|setuptools)==(?:.*\\\n)*.*\n", lock, re.MULTILINE))
        newer.flush()
        _run(*pip, "--no-deps", "--require-hashes", "-r", newer.name)
    _run(*pip, "--no-deps", "--require-hashes", "-r", ROOT / "requirements.lock")
    _run(*pip, "--no-deps", "--no-build-isolation", "-e", ROOT)
    _run(python, "-c", f"import {', '.join(PARTS)}")


def _fetch_programs() -> subprocess.Popen[str] | None:
    """Start fetching what is missing, while the packages install; None if everything is there."""
    missing = [
        package
        for program, package in PROGRAMS.items()
        if not shutil.which(program) and not (UNPACKED / "usr" / "bin" / program).exists()
    ]
    if not missing:
        return None
    if not shutil.which("apt-get"):
        _say(f"no apt-get here; please install {', '.join(missing)} yourself")
        return None
    _say(f"fetching {', '.join(missing)} from Debian (unpacked in {UNPACKED.relative_to(ROOT)})")
    command = [sys.executable, __file__, "--debian", *missing]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _finish(fetching: subprocess.Popen[str] | None) -> None:
    if fetching is None:
        return
    said, _ = fetching.communicate()
    if fetching.returncode:
        raise subprocess.CalledProcessError(fetching.returncode, fetching.args, stderr=said)


def _debian(packages: list[str]) -> int:
    """Download and unpack; with an own package list if the machine has none (a container's is usually empty)."""
    UNPACKED.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        # apt drops its privileges for downloads when it is started as root
        Path(place).chmod(0o755)
        download = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *packages]
        if subprocess.run(download, cwd=place, check=False, capture_output=True).returncode:
            own = Path(place) / "apt"
            for folder in ("lists/partial", "cache/archives/partial"):
                (own / folder).mkdir(parents=True)
            options = ["-o", f"Dir::State::Lists={own}/lists", "-o", f"Dir::Cache={own}/cache"]
            _run("apt-get", "-q", "-o", "APT::Sandbox::User=root", *options, "update")
            _run(*download[:1], *options, *download[1:], cwd=Path(place))
        for package in sorted(Path(place).glob("*.deb")):
            _run("dpkg", "-x", package, UNPACKED)
    return 0


def _run(*command: str | Path, cwd: Path = ROOT) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True)


if __name__ == "__main__":
    sys.exit(_debian(sys.argv[2:]) if sys.argv[1:2] == ["--debian"] else main())
