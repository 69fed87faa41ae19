"""Many calls as one run: `map()`, and what programs write themselves.

A sample is one run of `calls` calls, `at_once` at a time: its CPU and its time for each call, and
how much more memory it had at most than before.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from bench.cases.memory import settled

QUICK = 20
"""How many times fewer calls a quick sample has."""


def count(run):
    return run.options["calls"] // (1 if run.seconds >= 0.1 else QUICK)


class Measured:
    """Measures its block as a run of calls."""

    def __init__(self, run):
        self.run = run

    def __enter__(self):
        self.before = settled()
        self.wall, self.cpu = time.perf_counter(), time.process_time()

    def __exit__(self, *_):
        cpu, wall = time.process_time() - self.cpu, time.perf_counter() - self.wall
        calls = count(self.run)
        rss = (highest() - self.before) / 2**20
        self.run.give(cpu=cpu / calls * 1e6, wall=wall / calls * 1e6, rss=rss)


def highest():
    """The most RSS that there was, in bytes."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


async def on_a_loop(run):
    caller = run.caller("Async")
    work = {"map": mapped, "tasks": in_tasks, "semaphore": with_semaphore}
    run_calls = work[run.options.get("how", "map")]
    await caller.create()
    for _ in run:
        with Measured(run):
            await run_calls(run, caller, count(run))


async def mapped(run, caller, calls):
    assert await caller.map(calls, run.at_once) == calls


async def in_tasks(run, caller, calls):
    """As many tasks as calls at once, which share the calls: the least that can be done."""
    left = iter(range(calls))

    async def worker():
        for _ in left:
            await caller.create()

    await run.together([worker] * run.at_once)


async def with_semaphore(run, caller, calls):
    """What is found in most programs: a task for each call, and a semaphore."""
    semaphore = asyncio.Semaphore(run.at_once)

    async def one():
        async with semaphore:
            return await caller.create()

    assert len(await asyncio.gather(*(one() for _ in range(calls)))) == calls


def in_threads(run):
    caller = run.caller("Blocking")
    work = caller.map if run.options.get("how", "map") == "map" else executor(caller)
    caller.create()
    for _ in run:
        with Measured(run):
            assert work(count(run), run.at_once) == count(run)


def executor(caller):
    """The same for threads."""

    def work(calls, at_once):
        with ThreadPoolExecutor(at_once) as pool:
            return sum(1 for _ in pool.map(lambda _: caller.create(), range(calls)))

    return work
