"""Records and plays what clients send and get: one function for each kind of client."""

from collections.abc import Iterator, Mapping
from secrets import token_hex
from typing import Any, Optional

from meshapi.testing.cassettes.exchanges import Responded
from meshapi.testing.cassettes.recordings import Recording
from meshapi.testing.cassettes.tape import Tape
from meshapi_backends import AsyncMiddlewareResponse, MiddlewareResponse, TransportError
from meshapi_core import CassetteError, Headers, Request, TokenSource

__all__ = ["Recorder"]


class Recorder:
    """What stands between all clients and the network while a cassette is open.

    Args:
        tape: decides.
    """

    def __init__(self, tape: Tape) -> None:
        self.records = tape.records
        # Nothing that a request may contain by chance: tokens are replaced in what is compared.
        self.token = TokenSource(lambda: f"rsk_of_a_cassette_that_plays_{token_hex(8)}")
        self._tape = tape
        self.middleware: Mapping[str, Any] = {
            "Middleware": self.send,
            "AsyncMiddleware": self.send_async,
        }

    def session(self) -> Any:
        """Return what is told of one realtime session."""
        # Imported on first use: few programs have such sessions.
        from meshapi.testing.cassettes.taps import Tap

        return Tap(self._tape)

    def send(self, request: Request, call_next: Any) -> Any:
        """Play the response to a request, or send it and record the response."""
        step = self._tape.begin(request)
        if isinstance(step, Responded):
            return _Played(step)
        response = _Recorded(call_next(_plain(request)))
        return response.into(step)

    async def send_async(self, request: Request, call_next: Any) -> Any:
        """Do the same on an event loop."""
        step = self._tape.begin(request)
        if isinstance(step, Responded):
            return _AsyncPlayed(step)
        response = _AsyncRecorded(await call_next(_plain(request)))
        return response.into(step)


def _plain(request: Request) -> Request:
    # A compressed body could not be read in the file, nor could a secret in it be found.
    return request.with_headers({"accept-encoding": "identity"})


class _Recorded(MiddlewareResponse):
    _recording: Recording

    def into(self, recording: Recording) -> "_Recorded":
        self._recording = recording
        recording.begin(self.status, self.headers.raw)
        return self

    def read(self, until: Optional[float] = None) -> bytes:
        try:
            piece = super().read(until)
        except Exception:
            self._recording.broke()
            raise
        self._recording.add(piece)
        return piece


class _AsyncRecorded(AsyncMiddlewareResponse):
    _recording: Recording

    def into(self, recording: Recording) -> "_AsyncRecorded":
        self._recording = recording
        recording.begin(self.status, self.headers.raw)
        return self

    async def read(self, until: Optional[float] = None) -> bytes:
        try:
            piece = await super().read(until)
        except Exception:
            self._recording.broke()
            raise
        self._recording.add(piece)
        return piece


class _Playing:
    """A recorded response: its head, and its pieces one by one."""

    cut = False
    resumable = True

    def __init__(self, recorded: Responded) -> None:
        self.status = recorded.status
        self.headers = Headers(recorded.pairs())
        self._pieces: Iterator[bytes] = iter(recorded.pieces())
        self._end = recorded.end

    def _next(self) -> bytes:
        piece = next(self._pieces, b"")
        if piece or self._end == "whole":
            return piece
        if self._end == "broken":
            raise TransportError("the recorded response breaks off here", stage="response")
        raise CassetteError(
            "the recorded response ends here: when it was recorded, the program read no further;"
            " record it again",
            error_code="cassette_incomplete",
        )

    def abort(self) -> None:
        self._pieces, self._end = iter(()), "whole"


class _Played(_Playing):
    def read(self, until: Optional[float] = None) -> bytes:
        return self._next()


class _AsyncPlayed(_Playing):
    async def read(self, until: Optional[float] = None) -> bytes:
        return self._next()
