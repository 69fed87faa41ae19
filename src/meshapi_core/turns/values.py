"""What a program gets of one response of the model: a turn."""

from typing import Any, Optional

from msgspec import Struct, field

from meshapi_core.codec.arguments import parse_arguments
from meshapi_core.errors import RealtimeError
from meshapi_core.realtime import Reconnected
from meshapi_core.types.realtime import RealtimeAudioFormat, RealtimeResponse, RealtimeUsage

__all__ = ["HeardInput", "RealtimeToolCall", "RealtimeTurn"]

PCM_RATE = 24_000
_G711_RATE = 8_000


def pcm() -> RealtimeAudioFormat:
    """Return the format of audio unless a session is configured otherwise."""
    return RealtimeAudioFormat(type="audio/pcm", rate=PCM_RATE)


class HeardInput:
    """Audio of the user's, and its transcript, which grows while the turn may be given already.

    Attributes:
        transcript: what is known of it; "" before that.
    """

    __slots__ = ("transcript",)

    def __init__(self) -> None:
        self.transcript = ""


class RealtimeToolCall(Struct, frozen=True, kw_only=True):
    """The call of a function, as the model asks for it.

    Fields:
        name: of the function.
        call_id: goes into the `function_call_output`.
        arguments: JSON text, as the model wrote it; a part of it if the turn was not completed.
    """

    name: str
    call_id: str
    arguments: str

    @property
    def parsed_arguments(self) -> dict[str, Any]:
        """The arguments of the function as a dict; {} if the model wrote nothing.

        Raises:
            ToolArgumentsError: the model wrote something that is not a JSON object, or a part of
                one. It is a ResponseDecodeError and a ValueError; `.arguments` has the text.
        """
        return parse_arguments(self.name, self.arguments)


class RealtimeTurn(Struct, frozen=True, kw_only=True):
    """One response of the model, put together from its events.

    Fields:
        id: of the response; "" for the turn that only says that the connection was lost.
        status: "completed", "cancelled", "incomplete" or "failed", as the gateway says; "lost" if
            its end never came.
        reason: why it ended so, such as "turn_detected" or "max_output_tokens"; for "lost",
            "connection_lost" or "no_end". None if there is no reason.
        error: what the gateway said of a response that failed, for programs to raise.
        text: what the model wrote.
        transcript: the text of what it said.
        audio: what it said, in `audio_format`; empty if `on_audio` took it.
        audio_format: of the audio, such as "audio/pcm" with the rate 24000.
        tool_calls: the functions that the model asks for.
        response: as `response.done` has it; None without that.
        is_cut: whether something is missing because the turn became too large.
        reconnected: says how the connection ended, if another has replaced it.
    """

    id: str = ""
    status: str
    reason: Optional[str] = None
    error: Optional[RealtimeError] = None
    text: str = ""
    transcript: str = ""
    audio: bytes = b""
    audio_format: RealtimeAudioFormat = field(default_factory=pcm)
    tool_calls: tuple[RealtimeToolCall, ...] = ()
    response: Optional[RealtimeResponse] = None
    is_cut: bool = False
    reconnected: Optional[Reconnected] = None
    heard: tuple[HeardInput, ...] = ()

    @property
    def audio_rate(self) -> int:
        """The samples of the audio in one second."""
        rate = self.audio_format.rate
        if rate is not None and rate > 0:
            return rate
        return PCM_RATE if self.audio_format.type in (None, "audio/pcm") else _G711_RATE

    @property
    def usage(self) -> Optional[RealtimeUsage]:
        """The model tokens of the response; None if the gateway did not say."""
        return None if self.response is None else self.response.usage

    @property
    def input_transcript(self) -> str:
        """What the user said, if the gateway transcribes it.

        It may arrive after the turn, while the next one is awaited, and is then seen here.
        """
        return " ".join(heard.transcript for heard in self.heard if heard.transcript)

    def __repr__(self) -> str:
        # What people say must not get into a log.
        return (
            f"<RealtimeTurn {self.status}: {len(self.text or self.transcript)} characters,"
            f" {len(self.audio)} bytes of audio, {len(self.tool_calls)} tool calls>"
        )

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("status", self.status), ("id", self.id)]
