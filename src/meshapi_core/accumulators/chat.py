"""Chat completions: puts the chunks of a stream together into one response."""

from binascii import b2a_base64
from typing import Any, Final, Optional, Union

import msgspec
from msgspec.structs import astuple

from meshapi_core._json_kinds import is_object
from meshapi_core._raw_data import sent_of
from meshapi_core.accumulators.tool_calls import ToolCalls
from meshapi_core.errors import Base64Error
from meshapi_core.growing import (
    PIECES,
    GrowingObject,
    GrowingText,
    SurrogateBuffer,
    hold_back,
    hold_back_member,
)
from meshapi_core.types._base import attach, attach_meta, number
from meshapi_core.types._base64 import from_base64
from meshapi_core.types.chat import (
    ChatCompletionChoice,
    ChatCompletionChunk,
    ChatCompletionChunkDelta,
    ChatCompletionMessage,
    ChatCompletionResponse,
    UsageInfo,
)

_DECODER: Final = msgspec.json.Decoder(ChatCompletionChunk)

_TEXTS = ("content", "reasoning_content", "refusal")


class _Choice:
    __slots__ = (
        "annotations",
        "audio",
        "calls",
        "content",
        "extra",
        "finish_reason",
        "surrogates",
        "logprobs",
        "reasoning",
        "reasoning_details",
        "refusal",
        "role",
    )

    def __init__(self) -> None:
        self.role = "assistant"
        self.content = GrowingText()
        # Made when they are needed: most responses are only text, and thousands of streams may be
        # open at once.
        self.reasoning: Optional[GrowingText] = None
        self.refusal: Optional[GrowingText] = None
        self.calls: Optional[ToolCalls] = None
        self.reasoning_details: Optional[list[dict[str, Any]]] = None
        self.annotations: Optional[list[dict[str, Any]]] = None
        self.audio: Optional[GrowingObject] = None
        self.logprobs: Optional[GrowingObject] = None
        self.extra: Optional[GrowingObject] = None
        self.surrogates: dict[Any, SurrogateBuffer] = {}
        self.finish_reason: Optional[str] = None

    def add(self, delta: ChatCompletionChunkDelta) -> None:
        # All fields at once: reading an attribute of these classes, which have `__getattr__`, is
        # slow.
        role, content, calls, audio, reasoning, details, refusal, annotations = astuple(delta)
        if content:
            # `GrowingText.add` without the call, as most deltas have content and nothing else.
            pieces = self.content.pieces
            pieces.append(content)
            if len(pieces) >= PIECES:
                self.content.join()
        if role:
            self.role = role
        if reasoning:
            self.reasoning = self.reasoning or GrowingText()
            self.reasoning.add(reasoning)
        if refusal:
            self.refusal = self.refusal or GrowingText()
            self.refusal.add(refusal)
        if calls:
            self.calls = self.calls or ToolCalls()
            self.calls.add(calls)
        if details:
            # The same objects as in the chunk: `hold_back_member` below changes both.
            self.reasoning_details = self.reasoning_details or []
            self.reasoning_details += details
        if annotations:
            self.annotations = self.annotations or []
            self.annotations += annotations
        if audio:
            self.audio = self.audio or GrowingObject()
            self.audio.add(audio)
        # The dict is empty if msgspec decoded the delta without help: then it has no unknown fields
        # and no half of a surrogate pair.
        if delta.__dict__ or self.surrogates:
            self.extra = self.extra or GrowingObject()
            self.extra.add(delta.model_extra)
            for name in _TEXTS:
                hold_back(delta, name, self.surrogates)
            for detail in details or ():
                hold_back_member(detail, self.surrogates)

    def growing_text(self, delta: ChatCompletionChunkDelta) -> Optional[GrowingText]:
        _, content, calls, audio, reasoning, details, refusal, annotations = astuple(delta)
        if calls or audio or details or annotations or self.surrogates or delta.__dict__:
            return None
        texts = ((content, self.content), (reasoning, self.reasoning), (refusal, self.refusal))
        growing = [text for piece, text in texts if piece]
        return growing[0] if len(growing) == 1 else None

    def add_logprobs(self, logprobs: Any) -> None:
        if is_object(logprobs):
            self.logprobs = self.logprobs or GrowingObject()
            self.logprobs.add(logprobs)

    def message(self) -> ChatCompletionMessage:
        return ChatCompletionMessage(
            role=self.role,
            content=self.content.value(),
            tool_calls=self.calls.value() or None if self.calls else None,
            audio=_joined_audio(_value(self.audio)) or None,
            reasoning_content=self.reasoning.value() if self.reasoning else None,
            # Copies: what arrives later must not change a response that was returned.
            reasoning_details=self.reasoning_details[:] if self.reasoning_details else None,
            refusal=self.refusal.value() if self.refusal else None,
            annotations=self.annotations[:] if self.annotations else None,
            **_value(self.extra),
        )


def _value(grown: Optional[GrowingObject]) -> dict[str, Any]:
    return {} if grown is None else grown.value()


def _joined_audio(audio: dict[str, Any]) -> dict[str, Any]:
    """Return the audio of a message with its base64 joined, even if each piece had padding.

    Decoders of base64 stop at the first padding, and the rest would be silence.
    """
    data = audio.get("data")
    if isinstance(data, str) and "=" in data.rstrip("="):
        try:
            decoded = from_base64("audio.data", data)
            audio["data"] = b2a_base64(decoded, newline=False).decode("ascii")
        except Base64Error:
            # It stays as received; decoding it reports the error.
            pass
    return audio


_ROUTING = tuple(name for name in ChatCompletionChunk.__struct_fields__ if name.startswith("x_"))


def _routing(*chunks: ChatCompletionChunk) -> dict[str, Any]:
    """Return the fields about the choice of a model, from the first chunk or the last."""
    said = ((name, getattr(chunk, name)) for chunk in chunks for name in _ROUTING)
    return {name: value for name, value in said if value is not None}


def _unknown(*chunks: ChatCompletionChunk) -> dict[str, Any]:
    """Return the unknown fields of the first chunk and the last."""
    known = ChatCompletionChunk.__struct_encode_fields__
    said: dict[str, Any] = {}
    for chunk in chunks:
        sent = chunk.raw
        said.update(sent if is_object(sent) else {})
    return {name: value for name, value in said.items() if name not in known}


def _compact(chunk: ChatCompletionChunk) -> Union[ChatCompletionChunk, bytes]:
    """Return the JSON of a chunk, which takes a fifth of its memory, where that makes it again.

    One that was repaired keeps more than what was sent.
    """
    sent = sent_of(chunk)
    body = None if sent is None else sent[0]
    if body is None or len(vars(chunk)) != 1 or type(chunk) is not ChatCompletionChunk:
        return chunk
    return body


class ChatAccumulator:
    """Puts a chat stream together; complete when every choice has a finish reason.

    Args:
        choices: how many choices the request asked for. A stream that is cut off before the second
            of two has begun is not complete.
    """

    __slots__ = (
        "_asked",
        "_choices",
        "_cost",
        "_first",
        "_last",
        "_system_fingerprint",
        "_unfinished",
        "_usage",
    )

    def __init__(self, choices: int = 1) -> None:
        self._asked = max(choices, 1)
        self._first: Optional[ChatCompletionChunk] = None
        self._last: Union[ChatCompletionChunk, bytes, None] = None
        self._choices: dict[int, _Choice] = {}
        self._unfinished = 0
        self._usage: Optional[UsageInfo] = None
        self._cost: Optional[str] = None
        self._system_fingerprint: Optional[str] = None

    def add(self, chunk: ChatCompletionChunk) -> None:
        """Add the next chunk."""
        if self._first is None:
            self._first = chunk
        self._last = _compact(chunk)
        parts = chunk.choices
        if len(parts) > 1:
            # Before the chunk is returned, so that the program sees the indexes, too.
            number(parts)
        for part in parts:
            choice = self._choices.get(part.index)
            if choice is None:
                choice = self._choices[part.index] = _Choice()
                self._unfinished += 1
            choice.add(part.delta)
            if part.logprobs:
                choice.add_logprobs(part.logprobs)
            if part.finish_reason:
                if choice.finish_reason is None:
                    self._unfinished -= 1
                choice.finish_reason = part.finish_reason
        if chunk.usage is not None:
            self._usage = chunk.usage
        if chunk.cost is not None:
            self._cost = chunk.cost
        if chunk.system_fingerprint is not None:
            self._system_fingerprint = chunk.system_fingerprint

    def growing_text(self, chunk: ChatCompletionChunk) -> Optional[GrowingText]:
        """Return the text to which the chunk that was just added adds; None if it adds more.

        A chunk that differs from it in this text alone also adds to it, and nothing else.
        """
        if len(chunk.choices) != 1:
            return None
        part = chunk.choices[0]
        choice = self._choices[part.index]
        if part.finish_reason or part.logprobs:
            return None
        return choice.growing_text(part.delta)

    @property
    def complete(self) -> bool:
        """Whether every choice has a finish reason, and all that were asked for have begun."""
        return not self._unfinished and len(self._choices) >= self._asked

    def partial(self) -> Optional[ChatCompletionResponse]:
        """Return the response so far, as a whole response; None before the first chunk."""
        first = self._first
        if first is None:
            return None
        last = self._last or first
        if isinstance(last, bytes):
            last = attach(_DECODER.decode(last), last, first.meta)
        choices = [
            ChatCompletionChoice(
                index=index,
                message=choice.message(),
                finish_reason=choice.finish_reason,
                logprobs=_value(choice.logprobs) or None,
            )
            for index, choice in sorted(self._choices.items())
        ]
        response = ChatCompletionResponse(
            id=first.id,
            object="chat.completion",
            created=first.created,
            model=first.model,
            choices=choices,
            usage=self._usage,
            cost=self._cost,
            system_fingerprint=self._system_fingerprint,
            **_routing(first, last),
        )
        unknown = _unknown(first, last)
        if unknown:
            import json

            sent = {**msgspec.to_builtins(response), **unknown}
            attach(response, json.dumps(sent).encode(), first.meta)
        return attach_meta(response, first.meta)
