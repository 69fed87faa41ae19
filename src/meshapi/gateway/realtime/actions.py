"""What a session does in response to an event: send an event, begin a response, or end one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

from meshapi.gateway.content.tool_calls import ToolCall
from meshapi.gateway.realtime.events import Event


@dataclass(frozen=True)
class Plan:
    """A response before it begins.

    Attributes:
        calls: the calls of tools that take the place of the text.
        shortened: whether `max_output_tokens` cut off the text.
        spoken: whether the text is also sent as audio.
        seconds: the length of the audio; None for the time that it takes to say the text.
        kept: whether the response becomes part of the conversation.
        previous: the ID of the item before it.
        text_tokens: the text tokens of its input.
        audio_tokens: the audio tokens of its input.
        question: what the user said last.
    """

    text: str
    calls: Sequence[ToolCall]
    shortened: bool
    spoken: bool
    modalities: Sequence[str]
    seconds: Optional[float]
    output: dict[str, Any]
    max_output_tokens: Any
    metadata: Any
    kept: bool
    conversation_id: str
    previous: Optional[str]
    text_tokens: int
    audio_tokens: int
    question: str = ""


@dataclass(frozen=True)
class Respond:
    """Begin this response, unless one is under way."""

    plan: Plan


@dataclass(frozen=True)
class Cancel:
    """End the response that is under way.

    Attributes:
        wanted: whether the client asked for it; it then gets an error if there is no such response.
        response_id: the only response to end; None for any.
    """

    wanted: bool
    response_id: Optional[str] = None


Action = Union[Event, Respond, Cancel]
