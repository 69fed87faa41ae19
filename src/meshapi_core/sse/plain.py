r"""A fast path for what nearly all of a stream looks like: events of a single data line.

Most pieces are `data: ...` and a blank line, again and again. One `split` of such a piece gives the
data of all its events, without a look at its lines. Anything else (another field, a comment, an
event of two lines, a mix of line ends, an event that is cut off) is left to the line-by-line
reader, together with all that follows it.

The events are the same as that reader's. What is between `data: ` and the next line end is one
whole line, and a blank line follows. `decoder` makes sure that nothing is pending before it.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2.6
"""

from typing import Final

__all__ = ["plain_events"]

_START: Final = b"data: "
_END: Final = b"\n\n"
_FRAME: Final = len(_START + _END)

# As numbers: `in` searches for a number with a single memchr. Given bytes, it first tries to make a
# number of them, and that failure takes ten times as long as searching a usual event.
_LF: Final = 0x0A
_CR: Final = 0x0D


def plain_events(piece: bytes, max_event_size: int) -> tuple[list[bytes], bytes]:
    """Return the data of the plain events that a piece begins with, and the rest of the piece.

    Args:
        piece: Begins at the start of a line, where no event is pending.
        max_event_size: The most bytes of a line; longer ones are left to the line-by-line reader.

    Returns:
        The data in reverse, the next one last; and the rest of the piece, mostly `b""`.
    """
    # Gateways write one event at a time. These two calls cost less than comparing slices.
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
    # Servers use one kind of line end throughout. A piece with a CR is split at CRLF alone; a value
    # that still has another line end in it is not plain.
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
