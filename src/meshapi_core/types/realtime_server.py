"""The events that a server sends in a realtime session.

`read_server_event` makes them from parsed JSON. `EVENTS` has the class for each `type`; types with
the same fields share a class, and names from the beta have the class of their successor. All of
them are `RealtimeServerEvent`s; an event of any other type is an instance of that class, with all
its fields as attributes. Fields that many events have:

    response_id: the response to which the event belongs.
    item_id: the item of the conversation that the event is about.
    output_index: the position of that item in the response.
    content_index: the position of a part in the item's `content`.

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
    """Any event of a server; the class itself is for types that have no class."""

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
    """Something went wrong; the session continues, unless the server closes it next.

    Fields:
        request_id: the gateway's request ID, to quote to support.
    """

    type: str = always("error")
    error: RealtimeErrorDetail = msgspec.field(default_factory=RealtimeErrorDetail)
    request_id: Optional[str] = None


class RealtimeSessionCreatedEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """The first event of a session, with its initial configuration."""

    type: str = always("session.created")
    session: RealtimeSessionInfo = msgspec.field(default_factory=RealtimeSessionInfo)


class RealtimeSessionUpdatedEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """The whole configuration after a `session.update`."""

    type: str = always("session.updated")
    session: RealtimeSessionInfo = msgspec.field(default_factory=RealtimeSessionInfo)


class RealtimeConversationCreatedEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """The conversation was created."""

    type: str = always("conversation.created")
    conversation: RealtimeConversation = msgspec.field(default_factory=RealtimeConversation)


class RealtimeItemAddedEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """An item was added to the conversation; if it is the model's, it has no content yet."""

    type: str = always("conversation.item.added")
    item: RealtimeItem = msgspec.field(default_factory=RealtimeItem)
    previous_item_id: Optional[str] = None


class RealtimeItemDoneEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """The whole item of a conversation, except for its audio."""

    type: str = always("conversation.item.done")
    item: RealtimeItem = msgspec.field(default_factory=RealtimeItem)
    previous_item_id: Optional[str] = None


class RealtimeItemRetrievedEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """The item that `conversation.item.retrieve` asked for."""

    type: str = always("conversation.item.retrieved")
    item: RealtimeItem = msgspec.field(default_factory=RealtimeItem)


class RealtimeItemDeletedEvent(_ItemEvent, kw_only=True, dict=True):
    """An item was removed from the conversation."""

    type: str = always("conversation.item.deleted")


class RealtimeItemTruncatedEvent(_ItemEvent, kw_only=True, dict=True):
    """The end of the model's audio was removed.

    Fields:
        audio_end_ms: milliseconds of audio that were kept.
    """

    type: str = always("conversation.item.truncated")
    content_index: int = 0
    audio_end_ms: int = 0


class RealtimeInputTranscriptDeltaEvent(_InputTranscriptEvent, kw_only=True, dict=True):
    """A delta of the transcript of the user's audio."""

    type: str = always("conversation.item.input_audio_transcription.delta")
    delta: str = ""
    logprobs: Optional[list[dict[str, Any]]] = None


class RealtimeInputTranscriptSegmentEvent(_InputTranscriptEvent, kw_only=True, dict=True):
    """A segment of the transcript, by one speaker.

    Fields:
        speaker: a label for the speaker.
        start, end: times in the audio, in seconds.
    """

    type: str = always("conversation.item.input_audio_transcription.segment")
    id: str = ""
    text: str = ""
    speaker: str = ""
    start: float = 0.0
    end: float = 0.0


class RealtimeInputTranscriptCompletedEvent(_InputTranscriptEvent, kw_only=True, dict=True):
    """The whole transcript of the user's audio; it may arrive after the response."""

    type: str = always("conversation.item.input_audio_transcription.completed")
    transcript: str = ""
    logprobs: Optional[list[dict[str, Any]]] = None
    usage: Optional[RealtimeUsage] = None


class RealtimeInputTranscriptFailedEvent(_InputTranscriptEvent, kw_only=True, dict=True):
    """The user's audio could not be transcribed; the model has heard it all the same."""

    type: str = always("conversation.item.input_audio_transcription.failed")
    error: RealtimeErrorDetail = msgspec.field(default_factory=RealtimeErrorDetail)


class RealtimeInputAudioCommittedEvent(_ItemEvent, kw_only=True, dict=True):
    """The input buffer was turned into an item."""

    type: str = always("input_audio_buffer.committed")
    previous_item_id: Optional[str] = None


class RealtimeInputAudioClearedEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """The input buffer was emptied."""

    type: str = always("input_audio_buffer.cleared")


class RealtimeSpeechStartedEvent(_ItemEvent, kw_only=True, dict=True):
    """The user has begun to speak: the time to stop playing a response.

    Fields:
        item_id: the item that the speech will become.
        audio_start_ms: when the speech begins, in milliseconds of the session's audio.
    """

    type: str = always("input_audio_buffer.speech_started")
    audio_start_ms: int = 0


class RealtimeSpeechStoppedEvent(_ItemEvent, kw_only=True, dict=True):
    """The user has finished speaking.

    Fields:
        audio_end_ms: when the speech ends, in milliseconds of the session's audio.
    """

    type: str = always("input_audio_buffer.speech_stopped")
    audio_end_ms: int = 0


class RealtimeInputAudioTimeoutEvent(_ItemEvent, kw_only=True, dict=True):
    """Nobody spoke for `idle_timeout_ms`, so the model will.

    Fields:
        audio_start_ms, audio_end_ms: the silence, in milliseconds of the session's audio.
    """

    type: str = always("input_audio_buffer.timeout_triggered")
    audio_start_ms: int = 0
    audio_end_ms: int = 0


class RealtimeDtmfEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """A telephone key was pressed.

    Fields:
        event: the key.
        received_at: Unix time in seconds.
    """

    type: str = always("input_audio_buffer.dtmf_event_received")
    event: str = ""
    received_at: int = 0


class RealtimeOutputAudioBufferEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """Playback started, stopped or was cleared, as `type` says; only over WebRTC and SIP."""

    response_id: str = ""


class RealtimeResponseCreatedEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """A response begins."""

    type: str = always("response.created")
    response: RealtimeResponse = msgspec.field(default_factory=RealtimeResponse)


class RealtimeResponseDoneEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """The end of a response; `response.status` says how it ended."""

    type: str = always("response.done")
    response: RealtimeResponse = msgspec.field(default_factory=RealtimeResponse)


class RealtimeOutputItemAddedEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """An item of a response begins."""

    type: str = always("response.output_item.added")
    response_id: str = ""
    output_index: int = 0
    item: RealtimeItem = msgspec.field(default_factory=RealtimeItem)


class RealtimeOutputItemDoneEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """The whole item of a response, except for its audio."""

    type: str = always("response.output_item.done")
    response_id: str = ""
    output_index: int = 0
    item: RealtimeItem = msgspec.field(default_factory=RealtimeItem)


class RealtimeContentPartAddedEvent(_PartEvent, kw_only=True, dict=True):
    """A part of a message begins."""

    type: str = always("response.content_part.added")
    part: RealtimeContentPart = msgspec.field(default_factory=RealtimeContentPart)


class RealtimeContentPartDoneEvent(_PartEvent, kw_only=True, dict=True):
    """The whole part of a message, except for its audio."""

    type: str = always("response.content_part.done")
    part: RealtimeContentPart = msgspec.field(default_factory=RealtimeContentPart)


class RealtimeTextDeltaEvent(_PartEvent, kw_only=True, dict=True):
    """A delta of a response: of its text, or of its audio's transcript, as `type` says."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"delta"}))

    delta: str = ""


class RealtimeTextDoneEvent(_PartEvent, kw_only=True, dict=True):
    """The whole text of one part."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"text"}))

    type: str = always("response.output_text.done")
    text: str = ""


class RealtimeTranscriptDoneEvent(_PartEvent, kw_only=True, dict=True):
    """The whole transcript of one part's audio."""

    type: str = always("response.output_audio_transcript.done")
    transcript: str = ""


class RealtimeAudioDeltaEvent(_PartEvent, kw_only=True, dict=True):
    """A delta of a response's audio.

    Fields:
        delta: audio in base64, in the session's format.
    """

    type: str = always("response.output_audio.delta")
    delta: str = ""

    def audio_bytes(self) -> bytes:
        """Return the audio as bytes, in the session's format.

        Raises:
            Base64Error: `delta` is not base64. It is a ResponseDecodeError and a ValueError.
        """
        return from_base64("delta", self.delta)


class RealtimeAudioDoneEvent(_PartEvent, kw_only=True, dict=True):
    """The end of one part's audio."""

    type: str = always("response.output_audio.done")


class RealtimeArgumentsDeltaEvent(_OutputEvent, kw_only=True, dict=True):
    """A delta of the arguments for a function or an MCP tool, which are JSON text.

    Fields:
        call_id: the call of a function.
    """

    call_id: Optional[str] = None
    delta: str = ""


class RealtimeArgumentsDoneEvent(_OutputEvent, kw_only=True, dict=True):
    """The whole arguments for a function or an MCP tool, as JSON text.

    Fields:
        call_id, name: the call of a function, and its name.
    """

    call_id: Optional[str] = None
    name: Optional[str] = None
    arguments: str = ""


class RealtimeMcpCallEvent(_OutputEvent, kw_only=True, dict=True):
    """The call of an MCP tool is in progress, completed or failed, as `type` says."""


class RealtimeMcpListToolsEvent(_ItemEvent, kw_only=True, dict=True):
    """Listing an MCP server's tools is in progress, completed or failed, as `type` says."""


class RealtimeRateLimitsUpdatedEvent(RealtimeServerEvent, kw_only=True, dict=True):
    """The rate limits, from which the response that begins is already deducted."""

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
    # Names from the beta.
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
"""The class for each type of event."""


def read_server_event(event: dict[str, Any]) -> RealtimeServerEvent:
    """Return one event as an instance of the class for its type; never raises.

    Args:
        event: the JSON object of a message. It is not copied: it becomes the event's `raw`.
    """
    name = event.get("type")
    kind = EVENTS.get(name, RealtimeServerEvent) if isinstance(name, str) else RealtimeServerEvent
    return fit(event, kind)
