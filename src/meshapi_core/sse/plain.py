r"""What nearly all of a stream looks like, read at once: events of one line of data and no more.

A piece is `data: ...` and a blank line, again and again. Where it is, one `split` of the piece
gives the data of all its events, and none of its lines is looked at. Whatever else stands in it
(another field, a comment, an event of two lines, another end of a line, an event that is cut off)
is left to the lines, with all that follows it.

Why that is the same: what is between `data: ` and the end of its line has no line end in it, so it
is all of one line; behind it is a blank one. Nothing may be pending before it: `decoder` sees to
that.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2.6
"""

from typing import Final

__all__ = ["plain_events"]

_START: Final = b"data: "
_END: Final = b"\n\n"
_FRAME: Final = len(_START + _END)

# As numbers: `in` looks for a number of 0 to 255 with one memchr, and for bytes it first fails to
# make a number of them, which takes ten times as long as the search of a usual event.
_LF: Final = 0x0A
_CR: Final = 0x0D


def plain_events(piece: bytes, max_event_size: int) -> tuple[list[bytes], bytes]:
    """Return the data of the plain events that a piece begins with, and what follows them.

    Args:
        piece: begins where a line does, and no event is pending there.
        max_event_size: bytes of a line from which on it is left to the lines.

    Returns:
        the data in reverse, the next one last; and the rest of the piece, `b""` as a rule.
    """
    # Gateways write one event at a time. These two cost less than slices that are compared.
    value = piece.removeprefix(_START).removesuffix(_END)
    if (
        len(piece) - len(value) == _FRAME
        and len(piece) - 2 <= max_event_size
        and _LF not in value
        and _CR not in value
    ):
        return [value], b""
    if piece[:6] != _START:
        return [], piece
    has_cr = _CR in piece
    end = b"\r\n\r\n" if has_cr else _END
    stop = piece.rfind(end)
    if stop < len(_START):
        return [], piece
    values = piece[6:stop].split(end + _START)
    if stop > max_event_size and max(map(len, values)) + len(_START) > max_event_size:
        return [], piece
    rest = piece[stop + len(end) :]
    odd = [value for value in values if _LF in value or (has_cr and _CR in value)]
    if odd:
        del values[values.index(odd[0]) :]
        rest = piece[sum(map(len, values)) + len(values) * len(_START + end) :]
    values.reverse()
    return values, rest
