"""What must hold whatever happens, judged by somebody who does not ask the code that is judged.

It knows what the world was told to answer (:mod:`tests.handlers.core.witness`), and remembers for itself when things
were so.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from handlers.core.draft import Decision
from handlers.core.observation import Observation
from schemas.canary import Canary, HookType, Strategy
from schemas.events import Command, Tick, Verb
from schemas.status import IDLE, CanaryStatus, Phase, Reason
from tests.handlers.core import words
from tests.handlers.core.witness import SLACK, Content, Traffic, Witness, content_now, content_of, witness
from tests.handlers.core.world import World

ANALYSED = (Phase.PROGRESSING, Phase.WAITING_PROMOTION)
BEGUN = (Phase.WAITING, *ANALYSED)
HEARD = (Phase.WAITING, *ANALYSED, Phase.PROMOTING)
"""Phases in which rollback hooks are asked."""


class Oracle:
    """Raises AssertionError in the wake that breaks a promise."""

    def __init__(self) -> None:
        self.traffic = Traffic()
        self.alarms = words.Alarms()
        self._slot: datetime | None = None
        """The last that was judged."""
        self._weighed: datetime | None = None
        """Since when the weight that is on counts; None: nobody has seen it change."""
        self._accepted = False
        """Whether the acceptance tests of this analysis have passed."""
        self._approved = False
        """Whether a person has opened the gate that is ahead."""
        self._refused = ""
        """A revision that must not start by itself."""
        self._earned: set[Content] = set()
        """What the primary may be given: at first what the target has, then what went the whole way."""
        self._given = 0

    # ---- before and after a wake

    def look(self, world: World, canary: Canary, seen: Observation) -> Witness:
        self.traffic.follow(world)
        found = witness(world, self.traffic, canary, seen, self._slot)
        if found.revision and found.revision != self._refused and found.decides:
            self._refused = ""
        first = not canary.status.promoted_revision and canary.status.phase in (Phase.NEW, Phase.INITIALIZING)
        if world.primary is not None and not canary.status.primary_step:
            # whoever takes a primary over does not answer for what it runs, and may give it that again
            carried = world.configs if world.carried_configs is None else world.carried_configs
            self._earned.add(content_now(world.primary, carried))
        if world.target is not None and (first or world.primary is None):
            self._earned.add(content_now(world.target, world.configs))
        return found

    def judge(self, world: World, found: Witness, decision: Decision) -> None:
        """What was decided; nothing of it is true in the world yet."""
        before, after = found.before, decision.status
        if not before.route_step and before.phase is not Phase.NEW:
            self._judge_adoption(world, found, after)
        elif not found.canary.deleting:
            self._judge_moves(found, decision)
            self._judge_promotion(world, found, after)
            _judge_return(found, after)
        if found.looks:
            _judge_users(found, after)
        if found.decides:
            self._judge_events(found, after)
        words.judge(found, after, self.traffic)
        self.alarms.judge(found, decision)
        if found.canary.deleting:
            self._judge_deletion(world, found, after)
        self._remember(found, decision)

    def carried_out(self, world: World) -> None:
        """The world as it has become."""
        self.traffic.follow(world)
        given, self._given = world.primary_revisions[self._given :], len(world.primary_revisions)
        for revision in given:
            assert content_of(revision, world) in self._earned, "the primary got what nobody had analysed"

    def parks(self, world: World) -> None:
        assert world.weight == 0, "scaled to zero while routed to"
        left = self.traffic.left_canary(world.now, world.rules.drain)
        assert left, "scaled to zero before the routes were in force and had drained"

    # ---- what an analysis may do

    def _judge_moves(self, found: Witness, decision: Decision) -> None:
        before, after = found.before, decision.status
        rises = after.canary_weight > before.canary_weight
        counts = after.phase is Phase.PROGRESSING and after.iterations > max(0, before.iterations)
        if rises or counts:
            self._may_advance(found, HookType.CONFIRM_TRAFFIC_INCREASE)
            assert before.phase in ANALYSED
            assert any(notice.reason is Reason.STEP_TAKEN for notice in decision.notices)
            everybody = found.canary.spec.analysis.strategy is Strategy.BLUE_GREEN and after.canary_weight == 100
            if everybody and before.canary_weight < 100:
                assert self._open(found, HookType.CONFIRM_PROMOTION), "all users were moved through a closed gate"
        if before.phase is Phase.WAITING and after.phase is Phase.PROGRESSING:
            asked = isinstance(found.stimulus, Command) and found.stimulus.verb in (Verb.PROMOTE, Verb.APPROVE)
            assert asked or self._open(found, HookType.CONFIRM_ROLLOUT), "begun at a closed gate"
        if before.phase in ANALYSED and after.phase in ANALYSED and after.failed_checks > before.failed_checks:
            assert found.slot is not None, "counted without a slot"
            self._is_soaked(found)

    def _may_advance(self, found: Witness, gate: HookType) -> None:
        """Users, or the primary, get more of this revision because all was well in a slot."""
        before = found.before
        assert found.slot is not None, "advanced without a slot of its own"
        assert found.decides
        assert not before.paused, "advanced while paused"
        assert not found.moved, "advanced on what had moved while it was judged"
        assert before.canary_revision == found.revision, "advanced with another revision than the target has"
        assert found.canary_serves, "users were sent to pods that are not there"
        assert found.primary_serves, "advanced beside a primary that cannot take users back"
        assert found.gateway_follows, "advanced on a weight that is not in force"
        if found.canary.spec.analysis.strategy is Strategy.CANARY or gate is HookType.CONFIRM_PROMOTION:
            assert self._open(found, gate), f"advanced through a closed gate: {gate}"
        assert self._accepted or found.passes(HookType.PRE_ROLLOUT), "advanced without its acceptance tests"
        if before.canary_weight or before.iterations:
            self._is_soaked(found)
            assert found.passes(HookType.ROLLOUT), "advanced although a check failed"
            assert set(found.answers.values()) <= {"good"}, f"advanced although metrics say {found.answers}"

    def _open(self, found: Witness, gate: HookType) -> bool:
        return self._approved or found.passes(gate)

    def _is_soaked(self, found: Witness) -> None:
        """The weight that is on has served a whole interval, and was in force when the slot began."""
        before, tick = found.before, found.stimulus
        if not (before.canary_weight or before.iterations) or not found.at_once or self._weighed is None:
            return
        assert isinstance(tick, Tick)
        assert found.slot is not None
        interval = min(tick.interval, found.canary.spec.analysis.interval_seconds(10))
        assert found.slot - self._weighed >= timedelta(seconds=interval - 0.001), "judged before it had soaked"
        in_force = self.traffic.since
        assert in_force is not None
        assert in_force <= found.slot + SLACK, "judged on routes that came into force in its slot"

    # ---- what the primary may get, and when users may come back to it

    def _judge_promotion(self, world: World, found: Witness, after: CanaryStatus) -> None:
        before, canary = found.before, found.canary
        if before.phase not in ANALYSED or after.phase is not Phase.PROMOTING:
            return
        assert after.primary_revision == before.canary_revision == found.revision, "promoted what was not analysed"
        assert found.canary_serves, "promoted what has no pods"
        self._earned.add(content_now(world.target, world.configs))
        by_hand = isinstance(found.stimulus, Command) and found.stimulus.verb is Verb.PROMOTE
        if canary.spec.skip_analysis or by_hand or before.skip_to:
            free = not before.paused or (isinstance(found.stimulus, Command) and found.stimulus.verb is Verb.RESUME)
            assert by_hand or free, "promoted while paused"
            return
        blue_green = canary.spec.analysis.strategy is Strategy.BLUE_GREEN
        self._may_advance(found, HookType.ROLLOUT if blue_green else HookType.CONFIRM_PROMOTION)
        assert _has_come_to_its_end(canary, before), f"promoted at {before.canary_weight} {before.iterations}"

    def _judge_adoption(self, world: World, found: Witness, after: CanaryStatus) -> None:
        """Being taken over ends no analysis, but by hand, or when both sides are the same."""
        if found.before.phase not in ANALYSED or after.phase is not Phase.PROMOTING:
            return
        if after.skip_to:
            self._earned.add(content_now(world.target, world.configs))
        else:
            assert content_now(world.target, world.configs) in self._earned, "taken over, not analysed, promoted"

    # ---- what has to happen

    def _judge_events(self, found: Witness, after: CanaryStatus) -> None:
        before = found.before
        ended = after.phase is Phase.FAILED or (after.phase is Phase.PROMOTING and after.returning is not None)
        asked = before.returning is None and before.skip_to != "skipAnalysis"
        if before.phase in HEARD and found.slot and found.signalled() and (asked or before.phase is Phase.WAITING):
            assert ended, f"a rollback hook said yes, and it is {after.phase}"
        if after.phase in ANALYSED:
            allowed = max(1, found.canary.spec.analysis.threshold)
            assert after.failed_checks < allowed, "the threshold is reached, and it goes on"
            if before.phase in ANALYSED and before.canary_revision == after.canary_revision:
                self._counts_what_failed(found, after)
        if after.phase in BEGUN and before.phase not in BEGUN and before.phase is not Phase.PROMOTING:
            assert found.revision != self._refused, "a revision that was refused starts by itself"

    def _counts_what_failed(self, found: Witness, after: CanaryStatus) -> None:
        """What can be judged and is bad is a failed check, whatever else is in the way."""
        before = found.before
        if found.moved or not found.at_once or not self._can_be_judged(found) or before.skip_to:
            return
        bad = [check for check in found.canary.spec.analysis.checks if found.answers[check.key] == "bad"]
        if any(check.consecutive > 1 for check in bad):
            return
        failed = bool(bad) or not found.passes(HookType.ROLLOUT)
        assert after.failed_checks == before.failed_checks + failed or after.revision_since == found.now, "not counted"

    def _can_be_judged(self, found: Witness) -> bool:
        before, since = found.before, self.traffic.since
        if not (before.canary_weight or before.iterations) or found.canary.spec.skip_analysis or not since:
            return False
        assert found.slot is not None
        soaked = self._weighed is not None and found.slot - self._weighed >= timedelta(seconds=10)
        in_force = found.gateway_follows and before.verdict_since is not None and since <= found.slot
        left = before.traffic_until
        alone = left is None or found.now - left > timedelta(seconds=60)
        return soaked and in_force and alone

    # ---- deletion

    def _judge_deletion(self, world: World, found: Witness, after: CanaryStatus) -> None:
        before = found.before
        if after.phase is Phase.TERMINATING is before.phase and after.canary_weight > before.canary_weight:
            assert found.canary_serves, "users were sent to a target that is not there"
        if after.restored and before.phase is Phase.TERMINATING and before.returned and world.route is not None:
            assert found.gateway_follows, "let go before the routes to the target were in force"

    # ---- what is remembered

    def _remember(self, found: Witness, decision: Decision) -> None:
        before, after = found.before, decision.status
        if found.slot is not None and found.decides and before.phase in HEARD:
            self._slot = found.slot
        if after.canary_weight != before.canary_weight:
            self._weighed = found.slot if found.at_once else found.now
        again = after.phase is Phase.PROGRESSING and after.revision_since != before.revision_since
        if again or after.canary_revision != before.canary_revision:
            self._accepted = self._approved = False
        elif before.phase is Phase.PROGRESSING and found.slot and found.decides and not found.moved:
            self._accepted |= found.passes(HookType.PRE_ROLLOUT)
        self._accepted |= not before.route_step
        if (after.canary_weight, after.iterations) != (before.canary_weight, before.iterations):
            self._approved = False
        if _accepts(found, decision, Verb.APPROVE):
            self._approved = True
        if after.phase in BEGUN:
            self._refused = ""
        if after.phase is Phase.FAILED is not before.phase and after.canary_revision == found.revision:
            self._refused = found.revision


def _judge_users(found: Witness, after: CanaryStatus) -> None:
    """While they try what is analysed."""
    if found.before.phase in ANALYSED:
        if found.target_gone:
            assert after.canary_weight == 0, "users stay on a target that is gone"
        if found.revision != found.before.canary_revision:
            assert after.canary_weight == 0, "users meet a revision that nobody has analysed"


def _accepts(found: Witness, decision: Decision, verb: Verb) -> bool:
    asked = isinstance(found.stimulus, Command) and found.stimulus.verb is verb
    return asked and decision.reply is not None and decision.reply.accepted


def _has_come_to_its_end(canary: Canary, status: CanaryStatus) -> bool:
    analysis = canary.spec.analysis
    match analysis.strategy:
        case Strategy.CANARY:
            listed = analysis.step_weights[-1] if analysis.step_weights and not analysis.step_weight else 0
            return status.canary_weight >= min(100, listed or analysis.max_weight or 100)
        case Strategy.AB_TESTING:
            return status.canary_weight == 100 and status.iterations >= analysis.iterations
        case Strategy.BLUE_GREEN:
            return status.canary_weight == 100 and status.iterations > analysis.iterations


def _judge_return(found: Witness, after: CanaryStatus) -> None:
    """Users come back to a primary that was seen ready, unless there is no target; over when the gateway follows."""
    before, forced = found.before, found.snapshot_lost or found.target_gone
    if before.phase in IDLE and after.phase in IDLE and after.canary_weight < before.canary_weight and not forced:
        assert found.primary_serves, "users who were left on the canary were sent to a primary that was not ready"
    if before.phase is Phase.PROMOTING:
        left = after.canary_weight < before.canary_weight or after.phase in (Phase.FINALISING, Phase.SUCCEEDED)
        stays = after.phase is Phase.FAILED and after.canary_weight == before.canary_weight > 0
        if (left or after.phase is Phase.FAILED) and not forced and not stays:
            assert found.primary_serves, "users were sent back to a primary that was not ready"
    if before.phase is Phase.FINALISING and after.phase is Phase.SUCCEEDED:
        assert found.gateway_follows, "promoted before users were on the primary"
    if after.phase is Phase.SUCCEEDED and after.primary_step:
        assert after.primary_revision == after.promoted_revision, "promoted, and the primary runs something else"
