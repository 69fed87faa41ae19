"""The core alone: bytes in; events, or typed chunks, out."""

from bench.rows import Row, against, contenders

CHUNK = {"cpu": "µs of CPU a chunk"}
EVENT = {"cpu": "µs of CPU an event"}


def core(name, title, case, who, unit, goals=(), **options):
    return Row(name, title, f"core.{case}", contenders(who), unit, options, goals, server=None)


CORE = [
    *[
        core(
            f"sse-{pieces.replace(' ', '')}-{ends}",
            f"Bytes to events: {shown}, {ends.upper()}",
            "sse",
            "ours, openai, split",
            EVENT,
            ends=ends,
            pieces=pieces,
        )
        for ends in ("lf", "crlf")
        for pieces, shown in [
            ("frame", "a piece each"),
            ("tiny", "pieces of 7 bytes"),
            ("64 KiB", "pieces of 64 KiB"),
        ]
    ],
    *[
        core(
            f"chunks-{kind}",
            f"Bytes to typed chunks: {shown}",
            "chunks",
            "ours, official, openai, split",
            CHUNK,
            goals,
            kind=kind,
            pieces="frame",
        )
        for kind, shown, goals in [
            ("content", "text", against(split=1.8)),
            ("tools", "tool calls", ()),
            ("usage", "with usage", ()),
        ]
    ],
    core(
        "chunks-whole",
        "Bytes to typed chunks: text, all in one piece",
        "chunks",
        "ours, official, openai, split",
        CHUNK,
        kind="content",
        pieces="whole",
    ),
]
