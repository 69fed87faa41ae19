"""Messages of a realtime session."""

from bench.rows import Contender, Row, contenders

MESSAGE = {"cpu": "µs of CPU a message"}


def echo(flow):
    compressing = Contender("official 0.1.11, compressing", "official", server="echo-deflate")
    suffix, shown = ("-flow", "in flow") if flow else ("", "one after the other")
    who = "ours, ours on trio, official, bare, wsproto, wire"
    return [
        Row(
            f"echo{suffix}",
            f"Realtime events of 1 KiB, there and back, {shown}",
            "echo.events",
            contenders(who, compressing),
            MESSAGE,
            {"flow": flow},
            server="echo",
        ),
        Row(
            f"echo-blocking{suffix}",
            f"The same, blocking, {shown}",
            "echo.blocking",
            contenders("ours, official"),
            MESSAGE,
            {"flow": flow},
            server="echo",
        ),
    ]


REALTIME = [*echo(flow=False), *echo(flow=True)]
