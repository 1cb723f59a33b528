"""The one way through, whatever woke us: observe, decide, commit, project, tell. Start here after ``app``.

Everything that happened is acked only after this has returned; whatever it could not do, the next wake finds undone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from handlers.adapters.bus import Bus
from handlers.adapters.errors import AdapterError, Conflict, NotFound, PermanentError, TransientError
from handlers.adapters.kube import Kube
from handlers.ask import Asker
from handlers.core.aftermath import carried_out, obstructed
from handlers.core.configs import Revision, absent
from handlers.core.draft import Decision
from handlers.core.inherited import found_revisions
from handlers.core.observation import Answers
from handlers.core.plan import plan
from handlers.core.signals import as_command
from handlers.core.step import step
from handlers.objects import snapshots
from handlers.objects.farewell import farewell
from handlers.observe import Observer, Sight
from handlers.project import Projected, Projector
from handlers.telling import SOURCE, Count, Teller, count_nothing, unreadable
from schemas.base import merge_patch
from schemas.canary import Canary, HookType, Ref
from schemas.events import Change, ChangeReason, Command, Reply, Stimulus
from schemas.resources import CANARY
from schemas.settings import Settings
from schemas.status import CanaryStatus, UnreadableStatusError

_COMMITS = 3
"""Tries at the status write before the wake is left to its successor."""
_REFUSED = 30.0
"""Seconds until something that the API server refused is tried again."""
_SLOW = 1.0
"""Seconds of asking after which the world is looked at once more before a verdict."""


def _untimed(_outcome: str, _seconds: float) -> None:
    """For those who do not count."""


@dataclass(frozen=True)
class Kept:
    """Answers from a try whose commit lost: used again only for the same question."""

    asked_for: tuple[object, ...]
    answers: Answers


@dataclass
class Ear:
    """The signal of a rollback hook that was heard in this wake and is not committed yet."""

    signal: Command | None = None


class Advance:
    """Moves one Canary one step; safe to call from anywhere, any number of times."""

    def __init__(
        self,
        kube: Kube,
        bus: Bus,
        asker: Asker,
        settings: Settings,
        *,
        observer: Observer | None = None,
        timed: Callable[[str, float], None] = _untimed,
        count: Count = count_nothing,
    ) -> None:
        """``timed`` hears of every wake: what came of it in a word, and how many seconds it took.

        ``count`` hears of every commit (:class:`handlers.telling.Teller`).
        """
        self._timed = timed
        self._kube = kube
        self._bus = bus
        self._teller = Teller(kube, bus, settings, count)
        self._asker = asker
        self._settings = settings
        self._observer = observer or Observer(kube, settings)
        self._projector = Projector(kube, settings, self._observer)

    async def __call__(self, ref: Ref, stimulus: Stimulus) -> Reply:
        """Raises :class:`TransientError` when others keep winning the commit; the next wake decides then."""
        started = time.monotonic()
        try:
            reply, outcome = await self._advance(ref, stimulus, started)
        except BaseException:
            self._timed("failed", time.monotonic() - started)
            raise
        self._timed(outcome, time.monotonic() - started)
        return reply

    async def _advance(self, ref: Ref, stimulus: Stimulus, started: float) -> tuple[Reply, str]:
        ear = Ear()
        try:
            return await self._try(ref, stimulus, started, ear)
        except (AdapterError, UnreadableStatusError, asyncio.CancelledError) as error:
            if ear.signal is not None:
                # it may be given once only: as a command it is kept until it can be obeyed
                await self._bus.publish(ear.signal, source=SOURCE)
            if isinstance(error, UnreadableStatusError):
                return await self._leave(ref, stimulus, error), "unreadable"
            if isinstance(error, PermanentError):
                # somebody may give a right, raise a quota, install what is missing
                raise TransientError(str(error), delay=_REFUSED) from error
            raise

    async def _try(self, ref: Ref, stimulus: Stimulus, started: float, ear: Ear) -> tuple[Reply, str]:
        kept: Kept | None = None
        for _ in range(_COMMITS):
            sight = await self._look(ref, stimulus, started)
            if sight is None:
                await self._farewell(stimulus)
            if sight is None or not self._concerns(sight.canary, stimulus):
                return _absent(ref), "foreign"
            sight = await self._teller.tell_again(sight)
            kept = await self._ask(sight, kept, ear)
            seen = sight.seen.model_copy(update={"answers": kept.answers if kept else None})
            sight = sight._replace(seen=seen)
            decision = step(sight.canary, seen)
            try:
                committed = await self._commit(sight, decision)
            except (Conflict, NotFound):
                # changed or deleted meanwhile: the next look says which
                continue
            except PermanentError as error:
                await self._refused(sight, error, started)
            ear.signal = None
            await self._carry_out(sight, committed, stimulus, started)
            return decision.reply or _told(committed), "committed" if decision.changed else "unchanged"
        raise TransientError(f"Canary {ref} is being changed by others; left to the next wake")

    async def _look(self, ref: Ref, stimulus: Stimulus, started: float) -> Sight | None:
        """What may not be read is said like what may not be written."""
        try:
            return await self._observer.look(ref, stimulus)
        except PermanentError as error:
            glimpse = await self._observer.glimpse(ref, stimulus)
            if glimpse is None or not self._concerns(glimpse.canary, stimulus):
                return glimpse
            await self._refused(await self._teller.tell_again(glimpse), error, started)

    async def _farewell(self, stimulus: Stimulus) -> None:
        if isinstance(stimulus, Change) and stimulus.reason is ChangeReason.DELETED:
            result = await farewell(self._kube, stimulus, self._observer.now())
            if result is not None:
                await self._teller.say(result)

    async def _leave(self, ref: Ref, stimulus: Stimulus, why: UnreadableStatusError) -> Reply:
        """To the release that wrote its status: an older one would decide from half of it. Nothing can be noted there.

        Said in a result whose step no commit has: as often as it is met, it is told once.
        """
        item = await self._kube.find(CANARY, ref.namespace, ref.name)
        canary = Canary.without_status(item) if item else None
        if canary is None or not self._concerns(canary, stimulus):
            return _absent(ref)
        text = f"Canary {ref} is left alone: {why}"
        await self._teller.say(unreadable(canary, stimulus, text, self._observer.now()))
        return Reply(accepted=False, message=text, code=500)

    def _concerns(self, canary: Canary, stimulus: Stimulus) -> bool:
        """Not what was meant for a namesake that is gone, nor another controller's or another installation's Canary."""
        ours, namespaces = canary.belongs_to(self._settings.provider), self._settings.namespaces
        named = canary.metadata.uid if isinstance(stimulus, Command) else stimulus.uid
        return ours and (not namespaces or canary.ref.namespace in namespaces) and named == canary.metadata.uid

    async def _ask(self, sight: Sight, kept: Kept | None, ear: Ear) -> Kept | None:
        """Once per question; a rollback signal that was heard counts even for a status that moved meanwhile."""
        canary, seen = sight.canary, sight.seen
        status = canary.status
        wanted = plan(canary, seen)
        question = (status.phase, status.canary_weight, status.canary_revision, seen.target_revision, wanted)
        if kept is not None and kept.asked_for == question:
            return kept
        heard = kept.answers.of(HookType.ROLLBACK) if kept else ()
        if not wanted:
            return Kept(question, Answers(hooks=heard)) if heard else None
        started = asyncio.get_running_loop().time()
        answers = await self._asker.ask(canary, seen, wanted)
        ear.signal = as_command(canary, answers) or ear.signal
        if asyncio.get_running_loop().time() - started > _SLOW and await self._observer.moved(sight):
            answers = answers.model_copy(update={"moved": True})
        return Kept(question, answers.model_copy(update={"hooks": (*heard, *answers.hooks)}))

    async def _commit(self, sight: Sight, decision: Decision) -> Canary:
        """The linearisation point: one status write, guarded by the version that was read."""
        canary = sight.canary
        if not decision.changed:
            return canary
        await self._keep_revision(sight, decision.status)
        return await self._write(canary, sight.item.get("status") or {}, decision.status)

    async def _write(self, canary: Canary, before: Mapping[str, Any], status: CanaryStatus) -> Canary:
        """``before`` is the status that is there, on the wire; raises Conflict when the Canary has moved on."""
        guard = {"resourceVersion": canary.metadata.resource_version}
        body = {"metadata": guard, "status": merge_patch(before, status.to_wire())}
        item = await self._kube.patch(CANARY, canary.ref.namespace, canary.ref.name, body, subresource="status")
        written = canary.metadata.model_copy(update={"resource_version": item["metadata"]["resourceVersion"]})
        return canary.model_copy(update={"status": status, "metadata": written})

    async def _keep_revision(self, sight: Sight, status: CanaryStatus) -> None:
        """The one write before the commit: the snapshot of a revision that the commit is going to name."""
        canary, seen = sight.canary, sight.seen
        # the promoted one differs where a rollout is taken over and promoted in one step: it may have to come back
        named, known = (
            {one.canary_revision, one.primary_revision, one.promoted_revision} for one in (status, canary.status)
        )
        for revision, content in found_revisions(canary, seen).items():
            if revision in named - known:
                if revision == seen.target_revision:
                    kept = Revision(content, sight.configs, absent(content, seen.config_versions))
                else:
                    kept = Revision(content, sight.primary_configs)
                await snapshots.store(self._kube, canary, revision, kept, seen.rules.include_label_prefix)

    async def _carry_out(self, sight: Sight, canary: Canary, stimulus: Stimulus, started: float) -> None:
        """Project and tell. What the API server refuses for good (rights, a veto) is said, and tried again later.

        ``canary`` carries the committed status, which is told in any case before there is another.
        """
        refusal: PermanentError | None = None
        projected = Projected(canary, sight.seen, whole=False)
        try:
            projected = await self._projector.project(sight, canary, stimulus)
        except PermanentError as error:
            refusal = error
        if canary.status.step != sight.canary.status.step:
            await self._teller.tell(sight, sight.seen, canary.status, time.monotonic() - started)
        if refusal is not None:
            await self._refused(sight._replace(canary=canary), refusal, started)
        if projected.whole:
            sight = sight._replace(canary=projected.canary)
            await self._note(sight, carried_out(projected.canary, projected.seen), started)

    async def _refused(self, sight: Sight, refusal: PermanentError, started: float) -> NoReturn:
        """Said to people, if it can be written down, and raised again."""
        with suppress(AdapterError):
            await self._note(sight, obstructed(sight.canary, sight.seen, str(refusal)), started)
        raise refusal

    async def _note(self, sight: Sight, decision: Decision, started: float) -> None:
        """What came of it, written unless others have gone on: they find everything owed yet."""
        canary = sight.canary
        if decision.status == canary.status:
            return
        with suppress(Conflict, NotFound):
            written = await self._write(canary, canary.status.to_wire(), decision.status)
            if decision.changed:
                await self._teller.tell(sight, sight.seen, written.status, time.monotonic() - started)


def _absent(ref: Ref) -> Reply:
    return Reply(accepted=False, message=f"there is no Canary {ref} here", code=404)


def _told(canary: Canary) -> Reply:
    status = canary.status
    message = status.last_step.message if status.last_step else ""
    return Reply(
        accepted=True, phase=status.phase.value, weight=status.canary_weight, step=status.step, message=message
    )
