"""The events that a client sends in a realtime session, one class for each type.

All of them are `RealtimeClientEvent`s. Nothing is checked here: the server answers what it cannot
use with an `error` event.

Source: https://platform.openai.com/docs/api-reference/realtime-client-events
"""

from typing import TYPE_CHECKING, Any, Optional

from meshapi_core.types._base import OpenRecord, always
from meshapi_core.types.realtime import RealtimeItem, RealtimeResponseConfig, RealtimeSessionConfig

__all__ = [
    "RealtimeClientEvent",
    "RealtimeInputAudioAppendEvent",
    "RealtimeInputAudioClearEvent",
    "RealtimeInputAudioCommitEvent",
    "RealtimeItemCreateEvent",
    "RealtimeItemDeleteEvent",
    "RealtimeItemRetrieveEvent",
    "RealtimeItemTruncateEvent",
    "RealtimeOutputAudioClearEvent",
    "RealtimeResponseCancelEvent",
    "RealtimeResponseCreateEvent",
    "RealtimeSessionUpdateEvent",
]


class RealtimeClientEvent(OpenRecord, kw_only=True, dict=True):
    """Any event of a client; itself one of a type that no class is for.

    Fields:
        event_id: of the caller's choice; an `error` event names the event that caused it.
    """

    type: str
    event_id: Optional[str] = None

    if TYPE_CHECKING:
        # For checkers that do not ask the metaclass what a class may be called with.
        def __init__(
            self,
            *,
            type: str,  # noqa: A002 - the name of the field
            event_id: Optional[str] = None,
            **fields: Any,
        ) -> None: ...


class RealtimeSessionUpdateEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Changes the session; answered by `session.updated`."""

    type: str = always("session.update")
    session: Optional[RealtimeSessionConfig] = None


class RealtimeInputAudioAppendEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Adds audio to the input buffer; not answered.

    Fields:
        audio: audio in base64, in the session's format; at most 15 MiB.
    """

    type: str = always("input_audio_buffer.append")
    audio: Optional[str] = None


class RealtimeInputAudioCommitEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Turns the input buffer into an item without asking for a response, as turn detection does."""

    type: str = always("input_audio_buffer.commit")


class RealtimeInputAudioClearEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Empties the input buffer."""

    type: str = always("input_audio_buffer.clear")


class RealtimeItemCreateEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Adds an item to the conversation.

    Fields:
        previous_item_id: what it comes after; "root" for the beginning, None for the end.
    """

    type: str = always("conversation.item.create")
    item: Optional[RealtimeItem] = None
    previous_item_id: Optional[str] = None


class RealtimeItemRetrieveEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Asks for an item as the server has it, with the user's audio as the model heard it."""

    type: str = always("conversation.item.retrieve")
    item_id: Optional[str] = None


class RealtimeItemTruncateEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Cuts off what the model said but the user did not hear, transcript included.

    Fields:
        content_index: the part of the item; 0.
        audio_end_ms: milliseconds of the audio that stay.
    """

    type: str = always("conversation.item.truncate")
    item_id: Optional[str] = None
    content_index: Optional[int] = None
    audio_end_ms: Optional[int] = None


class RealtimeItemDeleteEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Takes an item out of the conversation."""

    type: str = always("conversation.item.delete")
    item_id: Optional[str] = None


class RealtimeResponseCreateEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Asks for a response; with turn detection the server does so by itself."""

    type: str = always("response.create")
    response: Optional[RealtimeResponseConfig] = None


class RealtimeResponseCancelEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Ends a response early; an error where there is none, which harms nothing.

    Fields:
        response_id: None for the one in the session's own conversation.
    """

    type: str = always("response.cancel")
    response_id: Optional[str] = None


class RealtimeOutputAudioClearEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Stops the audio that is being played; only over WebRTC and SIP."""

    type: str = always("output_audio_buffer.clear")
