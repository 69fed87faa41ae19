"""The event-stream rules as the standard words them: slow, literal, and right.

Nothing here is shared with the decoder under test, and no line is written for speed: the stream is
decoded as one text, the text is read character by character, and names are those of the standard.

Two things are not in the standard, and are marked: the limit on the size of one event, and the
event that the end of the input leaves unfinished.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2.6
"""

from typing import NamedTuple, Optional


class Event(NamedTuple):
    """One dispatched event, with what the event source knew when it was dispatched."""

    type: str
    data: str
    last_event_id: str
    reconnection_time: Optional[int]
    unfinished: bool = False


class Outcome(NamedTuple):
    """All that a stream gives.

    Fields:
        events: Its events, in order.
        too_large: Whether it ended in an event over the limit.
        last_event_id: The last event ID string after it, which a reconnecting client would send.
    """

    events: list[Event]
    too_large: bool
    last_event_id: str


class _EventSource:
    def __init__(self) -> None:
        self.data_buffer = ""
        self.event_type_buffer = ""
        self.last_event_id_buffer = ""
        self.last_event_id_string = ""
        self.reconnection_time: Optional[int] = None
        self.dispatched: list[Event] = []

    def process_line(self, line: str) -> None:
        if line == "":
            self.dispatch()
        elif line[0] == ":":
            pass
        elif ":" in line:
            colon = line.index(":")
            field, value = line[:colon], line[colon + 1 :]
            if value[:1] == " ":
                value = value[1:]
            self.process_field(field, value)
        else:
            self.process_field(line, "")

    def process_field(self, field: str, value: str) -> None:
        if field == "event":
            self.event_type_buffer = value
        elif field == "data":
            self.data_buffer += value
            self.data_buffer += "\n"
        elif field == "id":
            if "\0" not in value:
                self.last_event_id_buffer = value
        elif field == "retry":
            only_ascii_digits = all(character in "0123456789" for character in value)
            # Not in the standard: 18 digits at most. An empty value has no number in it.
            if only_ascii_digits and 0 < len(value) <= 18:
                self.reconnection_time = int(value)

    def dispatch(self, unfinished: bool = False) -> None:
        # The last event ID buffer is not reset, here or anywhere.
        self.last_event_id_string = self.last_event_id_buffer
        if self.data_buffer == "":
            self.event_type_buffer = ""
            return
        if self.data_buffer[-1] == "\n":
            self.data_buffer = self.data_buffer[:-1]
        event = Event(
            type=self.event_type_buffer if self.event_type_buffer != "" else "message",
            data=self.data_buffer,
            last_event_id=self.last_event_id_string,
            reconnection_time=self.reconnection_time,
            unfinished=unfinished,
        )
        self.data_buffer = ""
        self.event_type_buffer = ""
        self.dispatched.append(event)


def decode(
    stream: bytes, *, max_event_size: Optional[int] = None, flush_at_end: bool = False
) -> Outcome:
    """Read a whole stream.

    Args:
        stream: All bytes of the body.
        max_event_size: The most bytes that the lines of one event may have, without their ends.
        flush_at_end: Also dispatch the event that has no blank line after it.
    """
    # The UTF-8 decode algorithm: errors are replaced, and one leading byte order mark goes.
    text = stream.decode("utf-8", "replace")
    if stream[:3] == b"\xef\xbb\xbf":
        text = text[1:]
    lines, rest = _lines_of(text)

    # The same lines in bytes: Latin-1 has one character for each byte, and the same line ends.
    byte_lines, byte_rest = _lines_of(stream.decode("latin-1"))
    assert len(byte_lines) == len(lines)

    source = _EventSource()
    too_large = False
    size = 0
    for line, byte_line in zip(lines, byte_lines):
        size += len(byte_line)
        if max_event_size is not None and size > max_event_size:
            too_large = True  # Not in the standard.
            break
        source.process_line(line)
        if line == "":
            size = 0
    if max_event_size is not None and size + len(byte_rest) > max_event_size:
        too_large = True

    # The standard discards what is pending at the end of the file.
    if flush_at_end and not too_large:
        if rest != "":
            source.process_line(rest)
        source.dispatch(unfinished=True)
    return Outcome(source.dispatched, too_large, source.last_event_id_string)


def _lines_of(text: str) -> tuple[list[str], str]:
    """Return the lines that have an end, and what follows the last end."""
    lines: list[str] = []
    line = ""
    position = 0
    while position < len(text):
        character = text[position]
        if character == "\r" and text[position + 1 : position + 2] == "\n":
            lines.append(line)
            line = ""
            position += 2
        elif character == "\r" or character == "\n":
            lines.append(line)
            line = ""
            position += 1
        else:
            line += character
            position += 1
    return lines, line
