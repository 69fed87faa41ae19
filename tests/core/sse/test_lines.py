"""sse.lines: however the bytes are cut, the lines are the same."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core.sse.lines import LineCutter
from support import sse_streams

BOM = b"\xef\xbb\xbf"


def lines_of(pieces: list[bytes]) -> tuple[list[bytes], bytes, int]:
    """The whole lines, the unfinished one at the end, and the size of the mark that was cut off."""
    cutter, lines, missing = LineCutter(), [], 0
    for piece in pieces:
        missing += cutter.cut(piece)
        while cutter.ready:
            lines.append(cutter.ready.pop())
    rest = cutter.finish()
    return lines, rest, missing


@given(st.data(), sse_streams.streams)
@example(None, b"a\r\nb\rc\n\r")
@example(None, BOM + b"a\n" + BOM + b"b")
def test_any_cut_gives_the_lines_of_the_standard(data, stream):
    pieces = [stream[i : i + 1] for i in range(len(stream))]
    if data is not None:
        pieces = data.draw(sse_streams.pieces(stream))
    lines, rest, missing = lines_of(pieces)
    *expected, last = re.split(b"\r\n|\r|\n", stream.removeprefix(BOM))
    assert (lines, rest) == (expected, last)
    # In an unfinished line, the mark is only found at the end.
    assert missing == (len(BOM) if stream.startswith(BOM) and expected else 0)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_a_line_is_ready_as_soon_as_its_end_begins(end):
    cutter = LineCutter()
    cutter.cut(b"a" + end[:1])
    assert cutter.ready == [b"a"]
