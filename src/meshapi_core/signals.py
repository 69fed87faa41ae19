"""What a machine returns instead of an event: it needs more data, or there are no more events."""

from enum import Enum
from typing import Final

__all__ = ["END_OF_BODY", "END_OF_STREAM", "NEED_DATA", "EndOfBody", "EndOfStream", "NeedData"]


class _Signal(Enum):
    def __repr__(self) -> str:
        return self.name


class NeedData(_Signal):
    """The type of `NEED_DATA`."""

    NEED_DATA = "NEED_DATA"


class EndOfBody(_Signal):
    """The type of `END_OF_BODY`."""

    END_OF_BODY = "END_OF_BODY"


class EndOfStream(_Signal):
    """The type of `END_OF_STREAM`."""

    END_OF_STREAM = "END_OF_STREAM"


NEED_DATA: Final = NeedData.NEED_DATA
"""What `next_event` returns while no event is complete: call `receive_data`, then try again."""

END_OF_BODY: Final = EndOfBody.END_OF_BODY
"""What `next_event` of a connection returns when the body has ended."""

END_OF_STREAM: Final = EndOfStream.END_OF_STREAM
"""What `next_event` returns when the input has ended and every event has been returned."""
