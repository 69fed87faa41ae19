"""Memory: RSS that is there after something and was not before, with what is unused given back."""

import ctypes
import gc


def resident():
    """RSS in bytes."""
    import os

    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def settled():
    """RSS once the collector and malloc have given back what they can."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        pass
    return resident()


def client(run):
    """A client that has not been used; one that has is kept out of it, as it loads modules."""
    other = run.caller("Blocking")
    other.create()
    count = run.options["count"]
    for _ in run:
        before = settled()
        kept = [run.caller("Blocking") for _ in range(count)]
        run.give(rss=(settled() - before) / count / 1000)
        del kept


async def idle(run):
    """A connection that is kept after its call: as many as there were calls at once."""
    other = run.caller("Async")
    await other.create()
    create = run.caller("Async").create
    for _ in run:
        before = settled()
        await run.together([create] * run.at_once)
        await run.sleep(0.1)
        run.give(rss=(settled() - before) / run.at_once / 1000)
