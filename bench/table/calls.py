"""Whole responses: one at a time, many at once, by threads, on TLS, and large."""

from bench.rows import Contender, Goal, Row, against, contenders

CALL = {"cpu": "µs of CPU a call"}

LIBRARIES = "ours, official, openai, anthropic, httpx2, httpcore, httpcore2, niquests"
ON_ASYNCIO = "ours, ours on uvloop, aiohttp, official, openai, httpx2, httpcore, httpcore2"


def at_once(count, who, *goals):
    alone = Contender("meshapi, one at a time", "ours", {"at_once": 1})
    return Row(
        f"asyncio-{count}",
        f"`create()` on asyncio, {count:,} at once",
        "create.at_once",
        contenders(who, *([alone] if count == 1000 else [])),
        CALL,
        {"at_once": count},
        goals,
    )


def on_trio(count, who):
    alone = Contender("meshapi, one at a time", "ours", {"at_once": 1})
    among = count == 1000
    return Row(
        f"trio-{count}",
        f"`create()` on trio, {count:,} at once",
        "create.at_once",
        contenders(who, *([alone] if among else [])),
        CALL,
        {"at_once": count, "loop": "trio"},
        (Goal(1.1, alone.label),) if among else (),
    )


CREATE = [
    Row(
        "create",
        "`create()`, blocking",
        "create.blocking",
        contenders(f"{LIBRARIES}, h11, socket, ready"),
        CALL,
        goals=against(h11=0.75, official=0.15, socket=4.0),
    ),
    at_once(1, f"{ON_ASYNCIO}, niquests", *against(aiohttp=0.7)),
    at_once(10, "ours, ours on uvloop, aiohttp, official, httpcore, httpcore2"),
    at_once(100, ON_ASYNCIO, *against(aiohttp=0.7)),
    at_once(
        1000,
        "ours, ours on uvloop, aiohttp, official, openai, httpcore, httpcore2",
        *against(aiohttp=0.7, official=0.05),
        Goal(1.1, "meshapi, one at a time"),
    ),
    at_once(5000, "ours, ours on uvloop, aiohttp"),
    on_trio(1, "ours, httpx2, httpcore, httpcore2"),
    on_trio(10, "ours, httpcore, httpcore2"),
    on_trio(100, "ours, httpcore, httpcore2"),
    on_trio(1000, "ours"),
    on_trio(5000, "ours"),
    Row(
        "threads",
        "`create()`, 64 threads with one client",
        "create.threads",
        contenders("ours, official, openai, httpx2, httpcore, niquests"),
        CALL,
        {"at_once": 64},
    ),
    Row(
        "tls",
        "`create()`, blocking, on TLS",
        "create.blocking",
        contenders(f"{LIBRARIES}, h11, socket, ready"),
        CALL,
        {"tls": True},
        server="tls",
    ),
    *[
        Row(
            f"embeddings-{encoding}",
            f"256 embeddings of 1,536 floats, as {shown}",
            "create.embeddings",
            contenders("ours, official, openai, h11"),
            {"cpu": "µs of CPU a response"},
            {"encoding": encoding},
            goals,
        )
        for encoding, shown, goals in [
            ("float", "numbers", against(h11=1.5)),
            ("base64", "base64", ()),
        ]
    ],
]
