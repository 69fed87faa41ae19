"""The errors of tool runs, and of conversations in which the model calls tools."""

from typing import Any

from typing_extensions import Unpack

from meshapi_core._base_error import ErrorFacts, MeshAPIError

__all__ = ["ToolCallsPendingError", "ToolLoopLimitError"]


class ToolLoopLimitError(MeshAPIError):
    """A tool run has reached a limit, and the model asks for further calls, which were not made.

    Attributes:
        limit: The name of the limit, such as "max_turns".
        checkpoint: For `resume_tools` to continue with a higher limit; empty for a session.
        messages, turns, usage: Those of the run; see `ToolRun`.
    """

    default_error_code = "tool_loop_limit"

    def __init__(
        self,
        message: str,
        *,
        limit: str,
        checkpoint: dict[str, Any],
        messages: list[Any],
        turns: int,
        usage: Any,
        **facts: Unpack[ErrorFacts],
    ) -> None:
        super().__init__(message, **facts)
        self.limit, self.checkpoint, self.messages = limit, checkpoint, messages
        self.turns, self.usage = turns, usage


class ToolCallsPendingError(MeshAPIError):
    """A turn of a conversation cannot end, as results of tool calls come from elsewhere.

    Attributes:
        pending: The calls; `resume` of the conversation takes their results by `id`.
        checkpoint: The turn, for `chat.completions.resume_tools` to continue it in another process.
    """

    default_error_code = "tool_calls_pending"

    def __init__(
        self,
        message: str,
        *,
        pending: "tuple[Any, ...]",
        checkpoint: dict[str, Any],
        **facts: Unpack[ErrorFacts],
    ) -> None:
        super().__init__(message, **facts)
        self.pending, self.checkpoint = pending, checkpoint
