"""The events that a client sends in a realtime session, one class for each type.

All of them are `RealtimeClientEvent`s. Nothing is checked here: the server responds with an `error`
event to an event that it cannot use.

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
    """Any event of a client; the class itself is for types that have no class.

    Fields:
        event_id: chosen by the caller; an `error` event names the event that caused it.
    """

    type: str
    event_id: Optional[str] = None

    if TYPE_CHECKING:
        # For type checkers that do not take a constructor's signature from the metaclass.
        def __init__(
            self,
            *,
            type: str,  # noqa: A002 - the name of the field
            event_id: Optional[str] = None,
            **fields: Any,
        ) -> None: ...


class RealtimeSessionUpdateEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Changes the session; the server responds with `session.updated`."""

    type: str = always("session.update")
    session: Optional[RealtimeSessionConfig] = None


class RealtimeInputAudioAppendEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Adds audio to the input buffer; the server sends no event in response.

    Fields:
        audio: audio in base64, in the session's format; at most 15 MiB.
    """

    type: str = always("input_audio_buffer.append")
    audio: Optional[str] = None


class RealtimeInputAudioCommitEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Turns the input buffer into an item, without asking for a response.

    Turn detection does so, too, when the user stops speaking.
    """

    type: str = always("input_audio_buffer.commit")


class RealtimeInputAudioClearEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Empties the input buffer."""

    type: str = always("input_audio_buffer.clear")


class RealtimeItemCreateEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Adds an item to the conversation.

    Fields:
        previous_item_id: the item to add it after; "root" for the beginning, None for the end.
    """

    type: str = always("conversation.item.create")
    item: Optional[RealtimeItem] = None
    previous_item_id: Optional[str] = None


class RealtimeItemRetrieveEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Asks for an item as the server stores it, with the user's audio as the model heard it."""

    type: str = always("conversation.item.retrieve")
    item_id: Optional[str] = None


class RealtimeItemTruncateEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Removes the end of the model's audio that the user did not hear, and its transcript.

    Fields:
        content_index: position of the part in the item; always 0.
        audio_end_ms: milliseconds of audio to keep.
    """

    type: str = always("conversation.item.truncate")
    item_id: Optional[str] = None
    content_index: Optional[int] = None
    audio_end_ms: Optional[int] = None


class RealtimeItemDeleteEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Removes an item from the conversation."""

    type: str = always("conversation.item.delete")
    item_id: Optional[str] = None


class RealtimeResponseCreateEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Asks for a response; with turn detection, the server starts one by itself."""

    type: str = always("response.create")
    response: Optional[RealtimeResponseConfig] = None


class RealtimeResponseCancelEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Ends a response early; if there is none, the server sends a harmless `error` event.

    Fields:
        response_id: None for the response in the session's conversation.
    """

    type: str = always("response.cancel")
    response_id: Optional[str] = None


class RealtimeOutputAudioClearEvent(RealtimeClientEvent, kw_only=True, dict=True):
    """Stops the audio that is playing; only over WebRTC and SIP."""

    type: str = always("output_audio_buffer.clear")
