"""What a case is, and what many of them use.

A case is a generator. It yields what to call, as a function of the client, and gets what came of
it: the response, or the `MeshAPIError`. `chunks(...)` stands for a call whose response is a stream,
`talk(...)` for a realtime session.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Callable, NamedTuple, Optional

from meshapi import ChatCompletionParams, ChatMessage, Tool, ToolFunction

Ask = Callable[[Any], Any]


class Chunks(NamedTuple):
    """A call whose response is iterated to its end."""

    ask: Ask


class Talk(NamedTuple):
    """A realtime session: everything is said, then its messages are iterated.

    Attributes:
        connect: to the gateway.
        events: what is said; bytes are audio.
        until: the type of the event after which nobody listens any more.
    """

    connect: Ask
    events: tuple[Any, ...]
    until: str


@dataclass(frozen=True)
class Case:
    """One thing that programs do.

    Attributes:
        play: makes the generator.
        fault: what keeps the official package from doing it right, None where it does.
        token: another one than the gateway's.
        max_retries: of the client.
        slow: takes longer than a quarter of a second.
        version: of the official package that it is written for.
        refuses: how many of its calls this package refuses before anything is sent.
    """

    play: Callable[[], Generator[Any, Any, None]]
    fault: Optional[str] = None
    token: Optional[str] = None
    max_retries: int = 0
    slow: bool = False
    version: str = "0.1.11"
    refuses: int = 0


CASES: dict[str, Case] = {}


def case(**options: Any) -> Callable[[Any], Any]:
    def keep(play: Any) -> Any:
        CASES[play.__name__] = Case(play, **options)
        return play

    return keep


def chunks(ask: Ask) -> Chunks:
    return Chunks(ask)


def talk(connect: Ask, *events: Any, until: str = "response.done") -> Talk:
    return Talk(connect, events, until)


MODEL = "openai/gpt-4o-mini"
CLAUDE = "anthropic/claude-sonnet-4.5"
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "default": None}},
    "required": ["city"],
}
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwAD"
    "hgGAWjR9awAAAABJRU5ErkJggg=="
)
AUDIO = b"RIFF$\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00" + bytes(range(32))


def ask(question: str, **fields: Any) -> ChatCompletionParams:
    return ChatCompletionParams(
        **{"model": MODEL, "messages": [ChatMessage(role="user", content=question)], **fields}
    )


def weather_tool() -> Tool:
    return Tool(
        type="function",
        function=ToolFunction(name="get_weather", description="Weather", parameters=WEATHER),
    )
