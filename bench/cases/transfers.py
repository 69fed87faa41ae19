"""A large body up and down: CPU, and how much more memory there is at the worst moment."""

import tempfile
import time
from contextlib import contextmanager

MIB = 1024 * 1024


def peak():
    """The most RSS since `forget_peak`, in bytes."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    raise OSError("no VmHWM in /proc/self/status")


def forget_peak():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def blocking(run):
    caller, size = run.caller("Blocking"), run.megabytes * MIB
    with sparse(size) as path:
        act = actions(run, caller, path)
        act(MIB)
        for _ in run:
            before, started = start()
            act(size)
            finish(run, before, started)


async def on_a_loop(run):
    caller, size = run.caller("Async"), run.megabytes * MIB
    with sparse(size) as path:
        act = actions(run, caller, path)
        await act(MIB)
        for _ in run:
            before, started = start()
            await act(size)
            finish(run, before, started)


@contextmanager
def sparse(size):
    """A folder with two files of zero bytes that take no room on the disk: one MiB, and so many."""
    with tempfile.TemporaryDirectory() as folder:
        for name, length in (("small", MIB), ("large", size)):
            with open(f"{folder}/{name}", "wb") as file:
                file.truncate(length)
        yield folder


def actions(run, caller, path):
    """`act(size)`: the transfer in the direction that is measured."""
    if run.options["direction"] == "down":
        return caller.download
    return lambda size: caller.upload(f"{path}/{'small' if size == MIB else 'large'}", size)


def start():
    forget_peak()
    return peak(), time.process_time()


def finish(run, before, started):
    spent = time.process_time() - started
    run.give(cpu=spent * 1e3 / run.megabytes * 1024, rss=(peak() - before) / MIB)
