"""The acts of the demo. Each says what is to happen and then, in the same words, what was seen to happen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from deploy.sandbox.demo.stage import FINISH, Stage
from schemas.status import Phase

_FAULTS = 60.0
"""Requests per second that are made to fail: 4 % of all, where the checks allow 1 %."""
_MANY_FAULTS = 200.0
"""12 %, where the check allows 5 %."""


class Act(NamedTuple):
    """``play`` returns what happened; it is as told if that equals ``expected``."""

    name: str
    title: str
    expected: str
    play: Callable[[Stage], Awaitable[str]]


async def bootstrap(stage: Stage) -> str:
    """From the manifests to an application that is served by its primary."""
    stage.follower.begin()
    await stage.application.install()
    status = await stage.ended(Phase.INITIALIZED)
    return f"{status.phase.value}; {await stage.versions_seen()} answers"


async def promotion(stage: Stage) -> str:
    await stage.application.apply("canary")
    since = stage.follower.begin()
    await stage.roll_out("6.0.1")
    await stage.ended(Phase.SUCCEEDED, seconds=90)
    weights = " ".join(map(str, stage.weights(since)))
    return f"Succeeded: weights {weights}; the primary runs {await stage.application.primary_version()}"


async def restart(stage: Stage) -> str:
    await stage.application.apply("canary")
    stage.follower.begin()
    first = await stage.roll_out("6.0.2")
    await stage.weight(10)
    again = await stage.roll_out("6.0.3")
    there = await stage.weight(5)
    await stage.command("promote", "shown twice is enough")
    done = await stage.ended(Phase.SUCCEEDED)
    runs = await stage.application.primary_version()
    restarted = again.canary_revision != first.canary_revision and again.canary_weight == 0
    new_one = done.promoted_revision == again.canary_revision
    return (
        f"{'restarted from 0' if restarted else 'not restarted'}, at {there.canary_weight} the command promote; "
        f"Succeeded with the {'new' if new_one else 'old'} revision, the primary runs {runs}"
    )


async def errors(stage: Stage) -> str:
    return await _rolled_back(stage, "canary-rollback", "6.0.4", "/status/500", "success rate")


async def latency(stage: Stage) -> str:
    return await _rolled_back(stage, "canary-rollback", "6.0.5", "/delay/2", "request duration")


async def custom_metric(stage: Stage) -> str:
    return await _rolled_back(stage, "canary-custom-metric", "6.0.6", "/status/404", "404s percentage", _MANY_FAULTS)


async def _rolled_back(stage: Stage, manifest: str, version: str, path: str, check: str, rate: float = _FAULTS) -> str:
    """Faults from the first step on; the users stay on what the primary ran before."""
    before = await stage.application.primary_version()
    await stage.application.apply(manifest)
    since = stage.follower.begin()
    told = len(stage.follower.events)
    await stage.roll_out(version)
    await stage.weight(5)
    async with stage.faults(path, rate):
        await stage.follower.until(lambda status: status.phase is Phase.FAILED, "Failed", seconds=FINISH)
    failed = await stage.ended(Phase.FAILED)
    halts = [event.message for event in stage.follower.events[told:] if event.message.startswith("Halt ")]
    named = [check] if any(check in message for message in halts) else halts
    kept = await stage.application.primary_version() == before
    seen = await stage.versions_seen()
    return (
        f"Failed after {failed.failed_checks} failed checks of {', '.join(named)}; "
        f"{'unchanged' if kept else 'changed'} primary answers"
        f"{'' if seen == before and stage.weights(since) else f', but users see {seen}'}"
    )


async def ab(stage: Stage) -> str:
    """Insiders get the canary, everybody else the primary, and nobody a 404."""
    before = await stage.application.primary_version()
    await stage.application.apply("canary-ab")
    stage.follower.begin()
    async with stage.users_with("X-Canary: insider", {"X-Canary": "insider"}) as insiders:
        await stage.roll_out("6.0.7")
        await stage.weight(100)
        stage.users.mark()
        insiders.mark()
        last = await stage.follower.until(lambda status: status.phase is Phase.PROMOTING, "Promoting")
        everybody, chosen = stage.users.since_mark, insiders.since_mark
        shares = f"{chosen.share('6.0.7'):.0f} % of insiders, {everybody.share(before):.0f} % of the others on"
        missed = everybody.statuses[404] + chosen.statuses[404]
        await stage.ended(Phase.SUCCEEDED)
    runs = await stage.application.primary_version()
    rounds = f"{last.iterations} rounds" if everybody.requests and chosen.requests else "nobody asked"
    return f"{rounds}, {shares} the primary, {missed} got 404; Succeeded with {runs}"


async def user_agent(stage: Stage) -> str:
    """By a regular expression on the browser; ended from the bus, as a person would with the nats program."""
    before = await stage.application.primary_version()
    await stage.application.apply("canary-ab-user-agent")
    stage.follower.begin()
    browser = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:95.0) Gecko/20100101 Firefox/95.0"}
    async with stage.users_with("Firefox", browser) as chosen:
        await stage.roll_out("6.0.8")
        await stage.weight(100)
        stage.users.mark()
        chosen.mark()
        await chosen.wait_for(60)
        seen = f"{chosen.share('6.0.8'):.0f} % of Firefox, {stage.users.share(before):.0f} % of the others"
        await stage.command("abort", "seen enough")
        await stage.ended(Phase.FAILED)
    runs = await stage.application.primary_version()
    return (
        f"{seen} on the primary; aborted from the bus: Failed, the primary {'stays' if runs == before else 'changed'}"
    )


BOOTSTRAP = Act("bootstrap", "Bootstrap", "Initialized; 6.0.0 answers", bootstrap)
_WEIGHTS = "0 5 10 15 20 25 30 35 40 45 50"
ACTS = (
    Act(
        "promotion",
        "Promotion: 5 to 50 in steps",
        f"Succeeded: weights {_WEIGHTS}; the primary runs 6.0.1",
        promotion,
    ),
    Act(
        "restart",
        "A second push in mid-analysis",
        "restarted from 0, at 5 the command promote; Succeeded with the new revision, the primary runs 6.0.3",
        restart,
    ),
    Act(
        "errors",
        "Rollback on HTTP 500s",
        "Failed after 5 failed checks of success rate; unchanged primary answers",
        errors,
    ),
    Act(
        "latency",
        "Rollback on latency",
        "Failed after 5 failed checks of request duration; unchanged primary answers",
        latency,
    ),
    Act(
        "custom-metric",
        "Rollback on a custom metric (404s)",
        "Failed after 5 failed checks of 404s percentage; unchanged primary answers",
        custom_metric,
    ),
    Act(
        "ab",
        "A/B test by header",
        "10 rounds, 100 % of insiders, 100 % of the others on the primary, 0 got 404; Succeeded with 6.0.7",
        ab,
    ),
    Act(
        "user-agent",
        "A/B test by browser",
        "100 % of Firefox, 100 % of the others on the primary; aborted from the bus: Failed, the primary stays",
        user_agent,
    ),
)
