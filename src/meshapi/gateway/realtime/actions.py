"""What a session has to do about an event: say one, begin a response, or end one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

from meshapi.gateway.realtime.events import Event


@dataclass(frozen=True)
class Plan:
    """A response before it begins.

    Attributes:
        shortened: `max_output_tokens` did not allow for the whole text.
        seconds: how long its audio is to be; None to take as long as the text.
        kept: whether it becomes a part of the conversation.
        previous: the id of the item before it.
        text_tokens: of its input.
        audio_tokens: of its input.
    """

    text: str
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


@dataclass(frozen=True)
class Respond:
    """To be done: begin this response, unless there is one under way."""

    plan: Plan


@dataclass(frozen=True)
class Cancel:
    """To be done: end the response that is under way.

    Attributes:
        wanted: by the client, which is told if there is none.
        response_id: end only this one; None is any.
    """

    wanted: bool
    response_id: Optional[str] = None


Action = Union[Event, Respond, Cancel]
