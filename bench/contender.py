"""A contender's process: makes itself ready, and measures whenever a line comes in.

    python -m bench.contender '{"case": "create.blocking", "peer": "ours", ...}'

What it says goes to the standard output it was started with, a line of JSON each: that it is ready,
then its samples, or an error. Whatever the libraries print goes elsewhere.
"""

import asyncio
import gc
import importlib
import inspect
import json
import os
import re
import sys
import time
import traceback
from copy import copy


class Run:
    """What a case gets: where to ask, how much, and whom to tell.

    Fields:
        options: those of the row and the contender; also as attributes.
        seconds: of CPU that a sample should take.
        authority: a file with the certificate to trust, where the server speaks TLS.
    """

    def __init__(self, task, lines, say):
        self.options = task["options"]
        self.peer = task["peer"]
        self.port = task["port"]
        self.seconds = task["seconds"]
        self.megabytes = task["megabytes"]
        self.authority = task["authority"]
        self.loop = self.options.get("loop")
        self.at_once = self.options.get("at_once", 1)
        self._lines = lines
        self._say = say
        self._sample = {}

    @property
    def origin(self):
        return f"http{'s' if self.options.get('tls') else ''}://127.0.0.1:{self.port}"

    @property
    def url(self):
        """What stands before `/v1`."""
        return self.origin + self.options.get("prefix", "")

    def without_prefix(self):
        """The same, where calls get whole responses."""
        other = copy(self)
        other.options = {**self.options, "prefix": ""}
        return other

    def ssl_context(self):
        """For a library that takes one; None where there is no TLS."""
        if not self.options.get("tls"):
            return None
        import ssl

        return ssl.create_default_context(cafile=self.authority)

    def caller(self, kind):
        """A `Blocking` or `Async` of the library that is measured."""
        module = importlib.import_module(f"bench.peers.{self.peer}")
        return getattr(module, kind)(self)

    def __iter__(self):
        """Once for each sample, when it is asked for; what was given then is the sample."""
        self._say({"ready": True})
        for _ in self._lines:
            gc.collect()
            self._sample = {}
            yield
            self._say(self._sample)

    def give(self, **figures):
        self._sample.update(figures)

    def repeat(self, work, least=1):
        """Measure `work(n)`, which does something n times, in microseconds for one.

        What it returns is the CPU that counts, in seconds; None if all of it does.
        """
        trials = Trials(self.seconds, least)
        for count in trials:
            started = time.process_time()
            own = work(count)
            trials.spent = time.process_time() - started if own is None else own
        for _ in self:
            started = time.process_time()
            own = work(trials.count)
            spent = time.process_time() - started if own is None else own
            self.give(cpu=spent / trials.count * 1e6)

    async def arepeat(self, work, least=1):
        """The same for `await work(n)`."""
        trials = Trials(self.seconds, least)
        for count in trials:
            started = time.process_time()
            own = await work(count)
            trials.spent = time.process_time() - started if own is None else own
        for _ in self:
            started = time.process_time()
            own = await work(trials.count)
            spent = time.process_time() - started if own is None else own
            self.give(cpu=spent / trials.count * 1e6)

    async def together(self, workers):
        """Run async functions at the same time, on whichever loop this is."""
        if self.loop == "trio":
            import trio

            async with trio.open_nursery() as nursery:
                for worker in workers:
                    nursery.start_soon(worker)
        else:
            await asyncio.gather(*(worker() for worker in workers))

    async def sleep(self, seconds):
        if self.loop == "trio":
            import trio

            await trio.sleep(seconds)
        else:
            await asyncio.sleep(seconds)


class Trials:
    """Counts to try, until one tells how many times fill a sample: whole rounds of `least`.

    The first try pays for what is loaded and opened once, and is believed only where it took so
    long that a second one would, too.
    """

    def __init__(self, seconds, least):
        self.seconds = seconds
        self.least = self.count = least
        self.spent = 0.0

    def __iter__(self):
        yield self.count
        while self.spent < 8 * self.seconds:
            yield self.count
            if self.spent >= self.seconds / 4:
                break
            self.count *= 3
        rounds = self.count * self.seconds / max(self.spent, 1e-9) / self.least
        self.count = max(1, round(rounds)) * self.least


def perform(case, run):
    if not inspect.iscoroutinefunction(case):
        case(run)
    elif run.loop == "trio":
        import trio

        trio.run(case, run)
    else:
        if run.loop == "uvloop":
            import uvloop

            loop = uvloop.new_event_loop()
        else:
            loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        loop.run_until_complete(case(run))


def fit_for_a_page(exc):
    """The error in some words, without a path of this machine."""
    while getattr(exc, "exceptions", None):
        exc = exc.exceptions[0]
    text = re.sub(r"[\w.:-]*[/\\]\S+", "...", str(exc).strip().partition("\n")[0])
    return f"{type(exc).__name__}: {text[:80]}".rstrip(": ")


def main():
    task = json.loads(sys.argv[1])
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(value):
        out.write(json.dumps(value) + "\n")
        out.flush()

    allow_many_files()
    module, _, name = task["case"].partition(".")
    try:
        case = getattr(importlib.import_module(f"bench.cases.{module}"), name)
        perform(case, Run(task, sys.stdin, say))
    except Exception as exc:
        traceback.print_exc()
        say({"error": fit_for_a_page(exc)})
    out.flush()
    # Nobody waits for what the libraries do when a program ends.
    os._exit(0)


def allow_many_files():
    try:
        import resource
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main()
