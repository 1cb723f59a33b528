"""Whatever goes wrong, the alert says why: the check, its value, limit and samples, who it was, and where to look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from handlers.core.alerting import EVERYWHERE, fields, told
from schemas.canary import Canary
from schemas.events import StepResult
from schemas.measurement import Measurement
from schemas.status import Phase
from tests.handlers.core.manifests import SUCCESS_RATE
from tests.handlers.core.rollouts import DEADLINE, progressing, with_hooks
from tests.handlers.core.world import World

RATE = "request-success-rate"
PULLING = "pod podinfo-1: ImagePullBackOff, image podinfo:9 of container podinfod"


def too_many_failed_checks() -> World:
    world = progressing(25, threshold=1)
    world.measured[RATE] = Measurement(name=RATE, outcome="value", value=42, samples=340)
    world.tick(2)
    return world


def a_lowered_threshold() -> World:
    world = progressing(25, threshold=5)
    world.answer(RATE, 42)
    world.tick(3)
    world.edit_analysis(threshold=1)
    return world


def a_judge_that_says_no() -> World:
    world = progressing(25, threshold=1)
    world.edit_analysis(metrics=[{"name": "orders", "templateRef": {"name": "t"}}])
    world.measured["orders"] = Measurement(name="orders", outcome="verdict", passed=False, detail="12 orders lost")
    world.tick(2)
    return world


def a_hook_that_fails() -> World:
    world = with_hooks("rollout", threshold=1)
    world.push("podinfo:2")
    world.tick()
    world.hooks["rollout"] = False
    world.tick(2)
    return world


def nothing_but_empty_answers() -> World:
    world = progressing(25)
    world.answer(RATE, outcome="empty", detail="no values found")
    world.tick(DEADLINE // 10 + 3)
    return world


def a_provider_out_of_reach() -> World:
    world = progressing(25)
    world.answer(RATE, outcome="unreachable", detail="connection refused")
    world.tick(2)
    return world


def providers_that_do_not_answer_at_the_start() -> World:
    world = World()
    world.edit_analysis(metrics=[SUCCESS_RATE])
    world.providers = "prometheus not avaiable: connection refused"
    world.tick(5)
    return world


def pods_that_do_not_start() -> World:
    world = progressing(0)
    world.push("podinfo:9")
    world.not_ready, world.pod_trouble = {"target"}, {"podinfo": PULLING}
    world.tick(DEADLINE // 10 + 2)
    return world


def a_primary_that_cannot_start() -> World:
    world = progressing(25)
    while world.phase is not Phase.PROMOTING:
        world.tick()
    world.not_ready, world.pod_trouble = {"primary"}, {"podinfo-primary": PULLING}
    world.tick(DEADLINE // 10 + 2)
    return world


def routes_that_the_gateway_refuses() -> World:
    world = progressing(25)
    world.says("Rejected")
    world.tick(DEADLINE // 10 + 3)
    return world


def a_target_that_is_gone() -> World:
    world = progressing(25)
    world.target = None
    world.tick()
    return world


def an_invalid_canary() -> World:
    world = progressing(25)
    world.edit(service={"port": 0})
    return world


def a_closed_gate() -> World:
    world = with_hooks("confirm-rollout")
    world.hooks["confirm-rollout"] = False
    world.push("podinfo:2")
    world.tick(2)
    return world


def a_rollback_hook() -> World:
    world = with_hooks("rollback")
    world.push("podinfo:2")
    world.tick(2)
    world.hooks["rollback"] = True
    world.tick()
    return world


def an_abort() -> World:
    world = progressing(25)
    world.command("abort", by="ana", reason="error budget")
    return world


def worst(world: World) -> tuple[str, dict[str, str]]:
    """The last alert that is no good news, as the receiver of everything hears it."""
    canary = Canary.from_object(world.item)
    for decision in reversed(world.decisions):
        last = decision.status.last_step
        if last is None or not any(notice.severity in ("warn", "error") for notice in decision.notices):
            continue
        result = StepResult.model_validate(
            {
                "namespace": "test",
                "name": "podinfo",
                "uid": "u",
                "step": last.step,
                "stimulus": last.stimulus,
                "time": last.time,
                "phase": last.phase.value,
                "weight": 0,
                "reason": last.reason,
                "message": last.message,
                "checks": last.checks,
                "notices": last.notices,
            }
        )
        about = told(canary, result, EVERYWHERE)
        assert about is not None
        return about.text, dict(fields(canary, result, about, ""))
    raise AssertionError("nobody was alarmed")


CHECK = {"Check": RATE, "Limit": "min 99"}
BAD_NEWS: list[tuple[Callable[[], World], str, dict[str, Any]]] = [
    (
        too_many_failed_checks,
        "threshold reached 1: Halt podinfo.test advancement success rate 42.00% < 99%",
        {**CHECK, "Value": "42", "Samples": "340"},
    ),
    (a_lowered_threshold, "threshold reached 3: Halt podinfo.test advancement success rate 42.00% < 99%", {}),
    (a_judge_that_says_no, "Halt podinfo.test advancement orders failed: 12 orders lost", {"Check": "orders"}),
    (a_hook_that_fails, "external check rollout failed no", {"Check": "rollout"}),
    (nothing_but_empty_answers, "no data for 60s: Halt advancement no values found for gloo metric", CHECK),
    (a_provider_out_of_reach, "Prometheus query failed: connection refused", CHECK),
    (providers_that_do_not_answer_at_the_start, "prometheus not avaiable: connection refused", {}),
    (pods_that_do_not_start, PULLING, {}),
    (a_primary_that_cannot_start, PULLING, {}),
    (routes_that_the_gateway_refuses, "RouteTable podinfo.test: its words", {}),
    (a_target_that_is_gone, "Deployment podinfo.test is gone", {}),
    (an_invalid_canary, "Canary podinfo.test is invalid: spec.service.port: missing", {}),
    (a_closed_gate, "Canary is waiting for approval.", {"Gate": "confirm-rollout: no"}),
    (a_rollback_hook, "Rolling back manual webhook invoked", {"Reason": "Rollback check rollback passed"}),
    (an_abort, "Rolling back podinfo.test aborted by ana: error budget", {}),
]


@pytest.mark.parametrize(("happens", "words", "facts"), BAD_NEWS, ids=[case[0].__name__ for case in BAD_NEWS])
def test_the_alert_says_why_and_where_to_look(happens: Callable[[], World], words: str, facts: dict[str, str]) -> None:
    text, shown = worst(happens())
    assert words in text
    assert shown.pop("Where to look") == "kubectl -n test describe canary podinfo"
    assert {key: shown.get(key) for key in facts} == facts
