# Generated from _async/realtime/inbox.py by `python tools/mirror.py --write`: edit that file.
"""Where messages wait that have come and that nobody has received yet."""

from collections import deque
from typing import Optional

from meshapi_backends._sync.networks import Network
from meshapi_core import RealtimeExchange, RealtimeMessage

# What may wait in the inbox before a session that only sends stops to read.
_MOST_MESSAGES = 1_000
_MOST_BYTES = 1024 * 1024


class Inbox:
    """Messages that have come and wait to be received, over one connection or its successor."""

    def __init__(self, network: Network, exchange: RealtimeExchange) -> None:
        self._memory = exchange.memory
        self._lock = network.lock()
        self._messages: deque[RealtimeMessage] = deque()
        self._size = 0

    def put(self, message: RealtimeMessage) -> None:
        with self._lock:
            # Before it is received: who sends may have to connect again.
            self._memory.note_received(message)
            self._messages.append(message)
            self._size += _size(message)

    def take(self) -> Optional[RealtimeMessage]:
        """The oldest one, None where there is none."""
        with self._lock:
            if not self._messages:
                return None
            message = self._messages.popleft()
            self._size -= _size(message)
            return message

    @property
    def is_full(self) -> bool:
        """Whether no more should be read for which nobody has asked."""
        return len(self._messages) >= _MOST_MESSAGES or self._size >= _MOST_BYTES


def _size(message: RealtimeMessage) -> int:
    return len(message.text or message.audio or "")
