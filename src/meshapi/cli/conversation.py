"""A conversation in a realtime session: questions by text or audio, answers by both."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Callable, NamedTuple, Optional, Union

from meshapi import (
    APITimeoutError,
    MeshAPI,
    RealtimeConnectionClosed,
    RealtimeError,
    RealtimeMessage,
    RealtimeResponseDoneEvent,
    RealtimeServerEvent,
    RealtimeSession,
)
from meshapi.cli.wav import WavReader, WavWriter

_PCM = {"type": "audio/pcm", "rate": 24000}

# Before general availability of the realtime API, the names had no "output_".
_WORDS = frozenset(
    f"response.{kind}.delta"
    for kind in ("output_text", "text", "output_audio_transcript", "audio_transcript")
)

ShowAnswer = Callable[[Iterator[str]], None]
"""Shows one answer, piece by piece."""

_Receive = Callable[[Optional[float]], RealtimeMessage]


class Options(NamedTuple):
    """The options of the command line."""

    model: str
    question: Optional[str]
    instructions: Optional[str]
    voice: Optional[str]
    audio_in: Optional[str]
    audio_out: Optional[str]
    timeout: Optional[float]


def converse(client: MeshAPI, options: Options, lines: Iterable[str], show: ShowAnswer) -> None:
    """Ask the question, by text, audio or both; without either, take each line as a question.

    Raises:
        MeshAPIError: the gateway refuses, the session is over, or an answer is not complete.
        ValueError: a file, or something to send, is not usable.
    """
    with ExitStack() as stack:
        # Before anything is sent, so that a mistake with a file costs nothing.
        audio_in = audio_out = None
        if options.audio_in is not None and _is_same(options.audio_in, options.audio_out):
            raise ValueError(
                f"{options.audio_in} is the question, and cannot be the answer, too; name another"
                " file for --audio-out"
            )
        if options.audio_in is not None:
            audio_in = stack.enter_context(WavReader(options.audio_in))
        if options.audio_out is not None:
            audio_out = stack.enter_context(WavWriter(options.audio_out))
        session = stack.enter_context(client.realtime.connect(model=options.model))
        conversation = _Conversation(session, audio_out, options.timeout)
        conversation.say({"type": "session.update", "session": _configuration(options)})
        if audio_in is not None:
            conversation.play(audio_in)
        if options.question is not None:
            conversation.ask(options.question)
        if audio_in is not None or options.question is not None:
            show(conversation.answer(session.receive))
            return
        receiver = _BackgroundReceiver(session)
        for line in filter(str.strip, lines):
            conversation.ask(line.rstrip("\r\n"))
            show(conversation.answer(receiver.receive))


def _is_same(path: str, other: Optional[str]) -> bool:
    return other is not None and Path(path).resolve() == Path(other).resolve()


def _configuration(options: Options) -> dict[str, Any]:
    output = {"format": _PCM} if options.voice is None else {"format": _PCM, "voice": options.voice}
    session: dict[str, Any] = {
        "type": "realtime",
        "output_modalities": ["text" if options.audio_out is None else "audio"],
        # No turn detection: the turn ends with the file, and not at a pause in it.
        "audio": {"input": {"format": _PCM, "turn_detection": None}, "output": output},
    }
    if options.instructions is not None:
        session["instructions"] = options.instructions
    return session


class _Conversation:
    """The questions and answers of a session."""

    def __init__(
        self, session: RealtimeSession, audio_out: Optional[WavWriter], timeout: Optional[float]
    ) -> None:
        self._session = session
        self._audio_out = audio_out
        self._timeout = timeout

    def say(self, event: Mapping[str, Any]) -> None:
        try:
            self._session.send(event)
        except RealtimeConnectionClosed:
            pass  # `receive` raises the reason for the end, which says more

    def ask(self, question: str) -> None:
        content = [{"type": "input_text", "text": question}]
        item = {"type": "message", "role": "user", "content": content}
        self.say({"type": "conversation.item.create", "item": item})

    def play(self, audio: WavReader) -> None:
        try:
            for piece in audio.pieces():
                self._session.send_audio(piece)
            self._session.commit_audio()
        except RealtimeConnectionClosed:
            pass  # as above

    def answer(self, receive: _Receive) -> Iterator[str]:
        """Ask for an answer, and yield its words until it ends."""
        self.say({"type": "response.create"})
        until = None if self._timeout is None else time.monotonic() + self._timeout
        while True:
            message = self._next(receive, until)
            if message.audio is not None:
                if self._audio_out is not None:
                    self._audio_out.write(message.audio)
            elif message.type in _WORDS:
                delta = message.event.get("delta")
                yield delta if isinstance(delta, str) else ""
            elif message.type == "response.done":
                self._check(message.parse())
                return

    def _next(self, receive: _Receive, until: Optional[float]) -> RealtimeMessage:
        while True:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                said = f"the answer took longer than {self._timeout:g} s"
                raise APITimeoutError(said, phase="total")
            try:
                return receive(left)
            except APITimeoutError:
                if left is None:
                    raise

    def _check(self, done: RealtimeServerEvent) -> None:
        assert isinstance(done, RealtimeResponseDoneEvent)
        status, details = done.response.status, done.response.status_details
        if status in (None, "completed"):
            return
        error = details.error if details else None
        why = (error and (error.message or error.code)) or (details and details.reason)
        said = f"the answer is {status}" + (f": {why}" if why else "")
        code = (error and error.code) or f"response_{status}"
        raise RealtimeError(code, said, request_id=self._session.request_id)


class _BackgroundReceiver:
    """Receives in a thread of its own, so that pings are answered while a person thinks."""

    def __init__(self, session: RealtimeSession) -> None:
        self._session = session
        # Bounded, so that a gateway that keeps sending cannot fill the memory.
        self._received: Queue[Union[RealtimeMessage, Exception]] = Queue(maxsize=10_000)
        # The thread ends with the session.
        threading.Thread(target=self._listen, daemon=True).start()

    def receive(self, timeout: Optional[float] = None) -> RealtimeMessage:
        """The same as `receive` of the session. Must not be called again after the end."""
        try:
            received = self._received.get(timeout=timeout)
        except Empty:
            raise APITimeoutError("no message arrived in time", phase="read") from None
        if isinstance(received, Exception):
            raise received
        return received

    def _listen(self) -> None:
        while True:
            try:
                self._received.put(self._session.receive())
            except RealtimeError as error:
                self._received.put(error)
            except Exception as error:
                # Any exception, because the main thread waits for it.
                self._received.put(error)
                return
