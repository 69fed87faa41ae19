# Generated from _async/realtime/inbox.py by `python tools/mirror.py --write`: edit that file.
"""Messages that have arrived and have not been received yet."""

from collections import deque
from typing import Optional

from meshapi_backends._sync.networks import Network
from meshapi_core import RealtimeExchange, RealtimeMessage, Reconnected

# The size of the inbox at which a session that only sends stops reading.
_MOST_MESSAGES = 1_000
_MOST_BYTES = 1024 * 1024


class Inbox:
    """Messages that have arrived and wait to be received, from one connection after another.

    Attributes:
        taken_from: the number of the link that brought the message which was taken last.
    """

    def __init__(self, network: Network, exchange: RealtimeExchange) -> None:
        self._memory = exchange.memory
        self._lock = network.lock()
        self._messages: deque[RealtimeMessage] = deque()
        self._size = 0
        self.taken_from = 0

    def put(self, message: RealtimeMessage) -> None:
        with self._lock:
            # Now, not when it is received: a sender may have to connect again before that.
            self._memory.note_received(message)
            self._messages.append(message)
            self._size += _size(message)

    def take(self) -> Optional[RealtimeMessage]:
        """The oldest message; None if there is none."""
        with self._lock:
            if not self._messages:
                return None
            message = self._messages.popleft()
            self._size -= _size(message)
            if type(message) is Reconnected:
                self.taken_from += 1
            return message

    @property
    def is_full(self) -> bool:
        """Whether to stop reading until somebody receives."""
        return len(self._messages) >= _MOST_MESSAGES or self._size >= _MOST_BYTES


def _size(message: RealtimeMessage) -> int:
    return len(message.text or message.audio or "")
