"""The rule that a test which takes longer than 0.25 s is marked `slow`; one that breaks it fails.

What counts is the processor time of the test alone, without its fixtures: that of all threads of
this process, and of the ended processes that it started. The time that the test waits for a
processor does not count, so that no test fails because the machine is busy. And:

- The test fails at four times the limit. `--durations` shows tests that are near the limit; these
  must not pass today and fail tomorrow.
- The limit grows in proportion as this machine is, at this moment, slower than the one where the
  limit was set.
- A test that was too slow runs once more, because the first one in a process may have paid for
  imports and caches.
- The rule holds for the quick profile; the others may have any number of examples.
"""

import time
from typing import Callable, Optional

import pytest
from _pytest.runner import runtestprotocol

from support import workers

LIMIT = 0.25
GENEROUS = 4

# Seconds that `_speed_test` takes with Python 3.11 on the machine where the limit was set.
_USUAL = 0.0075

_SPENT = pytest.StashKey[float]()

Clock = Callable[[], float]


def processor_time() -> float:
    """Return the seconds of processor time that this process and its ended children have used."""
    return time.process_time() + _of_children()


def _of_children() -> float:
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def slowness(clock: Clock = time.process_time) -> float:
    """Return how much slower this machine is than the one where the limit was set; 1 at least."""
    best = min(_speed_test(clock) for _ in range(3))
    return max(1.0, best / _USUAL)


def _speed_test(clock: Clock) -> float:
    before = clock()
    table: dict[str, int] = {}
    for number in range(40_000):
        key = str(number % 1000)
        table[key] = table.get(key, 0) + number
    return clock() - before


def limit(how_slow: Callable[[], float] = slowness) -> float:
    """Return the processor time at which an unmarked test fails."""
    return LIMIT * GENEROUS * how_slow()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item):  # type: ignore[no-untyped-def]
    before = processor_time()
    try:
        return (yield)
    finally:
        item.stash[_SPENT] = processor_time() - before


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: Optional[pytest.Item]) -> Optional[bool]:
    """Run a test as pytest does, and once more if it was too slow."""
    if item.get_closest_marker("slow") is not None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = _run(item, nextitem)
    if _breaks_the_rule(item, reports):
        reports = _run(item, nextitem)
        if _breaks_the_rule(item, reports):
            _fail(item, reports)
    for report in reports:
        if not workers.is_needless(report, item.config):
            item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _run(item: pytest.Item, nextitem: Optional[pytest.Item]) -> "list[pytest.TestReport]":
    item.stash[_SPENT] = 0.0
    return runtestprotocol(item, log=False, nextitem=nextitem)


def _breaks_the_rule(item: pytest.Item, reports: "list[pytest.TestReport]") -> bool:
    # Most tests end here, without a measurement of the machine.
    spent = item.stash[_SPENT]
    return spent > LIMIT * GENEROUS and all(r.passed for r in reports) and spent > limit()


def _fail(item: pytest.Item, reports: "list[pytest.TestReport]") -> None:
    for report in reports:
        if report.when == "call":
            report.outcome = "failed"
            report.longrepr = (
                f"{item.nodeid} took {item.stash[_SPENT]:.2f} s of processor time, the second time,"
                f" too. Make it quicker than {LIMIT} s, or mark it with @pytest.mark.slow."
            )
