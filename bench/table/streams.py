"""Streams: their chunks, the first one, how long and how large, and many at once."""

from bench.rows import Goal, Row, against, contenders

CHUNK = {"cpu": "µs of CPU a chunk"}


def stream(name, title, who, chunks, size=None, goals=(), **options):
    prefix = f"/stream/{chunks}" + (f"/{size}" if size else "")
    return Row(
        name,
        title,
        options.pop("case", "streams.whole"),
        contenders(who),
        options.pop("figures", CHUNK),
        {"prefix": prefix, "chunks": chunks, **options},
        goals,
        server="stream",
    )


def paced(streams, chunks, rate, who, goals=()):
    return Row(
        f"paced-{streams}",
        f"{streams:,} streams at once, {rate} chunks a second on each",
        "streams.paced",
        contenders(who),
        {**CHUNK, "rss": "KB of RSS a stream"},
        {
            "prefix": f"/paced/{streams}/{chunks}/{rate}",
            "streams": streams,
            "chunks": chunks,
            "at_once": streams,
        },
        goals,
        server="stream",
        fresh=True,
        at_most=2,
        note="Slow enough that nobody falls behind, so that each chunk comes in a read of its own.",
    )


STREAMS = [
    stream(
        "stream",
        "A stream of 2,000 chunks, blocking",
        "ours, official, openai, anthropic, h11",
        2000,
        goals=against(official=0.25, openai=0.04, h11=0.8),
    ),
    stream(
        "stream-async",
        "A stream of 2,000 chunks, on an event loop",
        "ours, ours on uvloop, ours on trio, aiohttp, official, openai",
        2000,
        case="streams.awhole",
    ),
    stream(
        "stream-first",
        "From the call to the first chunk",
        "ours, official, openai, anthropic, h11",
        20,
        case="streams.first",
        figures={"cpu": "µs of CPU a stream"},
    ),
    *[
        stream(
            f"stream-length-{chunks}",
            f"A stream of {chunks:,} chunks",
            "ours, official, openai, h11",
            chunks,
        )
        for chunks in (10, 100, 20_000)
    ],
    *[
        stream(
            f"stream-size-{size}",
            f"A stream of 200 chunks of {size:,} characters",
            "ours, official, openai, h11",
            200,
            size,
        )
        for size in (5, 100, 1000, 10_000)
    ],
    paced(100, 40, 20, "ours, ours on uvloop, ours on trio, aiohttp, official, openai"),
    paced(
        1000,
        13,
        5,
        "ours, ours on uvloop, ours on trio, aiohttp, official, openai",
        (*against(official=0.35), Goal(12, figure="rss")),
    ),
]
