"""The events that a server sends in a realtime session.

`read_server_event` makes them of parsed JSON. `EVENTS` leads from a `type` to its class; types of
one shape share a class, and the names of the beta have the class of their successor. All of them
are `RealtimeServerEvent`s; what comes with any other type is of that class itself, with all of
its fields as attributes. Fields that many events have:

    response_id: the response that the event belongs to.
    item_id: the item of the conversation that it is about.
    output_index: the place of that item in the response.
    content_index: the place of a part in the item's `content`.

Source: https://platform.openai.com/docs/api-reference/realtime-server-events
"""

from typing import Any, ClassVar, Final, Optional

import msgspec

from meshapi_core.codec.decoding import fit
from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.types._base import OpenResponseModel, always
from meshapi_core.types._base64 import from_base64
from meshapi_core.types.realtime import (
    RealtimeContentPart,
    RealtimeConversation,
    RealtimeErrorDetail,
    RealtimeItem,
    RealtimeRateLimit,
    RealtimeResponse,
    RealtimeSessionInfo,
    RealtimeUsage,
)

__all__ = [
    "RealtimeArgumentsDeltaEvent",
    "RealtimeArgumentsDoneEvent",
    "RealtimeAudioDeltaEvent",
    "RealtimeAudioDoneEvent",
    "RealtimeContentPartAddedEvent",
    "RealtimeContentPartDoneEvent",
    "RealtimeConversationCreatedEvent",
    "RealtimeDtmfEvent",
    "RealtimeErrorEvent",
    "RealtimeInputAudioClearedEvent",
    "RealtimeInputAudioCommittedEvent",
    "RealtimeInputAudioTimeoutEvent",
    "RealtimeInputTranscriptCompletedEvent",
    "RealtimeInputTranscriptDeltaEvent",
    "RealtimeInputTranscriptFailedEvent",
    "RealtimeInputTranscriptSegmentEvent",
    "RealtimeItemAddedEvent",
    "RealtimeItemDeletedEvent",
    "RealtimeItemDoneEvent",
    "RealtimeItemRetrievedEvent",
    "RealtimeItemTruncatedEvent",
    "RealtimeMcpCallEvent",
    "RealtimeMcpListToolsEvent",
    "RealtimeOutputAudioBufferEvent",
    "RealtimeOutputItemAddedEvent",
    "RealtimeOutputItemDoneEvent",
    "RealtimeRateLimitsUpdatedEvent",
    "RealtimeResponseCreatedEvent",
    "RealtimeResponseDoneEvent",
    "RealtimeServerEvent",
    "RealtimeSessionCreatedEvent",
    "RealtimeSessionUpdatedEvent",
    "RealtimeSpeechStartedEvent",
    "RealtimeSpeechStoppedEvent",
    "RealtimeTextDeltaEvent",
    "RealtimeTextDoneEvent",
    "RealtimeTranscriptDoneEvent",
]


class RealtimeServerEvent(OpenResponseModel, kw_only=True, dict=True):
    """Any event of a server; itself one of a type that no class is for."""

    type: str = ""
    event_id: str = ""


class _ItemEvent(RealtimeServerEvent, kw_only=True, dict=True):
    item_id: str = ""


class _InputTranscriptEvent(_ItemEvent, kw_only=True, dict=True):
    content_index: int = 0


class _OutputEvent(_ItemEvent, kw_only=True, dict=True):
    response_id: str = ""
    output_index: int = 0


class _PartEvent(_OutputEvent, kw_only=True, dict=True):
    content_index: int = 0


class RealtimeErrorEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """Something went wrong; the session goes on, unless the server closes it next.

    Fields:
        request_id: from the gateway, to quote when asking for support.
    """

    type: str = always("error")
    error: RealtimeErrorDetail = msgspec.field(default_factory=RealtimeErrorDetail)
    request_id: Optional[str] = None


class RealtimeSessionCreatedEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """The first event of a session, with the configuration that it begins with."""

    type: str = always("session.created")
    session: RealtimeSessionInfo = msgspec.field(default_factory=RealtimeSessionInfo)


class RealtimeSessionUpdatedEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """The whole configuration after a `session.update`."""

    type: str = always("session.updated")
    session: RealtimeSessionInfo = msgspec.field(default_factory=RealtimeSessionInfo)


class RealtimeConversationCreatedEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """The conversation begins."""

    type: str = always("conversation.created")
    conversation: RealtimeConversation = msgspec.field(default_factory=RealtimeConversation)


class RealtimeItemAddedEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """An item is in the conversation; one of the model has no content yet."""

    type: str = always("conversation.item.added")
    item: RealtimeItem = msgspec.field(default_factory=RealtimeItem)
    previous_item_id: Optional[str] = None


class RealtimeItemDoneEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """An item of the conversation is whole, but for its audio."""

    type: str = always("conversation.item.done")
    item: RealtimeItem = msgspec.field(default_factory=RealtimeItem)
    previous_item_id: Optional[str] = None


class RealtimeItemRetrievedEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """The item that `conversation.item.retrieve` asked for."""

    type: str = always("conversation.item.retrieved")
    item: RealtimeItem = msgspec.field(default_factory=RealtimeItem)


class RealtimeItemDeletedEvent(_ItemEvent, kw_only=True, dict=True):
    """An item is no longer in the conversation."""

    type: str = always("conversation.item.deleted")


class RealtimeItemTruncatedEvent(_ItemEvent, kw_only=True, dict=True):
    """The end of what the model said has been cut off.

    Fields:
        audio_end_ms: milliseconds of the audio that stay.
    """

    type: str = always("conversation.item.truncated")
    content_index: int = 0
    audio_end_ms: int = 0


class RealtimeInputTranscriptDeltaEvent(_InputTranscriptEvent, kw_only=True, dict=True):
    """The next piece of what the user said."""

    type: str = always("conversation.item.input_audio_transcription.delta")
    delta: str = ""
    logprobs: Optional[list[dict[str, Any]]] = None


class RealtimeInputTranscriptSegmentEvent(_InputTranscriptEvent, kw_only=True, dict=True):
    """A stretch of what was said, by one speaker.

    Fields:
        speaker: a label.
        start, end: seconds.
    """

    type: str = always("conversation.item.input_audio_transcription.segment")
    id: str = ""
    text: str = ""
    speaker: str = ""
    start: float = 0.0
    end: float = 0.0


class RealtimeInputTranscriptCompletedEvent(_InputTranscriptEvent, kw_only=True, dict=True):
    """What the user said, whole; it may come after the response."""

    type: str = always("conversation.item.input_audio_transcription.completed")
    transcript: str = ""
    logprobs: Optional[list[dict[str, Any]]] = None
    usage: Optional[RealtimeUsage] = None


class RealtimeInputTranscriptFailedEvent(_InputTranscriptEvent, kw_only=True, dict=True):
    """What the user said could not be written down; the model has heard it all the same."""

    type: str = always("conversation.item.input_audio_transcription.failed")
    error: RealtimeErrorDetail = msgspec.field(default_factory=RealtimeErrorDetail)


class RealtimeInputAudioCommittedEvent(_ItemEvent, kw_only=True, dict=True):
    """The input buffer becomes an item."""

    type: str = always("input_audio_buffer.committed")
    previous_item_id: Optional[str] = None


class RealtimeInputAudioClearedEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """The input buffer is empty."""

    type: str = always("input_audio_buffer.cleared")


class RealtimeSpeechStartedEvent(_ItemEvent, kw_only=True, dict=True):
    """The user has begun to speak: the time to stop playing a response.

    Fields:
        item_id: the item that will be made of it.
        audio_start_ms: milliseconds of the session's audio before it.
    """

    type: str = always("input_audio_buffer.speech_started")
    audio_start_ms: int = 0


class RealtimeSpeechStoppedEvent(_ItemEvent, kw_only=True, dict=True):
    """The user has finished speaking.

    Fields:
        audio_end_ms: milliseconds of the session's audio up to there.
    """

    type: str = always("input_audio_buffer.speech_stopped")
    audio_end_ms: int = 0


class RealtimeInputAudioTimeoutEvent(_ItemEvent, kw_only=True, dict=True):
    """Nobody spoke for `idle_timeout_ms`, so the model does.

    Fields:
        audio_start_ms, audio_end_ms: milliseconds of the session's audio; the silence between.
    """

    type: str = always("input_audio_buffer.timeout_triggered")
    audio_start_ms: int = 0
    audio_end_ms: int = 0


class RealtimeDtmfEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """A key of a telephone was pressed.

    Fields:
        event: the key.
        received_at: Unix time in seconds.
    """

    type: str = always("input_audio_buffer.dtmf_event_received")
    event: str = ""
    received_at: int = 0


class RealtimeOutputAudioBufferEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """Playing started, stopped, or was cleared, as `type` says; only over WebRTC and SIP."""

    response_id: str = ""


class RealtimeResponseCreatedEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """A response begins."""

    type: str = always("response.created")
    response: RealtimeResponse = msgspec.field(default_factory=RealtimeResponse)


class RealtimeResponseDoneEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """The end of a response, however it ended: `response.status` says."""

    type: str = always("response.done")
    response: RealtimeResponse = msgspec.field(default_factory=RealtimeResponse)


class RealtimeOutputItemAddedEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """An item of a response begins."""

    type: str = always("response.output_item.added")
    response_id: str = ""
    output_index: int = 0
    item: RealtimeItem = msgspec.field(default_factory=RealtimeItem)


class RealtimeOutputItemDoneEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """An item of a response is whole, but for its audio."""

    type: str = always("response.output_item.done")
    response_id: str = ""
    output_index: int = 0
    item: RealtimeItem = msgspec.field(default_factory=RealtimeItem)


class RealtimeContentPartAddedEvent(_PartEvent, kw_only=True, dict=True):
    """A part of a message begins."""

    type: str = always("response.content_part.added")
    part: RealtimeContentPart = msgspec.field(default_factory=RealtimeContentPart)


class RealtimeContentPartDoneEvent(_PartEvent, kw_only=True, dict=True):
    """A part of a message is whole, but for its audio."""

    type: str = always("response.content_part.done")
    part: RealtimeContentPart = msgspec.field(default_factory=RealtimeContentPart)


class RealtimeTextDeltaEvent(_PartEvent, kw_only=True, dict=True):
    """The next piece of a response: its text, or the transcript of its audio, as `type` says."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"delta"}))

    delta: str = ""


class RealtimeTextDoneEvent(_PartEvent, kw_only=True, dict=True):
    """The text of one part, whole."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"text"}))

    type: str = always("response.output_text.done")
    text: str = ""


class RealtimeTranscriptDoneEvent(_PartEvent, kw_only=True, dict=True):
    """The transcript of one part's audio, whole."""

    type: str = always("response.output_audio_transcript.done")
    transcript: str = ""


class RealtimeAudioDeltaEvent(_PartEvent, kw_only=True, dict=True):
    """The next piece of a response's audio.

    Fields:
        delta: base64 of audio in the session's format.
    """

    type: str = always("response.output_audio.delta")
    delta: str = ""

    def audio_bytes(self) -> bytes:
        """Return the audio.

        Raises:
            Base64Error: `delta` is not base64; a ResponseDecodeError, and a ValueError.
        """
        return from_base64("delta", self.delta)


class RealtimeAudioDoneEvent(_PartEvent, kw_only=True, dict=True):
    """The sound of one part is over."""

    type: str = always("response.output_audio.done")


class RealtimeArgumentsDeltaEvent(_OutputEvent, kw_only=True, dict=True):
    """The next piece of the JSON text with the arguments of a function or of an MCP tool.

    Fields:
        call_id: of a function.
    """

    call_id: Optional[str] = None
    delta: str = ""


class RealtimeArgumentsDoneEvent(_OutputEvent, kw_only=True, dict=True):
    """The JSON text with the arguments of a function or of an MCP tool, whole.

    Fields:
        call_id, name: of a function.
    """

    call_id: Optional[str] = None
    name: Optional[str] = None
    arguments: str = ""


class RealtimeMcpCallEvent(_OutputEvent, kw_only=True, dict=True):
    """The call of an MCP tool is in progress, completed or failed, as `type` says."""


class RealtimeMcpListToolsEvent(_ItemEvent, kw_only=True, dict=True):
    """Asking an MCP server for its tools is in progress, completed or failed, as `type` says."""


class RealtimeRateLimitsUpdatedEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """What may still be asked for, with the response that begins taken off."""

    type: str = always("rate_limits.updated")
    rate_limits: list[RealtimeRateLimit] = msgspec.field(default_factory=list)


_TRANSCRIPTION: Final = "conversation.item.input_audio_transcription"

EVENTS: Final[dict[str, type[RealtimeServerEvent]]] = {
    "error": RealtimeErrorEvent,
    "session.created": RealtimeSessionCreatedEvent,
    "session.updated": RealtimeSessionUpdatedEvent,
    "conversation.created": RealtimeConversationCreatedEvent,
    "conversation.item.added": RealtimeItemAddedEvent,
    "conversation.item.done": RealtimeItemDoneEvent,
    "conversation.item.retrieved": RealtimeItemRetrievedEvent,
    "conversation.item.deleted": RealtimeItemDeletedEvent,
    "conversation.item.truncated": RealtimeItemTruncatedEvent,
    f"{_TRANSCRIPTION}.delta": RealtimeInputTranscriptDeltaEvent,
    f"{_TRANSCRIPTION}.segment": RealtimeInputTranscriptSegmentEvent,
    f"{_TRANSCRIPTION}.completed": RealtimeInputTranscriptCompletedEvent,
    f"{_TRANSCRIPTION}.failed": RealtimeInputTranscriptFailedEvent,
    "input_audio_buffer.committed": RealtimeInputAudioCommittedEvent,
    "input_audio_buffer.cleared": RealtimeInputAudioClearedEvent,
    "input_audio_buffer.speech_started": RealtimeSpeechStartedEvent,
    "input_audio_buffer.speech_stopped": RealtimeSpeechStoppedEvent,
    "input_audio_buffer.timeout_triggered": RealtimeInputAudioTimeoutEvent,
    "input_audio_buffer.dtmf_event_received": RealtimeDtmfEvent,
    "output_audio_buffer.started": RealtimeOutputAudioBufferEvent,
    "output_audio_buffer.stopped": RealtimeOutputAudioBufferEvent,
    "output_audio_buffer.cleared": RealtimeOutputAudioBufferEvent,
    "response.created": RealtimeResponseCreatedEvent,
    "response.done": RealtimeResponseDoneEvent,
    "response.output_item.added": RealtimeOutputItemAddedEvent,
    "response.output_item.done": RealtimeOutputItemDoneEvent,
    "response.content_part.added": RealtimeContentPartAddedEvent,
    "response.content_part.done": RealtimeContentPartDoneEvent,
    "response.output_text.delta": RealtimeTextDeltaEvent,
    "response.output_text.done": RealtimeTextDoneEvent,
    "response.output_audio_transcript.delta": RealtimeTextDeltaEvent,
    "response.output_audio_transcript.done": RealtimeTranscriptDoneEvent,
    "response.output_audio.delta": RealtimeAudioDeltaEvent,
    "response.output_audio.done": RealtimeAudioDoneEvent,
    "response.function_call_arguments.delta": RealtimeArgumentsDeltaEvent,
    "response.function_call_arguments.done": RealtimeArgumentsDoneEvent,
    "response.mcp_call_arguments.delta": RealtimeArgumentsDeltaEvent,
    "response.mcp_call_arguments.done": RealtimeArgumentsDoneEvent,
    "response.mcp_call.in_progress": RealtimeMcpCallEvent,
    "response.mcp_call.completed": RealtimeMcpCallEvent,
    "response.mcp_call.failed": RealtimeMcpCallEvent,
    "mcp_list_tools.in_progress": RealtimeMcpListToolsEvent,
    "mcp_list_tools.completed": RealtimeMcpListToolsEvent,
    "mcp_list_tools.failed": RealtimeMcpListToolsEvent,
    "rate_limits.updated": RealtimeRateLimitsUpdatedEvent,
    # The names of the beta.
    "transcription_session.created": RealtimeSessionCreatedEvent,
    "transcription_session.updated": RealtimeSessionUpdatedEvent,
    "conversation.item.created": RealtimeItemAddedEvent,
    "response.text.delta": RealtimeTextDeltaEvent,
    "response.text.done": RealtimeTextDoneEvent,
    "response.audio_transcript.delta": RealtimeTextDeltaEvent,
    "response.audio_transcript.done": RealtimeTranscriptDoneEvent,
    "response.audio.delta": RealtimeAudioDeltaEvent,
    "response.audio.done": RealtimeAudioDoneEvent,
}
"""The class of each type of event."""


def read_server_event(event: dict[str, Any]) -> RealtimeServerEvent:
    """Return the typed form of one event; never raises.

    Args:
        event: the parsed JSON of a message that is an object. It is not copied: it becomes the
            `raw` of what is returned.
    """
    name = event.get("type")
    kind = EVENTS.get(name, RealtimeServerEvent) if isinstance(name, str) else RealtimeServerEvent
    return fit(event, kind)
