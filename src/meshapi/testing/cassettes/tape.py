"""Which exchanges of a cassette have been played, and which are new. No I/O."""

import threading
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Optional, Union

from typing_extensions import TypeAlias

from meshapi.testing.cassettes.exchanges import Asked, Exchange, Responded, encoded, secrets_of
from meshapi.testing.cassettes.matching import differences, is_same, nearest
from meshapi_core import CassetteError, Request

__all__ = ["Mode", "Recording", "Tape"]

Mode: TypeAlias = Literal["none", "once", "new_episodes", "all"]

_MOST_DIFFERENCES = 3


class Recording:
    """A response that is being recorded.

    Args:
        asked: the request.
        secrets: what must not be in the file.
    """

    def __init__(self, asked: Asked, secrets: Sequence[str]) -> None:
        self.asked = asked
        self.secrets = secrets
        self._status: Optional[int] = None
        self._headers: list[tuple[Any, Any]] = []
        self._pieces: list[bytes] = []
        self._end: Literal["whole", "broken", "incomplete"] = "incomplete"

    def begin(self, status: int, headers: Iterable[tuple[Any, Any]]) -> None:
        """Note the head of the response."""
        self._status, self._headers = status, list(headers)

    def add(self, piece: bytes) -> None:
        """Note a piece of the body; `b""` is its end."""
        if piece:
            self._pieces.append(piece)
        else:
            self._end = "whole"

    def broke(self) -> None:
        """Note that the body broke off."""
        self._end = "broken"

    def exchange(self) -> Optional[Exchange]:
        """Return what was recorded; None if there was no response."""
        if self._status is None:
            return None
        response = Responded.of(self._status, self._headers, self._pieces, self._end, self.secrets)
        return Exchange(self.asked, response)


class Tape:
    """The exchanges of a cassette while it is open. Safe in threads.

    Args:
        name: what messages call the file.
        mode: one of vcr's modes.
        exchanges: those of the file; None if there is no file.
        option: how a mode is written where the program's was, for messages.
    """

    def __init__(
        self,
        name: str,
        mode: Mode,
        exchanges: Optional[list[Exchange]],
        option: str = 'mode="{}"',
    ) -> None:
        self._name = name
        self._mode = mode
        self._option = option
        self._old = [] if exchanges is None or mode == "all" else exchanges
        self._unplayed = list(range(len(self._old)))
        self._new: list[Recording] = []
        # Of all requests: an upload to a signed URL carries no token, and may have it in its body.
        self._secrets: dict[str, None] = {}
        self._lock = threading.Lock()
        self.records = mode in ("all", "new_episodes") or (mode == "once" and exchanges is None)

    @property
    def played(self) -> int:
        """How many of the file's exchanges have been played."""
        return len(self._old) - len(self._unplayed)

    @property
    def recorded(self) -> int:
        """How many exchanges are new."""
        return len(self._new)

    @property
    def unplayed(self) -> int:
        """How many of the file's exchanges have not been played."""
        return len(self._unplayed)

    def begin(self, request: Request) -> Union[Responded, Recording]:
        """Return the recorded response to a request, or what records it.

        Raises:
            CassetteError: no recorded request matches, and nothing new is to be recorded.
        """
        with self._lock:
            self._secrets.update(dict.fromkeys(secrets_of(request)))
            secrets = list(self._secrets)
        asked = Asked.of(request, secrets)
        with self._lock:
            for place in self._unplayed:
                if is_same(self._old[place].request, asked):
                    self._unplayed.remove(place)
                    return self._old[place].response
            if self.records:
                recording = Recording(asked, secrets)
                self._new.append(recording)
                return recording
        raise CassetteError(self._mismatch(asked))

    def _mismatch(self, asked: Asked) -> str:
        what = f"{asked.method} {asked.path}: {self._name} has no such request"
        hint = f"record it with {self._option.format('new_episodes')}, or delete the file"
        place = nearest(self._old, asked)
        if place is None:
            return f"{what}, and no other; {hint}"
        found = differences(self._old[place].request, asked)
        if not found:
            times = sum(is_same(each.request, asked) for each in self._old)
            return f"{what} left: it was recorded {times}x, and all of it was played; {hint}"
        more = len(found) - _MOST_DIFFERENCES
        shown = "; ".join(found[:_MOST_DIFFERENCES]) + (f"; and {more} more" if more > 0 else "")
        return f"{what}. The nearest is number {place + 1}: {shown}. To change it, {hint}"

    def file(self) -> Optional[bytes]:
        """Return the file as it must be written; None if it is as it was."""
        with self._lock:
            made = [each.exchange() for each in self._new]
            secrets = list(self._secrets)
        new = [each for each in made if each is not None]
        return encoded([*self._old, *new], secrets) if new else None
