"""Draw the diagrams of the documentation: the layers, and the states of each machine.

They are drawn from the tables that drive the machines, and from the table of imports in
ARCHITECTURE.md, so they cannot contradict these. Graphviz does the layout. Its output depends on
its version and on fonts, so the pictures are not compared byte by byte: each contains a digest of
what it was drawn from.

    python tools/diagrams.py            # names each picture that is out of date, exit status 1
    python tools/diagrams.py --write    # draws those; needs the program `dot` of Graphviz
"""

import hashlib
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from meshapi_core.chunks import decoder
from meshapi_core.machines import client_call, exchange, pipe_call
from meshapi_core.machines.states import CallState
from meshapi_core.realtime import session
from meshapi_core.websocket import connection, timeouts

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "diagrams"

LABEL_WIDTH = 22
"""Characters of a line; a longer one makes a picture too wide for a phone."""

STYLE = """\
svg { background: #ffffff; }
text { fill: #1b1f24; font-family: system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
.node path, .node polygon { fill: #eef2ff; stroke: #4051b5; }
.good path { fill: #e4f5e8; stroke: #2b7a3d; }
.bad path { fill: #fdeaea; stroke: #b3372f; }
.edge path { fill: none; stroke: #5b6470; }
.edge polygon { fill: #5b6470; stroke: #5b6470; }
.edge text { fill: #3d444d; }
.own path { stroke-dasharray: 5 3; }
@media (prefers-color-scheme: dark) {
  svg { background: #1a1d24; }
  text { fill: #e6e8ee; }
  .node path, .node polygon { fill: #262b45; stroke: #8c9eff; }
  .good path { fill: #1c3324; stroke: #6cc785; }
  .bad path { fill: #3d2222; stroke: #ef8a80; }
  .edge path { stroke: #9aa3b0; }
  .edge polygon { fill: #9aa3b0; stroke: #9aa3b0; }
  .edge text { fill: #c3c9d3; }
}
"""

HEAD = """\
digraph {
  rankdir=TB; nodesep=0.35; ranksep=0.45; pad=0.2;
  node [shape=box, style=rounded, fontname="Helvetica", fontsize=14, margin="0.2,0.09"];
  edge [fontname="Helvetica", fontsize=12, arrowsize=0.7];
"""

GOOD = frozenset({"DONE", "ENDED", "CLOSED"})
BAD = frozenset({"FAILED", "OVER"})

Moves = Mapping[tuple[str, str], Iterable[str]]
"""(from, to) -> why."""

S = CallState
COMMON_STEPS = (
    (S.READY, S.WAITING, "to be repeated, later"),
    (S.WAITING, S.READY, "due"),
    (S.READY, S.OPENING, "upload"),
    (S.READY, S.DONE, "result"),
    (S.READY, S.FAILED, "error"),
    (S.BODY, S.READY, "whole"),
    (S.BODY, S.DRAINING, "stream complete"),
    (S.BODY, S.ITEMS, "end of body"),
    (S.ITEMS, S.DONE, "last item"),
    (S.DRAINING, S.DONE, "end of body"),
)
PIPE_STEPS = (
    *COMMON_STEPS,
    (S.READY, S.CONNECTING, "attempt"),
    (S.WRITING, S.HEAD, "all written"),
    (S.HEAD, S.BODY, "head"),
)
CLIENT_STEPS = (*COMMON_STEPS, (S.READY, S.SENDING, "attempt"))
"""What a call does by itself in `next_action`, which is in no table; drawn dashed."""


def by_input(table: Mapping[tuple[Any, Any], Iterable[Any]]) -> dict[tuple[str, str], list[str]]:
    """Return the moves of a table of (state, input) -> states."""
    moves: dict[tuple[str, str], list[str]] = {}
    for (state, what), following in table.items():
        for after in sorted(following, key=lambda each: each.name):
            moves.setdefault((state.name, after.name), []).append(str(what.value))
    return moves


def by_state(table: Mapping[Any, Iterable[Any]]) -> dict[tuple[str, str], list[str]]:
    """Return the moves of a table of state -> states."""
    return {
        (state.name, after.name): []
        for state, following in table.items()
        for after in sorted(following, key=lambda each: str(each.name))
    }


def states(moves: Moves, own: Iterable[tuple[CallState, CallState, str]] = ()) -> str:
    """Return the states and the moves between them; a move that changes nothing is not drawn.

    Args:
        moves: the moves of the table.
        own: the moves that a call makes by itself. If they are given, failures that end an attempt
            or the call are not drawn, because nearly every state has both.
    """
    shown = {each: why for each, why in moves.items() if each[0] != each[1]}
    began = [(before.name, after.name) for before, after, _ in own]
    names = dict.fromkeys(name for each in (*began, *moves) for name in each)
    if "READY" in names:
        names = {"READY": None, **names}
    lines = [HEAD]
    for name in names:
        kind = "good" if name in GOOD else "bad" if name in BAD else "plain"
        lines.append(f'  {name} [class="{kind}"];')
    first = next(iter(names))
    lines.append(f"  {{ rank=source; {first}; }}")
    for (before, after), why in shown.items():
        if own and after in ("READY", "FAILED"):
            # Nearly every state of a call has these two moves; the page says so in words.
            why = [each for each in why if each != "fail"]
        if why or not own:
            style = f'label="{_label(why)}", class="told"{_place(first, after)}'
            lines.append(f"  {before} -> {after} [{style}];")
    for start, end, words in own:
        style = f'label="{words}", class="own"{_place(first, end.name)}'
        lines.append(f"  {start.name} -> {end.name} [{style}];")
    return "\n".join([*lines, "}"])


def _place(first: str, after: str) -> str:
    """Return what keeps the first state on top, though a move leads back to it."""
    return ", constraint=false" if after == first else ""


def _label(why: Iterable[str]) -> str:
    lines = [
        line for each in ",\n".join(why).split("\n") for line in textwrap.wrap(each, LABEL_WIDTH)
    ]
    return "\\n".join(line.replace('"', "'") for line in lines)


def layers() -> str:
    """Return the rooms and which imports which, without arrows that follow from others."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    rows = re.findall(r"^\| `([\w.]+)` \|([^|]*)\|$", text.partition("### Arrows")[2], re.MULTILINE)
    arrows = {room: set(re.findall(r"`([\w.]+)`", imported)) for room, imported in rows}
    lines = [HEAD]
    lines += [f'  "{room}" [class="plain"];' for room in arrows]
    for room, imported in arrows.items():
        for target in sorted(imported):
            if not any(_leads(arrows, other, target) for other in imported - {target}):
                lines.append(f'  "{room}" -> "{target}" [class="told"];')
    return "\n".join([*lines, "}"])


def _leads(arrows: Mapping[str, set[str]], start: str, end: str) -> bool:
    return start == end or any(_leads(arrows, each, end) for each in arrows[start])


def drawings() -> dict[str, str]:
    """Return the source of each picture, in the language of Graphviz."""
    return {
        "layers": layers(),
        "exchange": states(by_input(exchange.TRANSITIONS)),
        "pipe-call": states(by_input(pipe_call.TRANSITIONS), PIPE_STEPS),
        "client-call": states(by_input(client_call.TRANSITIONS), CLIENT_STEPS),
        "stream": states(by_input(decoder.TRANSITIONS)),
        "realtime-session": states(by_input(session.TRANSITIONS)),
        "websocket": states(by_state(connection.TRANSITIONS)),
        "websocket-timeouts": states(by_state(timeouts.TRANSITIONS)),
    }


def digest(source: str) -> str:
    """Return the digest of a source, which its picture contains."""
    return hashlib.sha256((source + STYLE).encode()).hexdigest()[:16]


def draw(source: str) -> str:
    """Return a picture as SVG, in colours that follow the reader's light or dark mode.

    Raises:
        FileNotFoundError: Graphviz is not installed.
    """
    done = subprocess.run(
        ["dot", "-Tsvg"], input=source, capture_output=True, text=True, check=True
    )
    svg = done.stdout[done.stdout.index("<svg") :]
    svg = re.sub(r"<!--.*?-->\n?", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<title>.*?</title>\n?", "", svg)
    svg = re.sub(r' (?:fill|stroke|font-family|stroke-dasharray)="[^"]*"', "", svg)
    # This is the background that Graphviz draws.
    svg = re.sub(r"<polygon points=[^>]*/>\n", "", svg, count=1)
    # With sizes in points, letters of 14 would be too large beside the text of a page.
    svg = re.sub(r'(width|height)="(\d+)pt"', r'\1="\2px"', svg)
    svg = re.sub(
        r"(<svg[^>]*>)", rf"\1\n<!-- {digest(source)} -->\n<style>\n{STYLE}</style>", svg, count=1
    )
    return svg.rstrip() + "\n"


def main(*, write: bool = False) -> int:
    """Compare or draw; return the exit status."""
    status = 0
    wanted = drawings()
    for path in sorted(FOLDER.glob("*.svg")):
        if path.stem not in wanted:
            print(f"{path.relative_to(ROOT)} is not drawn by {Path(__file__).name}")
            status = 1
    for name, source in wanted.items():
        path = FOLDER / f"{name}.svg"
        if path.exists() and f"<!-- {digest(source)} -->" in path.read_text("utf-8"):
            continue
        if write:
            FOLDER.mkdir(parents=True, exist_ok=True)
            path.write_text(draw(source), "utf-8")
            print(f"drew {path.relative_to(ROOT)}")
        else:
            print(f"{path.relative_to(ROOT)} is out of date: python tools/diagrams.py --write")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(write="--write" in sys.argv[1:]))
