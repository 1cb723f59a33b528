"""The demo from the first part to the table at the end."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats

from deploy.sandbox.application import PODINFO, Application
from deploy.sandbox.demo.acts import ACTS, BOOTSTRAP, Act
from deploy.sandbox.demo.scene import Outcome, Scene
from deploy.sandbox.demo.shares import ENOUGH, Shares, words
from deploy.sandbox.demo.stage import Stage
from deploy.sandbox.demo.view import View, view_of
from deploy.sandbox.follow import NeverSeenError, following
from deploy.sandbox.installation import connected
from deploy.sandbox.load import Load
from deploy.sandbox.memory import Taken, table, taken_by
from deploy.sandbox.sandbox import HOST, Sandbox
from handlers.adapters.round_trip import round_trip
from schemas.status import CanaryStatus, Phase

RATE = 1500.0
"""Users' requests per second: enough for each step to tell its weight, chance being what it is."""
AT_ONCE = 30
"""Three are under way where the machine is quick enough; where it is not, its slowness is no fault of the canary."""


async def demo(name: str | None, *, verbose: bool) -> int:
    """Plays all acts, or the one called ``name`` after the bootstrap. 0 if everything was as told."""
    scene = Scene()
    view = view_of(scene)
    started = time.monotonic()
    async with Sandbox(say=view.line) as sandbox, _stage(sandbox, scene, view) as stage:
        view.line(f"{'sandbox':<11} ready after {time.monotonic() - started:.1f} s\n")
        playing = asyncio.create_task(_play(stage, scene, view, [act for act in ACTS if _chosen(act, name)]))
        dying = asyncio.create_task(sandbox.died())
        try:
            await asyncio.wait((playing, dying), return_when=asyncio.FIRST_COMPLETED)
            if dying.done():
                dying.result()
            playing.result()
        finally:
            for task in (playing, dying):
                task.cancel()
            await asyncio.gather(playing, dying, return_exceptions=True)
        memory = taken_by(os.getpid()) if verbose else []
        return _close(stage, scene, view, memory)


def _chosen(act: Act, name: str | None) -> bool:
    """``ab`` is both A/B tests."""
    return name in (None, act.name) or (name == "ab" and act.name == "user-agent")


@asynccontextmanager
async def _stage(sandbox: Sandbox, scene: Scene, view: View) -> AsyncIterator[Stage]:
    bus = await nats.connect(sandbox.nats_url)
    await bus.subscribe("canary.result.>", cb=scene.result)
    await round_trip(bus)
    users = Load(sandbox.gateway_url, host=HOST, rate=RATE, at_once=AT_ONCE)
    shares = Shares(users)
    try:
        async with connected(sandbox.kubeconfig) as kube, following(kube, PODINFO) as follower:
            stage = Stage(Application(kube), follower, users, bus, sandbox.gateway_url, shares)
            scene.others = stage.others
            follower.listeners += [scene.see, shares]
            follower.told += [scene.hear, view.event]
            yield stage
    finally:
        await bus.close()


async def _play(stage: Stage, scene: Scene, view: View, acts: list[Act]) -> None:
    scene.began = time.monotonic()
    with view:
        starting = asyncio.create_task(_users(stage, scene))
        try:
            for act in (BOOTSTRAP, *acts):
                await _act(act, stage, scene, view)
                if not scene.outcomes[-1].as_told and act is BOOTSTRAP:
                    return
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)


async def _users(stage: Stage, scene: Scene) -> None:
    """They come as soon as the application says that it is initialised, and stay until the end."""
    initialised = asyncio.Event()

    def listen(status: CanaryStatus, _in_force: int) -> None:
        if status.phase is Phase.INITIALIZED:
            initialised.set()

    stage.follower.listeners.append(listen)
    await initialised.wait()
    scene.users = stage.users
    async with stage.users:
        await asyncio.Event().wait()


async def _act(act: Act, stage: Stage, scene: Scene, view: View) -> None:
    view.line(f"\n{act.title}\n  expected: {act.expected}")
    scene.begin(act)
    began, steps, failed = time.monotonic(), len(stage.shares.steps), stage.users.total.failed
    try:
        happened = await act.play(stage)
    except NeverSeenError as error:
        happened = str(error)
    happened += _remarks(stage, steps, failed)
    scene.outcomes.append(Outcome(act.title, act.expected, happened, time.monotonic() - began))
    for step in stage.shares.steps[steps:]:
        view.line(f"  weight {step.weight:>3} %: {step.share:5.1f} % of {step.requests} requests ({step.off:+.1f})")
    view.line(f"  happened: {happened}")


def _remarks(stage: Stage, steps: int, failed: int) -> str:
    """What must not happen in any act; empty when it did not."""
    remarks = []
    if lost := stage.users.total.failed - failed:
        remarks.append(f"{lost} of the users' requests failed: {dict(stage.users.total.failures)}")
    unfair = [step for step in stage.shares.steps[steps:] if step.requests >= ENOUGH and not step.fair]
    remarks += [f"{step.share:.1f} % of {step.requests} requests at weight {step.weight}" for step in unfair]
    return "".join(f"; but {remark}" for remark in remarks)


def _close(stage: Stage, scene: Scene, view: View, memory: list[Taken]) -> int:
    view.table(scene.outcomes)
    users = stage.users.total
    view.line(f"users: {users.requests} requests, {users.failed} failed {dict(users.failures) or ''}".rstrip())
    for name, counts in stage.others.items():
        meant = f", {dict(counts.provoked)} as provoked" if counts.provoked else ""
        view.line(f"{name}: {counts.requests} requests, {counts.failed} failed{meant}")
    if said := words(stage.shares.steps):
        view.line(f"shares: {said}")
    view.line(f"acts: {sum(outcome.seconds for outcome in scene.outcomes):.0f} s")
    for line in table(memory) if memory else ():
        view.line(line)
    return 0 if all(outcome.as_told for outcome in scene.outcomes) and not _lost(stage) else 1


def _lost(stage: Stage) -> int:
    return stage.users.total.failed + sum(counts.failed for counts in stage.others.values())
