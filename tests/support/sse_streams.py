"""Strategies for event streams."""

from hypothesis import strategies as st

line_ends = st.sampled_from([b"\n", b"\r", b"\r\n"])

# Line ends and white space by any definition, and whatever the rules name.
_characters = st.sampled_from(
    [
        *"a1 \t:\0",
        "\x0b",
        "\x1c",
        "\x85",
        "\xa0",
        "\xe9",
        "\u2028",
        "\u2029",
        "\ufeff",
        "\U0001f600",
    ]
)
_broken = st.sampled_from([b"\xff", b"\xc3", b"\xe2\x80", b"\xf0\x9f\x98", b"\xed\xa0\x80"])
_values = st.one_of(
    st.lists(st.one_of(_characters.map(str.encode), _broken), max_size=6).map(b"".join),
    st.sampled_from([b"10", b"007", b"+1", b"1_0", b" 1", b"9" * 18, b"9" * 19]),
)
_names = st.sampled_from([b"data", b"data", b"event", b"id", b"retry", b"", b"Data", b"x"])
_colons = st.sampled_from([b": ", b":", b"", b":  ", b" :"])
_fields = st.builds(lambda *parts: b"".join(parts), _names, _colons, _values)
_lines = st.one_of(_fields, st.just(b""), st.just(b"data"), st.just(b"data: 1"))
_marks = st.sampled_from([b"", b"", b"\xef\xbb\xbf", b"\xef\xbb", b"\xef\xbb\xbf\xef\xbb\xbf"])

written = st.builds(
    lambda mark, lines, rest: mark + b"".join(map(b"".join, lines)) + rest,
    _marks,
    st.lists(st.tuples(_lines, line_ends), max_size=12),
    _lines,
)
"""Streams by the grammar, and just beside it: each line has its own end, the last may have none."""

tokens = st.lists(
    st.sampled_from([b"\n", b"\r", b":", b" ", b"d", b"data", b"data: ", b"id", b"\xef\xbb\xbf"]),
    max_size=24,
).map(b"".join)
"""Streams in which ends, colons and spaces stand anywhere."""

streams = st.one_of(written, tokens, st.binary(max_size=40))

limits = st.one_of(st.just(1 << 20), st.integers(1, 24))
"""Size limits: one that no stream here reaches, and some that most do."""


@st.composite
def pieces(draw: st.DrawFn, stream: bytes) -> list[bytes]:
    """Draw the pieces of a stream, cut anywhere; none is empty."""
    cuts = draw(st.sets(st.integers(1, max(1, len(stream) - 1)), max_size=8))
    bounds = [0, *sorted(cuts), len(stream)]
    return [piece for a, b in zip(bounds, bounds[1:]) if (piece := stream[a:b])]
