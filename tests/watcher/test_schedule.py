"""Slots: every one once, whoever asks and whenever."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import Tick
from watcher.schedule import Schedule, Slot, milliseconds, offset, slot_start

NOW = milliseconds(datetime(2026, 3, 1, 12, 0, tzinfo=UTC))

uids = st.uuids().map(str)
intervals = st.integers(min_value=500, max_value=600_000)
waits = st.lists(st.integers(min_value=0, max_value=1_500_000), min_size=1, max_size=40)


def asked_after(schedule: Schedule, waits: list[int], start: int = NOW) -> list[Slot]:
    now, found = start, []
    for wait in waits:
        now += wait
        found += schedule.due(now)
    return found


@given(uids, intervals, st.integers(min_value=0, max_value=2**42))
def test_a_moment_lies_in_the_slot_that_is_named_after_its_start(uid: str, interval: int, now: int) -> None:
    start = slot_start(uid, interval, now)
    assert start <= now < start + interval
    assert slot_start(uid, interval, start) == start
    assert (start - offset(uid, interval)) % interval == 0


def test_where_slots_begin_is_the_same_in_every_process() -> None:
    assert [offset(uid, 10_000) for uid in ("a", "b", "c")] == [9_745, 1_040, 1_628]


def test_canaries_of_one_interval_are_spread_over_it() -> None:
    tenths = [offset(f"uid-{number}", 10_000) // 1000 for number in range(5000)]
    assert all(400 < tenths.count(tenth) < 600 for tenth in range(10))


@given(uids, intervals, waits)
def test_no_slot_is_handed_out_twice_and_none_out_of_order(uid: str, interval: int, waits: list[int]) -> None:
    schedule = Schedule()
    schedule.put(uid, interval, now=NOW)
    starts = [slot.start for slot in asked_after(schedule, waits)]
    assert starts == sorted(set(starts))


@given(uids, intervals, waits)
def test_every_slot_in_which_somebody_asks_is_handed_out(uid: str, interval: int, waits: list[int]) -> None:
    schedule = Schedule()
    schedule.put(uid, interval, now=NOW)
    moments = [NOW + sum(waits[: count + 1]) for count in range(len(waits))]
    handed_out = {slot.start for slot in asked_after(schedule, waits)}
    assert handed_out == {slot_start(uid, interval, moment) for moment in moments}


@given(uids, intervals, waits, waits)
def test_two_watchers_name_the_same_slots(uid: str, interval: int, one: list[int], other: list[int]) -> None:
    first, second = Schedule(), Schedule()
    first.put(uid, interval, now=NOW)
    second.put(uid, interval, now=NOW + 777)
    named = set(asked_after(first, one)) | set(asked_after(second, other, NOW + 777))
    assert len({slot.start for slot in named}) == len(named)
    assert all(slot.start == slot_start(uid, interval, slot.start) for slot in named)


@given(uids, intervals, st.integers(min_value=0, max_value=600_000))
def test_a_restart_loses_no_slot_and_repeats_none_that_was_judged(uid: str, interval: int, down: int) -> None:
    before = Schedule()
    before.put(uid, interval, now=NOW)
    judged = before.due(NOW)[-1].start
    after = Schedule()
    after.put(uid, interval, now=NOW + down, done=judged)
    current = slot_start(uid, interval, NOW + down)
    assert [slot.start for slot in after.due(NOW + down)] == ([current] if current > judged else [])


@given(uids, st.lists(st.tuples(intervals, st.integers(0, 900_000)), min_size=1, max_size=20))
def test_an_edited_interval_repeats_no_slot_and_goes_on_within_one_new_interval(
    uid: str, edits: list[tuple[int, int]]
) -> None:
    schedule, now, last = Schedule(), NOW, -1
    for interval, wait in edits:
        schedule.put(uid, interval, now=now)
        next_start = schedule.next_start()
        assert next_start is not None
        assert next_start <= now + interval
        now += wait
        for slot in schedule.due(now):
            assert slot.start > last
            assert slot.interval == interval
            last = slot.start


@given(uids, intervals, st.lists(st.tuples(st.booleans(), st.integers(0, 60_000)), max_size=40))
def test_resting_and_moving_again_repeats_no_slot(uid: str, interval: int, turns: list[tuple[bool, int]]) -> None:
    schedule, now, found = Schedule(), NOW, []
    for moves, wait in turns:
        if moves:
            schedule.put(uid, interval, now=now)
        else:
            schedule.rest(uid)
        now += wait
        found += [slot.start for slot in schedule.due(now)]
        assert moves or not schedule.due(now)
    assert found == sorted(set(found))


@given(uids, intervals, st.integers(min_value=1, max_value=2**40))
def test_a_slot_that_nobody_can_have_judged_yet_keeps_no_canary_out_of_turn(
    uid: str, interval: int, ahead: int
) -> None:
    schedule = Schedule()
    schedule.put(uid, interval, now=NOW, done=NOW + interval + ahead)
    assert [slot.start for slot in schedule.due(NOW)] == [slot_start(uid, interval, NOW)]


@given(st.dictionaries(uids, intervals, min_size=1), st.integers(min_value=1_200_000, max_value=2**40))
def test_when_our_own_clock_is_set_back_every_canary_is_in_turn_again(known: dict[str, int], back: int) -> None:
    schedule = Schedule()
    for uid, interval in known.items():
        schedule.put(uid, interval, now=NOW + back)
    schedule.due(NOW + back)
    assert {slot.uid: slot.start for slot in schedule.due(NOW)} == {
        uid: slot_start(uid, interval, NOW) for uid, interval in known.items()
    }


def test_a_canary_that_begins_to_move_is_due_at_once() -> None:
    schedule = Schedule()
    schedule.put("a", 60_000, now=NOW)
    assert [slot.uid for slot in schedule.due(NOW)] == ["a"]


def test_of_many_missed_slots_only_the_latest_is_due() -> None:
    schedule = Schedule()
    schedule.put("a", 10_000, now=NOW)
    late = NOW + 3_600_000
    assert schedule.due(late) == [Slot("a", slot_start("a", 10_000, late), 10_000)]


def test_what_was_dropped_is_never_due_and_nothing_is_to_be_waited_for() -> None:
    schedule = Schedule()
    schedule.put("a", 10_000, now=NOW)
    schedule.drop("a")
    assert schedule.due(NOW + 60_000) == []
    assert schedule.next_start() is None
    assert len(schedule) == 0


def test_the_next_start_is_the_earliest_of_those_in_turn() -> None:
    schedule = Schedule()
    for uid in ("a", "b", "c"):
        schedule.put(uid, 10_000, now=NOW)
    schedule.due(NOW)
    following = {uid: slot_start(uid, 10_000, NOW) + 10_000 for uid in ("a", "b", "c")}
    assert schedule.next_start() == min(following.values())
    schedule.rest(min(following, key=lambda uid: following[uid]))
    assert schedule.next_start() == sorted(following.values())[1]


@pytest.mark.parametrize(("start", "shown"), [(1_700_000_000_000, "1700000000"), (1_700_000_000_250, "1700000000.250")])
def test_the_message_id_of_a_tick_is_the_uid_and_the_start_of_its_slot_in_seconds(start: int, shown: str) -> None:
    slot = Slot("0b1b", start, 500)
    tick = Tick(namespace="test", name="podinfo", uid=slot.uid, slot=slot.moment, interval=0.5)
    assert tick.message_id == f"0b1b.{shown}"


@given(uids, intervals, st.integers(min_value=0, max_value=600_000))
def test_an_analysis_counts_its_slots_from_the_first(uid: str, interval: int, later: int) -> None:
    schedule = Schedule()
    schedule.put(uid, interval, now=NOW)
    schedule.due(NOW)
    first = NOW + later
    schedule.put(uid, interval, now=first, done=first, first=first)
    assert schedule.due(first + interval - 1) == []
    assert schedule.due(first + interval) == [Slot(uid, first + interval, interval)]
    assert schedule.due(first + 3 * interval) == [Slot(uid, first + 3 * interval, interval)]


@given(uids, intervals, waits, waits)
def test_a_first_slot_that_is_heard_of_late_repeats_none_that_was_handed_out(
    uid: str, interval: int, before: list[int], after: list[int]
) -> None:
    """Another watcher, or this one before it had seen the status, has named slots by the uid."""
    schedule = Schedule()
    schedule.put(uid, interval, now=NOW)
    starts = [slot.start for slot in asked_after(schedule, before)]
    now, first = NOW + sum(before), NOW + sum(before) // 2
    schedule.put(uid, interval, now=now, done=first, first=first)
    counted = [slot.start for slot in asked_after(schedule, after, now)]
    assert [*starts, *counted] == sorted({*starts, *counted})
    assert {(start - first) % interval for start in counted} <= {0}
    schedule.put(uid, interval, now=now + sum(after))
    again = [slot.start for slot in asked_after(schedule, [interval, interval], now + sum(after))]
    assert [*counted, *again] == sorted({*counted, *again})
    assert {(start - offset(uid, interval)) % interval for start in again} <= {0}
