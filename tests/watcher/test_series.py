"""The peer's gauges as a scrape of the watcher shows them."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry

from schemas.canary import Canary
from schemas.settings import Settings
from watcher.compare import Meta
from watcher.fleet import Fleet
from watcher.index import Key
from watcher.series import FleetSeries
from watcher.stream import Moved
from watcher.watched import Watched

BUILT_IN = ({"name": "request-success-rate"}, {"name": "request-duration"})


def manifest(
    name: str, phase: str, namespace: str = "test", metrics: tuple[dict[str, Any], ...] = BUILT_IN, **status: Any
) -> dict[str, Any]:
    analysis = {"stepWeight": 10, "metrics": list(metrics)}
    spec = {"targetRef": {"name": name}, "service": {"port": 80}, "analysis": analysis}
    metadata = {"name": f"{name}-canary", "namespace": namespace, "uid": name, "resourceVersion": "1", "generation": 1}
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase, **status}}


def watched(name: str, phase: str, namespace: str = "test", **more: Any) -> Watched:
    return Watched.of(Canary.from_object(manifest(name, phase, namespace, **more)), min_interval=10)


def registry_of(canaries: list[Watched]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(FleetSeries(lambda: canaries, "1.2.3", "gloo"))
    return registry


def status(registry: CollectorRegistry, name: str) -> float | None:
    return registry.get_sample_value("flagger_canary_status", {"name": name, "namespace": "test"})


def test_a_status_is_running_good_or_bad() -> None:
    phases = {"a": "Progressing", "b": "Promoting", "c": "Succeeded", "d": "Failed", "e": "Initialized", "f": "Waiting"}
    registry = registry_of([watched(name, phase) for name, phase in phases.items()])
    assert [status(registry, name) for name in phases] == [0, 0, 1, 2, 1, 1]


def test_weights_of_both_workloads_are_told_for_idle_canaries_too() -> None:
    registry = registry_of([watched("a", "Progressing", canaryWeight=30), watched("b", "Succeeded"), watched("c", "")])

    def weight(workload: str) -> float | None:
        return registry.get_sample_value("flagger_canary_weight", {"workload": workload, "namespace": "test"})

    assert [weight("a"), weight("a-primary"), weight("b"), weight("b-primary")] == [30, 70, 0, 100]
    assert weight("c") is None


def test_the_last_value_of_each_metric_is_told_and_durations_in_seconds() -> None:
    checks = [
        {"name": "request-success-rate", "verdict": "pass", "value": 99.5},
        {"name": "request-duration", "verdict": "pass", "value": 250},
        {"name": "gate", "verdict": "pass"},
    ]
    registry = registry_of([watched("a", "Progressing", lastStep={"step": 1, "checks": checks})])
    assert [value(registry, name) for name in ("request-success-rate", "request-duration", "gate")] == [
        99.5,
        0.25,
        None,
    ]


def test_the_last_value_stays_when_steps_come_without_checks_or_without_that_one() -> None:
    fleet = Fleet(Settings(min_interval=1), now=lambda: 0)
    registry = CollectorRegistry()
    registry.register(FleetSeries(fleet.canaries, "1.2.3", "gloo"))

    def step(phase: str, **values: float) -> None:
        checks = [{"name": name.replace("_", "-"), "verdict": "pass", "value": found} for name, found in values.items()]
        item = manifest("a", phase, lastStep={"step": 1, "checks": checks})
        fleet.moved(Moved(Key("Canary", "test", "a-canary"), None, Meta.of(item), item))

    step("Progressing", request_success_rate=99.5, request_duration=250)
    step("Progressing")
    step("Progressing", request_duration=500)
    step("Finalising")
    step("Succeeded")
    assert [value(registry, name) for name in ("request-success-rate", "request-duration")] == [99.5, 0.5]


def test_a_template_of_a_built_in_name_is_told_as_it_is_beside_the_built_in_value() -> None:
    checks = [
        {"name": "request-duration", "verdict": "pass", "value": 250},
        {"name": "request-duration #2", "verdict": "pass", "value": 250},
    ]
    for own in ({"templateRef": {"name": "latency"}}, {"query": "up"}):
        metrics = ({"name": "request-duration", **own},)
        registry = registry_of([watched("a", "Progressing", metrics=metrics, lastStep={"step": 1, "checks": checks})])
        assert [value(registry, key) for key in ("request-duration", "request-duration #2")] == [0.25, 250]


def test_two_metrics_of_one_name_have_a_series_each() -> None:
    checks = [{"name": key, "verdict": "pass", "value": found} for key, found in (("errors", 1), ("errors #2", 2))]
    metrics = ({"name": "errors", "query": "a"}, {"name": "errors", "query": "b"})
    registry = registry_of([watched("a", "Progressing", metrics=metrics, lastStep={"step": 1, "checks": checks})])
    assert [value(registry, key) for key in ("errors", "errors #2")] == [1, 2]


def value(registry: CollectorRegistry, metric: str) -> float | None:
    labels = {"name": "a", "namespace": "test", "metric": metric}
    return registry.get_sample_value("flagger_canary_metric_analysis", labels)


def test_series_end_with_their_canary_and_namespaces_with_their_last_one() -> None:
    canaries = [watched("a", "Succeeded"), watched("b", "Succeeded", namespace="prod")]
    registry = registry_of(canaries)
    total = {"namespace": "prod"}
    assert registry.get_sample_value("flagger_canary_total", total) == 1
    assert registry.get_sample_value("flagger_info", {"version": "1.2.3", "mesh_provider": "gloo"}) == 1
    canaries.pop()
    assert registry.get_sample_value("flagger_canary_total", total) is None
    canaries.clear()
    assert status(registry, "a") is None
