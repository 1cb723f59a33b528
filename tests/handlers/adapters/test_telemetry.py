"""Logs, metrics and probes."""

from __future__ import annotations

import asyncio
import json
import logging
import warnings
from collections.abc import Iterator

import aiohttp
import pytest

from handlers.adapters.telemetry import ConsoleFormatter, Metrics, Probes, configure_logging, log_fields
from schemas.canary import Ref

log = logging.getLogger("handlers.advance")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def logged(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_has_the_keys_that_people_filter_for(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    log.info("Advance %s canary weight %d", "podinfo.test", 10, extra={"canary": Ref("test", "podinfo"), "step": 3})
    (line,) = logged(capsys)
    assert str(line.pop("ts")).endswith("Z")
    assert str(line.pop("caller")).startswith("tests/handlers/adapters/test_telemetry.py:")
    assert line == {
        "level": "info",
        "logger": "handlers.advance",
        "msg": "Advance podinfo.test canary weight 10",
        "canary": "podinfo.test",
        "step": 3,
    }


async def test_every_line_of_a_step_carries_its_fields_and_no_other_step_s(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()

    async def step(name: str) -> None:
        with log_fields(canary=Ref("test", name), tick="t1"):
            await asyncio.sleep(0)
            log.warning("inside", extra={"step": 1})

    await asyncio.gather(step("a"), step("b"))
    log.info("outside")
    lines = logged(capsys)
    assert [(line.get("canary"), line.get("tick"), line["msg"]) for line in lines] == [
        ("a.test", "t1", "inside"),
        ("b.test", "t1", "inside"),
        (None, None, "outside"),
    ]
    assert lines[0]["level"] == "warn"


def test_an_error_carries_its_stack_in_the_same_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    names: dict[str, str] = {}
    try:
        names["podinfo"]
    except KeyError:
        log.exception("lost")
    (line,) = logged(capsys)
    assert line["level"] == "error"
    assert "KeyError: 'podinfo'" in str(line["stacktrace"])
    assert "test_telemetry.py" in str(line["stacktrace"])


def test_what_is_no_json_is_written_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging()
    log.info("odd", extra={"value": float("inf"), "error": ValueError("x"), "keys": {1: "a"}})
    (line,) = logged(capsys)
    assert (line["value"], line["error"], line["keys"]) == (None, "x", {"1": "a"})


def test_python_warnings_are_log_lines_and_third_parties_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old", stacklevel=1)
    logging.getLogger("httpx").info("request")
    log.debug("detail")
    (line,) = logged(capsys)
    assert line["logger"] == "py.warnings"


def test_the_console_has_colours_on_a_terminal_unless_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    record = logging.makeLogRecord({"levelname": "WARNING", "msg": "held", "canary": "podinfo.test"})
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert ConsoleFormatter(terminal=True).format(record).endswith(" \x1b[33mwarn \x1b[0m held  canary=podinfo.test")
    assert ConsoleFormatter(terminal=False).format(record).endswith(" warn  held  canary=podinfo.test")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in ConsoleFormatter(terminal=True).format(record)


async def fetch(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
        return response.status, await response.text()


async def test_metrics_count_by_kind_and_never_by_canary() -> None:
    metrics = Metrics()
    metrics.step("committed", 0.02)
    metrics.tick(-1)
    metrics.api_call("get", "canaries", 200)
    metrics.message("tick", "ack")
    probes = Probes(metrics.registry, {})
    port = await probes.start(0, "127.0.0.1")
    try:
        status, text = await fetch(port, "/metrics")
    finally:
        await probes.stop()
    assert status == 200
    for line in (
        'canarybus_steps_total{result="committed"} 1.0',
        "canarybus_step_duration_seconds_count 1.0",
        'canarybus_tick_lag_seconds_bucket{le="0.01"} 1.0',
        'canarybus_api_calls_total{code="200",resource="canaries",verb="get"} 1.0',
        'canarybus_messages_total{kind="tick",outcome="ack"} 1.0',
        "process_resident_memory_bytes",
    ):
        assert line in text


async def test_a_process_is_ready_only_when_every_check_is() -> None:
    bus: str | None = "not connected to NATS"

    async def of_bus() -> str | None:
        return bus

    async def hanging() -> str | None:
        await asyncio.Event().wait()
        return None

    async def broken() -> str | None:
        raise RuntimeError("odd")

    checks = {"bus": of_bus, "api": hanging, "own": broken}
    probes = Probes(Metrics().registry, checks, patience=0.05)
    port = await probes.start(0, "127.0.0.1")
    try:
        assert await fetch(port, "/healthz") == (200, "OK")
        assert await fetch(port, "/readyz") == (
            503,
            "bus: not connected to NATS\napi: no answer within 0.05s\nown: RuntimeError: odd\n",
        )
        bus = None
        assert "bus" not in await probes.failing()
    finally:
        await probes.stop()
    ready = Probes(Metrics().registry, {"bus": of_bus})
    port = await ready.start(0, "127.0.0.1")
    assert await fetch(port, "/readyz") == (200, "OK")
    await ready.stop()
