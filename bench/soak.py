"""A long conversation, and whether memory stays flat. `python bench/soak.py [FLAVOUR ...]`

Sound of 24 kHz PCM16 goes out in pieces of 100 ms at 20 times real speed, and as much comes back,
through a session of the client in a process of its own; the server is another process. The memory
that counts (RSS, of /proc/self/statm) is what is added after the first minute of audio.

    python bench/soak.py --minutes 10 --speed 20 asyncio trio blocking
"""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import threading
import time

from servers import server

MIB = 1024 * 1024
ALLOWED = 5 * MIB

# 24,000 samples of two bytes a second.
BYTES_A_SECOND = 48_000
PIECE = 0.1
AUDIO = bytes(range(256)) * 19
AUDIO = AUDIO[: int(BYTES_A_SECOND * PIECE)]
PIECES_A_MINUTE = round(60 / PIECE)

PAGE = os.sysconf("SC_PAGE_SIZE")


def rss():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * PAGE


class Soak:
    """Counts what comes in, and looks at the memory, ten times in a minute of audio."""

    def __init__(self, minutes, speed):
        self.pieces = round(minutes * PIECES_A_MINUTE)
        self.pause = PIECE / speed
        self.received = 0
        self.before = rss()
        self.after_a_minute = 0
        self.most = 0
        self.started = time.monotonic()
        self.cpu = time.process_time()

    def left_until(self, piece):
        """Seconds until a piece is due."""
        return self.started + piece * self.pause - time.monotonic()

    def take(self, message):
        """Count a message; whether it was the last."""
        assert message.audio == AUDIO, message
        self.received += 1
        if self.received == PIECES_A_MINUTE:
            self.after_a_minute = self.most = rss()
        elif self.received > PIECES_A_MINUTE and self.received % (PIECES_A_MINUTE // 10) == 0:
            self.most = max(self.most, rss())
        return self.received == self.pieces

    def result(self):
        wall = time.monotonic() - self.started
        return {
            "minutes": self.received * PIECE / 60,
            "wall": wall,
            "cpu": time.process_time() - self.cpu,
            "before": self.before,
            "after_a_minute": self.after_a_minute,
            "most": self.most,
            "growth": self.most - self.after_a_minute,
        }


async def soak_async(client_class, base_url, soak, sleep, both):
    client = client_class(base_url=base_url, token="rsk_test_soak")
    async with client, client.realtime.connect(model="talk") as session:

        async def speak():
            for piece in range(soak.pieces):
                left = soak.left_until(piece)
                if left > 0:
                    await sleep(left)
                await session.send_audio(AUDIO)

        async def listen():
            while not soak.take(await session.receive(timeout=60)):
                pass

        await both(speak, listen)


def on_asyncio(base_url, soak):
    from meshapi import AsyncMeshAPI

    async def both(speak, listen):
        await asyncio.gather(speak(), listen())

    asyncio.run(soak_async(AsyncMeshAPI, base_url, soak, asyncio.sleep, both))


def on_trio(base_url, soak):
    import trio

    from meshapi import AsyncMeshAPI

    async def both(speak, listen):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(speak)
            nursery.start_soon(listen)

    trio.run(soak_async, AsyncMeshAPI, base_url, soak, trio.sleep, both)


def blocking(base_url, soak):
    from meshapi import MeshAPI

    client = MeshAPI(base_url=base_url, token="rsk_test_soak")
    with client, client.realtime.connect(model="talk") as session:

        def speak():
            for piece in range(soak.pieces):
                left = soak.left_until(piece)
                if left > 0:
                    time.sleep(left)
                session.send_audio(AUDIO)

        thread = threading.Thread(target=speak)
        thread.start()
        while not soak.take(session.receive(timeout=60)):
            pass
        thread.join()


FLAVOURS = {"asyncio": on_asyncio, "trio": on_trio, "blocking": blocking}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("flavours", nargs="*", help=", ".join(FLAVOURS))
    parser.add_argument("--minutes", type=float, default=10, help="of sound, each way")
    parser.add_argument("--speed", type=float, default=20, help="1 is as fast as people speak")
    parser.add_argument("--json", action="store_true", help="the figures alone")
    parser.add_argument("--one", nargs=2, metavar=("FLAVOUR", "PORT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.minutes <= 1:
        parser.error("--minutes: more than 1, because the first one does not count")
    if args.one:
        flavour, port = args.one
        soak = Soak(args.minutes, args.speed)
        FLAVOURS[flavour](f"http://127.0.0.1:{port}", soak)
        print(json.dumps(soak.result()))
        return
    results = {}
    with server("echo_server.py") as port:
        for flavour in args.flavours or FLAVOURS:
            command = [sys.executable, __file__, "--one", flavour, str(port)]
            command += ["--minutes", str(args.minutes), "--speed", str(args.speed)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            results[flavour] = json.loads(done.stdout)
    if args.json:
        print(json.dumps(results))
        return
    print(f"CPython {platform.python_version()}, {args.speed:g} times real speed, MiB of RSS")
    print("  flavour   minutes  seconds  CPU s  at start  after 1 min   most  growth")
    for flavour, it in results.items():
        sizes = (it[name] / MIB for name in ("before", "after_a_minute", "most", "growth"))
        print(
            f"  {flavour:8} {it['minutes']:8.1f} {it['wall']:8.1f} {it['cpu']:6.2f}"
            + "{:10.1f} {:12.1f} {:6.1f} {:7.2f}".format(*sizes)
        )
    if any(it["growth"] > ALLOWED for it in results.values()):
        sys.exit(f"memory grew by more than {ALLOWED // MIB} MiB after the first minute")


if __name__ == "__main__":
    main()
