"""What a script responds with, as values; `replies` makes and checks them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Optional, Union

FaultKind = Literal["broken_stream", "error_in_stream", "stall", "slow", "cut", "close"]


@dataclass(frozen=True)
class ScriptedCall:
    """A call of a tool; made by `tool_call`.

    Attributes:
        arguments: JSON, as text.
        id: None for a new ID each time.
    """

    name: str
    arguments: str
    id: Optional[str] = None


@dataclass(frozen=True)
class Reply:
    """What the model says; made by `reply`.

    A reply that says nothing is the gateway's own answer, with the delay and the headers.

    Attributes:
        chunks: the deltas of a stream; None for one per word.
    """

    text: Optional[str] = None
    tool_calls: tuple[ScriptedCall, ...] = ()
    finish_reason: Optional[str] = None
    usage: Mapping[str, int] = field(default_factory=dict[str, int])
    refusal: Optional[str] = None
    chunks: Optional[tuple[str, ...]] = None
    embedding: Optional[tuple[float, ...]] = None
    delay: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def says(self) -> frozenset[str]:
        """The parts that the reply has: of "text", "tool_calls", "refusal" and so on."""
        has: dict[str, bool] = {
            "text": self.text is not None,
            "tool_calls": bool(self.tool_calls),
            "finish_reason": self.finish_reason is not None,
            "usage": bool(self.usage),
            "refusal": self.refusal is not None,
            "embedding": self.embedding is not None,
        }
        return frozenset(name for name, there in has.items() if there)


@dataclass(frozen=True)
class Body:
    """A whole JSON body, sent as it is; a script writes it as a dict."""

    value: Mapping[str, Any]


@dataclass(frozen=True)
class ErrorReply:
    """An error response; made by `error`."""

    status: int
    code: str
    message: str
    retry_after: Optional[float] = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Fault:
    """A response that goes wrong on its way; made by `broken_stream`, `stall` and so on.

    Attributes:
        answer: what the response would have been; None for the gateway's own.
        error: of `error_in_stream`.
        start, pause: of `slow`, in seconds.
        after_bytes: of `cut`.
        close_code, reason: of `close`.
    """

    kind: FaultKind
    answer: Union[Reply, Body, None] = None
    error: Optional[ErrorReply] = None
    start: float = 0.0
    pause: float = 0.0
    after_bytes: int = 0
    close_code: int = 0
    reason: str = ""


Action = Union[Reply, Body, ErrorReply, Fault]
"""What a script does with one request."""
