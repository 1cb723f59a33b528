"""What people see of a process, watcher or handlers: logs on stderr, metrics, whether it is healthy and ready.

Log lines have the keys of the peer (spec lifecycle 2.13), so that what people filter for (``jq .msg``) still works.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import orjson
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

_LEVELS = {"warning": "warn", "critical": "error"}
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_COLOURS = {"debug": "2", "info": "36", "warn": "33", "error": "31"}
_ROOT = Path(__file__).resolve().parents[2]

_fields: ContextVar[Mapping[str, object]] = ContextVar("fields", default=MappingProxyType({}))


@contextmanager
def log_fields(**fields: object) -> Iterator[None]:
    """Every line inside carries these, in other tasks started inside too: ``canary`` is ``name.namespace``."""
    token = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


def configure_logging(level: str = "info", style: Literal["json", "console"] = "json") -> None:
    """To stderr, for the whole process. Third parties' chatter below warnings is kept out unless ``level`` is debug.

    That of HTTP clients always is: their lines have whole URLs and headers, and some of those are secrets.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else ConsoleFormatter(sys.stderr.isatty()))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in ("faststream", "nats", "asyncio", "aiohttp", "client", "kubernetes"):
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
    for name in ("httpx", "httpcore", "urllib3", "botocore", "boto3", "google"):
        logging.getLogger(name).setLevel(logging.WARNING)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: level, ts, logger, caller, msg, canary where known, every extra field, stacktrace."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "level": _level(record),
            "ts": _time(record),
            "logger": record.name,
            "caller": _caller(record),
            "msg": record.getMessage(),
            **_extra(record),
        }
        if trace := _trace(self, record):
            line["stacktrace"] = trace
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class ConsoleFormatter(logging.Formatter):
    """For a person at a terminal; coloured unless ``NO_COLOR`` is set."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._coloured = terminal and not os.environ.get("NO_COLOR")

    def format(self, record: logging.LogRecord) -> str:
        level = f"{_level(record):5}"
        if self._coloured:
            level = f"\x1b[{_COLOURS[_level(record)]}m{level}\x1b[0m"
        extra = "".join(f"  {key}={value}" for key, value in _extra(record).items())
        trace = _trace(self, record)
        return f"{_time(record)[11:23]} {level} {record.getMessage()}{extra}" + (f"\n{trace}" if trace else "")


def _level(record: logging.LogRecord) -> str:
    name = record.levelname.lower()
    return _LEVELS.get(name, name)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _caller(record: logging.LogRecord) -> str:
    path = Path(record.pathname)
    place = path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else Path(*path.parts[-2:])
    return f"{place}:{record.lineno}"


def _extra(record: logging.LogRecord) -> dict[str, object]:
    own = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    found = {**_fields.get(), **own}
    if "canary" in found:
        found["canary"] = str(found["canary"])
    return found


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    if record.exc_info and record.exc_info[0]:
        return formatter.formatException(record.exc_info)
    return formatter.formatStack(record.stack_info) if record.stack_info else ""


class Metrics:
    """Our own metrics. Labels never carry a canary's name or a subject: one series set per canary would be too many."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._steps = self._counter("steps", "Steps committed or refused", "result")
        self._step_seconds = Histogram(
            "canarybus_step_duration_seconds", "From the wake to the told result", registry=self.registry
        )
        self._tick_lag = Histogram(
            "canarybus_tick_lag_seconds",
            "From the start of a slot to the start of its step",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )
        self._api_calls = self._counter("api_calls", "Calls to the Kubernetes API", "verb", "resource", "code")
        self._messages = self._counter("messages", "Messages taken from the bus", "kind", "outcome")

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"canarybus_{name}", what, labels, registry=self.registry)

    def step(self, result: str, seconds: float) -> None:
        """``result`` is one of a handful of words, such as committed, unchanged, conflict, failed."""
        self._steps.labels(result).inc()
        self._step_seconds.observe(seconds)

    def tick(self, lag: float) -> None:
        """Seconds."""
        self._tick_lag.observe(max(0.0, lag))

    def api_call(self, verb: str, resource: str, code: int) -> None:
        """The ``tell`` of :class:`handlers.adapters.kube.Kube`."""
        self._api_calls.labels(verb, resource, str(code)).inc()

    def message(self, kind: str, outcome: str) -> None:
        """The ``tell`` of :class:`handlers.adapters.settling.Settling`."""
        self._messages.labels(kind, outcome).inc()


Check = Callable[[], Awaitable[str | None]]
"""Answers None when all is well, else why not."""


class Probes:
    """``/metrics``, ``/healthz`` (the process answers) and ``/readyz`` (503 with the checks that fail and why)."""

    def __init__(self, registry: CollectorRegistry, checks: Mapping[str, Check], *, patience: float = 2.0) -> None:
        """``patience``: seconds after which a check that has not answered has failed."""
        self._registry = registry
        self._checks = dict(checks)
        self._patience = patience
        self._runner: web.AppRunner | None = None

    async def start(self, port: int, host: str = "0.0.0.0") -> int:
        """The port that is listened on; ``port=0`` takes a free one."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def failing(self) -> dict[str, str]:
        """The checks that fail, with their reasons; empty when ready."""
        reasons = await asyncio.gather(*(self._reason(check) for check in self._checks.values()))
        return {name: reason for name, reason in zip(self._checks, reasons, strict=True) if reason}

    async def _reason(self, check: Check) -> str | None:
        try:
            async with asyncio.timeout(self._patience):
                return await check()
        except TimeoutError:
            return f"no answer within {self._patience:g}s"
        except Exception as error:
            logging.getLogger(__name__).exception("readiness check failed by a fault of ours")
            return f"{type(error).__name__}: {error}"

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def _readyz(self, _request: web.Request) -> web.Response:
        failing = await self.failing()
        if not failing:
            return web.Response(text="OK")
        return web.Response(text="".join(f"{name}: {why}\n" for name, why in failing.items()), status=503)
