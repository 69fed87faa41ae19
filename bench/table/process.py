"""What a process pays: for imports, in memory, and for bodies that do not fit into it."""

from bench.rows import Goal, Row, against, contenders

START = {"cpu": "ms of CPU", "modules": "modules"}


def imports(name, title, who, goals=(), **options):
    return Row(
        name, title, "imports.cost", contenders(who), START, options, goals, server=None, fresh=True
    )


IMPORT = [
    imports(
        "import",
        "The import alone",
        "ours, official, openai, anthropic, litellm, httpx2, aiohttp, niquests",
        (*against(official=0.25), Goal(190, figure="modules")),
    ),
    imports(
        "import-client",
        "The import and a client",
        "ours, official, openai, anthropic, httpx2, niquests",
        client=True,
    ),
]

MEMORY = [
    Row(
        "memory-client",
        "A client",
        "memory.client",
        contenders("ours, official, openai, anthropic, httpx2"),
        {"rss": "KB of RSS"},
        {"count": 50},
        fresh=True,
    ),
    Row(
        "memory-idle",
        "An idle connection",
        "memory.idle",
        contenders("ours, ours on trio, aiohttp, official, openai, httpcore, httpcore2"),
        {"rss": "KB of RSS"},
        {"at_once": 200},
        fresh=True,
        note="After as many calls at once; what these leave behind is part of it.",
    ),
]

GROWN = {"cpu": "ms of CPU a GiB", "rss": "MiB of RSS more"}
TRANSFERS = [
    Row(
        f"transfer-{direction}{suffix}",
        f"A GiB {direction}, {shown}",
        f"transfers.{case}",
        contenders(who),
        GROWN,
        {"direction": direction},
        (Goal(10, figure="rss"),),
        server="bulk",
        fresh=True,
        at_most=2,
    )
    for suffix, shown, case, who in [
        ("", "blocking", "blocking", "ours, httpx2"),
        ("-asyncio", "on asyncio", "on_a_loop", "ours, aiohttp"),
    ]
    for direction in ("up", "down")
]
