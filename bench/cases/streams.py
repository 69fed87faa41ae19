"""Streams: whole ones, up to their first chunk, and many that are slow."""

import gc
import time

from bench.cases.memory import resident


def whole(run):
    """Microseconds a chunk, of streams of so many."""
    stream, chunks = run.caller("Blocking").stream, run.options["chunks"]

    def work(times):
        for _ in range(times // chunks):
            seen = 0
            for _ in stream():
                seen += 1
            assert seen >= chunks, seen

    run.repeat(work, least=chunks)


async def awhole(run):
    stream, chunks = run.caller("Async").stream, run.options["chunks"]

    async def work(times):
        for _ in range(times // chunks):
            seen = 0
            async for _ in stream():
                seen += 1
            assert seen >= chunks, seen

    await run.arepeat(work, least=chunks)


def first(run):
    """From the call to the first of some chunks; the others are read outside of the measurement."""
    stream = run.caller("Blocking").stream

    def work(times):
        spent = 0.0
        for _ in range(times):
            started = time.process_time()
            chunks = iter(stream())
            next(chunks)
            spent += time.process_time() - started
            for _ in chunks:
                pass
        return spent

    run.repeat(work)


async def paced(run):
    """Many streams that bring a chunk now and then: CPU a chunk, and memory a stream.

    The clock runs from when about two chunks have come on each, to before the last ones do: opening
    and closing them is another measurement.
    """
    caller = run.caller("Async")
    streams, chunks = run.options["streams"], run.options["chunks"]
    seen = 0
    began = spent = memory = 0.0

    async def listen():
        nonlocal seen, began, spent, memory
        async for _ in caller.stream():
            seen += 1
            if seen == 2 * streams:
                gc.collect()
                memory = resident() - before
                began = time.process_time()
            elif seen == (chunks - 1) * streams:
                spent = time.process_time() - began

    # What a first call of a process brings along is not part of a stream's memory.
    other = run.without_prefix().caller("Async")
    await other.create()
    gc.collect()
    before = resident()
    for _ in run:
        await run.together([listen] * streams)
        assert seen >= chunks * streams, seen
        run.give(cpu=spent / (chunks - 3) / streams * 1e6, rss=memory / streams / 1000)
