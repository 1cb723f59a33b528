"""Probes: what a container's spec asks, and the answer."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from deploy.sandbox.children import die_with_parent
from handlers.adapters.kube import Object

ProbeKind = Literal["startupProbe", "readinessProbe", "livenessProbe"]


class HttpCheck(NamedTuple):
    port: int
    path: str
    headers: tuple[tuple[str, str], ...] = ()


class TcpCheck(NamedTuple):
    port: int


class ExecCheck(NamedTuple):
    command: tuple[str, ...]


class NoCheck(NamedTuple):
    """A running process is all that is asked."""


Check = HttpCheck | TcpCheck | ExecCheck | NoCheck


@dataclass(frozen=True)
class Probe:
    """Times in seconds, with Kubernetes' defaults."""

    check: Check
    initial_delay: float = 0
    period: float = 10
    timeout: float = 1
    failures: int = 3
    successes: int = 1


def probe_of(container: Object, kind: ProbeKind) -> Probe | None:
    """None if the container does not ask for it."""
    spec = container.get(kind)
    if spec is None:
        return None
    return Probe(
        check=_check(spec, container),
        initial_delay=spec.get("initialDelaySeconds") or 0,
        period=spec.get("periodSeconds") or 10,
        timeout=spec.get("timeoutSeconds") or 1,
        failures=spec.get("failureThreshold") or 3,
        successes=spec.get("successThreshold") or 1,
    )


def readiness_probe_of(container: Object) -> Probe:
    """Without one of its own a container is ready when its first declared port listens, or when it runs."""
    ports = [port["containerPort"] for port in container.get("ports", []) if port.get("protocol", "TCP") == "TCP"]
    return probe_of(container, "readinessProbe") or Probe(check=TcpCheck(ports[0]) if ports else NoCheck())


async def before_stop(hook: Object, container: Object, host: str, environment: Mapping[str, str]) -> None:
    """A container's preStop hook; its failure is reported and stops nothing. The caller limits the time."""
    match hook:
        case {"sleep": {"seconds": seconds}}:
            await asyncio.sleep(seconds)
        case _:
            wrong = await succeeds(_check(hook, container), host, 3600, environment)
            if wrong:
                print(f"container {container['name']}: preStop hook failed: {wrong}", flush=True)


def _check(spec: Object, container: Object) -> Check:
    match spec:
        case {"httpGet": get}:
            headers = tuple((header["name"], header["value"]) for header in get.get("httpHeaders", []))
            return HttpCheck(_port(get["port"], container), get.get("path") or "/", headers)
        case {"tcpSocket": {"port": port}}:
            return TcpCheck(_port(port, container))
        case {"exec": {"command": command}}:
            return _podcli(command) or ExecCheck(tuple(command))
        case {"grpc": {"port": port}}:
            return TcpCheck(port)
        case _:
            return NoCheck()


def _podcli(command: list[str]) -> HttpCheck | None:
    """``podcli check http localhost:9898/readyz``: podinfo's own probe program, which is not on this machine."""
    words = shlex.split(command[0]) if len(command) == 1 else command
    match words:
        case [program, "check", "http", target, *_] if program.rpartition("/")[2] == "podcli":
            host, slash, path = target.removeprefix("http://").partition("/")
            return HttpCheck(int(host.rpartition(":")[2]), slash + path or "/")
        case _:
            return None


def _port(port: int | str, container: Object) -> int:
    if isinstance(port, int) or port.isdecimal():
        return int(port)
    named = [entry["containerPort"] for entry in container.get("ports", []) if entry.get("name") == port]
    return int(named[0]) if named else 0


async def succeeds(check: Check, host: str, timeout: float, environment: Mapping[str, str]) -> str:  # noqa: ASYNC109
    """Empty if ``check`` passes on ``host`` within ``timeout`` seconds, else what was wrong, in the kubelet's words."""
    try:
        async with asyncio.timeout(timeout):
            match check:
                case HttpCheck(port, path, headers):
                    return await _http(host, port, path, headers)
                case TcpCheck(port):
                    _, writer = await asyncio.open_connection(host, port)
                    writer.close()
                    return ""
                case ExecCheck(command):
                    return await _exec(command, environment)
                case NoCheck():
                    return ""
    except TimeoutError:
        return f"no answer within {timeout:g}s"
    except (OSError, EOFError, ValueError) as error:
        return f"{error}"


async def _http(host: str, port: int, path: str, headers: tuple[tuple[str, str], ...]) -> str:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        given = {"Host": f"{host}:{port}", "User-Agent": "kube-probe/1", "Connection": "close", **dict(headers)}
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", ""]
        writer.write("\r\n".join(lines).encode())
        words = (await reader.readline()).split(b" ")
    finally:
        writer.close()
    if len(words) < 2:
        return "connection closed without an answer"
    return "" if 200 <= int(words[1]) < 400 else f"HTTP probe failed with statuscode: {int(words[1])}"


async def _exec(command: tuple[str, ...], environment: Mapping[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=dict(environment),
        preexec_fn=die_with_parent,
    )
    try:
        code = await process.wait()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return "" if code == 0 else f"command {' '.join(command)} ended with {code}"
