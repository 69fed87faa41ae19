"""The state of the pool against a naive model: lists, searched from end to end."""

import gc
import sys
from itertools import count
from typing import Any, Optional

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from meshapi_core.config import Limits
from meshapi_core.pool import OPEN, QUEUE, PoolState

ORIGINS = ("a", "b", "c")


class Pool(RuleBasedStateMachine):
    """Callers that acquire, open, release, give up, wait, and are cancelled, in any order."""

    @initialize(
        max_connections=st.integers(1, 4),
        max_keepalive=st.integers(0, 4),
        keepalive_expiry=st.sampled_from([1.0, 5.0]),
    )
    def begin(self, max_connections, max_keepalive, keepalive_expiry):
        self.limits = Limits(
            max_connections=max_connections,
            max_keepalive=max_keepalive,
            keepalive_expiry=keepalive_expiry,
        )
        self.pool: PoolState[str, str] = PoolState(self.limits)
        self.names = count()
        self.now = 0.0
        self.connecting: list[str] = []
        self.in_use: list[tuple[str, str]] = []
        self.detached: list[str] = []
        self.idle: list[tuple[str, str, float]] = []  # connection, origin, since when
        self.waiting: list[tuple[str, str, bool]] = []  # waiter, origin, fresh
        self.woken: list[tuple[str, str, bool]] = []
        self.ended: set[str] = set()
        self.closed = False

    # What the model expects

    def close_connections(self, connections: list[str]) -> None:
        assert len(set(connections)) == len(connections)
        assert not self.ended & set(connections), "closed twice"
        self.ended |= set(connections)
        held = {name for name, _ in self.in_use} | set(self.detached)
        assert not held & set(connections), "closed under somebody's hands"
        self.idle = [row for row in self.idle if row[0] not in connections]

    def expired(self) -> list[str]:
        return [row[0] for row in self.idle if self.now - row[2] >= self.limits.keepalive_expiry]

    def wake(self, waiter: Optional[str]) -> None:
        if waiter is not None:
            assert waiter == self.waiting[0][0], "first come, first served"
            self.woken.append(self.waiting.pop(0))

    def free(self) -> int:
        taken = len(self.connecting) + len(self.in_use)
        return self.limits.max_connections - taken

    def ask(self, origin: str, fresh: bool, waiter: Optional[tuple[str, str, bool]]) -> None:
        stale = self.expired()
        if waiter is not None:
            assert not self.pool.dequeue(waiter[0])
        got, to_close = self.pool.acquire(origin, self.now, fresh=fresh, woken=waiter is not None)
        assert to_close[: len(stale)] == stale
        full = len(self.connecting) + len(self.in_use) + len(self.idle) - len(stale)
        oldest = [row[0] for row in self.idle if row[0] not in stale][:1]
        self.close_connections(to_close)
        ours = [row for row in self.idle if row[1] == origin]
        if waiter is None and self.free() <= len(self.waiting) + len(self.woken):
            assert got is QUEUE, "what is free is for those who wait, or were woken"
        elif ours and not fresh:
            assert got == ours[-1][0], "the most recently used first"
            assert self.now - ours[-1][2] < self.limits.keepalive_expiry
        elif self.free():
            assert got is OPEN
            made_room = oldest if full == self.limits.max_connections else []
            assert to_close[len(stale) :] == made_room, "no more is closed than needed"
        else:
            assert got is QUEUE
        if got is OPEN:
            self.connecting.append(origin)
        elif got is QUEUE:
            name, first = (f"waiter {next(self.names)}", waiter is not None)
            self.pool.enqueue(name, first=first)
            self.waiting.insert(0 if first else len(self.waiting), (name, origin, fresh))
        else:
            self.idle.remove(ours[-1])
            self.in_use.append((str(got), origin))

    # What can happen

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 6.0]))
    def time_passes(self, seconds):
        self.now += seconds

    @precondition(lambda self: not self.closed)
    @rule(origin=st.sampled_from(ORIGINS), fresh=st.booleans())
    def a_caller_comes(self, origin, fresh):
        self.ask(origin, fresh, None)

    @precondition(lambda self: not self.closed)
    @rule(origin=st.sampled_from(ORIGINS))
    def a_caller_comes_and_its_connection_opens_at_once(self, origin):
        # The usual case, as one step: it takes the machine to a full pool much sooner.
        before = len(self.connecting)
        self.ask(origin, False, None)
        if len(self.connecting) > before:
            self.connecting.pop()
            self.open(origin)

    def open(self, origin: str) -> None:
        name = f"connection {next(self.names)}"
        self.pool.opened(name, origin)
        self.in_use.append((name, origin))

    @precondition(lambda self: self.woken and not self.closed)
    @rule(data=st.data())
    def a_woken_waiter_comes_back(self, data):
        waiter = data.draw(st.sampled_from(self.woken))
        self.woken.remove(waiter)
        self.ask(waiter[1], waiter[2], waiter)

    @precondition(lambda self: self.woken)
    @rule(data=st.data())
    def a_woken_waiter_is_cancelled(self, data):
        waiter = data.draw(st.sampled_from(self.woken))
        self.woken.remove(waiter)
        assert not self.pool.dequeue(waiter[0])
        self.wake(self.pool.wake())

    @precondition(lambda self: self.woken)
    @rule(data=st.data())
    def a_woken_waiter_never_comes_back(self, data):
        # A thread that was interrupted; after a while, a waiting caller looks for lost hints.
        self.woken.remove(data.draw(st.sampled_from(self.woken)))
        self.pool.void_hints()
        self.woken.clear()
        while True:
            waiter = self.pool.wake()
            if waiter is None:
                break
            self.wake(waiter)

    @precondition(lambda self: self.in_use and not self.closed)
    @rule(data=st.data())
    def a_connection_turns_out_to_be_dead(self, data):
        row = data.draw(st.sampled_from(self.in_use))
        self.in_use.remove(row)
        self.ended.add(row[0])
        self.pool.replace(row[0])
        self.connecting.append(row[1])

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def a_waiter_gives_up(self, data):
        waiter = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(waiter)
        assert self.pool.dequeue(waiter[0])

    @precondition(lambda self: self.connecting and not self.closed)
    @rule(data=st.data())
    def a_connection_opens(self, data):
        origin = data.draw(st.sampled_from(self.connecting))
        self.connecting.remove(origin)
        self.open(origin)

    @precondition(lambda self: self.connecting)
    @rule(data=st.data())
    def a_connection_does_not_open(self, data):
        self.connecting.remove(data.draw(st.sampled_from(self.connecting)))
        self.wake(self.pool.abandon())

    @precondition(lambda self: self.in_use)
    @rule(data=st.data())
    def a_connection_comes_back(self, data):
        row = data.draw(st.sampled_from(self.in_use))
        stale = self.expired()
        waiter, to_close = self.pool.release(row[0], self.now)
        self.in_use.remove(row)
        self.idle = [other for other in self.idle if other[0] not in stale]
        self.idle.append((*row, self.now))
        spare = self.idle[: max(0, len(self.idle) - self.limits.max_keepalive)]
        assert to_close == stale + [other[0] for other in spare]
        self.close_connections(to_close)
        self.wake(waiter)

    @precondition(lambda self: self.in_use)
    @rule(data=st.data())
    def a_connection_breaks(self, data):
        row = data.draw(st.sampled_from(self.in_use))
        waiter = self.pool.discard(row[0])
        self.in_use.remove(row)
        self.ended.add(row[0])
        self.wake(waiter)
        assert self.pool.discard(row[0]) is None, "harmless twice"
        assert self.pool.release(row[0], self.now) == (None, [])

    @precondition(lambda self: self.in_use)
    @rule(data=st.data())
    def a_connection_serves_something_else(self, data):
        row = data.draw(st.sampled_from(self.in_use))
        waiter = self.pool.detach(row[0])
        self.in_use.remove(row)
        self.detached.append(row[0])
        self.wake(waiter)
        assert self.pool.detach(row[0]) is None, "harmless twice"
        assert self.pool.release(row[0], self.now) == (None, []), "it does not come back"

    @precondition(lambda self: self.detached)
    @rule(data=st.data())
    def what_a_connection_served_is_over(self, data):
        name = data.draw(st.sampled_from(self.detached))
        self.detached.remove(name)
        self.ended.add(name)
        assert self.pool.discard(name) is None, "its slot was free already"

    @precondition(lambda self: not self.closed and (self.idle or self.in_use or self.detached))
    @rule()
    def the_pool_is_closed(self):
        waiters, connections = self.pool.close()
        assert waiters == [row[0] for row in self.waiting]
        open_ones = [row[0] for row in self.idle] + [row[0] for row in self.in_use]
        open_ones += self.detached
        assert sorted(connections) == sorted(open_ones), "each of them once"
        assert not self.ended & set(connections)
        assert self.pool.close() == ([], [])
        for name in connections:
            assert self.pool.discard(name) is None
            assert self.pool.release(name, self.now) == (None, [])
            assert self.pool.detach(name) is None
        self.closed = True
        self.idle, self.in_use, self.waiting, self.woken, self.detached = [], [], [], [], []
        self.ended |= set(connections)

    # What always holds

    @invariant()
    def the_state_is_right(self):
        assert self.pool.closed == self.closed
        assert self.pool.idle == len(self.idle)
        assert self.pool.waiting == len(self.waiting)
        assert self.pool.slots == len(self.connecting) + len(self.in_use) + len(self.idle)

    @invariant()
    def the_limits_are_kept(self):
        assert self.pool.slots <= self.limits.max_connections
        assert self.pool.idle <= self.limits.max_keepalive

    @invariant()
    def nobody_sleeps_while_something_is_free(self):
        # Each waiter that was woken is on its way, and will take one.
        if self.waiting:
            assert self.free() <= len(self.woken)


TestPool = Pool.TestCase


def pool_of(*connections: str, **limits: Any) -> "PoolState[str, str]":
    """A pool in which these connections are idle; their first letter is their origin."""
    pool: PoolState[str, str] = PoolState(Limits(**limits))
    for name in connections:
        assert pool.acquire(name[0], 0, fresh=True) == (OPEN, [])
        pool.opened(name, name[0])
    for now, name in enumerate(connections):
        pool.release(name, now)
    return pool


def test_the_connection_used_last_is_used_first():
    pool = pool_of("a1", "b1", "a2")
    assert pool.acquire("a", 3) == ("a2", [])
    assert pool.acquire("a", 3) == ("a1", [])
    assert pool.acquire("a", 3) == (OPEN, [])


def test_an_idle_connection_makes_room_for_another_origin():
    pool = pool_of("a1", "a2", "b1", max_connections=3)
    assert pool.acquire("c", 3) == (OPEN, ["a1"])
    assert (pool.slots, pool.idle) == (3, 2)


def test_only_so_many_stay_idle_and_the_longest_idle_goes_first():
    pool: PoolState[str, str] = PoolState(Limits(max_keepalive=1))
    for name in ("a1", "b1"):
        assert pool.acquire(name[0], 0) == (OPEN, [])
        pool.opened(name, name[0])
    assert pool.release("a1", 1) == (None, [])
    assert pool.release("b1", 2) == (None, ["a1"])
    assert (pool.slots, pool.idle) == (1, 1)


def test_closing_gives_back_what_is_idle_and_what_is_in_use():
    pool = pool_of("a1", "b1", max_connections=2)
    pool.acquire("b", 2)
    pool.enqueue("first")
    assert pool.close() == (["first"], ["a1", "b1"])
    assert (pool.slots, pool.idle, pool.waiting) == (0, 0, 0)
    assert pool.release("b1", 3) == (None, [])
    assert pool.close() == ([], [])


def test_a_connection_that_serves_something_else_takes_no_slot_but_is_closed_with_the_rest():
    pool = pool_of("a1", max_connections=1)
    assert pool.acquire("a", 1) == ("a1", [])
    pool.enqueue("first")
    assert pool.detach("a1") == "first"
    assert not pool.dequeue("first")
    assert pool.acquire("a", 2, woken=True) == (OPEN, [])
    pool.opened("a2", "a")
    assert pool.slots == 1
    assert pool.close() == ([], ["a2", "a1"])


def test_a_detached_connection_that_was_discarded_is_not_closed_again():
    pool = pool_of("a1")
    pool.acquire("a", 1)
    assert pool.detach("a1") is None
    assert pool.discard("a1") is None
    assert pool.close() == ([], [])
    assert pool.detach("a1") is None, "closed meanwhile"


@pytest.mark.parametrize(("now", "expected"), [(5.9, ("a2", ["a1"])), (6.0, (OPEN, ["a1", "a2"]))])
def test_a_connection_that_was_idle_for_long_is_not_used(now, expected):
    pool = pool_of("a1", "a2", keepalive_expiry=5.0)
    assert pool.acquire("a", now) == expected


def test_a_call_that_met_a_dead_connection_gets_a_new_one():
    pool = pool_of("a1", max_connections=2)
    assert pool.acquire("a", 1, fresh=True) == (OPEN, [])
    assert pool.idle == 1


def test_a_dead_connection_is_replaced_while_another_one_is_being_opened():
    pool = pool_of("a1", max_connections=2)
    assert pool.acquire("b", 1) == (OPEN, [])
    assert pool.acquire("a", 1) == ("a1", [])
    pool.replace("a1")
    assert pool.slots == 2
    pool.opened("b1", "b")
    pool.opened("a2", "a")
    assert pool.slots == 2
    assert pool.acquire("a", 1) == (QUEUE, [])


def test_waiters_are_served_first_come_first_served():
    pool = pool_of("a1", max_connections=1)
    pool.acquire("a", 1)
    for waiter in ("first", "second"):
        assert pool.acquire("a", 1) == (QUEUE, [])
        pool.enqueue(waiter)
    assert pool.release("a1", 2) == ("first", [])
    assert pool.acquire("a", 2) == (QUEUE, []), "a newcomer does not overtake the second"
    assert not pool.dequeue("first")
    assert pool.acquire("a", 2, woken=True) == ("a1", [])
    assert pool.release("a1", 3) == ("second", [])


def test_a_lone_waiter_is_not_overtaken_by_the_caller_that_released():
    pool = pool_of("a1", max_connections=1)
    pool.acquire("a", 1)
    pool.enqueue("lone")
    assert pool.release("a1", 2) == ("lone", [])
    assert pool.acquire("a", 2) == (QUEUE, []), "it is kept for the one who was woken"
    assert not pool.dequeue("lone")
    assert pool.acquire("a", 2, woken=True) == ("a1", [])


def test_a_hint_that_was_lost_is_given_to_the_next_after_a_while():
    pool = pool_of("a1", max_connections=1)
    pool.acquire("a", 1)
    pool.enqueue("lost")
    pool.enqueue("next")
    assert pool.release("a1", 2) == ("lost", [])
    assert pool.wake() is None
    pool.void_hints()
    assert pool.wake() == "next"


def test_a_waiter_that_was_woken_and_found_nothing_is_the_next_again():
    pool = pool_of("a1", max_connections=1)
    pool.acquire("a", 1)
    pool.enqueue("first")
    pool.enqueue("second")
    assert pool.release("a1", 2) == ("first", [])
    pool.void_hints()
    assert pool.acquire("a", 2, woken=True) == ("a1", []), "somebody else was faster"
    assert not pool.dequeue("first")
    assert pool.acquire("a", 3, woken=True) == (QUEUE, [])
    pool.enqueue("first again", first=True)
    assert pool.release("a1", 4) == ("first again", [])


def test_a_cancelled_waiter_passes_its_wake_up_on():
    pool = pool_of("a1", max_connections=1)
    pool.acquire("a", 1)
    pool.enqueue("first")
    pool.enqueue("second")
    assert pool.release("a1", 2) == ("first", [])
    assert not pool.dequeue("first")
    assert pool.wake() == "second"
    assert pool.wake() is None


# Work: no timing, but how many functions run


def work(pool: "PoolState[str, str]", now: float) -> list[int]:
    """How many functions, Python's and C's, one round of each decision calls."""
    calls = 0

    def count_call(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    def cost(function: Any, *arguments: Any, **options: Any) -> int:
        nonlocal calls
        calls = 0
        # Hypothesis watches the garbage collector, and what it does there would be counted.
        gc.disable()
        sys.setprofile(count_call)
        try:
            function(*arguments, **options)
        finally:
            sys.setprofile(None)
            gc.enable()
        return calls

    return [
        cost(pool.acquire, "a", now, woken=True),
        cost(lambda: pool.release(next(iter(pool._in_use)), now)),
        cost(pool.acquire, "z", now, woken=True),
        cost(pool.abandon),
        cost(pool.enqueue, "last"),
        cost(pool.dequeue, "last"),
        cost(pool.enqueue, "back", first=True),
        cost(pool.wake),
    ]


def crowd(size: int) -> "PoolState[str, str]":
    pool = pool_of(
        *(f"{letter}{number}" for number in range(size) for letter in "ab"),
        max_connections=2 * size,
        max_keepalive=2 * size,
        keepalive_expiry=1_000_000.0,
    )
    for number in range(size):
        pool.enqueue(f"waiter {number}")
    return pool


@pytest.mark.slow
def test_ten_thousand_connections_cost_no_more_than_ten():
    assert work(crowd(10), 100_000) == work(crowd(10_000), 100_000)
