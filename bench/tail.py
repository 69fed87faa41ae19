"""The slowest of many streams at once on TLS, and the memory after them, asyncio beside trio.

    python bench/tail.py [--tasks 500] [--streams 3000] [--rounds 5] [FLAVOUR ...]

In each round a number of tasks shares a number of streams of 20 chunks; client and server are a
process each. The times are of whole streams, from the call to the last chunk, over all rounds: as
all tasks start at once, the slowest had to wait for the handshakes of the others. `turns` are how
many other streams ended within one, after the first of each task: where all have their turns in
order, one of each other task, and that does not depend on the machine. The memory (RSS, of
/proc/self/statm) is that after each round, with the collector run before.

trio turns each batch of tasks that can run around, or not, by the toss of a coin, so that nobody
relies on an order. Where a batch takes long, because each of 500 tasks has a whole stream to decode
at its turn, one waits for up to two batches: the slowest take nearly twice as long as on asyncio,
and the median does not. `trio-in-order` is trio without that, and shows that there is no other
cause.
"""

import argparse
import asyncio
import gc
import json
import platform
import random
import ssl
import subprocess
import sys
import tempfile
import time

from servers import certificates, server
from soak import MIB, rss

CHUNKS = 20
MESSAGES = [{"role": "user", "content": "Hello!"}]
PLACES = (0.5, 0.9, 0.99, 1.0)


class Rounds:
    """What the rounds of one flavour came to."""

    def __init__(self, args):
        self.args = args
        self.times = []
        self.turns = []
        self.memory = [rss()]
        self.cpu = time.process_time()

    async def run(self, client, group):
        for _ in range(self.args.rounds):
            self.left = iter(range(self.args.streams))
            self.done = 0
            await group([lambda: self.work(client)] * self.args.tasks)
            gc.collect()
            self.memory.append(rss())

    async def work(self, client):
        for _ in self.left:
            started, before = time.monotonic(), self.done
            stream = client.chat.completions.stream(model="bench", messages=MESSAGES)
            async with stream:
                async for _ in stream:
                    pass
            if before >= self.args.tasks:
                self.turns.append(self.done - before)
            self.done += 1
            self.times.append(time.monotonic() - started)

    def result(self):
        return {
            "times": at_places(self.times),
            "turns": at_places(self.turns),
            "memory": self.memory,
            "cpu": (time.process_time() - self.cpu) / len(self.times),
        }


def at_places(values):
    ordered = sorted(values)
    return [ordered[min(len(ordered) - 1, int(len(ordered) * place))] for place in PLACES]


async def measure(rounds, group, url, authority):
    from meshapi import AsyncMeshAPI

    context = ssl.create_default_context(cafile=authority) if authority else None
    options = {"base_url": url, "token": "rsk_test_tail", "timeout": 60, "tls": context}
    async with AsyncMeshAPI(**options) as client:
        await rounds.run(client, group)


def on_asyncio(rounds, *where):
    async def group(workers):
        await asyncio.gather(*[worker() for worker in workers])

    asyncio.run(measure(rounds, group, *where))


def on_trio(rounds, *where):
    import trio

    async def group(workers):
        async with trio.open_nursery() as nursery:
            for worker in workers:
                nursery.start_soon(worker)

    trio.run(measure, rounds, group, *where)


class NoCoin(random.Random):
    """trio's source of chance, which leaves the order of a batch alone."""

    def random(self):
        return 0.5


def on_trio_in_order(rounds, *where):
    from trio._core import _run

    _run._r = NoCoin()
    on_trio(rounds, *where)


FLAVOURS = {"asyncio": on_asyncio, "trio": on_trio, "trio-in-order": on_trio_in_order}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("flavours", nargs="*", help=", ".join(FLAVOURS))
    parser.add_argument("--tasks", type=int, default=500, help="at once (%(default)s)")
    parser.add_argument("--streams", type=int, default=3000, help="in a round (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--clear", action="store_true", help="without TLS")
    parser.add_argument("--json", action="store_true", help="the figures alone")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        flavour, url, authority = args.one
        rounds = Rounds(args)
        FLAVOURS[flavour](rounds, url, authority)
        print(json.dumps(rounds.result()))
        return
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        authority, own = certificates(folder)
        with server("server.py", *([] if args.clear else [own])) as port:
            url = f"http{'' if args.clear else 's'}://127.0.0.1:{port}/stream/{CHUNKS}"
            for flavour in args.flavours or FLAVOURS:
                command = [sys.executable, __file__, *sys.argv[1:]]
                command += ["--one", flavour, url, "" if args.clear else authority]
                done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
                results[flavour] = json.loads(done.stdout)
    if args.json:
        print(json.dumps(results))
        return
    print(
        f"CPython {platform.python_version()}, {args.tasks} tasks, {args.streams} streams a round"
    )
    head = "median    90 %    99 %     max s    CPU us    turns: median, 90 %, 99 %, max"
    print(f"  {'flavour':14}  {head}")
    for flavour, it in results.items():
        times = "".join(f"{seconds:8.3f}" for seconds in it["times"])
        turns = "".join(f"{count:7}" for count in it["turns"])
        print(f"  {flavour:14}{times}  {it['cpu'] * 1e6:8.0f}  {turns}")
    print("  MiB of RSS at first, and after each round")
    for flavour, it in results.items():
        print(f"  {flavour:14}" + "".join(f"{size / MIB:7.1f}" for size in it["memory"]))


if __name__ == "__main__":
    main()
