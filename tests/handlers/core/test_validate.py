"""What is wrong with a Canary: the field, what it is, and the remedy."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.core.observation import Observation, Rules
from handlers.core.patterns import program_size, regex_problem
from handlers.core.validate import problems
from schemas.canary import Canary
from schemas.events import Change, ChangeReason
from schemas.status import Phase
from tests.handlers.core.cluster import START
from tests.handlers.core.manifests import (
    DURATION,
    SUCCESS_RATE,
    ab_testing,
    blue_green,
    hook,
    podinfo,
    stepped,
    weighted,
)

CHANGE = Change(namespace="test", name="podinfo", uid="u", reason=ChangeReason.SPEC)


def found(spec: Any, *, phase: Phase = Phase.INITIALIZED, **seen: Any) -> tuple[str, ...]:
    metadata = {"name": "podinfo", "namespace": "test", "uid": "u", "generation": 1}
    ours = Canary.from_object({"metadata": metadata, "spec": spec, "status": {"phase": phase.value}})
    return problems(ours, Observation(now=START, stimulus=CHANGE, **{"target": podinfo(), **seen}))


def with_match(**value: str) -> dict[str, Any]:
    return ab_testing(match=[{"headers": {"user-agent": value}}])


def with_metric(**metric: Any) -> dict[str, Any]:
    return weighted(metrics=[{**SUCCESS_RATE, **metric}])


@pytest.mark.parametrize(
    "spec",
    [
        weighted(),
        stepped(1, 50, 100),
        ab_testing(),
        blue_green(),
        weighted(stepWeight=0) | {"skipAnalysis": True},
        weighted(interval="500ms"),
        weighted(stepWeight=200),
        stepped(20, 120),
        blue_green(mirror=True),
        ab_testing(mirror=True),
        weighted(interval="1m30s"),
        weighted(interval=""),
        weighted(interval="1min"),
        weighted(interval="0s"),
        stepped(50, 20),
        stepped(20, 20),
        stepped(10, 60, 30, 50),
        weighted(primaryReadyThreshold=101, canaryReadyThreshold=-1),
        blue_green(canaryReadyThreshold=0),
        weighted(match=[{"sourceLabels": {"app": "front"}}]),
        ab_testing(match=[{"queryParams": {"v": {"exact": "2"}}}, {}]),
        with_metric(name="mine", query="rate(errors[1m])", interval="1min"),
        with_metric(name="mine", templateRef={"name": "t"}, interval="1min"),
        with_metric(interval="90m"),
        weighted(webhooks=[hook("rollout", timeout="1min"), hook("", url="HTTPS://Gate.test/")]),
        weighted(webhooks=[hook(kind, url="gate") for kind in ("event", "post-rollout", "rollback")]),
        weighted(threshold=0),
        weighted(threshold=-1),
        weighted() | {"progressDeadlineSeconds": 0},
        weighted(metrics=[{"name": "errors", "interval": "1min"}], webhooks=[hook("rollout", url="gate")], mirror=True)
        | {"skipAnalysis": True},
        with_metric(name="mine", query="up", thresholdRange={"min": 1, "max": 1}),
        with_metric(name="mine", templateRef={"name": "t"}),
        weighted(metrics=[SUCCESS_RATE, SUCCESS_RATE]),
        weighted(webhooks=[hook("rollout", url="nats://gate.check", timeout="2m")]),
        with_match(regex=".*Firefox.*"),
        with_match(regex="x" * 1000),
        with_match(exact="x" * 2000),
        weighted() | {"provider": "gloo:v1", "service": {"port": 65535}},
    ],
)
def test_a_good_canary_has_no_problems(spec: dict[str, Any]) -> None:
    assert found(spec) == ()


@pytest.mark.parametrize(
    ("spec", "field", "remedy"),
    [
        (weighted() | {"service": {}}, "spec.service.port: missing", "give the port of the Service, 1 to 65535"),
        (weighted() | {"service": {"port": 70000}}, "spec.service.port: 70000", "1 to 65535"),
        (weighted(stepWeight=0), "spec.analysis: no step is defined", "set stepWeight, stepWeights or iterations"),
        (weighted(stepWeight=-5), "spec.analysis.stepWeight: -5", "use 1 to 100"),
        (stepped(30, 20, 50), "spec.analysis.stepWeights: [30, 20, 50]", "sort them"),
        (stepped(50, 20, 0), "spec.analysis.stepWeights: [50, 20, 0]", "percentages from 1 to 100"),
        (stepped(20, 20, 30), "spec.analysis.stepWeights: [20, 20, 30]", "must rise from step to step"),
        (stepped(0, 20), "spec.analysis.stepWeights: [0, 20]", "percentages from 1 to 100"),
        (weighted(mirror=True), "spec.analysis.mirror", "remove it or set it to false"),
        (with_match(regex="(?!curl)"), "spec.analysis.match[0].headers.user-agent.regex: '(?!curl)'", "RE2"),
        (with_match(suffix="x" * 1100), "spec.analysis.match[0].headers.user-agent.suffix", "1024 at most; shorten it"),
        (ab_testing(match=[{"headers": {"": {"exact": "x"}}}]), "spec.analysis.match[0].headers: ''", "on one line"),
        (
            ab_testing(match=[{"headers": {"a\nb": {"exact": "x"}}}]),
            r"spec.analysis.match[0].headers: 'a\nb'",
            "on one line",
        ),
        (with_match(), "spec.analysis.match[0].headers.user-agent", "exactly one of exact, prefix, suffix and regex"),
        (with_match(exact="a", prefix="b"), "spec.analysis.match[0].headers.user-agent", "give exactly one"),
        (with_metric(name="errors"), "spec.analysis.metrics[0].name: 'errors'", "give it a query or a templateRef"),
        *(
            (with_metric(interval=text), f"spec.analysis.metrics[0].interval: '{text}'", "write it as 30s, 1m or 1m30s")
            for text in ("1min", "1m30", "90 s", "0s", "30m1h", "1m.5s")
        ),
        (
            with_metric(name="mine", query="rate(errors[{{ interval }}])", interval="1min"),
            "spec.analysis.metrics[0].interval: '1min'",
            "write it as 30s, 1m or 1m30s",
        ),
        (
            with_metric(name=DURATION["name"], templateRef={"name": "t"}, interval="1min"),
            "spec.analysis.metrics[0].interval: '1min'",
            "write it as 30s, 1m or 1m30s",
        ),
        (
            with_metric(thresholdRange={"min": 5, "max": 1}),
            "spec.analysis.metrics[0].thresholdRange: min 5 is above max 1",
            "no value can pass",
        ),
        (weighted(webhooks=[hook("later")]), "spec.analysis.webhooks[0].type: 'later'", "use rollout, pre-rollout"),
        (
            weighted(webhooks=[hook("rollout", url="gate")]),
            "spec.analysis.webhooks[0].url: 'gate'",
            "start it with http://, https:// or nats://",
        ),
        (
            weighted(webhooks=[hook("rollback", url="nats://canary.command.promote.prod.shop")]),
            "spec.analysis.webhooks[0].url: 'nats://canary.command.promote.prod.shop' is a subject of our own",
            "use another one, or one under canary.hook.",
        ),
        (
            weighted(webhooks=[hook("rollback", url="nats://gates.>")]),
            "spec.analysis.webhooks[0].url: 'nats://gates.>' names no subject of a gate",
            "write it as nats://canary.hook.approval",
        ),
        (
            weighted(webhooks=[hook("confirm-rollout", url="gate")]) | {"skipAnalysis": True},
            "spec.analysis.webhooks[0].url: 'gate'",
            "start it with http://, https:// or nats://",
        ),
        (
            weighted() | {"targetRef": {"kind": "StatefulSet", "name": "podinfo"}},
            "spec.targetRef.kind: StatefulSet",
            "use a Deployment",
        ),
        (weighted() | {"service": {"port": "eighty"}}, "spec.service.port", "integer"),
        ({"service": {"port": 80}}, "spec.targetRef", "required"),
    ],
)
def test_a_bad_field_is_named_with_what_it_is_and_the_remedy(spec: dict[str, Any], field: str, remedy: str) -> None:
    (problem,) = found(spec)
    assert problem.startswith(field)
    assert remedy in problem


def test_all_problems_are_told_at_once() -> None:
    assert len(found(weighted(stepWeight=0, mirror=True, metrics=[{"name": "errors"}]) | {"service": {}})) == 4


# ---- what it refers to


@pytest.mark.parametrize("phase", [Phase.NEW, Phase.INITIALIZING, Phase.INITIALIZED, Phase.WAITING, Phase.FAILED])
def test_a_missing_target_is_a_problem_while_no_rollout_runs(phase: Phase) -> None:
    (problem,) = found(weighted(), phase=phase, target=None)
    assert problem == "spec.targetRef: Deployment podinfo.test not found; create it or mend the name"


@pytest.mark.parametrize("phase", [Phase.PROGRESSING, Phase.WAITING_PROMOTION, Phase.PROMOTING, Phase.FINALISING])
def test_a_target_that_goes_missing_in_a_rollout_ends_it_instead(phase: Phase) -> None:
    assert found(weighted(), phase=phase, target=None) == ()


def test_a_target_without_a_selector_label_names_those_that_would_do() -> None:
    target = podinfo()
    target["spec"]["selector"]["matchLabels"] = {"tier": "front"}
    (problem,) = found(weighted(), target=target)
    assert problem == (
        "deployment podinfo.test spec.selector.matchLabels must contain one of [app name app.kubernetes.io/name]; "
        "add one, or name yours in CANARYBUS_SELECTOR_LABELS"
    )


def test_two_canaries_on_one_target_are_told_to_the_younger() -> None:
    (problem,) = found(weighted(), older_twin="elder.test")
    assert problem.startswith("spec.targetRef: podinfo already belongs to Canary elder.test")


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (
            weighted() | {"upstreamRef": {"name": "up", "namespace": "other"}},
            "can't access gloo upstream up.other, cross-namespace references are blocked",
        ),
        (
            with_metric(templateRef={"name": "t", "namespace": "other"}),
            "can't access metric template t.other, cross-namespace references are blocked",
        ),
        (
            weighted(alerts=[{"name": "a", "providerRef": {"name": "p", "namespace": "other"}}]),
            "can't access alert provider p.other, cross-namespace references are blocked",
        ),
    ],
)
def test_references_to_other_namespaces_are_refused_only_where_that_is_asked_for(
    spec: dict[str, Any], problem: str
) -> None:
    assert found(spec) == ()
    assert found(spec, rules=Rules(no_cross_namespace_refs=True)) == (problem,)


def test_references_to_the_own_namespace_are_never_refused() -> None:
    spec = with_metric(templateRef={"name": "t", "namespace": "test"}) | {"upstreamRef": {"name": "up"}}
    assert found(spec, rules=Rules(no_cross_namespace_refs=True)) == ()


@pytest.mark.parametrize("pattern", ["^a.*b$", "(?i)firefox", "", r"\d+"])
def test_a_regex_that_the_gateway_accepts_is_no_problem(pattern: str) -> None:
    assert regex_problem(pattern) == ""


@pytest.mark.parametrize("pattern", ["(", "(?<!a)b", "a{2000}", "[z-a]", r"\1"])
def test_a_regex_that_the_gateway_refuses_is_told_in_its_words(pattern: str) -> None:
    assert regex_problem(pattern)


def test_a_regex_is_refused_beyond_the_size_that_the_gateway_is_set_to_and_told_what_to_raise() -> None:
    spec, size = with_match(regex="x" * 200), program_size("x" * 200)
    assert found(spec, rules=Rules(regex_max_program_size=size)) == ()
    (problem,) = found(spec, rules=Rules(regex_max_program_size=size - 1))
    assert problem == (
        f"spec.analysis.match[0].headers.user-agent.regex: its program size is {size}, and the gateway takes "
        f"{size - 1} at most; shorten it, or raise regexMaxProgramSize in Gloo's Settings and "
        "CANARYBUS_REGEX_MAX_PROGRAM_SIZE with it"
    )


def test_an_unknown_webhook_type_does_not_keep_anybody_from_telling_the_problem() -> None:
    metadata = {"name": "podinfo", "namespace": "test"}
    ours = Canary.from_object({"metadata": metadata, "spec": weighted(webhooks=[hook("later"), hook("event")])})
    assert [item.name for item in ours.spec.analysis.webhooks] == ["later", "event"]
    assert problems(ours, Observation(now=START, stimulus=CHANGE, target=podinfo()))
