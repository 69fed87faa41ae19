"""Time limits for threads that wait in other people's code."""

import os
import threading
import time

import pytest

from meshapi_backends._http_clients.watchdog import Watchdog
from support.flavours import PATIENCE

LONG = 60.0


def watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "meshapi-watchdog"]


def until(condition) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.001)


def test_a_limit_that_passes_rings_once():
    watchdog, rung = Watchdog(), threading.Semaphore(0)
    began = time.monotonic()
    alarm = watchdog.arm(0.02, rung.release)
    assert rung.acquire(timeout=PATIENCE)
    assert time.monotonic() - began >= 0.02
    watchdog.disarm(alarm)
    assert not rung.acquire(timeout=0.03)


def test_a_limit_that_is_disarmed_never_rings():
    watchdog, rung, other = Watchdog(), threading.Event(), threading.Event()
    alarm = watchdog.arm(0.02, rung.set)
    watchdog.disarm(alarm)
    watchdog.disarm(alarm)
    watchdog.arm(0.04, other.set)
    assert other.wait(PATIENCE)
    assert not rung.is_set()


def test_an_earlier_limit_rings_although_a_later_one_was_armed_before():
    watchdog, rung = Watchdog(), threading.Event()
    later = watchdog.arm(LONG, rung.set)
    sooner = threading.Event()
    watchdog.arm(0.01, sooner.set)
    assert sooner.wait(PATIENCE)
    assert not rung.is_set()
    watchdog.disarm(later)


def test_one_thread_looks_after_all_limits_and_ends_after_the_last_one():
    before = len(watchers())
    watchdog, rung = Watchdog(), threading.Semaphore(0)
    alarms = [watchdog.arm(LONG, rung.release) for _ in range(50)]
    assert len(watchers()) == before + 1
    for alarm in alarms:
        watchdog.disarm(alarm)
    watchdog.arm(0.01, rung.release)
    until(lambda: len(watchers()) == before)
    assert rung.acquire(blocking=False)
    assert not rung.acquire(blocking=False)
    watchdog.arm(0.01, rung.release)
    assert rung.acquire(timeout=PATIENCE), "it has begun anew"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_a_watchdog_of_its_own_and_none_of_the_parents_limits():
    watchdog, rung = Watchdog(), threading.Event()
    theirs = watchdog.arm(LONG, rung.set)
    child = os.fork()
    if child == 0:
        own = threading.Event()
        watchdog.arm(0.01, own.set)
        ok = own.wait(PATIENCE)
        watchdog.disarm(theirs)
        os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    watchdog.disarm(theirs)


def test_where_no_thread_can_be_started_there_is_no_limit_and_no_error(monkeypatch):
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    watchdog, rung = Watchdog(), threading.Event()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        watchdog.disarm(watchdog.arm(0.01, rung.set))
    watchdog.arm(0.01, rung.set)
    assert rung.wait(PATIENCE), "it tries again"
