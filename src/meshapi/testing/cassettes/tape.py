"""Which exchanges of a cassette have been played, and which are new. No I/O."""

import threading
from collections.abc import Callable, Sequence
from typing import Literal, Optional, TypeVar, Union

from typing_extensions import TypeAlias

from meshapi.testing.cassettes.exchanges import Asked, Exchange, Responded, encoded, secrets_of
from meshapi.testing.cassettes.matching import differences, is_same, nearest
from meshapi.testing.cassettes.recordings import Recording, SessionRecording
from meshapi.testing.cassettes.sessions import Playing
from meshapi_core import CassetteError, Request

__all__ = ["Mode", "Tape"]

Mode: TypeAlias = Literal["none", "once", "new_episodes", "all"]

R = TypeVar("R", bound=Recording)

_MOST_DIFFERENCES = 3


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
        return sum(each.has_response for each in self._new)

    @property
    def unplayed(self) -> int:
        """How many of the file's exchanges have not been played."""
        return len(self._unplayed)

    def begin(self, request: Request) -> Union[Responded, Recording]:
        """Return the recorded response to a request, or what records it.

        Raises:
            CassetteError: no recorded request matches, and nothing new is to be recorded.
        """
        step = self._begin(request, Recording)
        return step.response if isinstance(step, Exchange) else step

    def begin_session(self, request: Request) -> Union[Playing, SessionRecording]:
        """Return what plays the realtime session that a request begins, or what records it.

        Raises:
            CassetteError: as for `begin`.
        """
        step = self._begin(request, SessionRecording)
        return Playing(self._name, step, self._secrets) if isinstance(step, Exchange) else step

    def _begin(
        self, request: Request, recorder: Callable[[Asked, Sequence[str]], R]
    ) -> Union[Exchange, R]:
        with self._lock:
            self._secrets.update(dict.fromkeys(secrets_of(request)))
            secrets = list(self._secrets)
        asked = Asked.of(request, secrets)
        with self._lock:
            for place in self._unplayed:
                if is_same(self._old[place].request, asked):
                    self._unplayed.remove(place)
                    return self._old[place]
            if self.records:
                recording = recorder(asked, secrets)
                self._new.append(recording)
                return recording
        raise CassetteError(self._mismatch(asked))

    def _mismatch(self, asked: Asked) -> str:
        what = f"{asked.method} {asked.path}: {self._name} has no such request"
        hint = f"record it with {self._option.format('new_episodes')}, or delete the file"
        place = nearest([each.request for each in self._old], asked)
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
