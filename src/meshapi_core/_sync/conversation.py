# Generated from _async/conversation.py by `python tools/mirror.py --write`: edit that file.
"""A conversation, as programs hold it."""

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Optional, TypeVar

from typing_extensions import Self, TypeForm

from meshapi_core._closing import Closes, Iterated
from meshapi_core.conversation import Content, Dialogue, DialogueTurn, Message
from meshapi_core.errors import StreamUsageError
from meshapi_core.protocols import ItemStream, Runner
from meshapi_core.streams.events import ContentDelta
from meshapi_core.structured.parsing import check_retries, wanted_output
from meshapi_core.tools.flavours import Flavour
from meshapi_core.tools.steps import ToolStep
from meshapi_core.types.chat import ChatCompletionResponse
from meshapi_core.types.parsed import ParsedChatCompletion

__all__ = ["Conversation", "ConversationStream"]

T = TypeVar("T")

_Steps = ItemStream[ToolStep[ChatCompletionResponse], ChatCompletionResponse]


class Conversation:
    """A history that grows turn by turn, and never by half a turn.

    After an error or a cancellation, the history is what it was before the turn; `resume` goes on
    with that turn, and `send` begins another one. One turn at a time.

    Args:
        runner: makes the calls.
        dialogue: the history.

    Raises:
        InvalidParamsError: a tool is a function that this kind of client cannot call.
    """

    # What a program sets, such as `model`, would be ignored in silence.
    __slots__ = ("__weakref__", "_dialogue", "_runner")

    def __init__(self, runner: Runner, dialogue: Dialogue) -> None:
        Flavour.check(dialogue.tools, dialogue.options)
        self._runner = runner
        self._dialogue = dialogue

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self._dialogue.messages)} messages>"

    def __reduce__(self) -> Any:
        raise TypeError(
            "a conversation cannot be copied or pickled, because it holds a client; use fork(), and"
            " elsewhere conversation(messages=...)"
        )

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The history as plain values for JSON, ready to be sent: whole turns only.

        `conversation(messages=...)` continues from it. Changing the list changes nothing here.
        """
        return self._dialogue.messages

    def append(self, *messages: Message) -> None:
        """Add messages to the history without a call.

        Raises:
            InvalidParamsError: one is not a message.
            StreamUsageError: a turn is under way.
        """
        self._dialogue.append(messages)

    def fork(self) -> Self:
        """Return another conversation with the same history; each goes on without the other."""
        return type(self)(self._runner, self._dialogue.fork())

    def send(self, content: Content) -> ChatCompletionResponse:
        """Say something, and return the model's answer, after the tools that it calls.

        Args:
            content: a text, or a list of content parts, such as texts and images.

        Raises:
            InvalidParamsError: `content` is not valid.
            ToolCallsPendingError: a call is deferred; `resume` takes its result.
            ToolLoopLimitError: a limit of the tool run is reached.
            StreamUsageError: another turn is under way.
            MeshAPIError: as for `create`.
            Exception: what a function raised, with `on_tool_error="raise"`.
        """
        return self._run(self._dialogue.turn(content))

    def stream(self, content: Content) -> "ConversationStream":
        """Say something, and return the model's answer as it comes.

        Nothing is sent before the stream is read. The turn is in the history when it has been read
        to its end.

        Args:
            content: as for `send`.

        Raises:
            InvalidParamsError: `content` is not valid.
        """
        turn = self._dialogue.turn(content, stream=True)
        return ConversationStream(self._runner.open_flow(turn.flow()), turn)

    def parse(
        self, content: Content, response_format: TypeForm[T], *, validation_retries: int = 0
    ) -> ParsedChatCompletion[T]:
        """Say something, and return the model's answer with the value that it describes.

        Answers that did not match the type, and what the model was told about them, are not in the
        history.

        Args:
            content: as for `send`.
            response_format, validation_retries: as for `chat.completions.parse`.

        Raises:
            UnsupportedSchemaError: the type has no JSON schema; nothing was sent.
            StructuredOutputError: the model gave no such value; the history stays what it was.
            MeshAPIError, InvalidParamsError, StreamUsageError: as for `send`.
        """
        check_retries(validation_retries)
        output = wanted_output(response_format)
        turn = self._dialogue.turn(content, output=output, retries=validation_retries)
        parsed: Any = self._run(turn)
        found: ParsedChatCompletion[T] = parsed
        return found

    def resume(self, results: Optional[Mapping[str, Any]] = None) -> ChatCompletionResponse:
        """Go on with the turn that did not end, and return what it would have returned.

        What was done is not done again: only calls without a result are made. After an answer that
        `parse` has refused, the model is asked again.

        Args:
            results: the results of deferred calls by their IDs, as for `resume_tools`.

        Raises:
            StreamUsageError: there is no such turn, or one is under way.
            InvalidParamsError: no deferred call has the ID of a result.
            MeshAPIError: as for `send`.
        """
        turn = self._dialogue.unfinished
        if turn is None:
            raise StreamUsageError("there is no unfinished turn to resume; send() begins one")
        return self._run(turn, results)

    def _run(
        self, turn: DialogueTurn, results: Optional[Mapping[str, Any]] = None
    ) -> ChatCompletionResponse:
        return self._runner.open_flow(turn.flow(results)).until_done()


class ConversationStream(Closes):
    """One turn of a conversation as it comes.

    A blocking iterator over its steps, as of a tool run with `stream=True`: `ContentDelta`,
    `ModelResponded`, `ToolCallBegun` and so on. It is a blocking context manager, too.

    Args:
        steps: the steps of the turn.
        turn: its state.
    """

    def __init__(self, steps: _Steps, turn: DialogueTurn) -> None:
        self._steps = steps
        self._turn = turn

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'ended' if self._steps.ended else 'open'}>"

    @property
    def text(self) -> str:
        """The text so far of the response that is arriving, or of the last one; else ""."""
        partial = self.partial
        return "" if partial is None else partial.text

    @property
    def partial(self) -> Optional[ChatCompletionResponse]:
        """The response that is arriving, put together so far; or the last one."""
        return self._turn.partial

    @property
    def response(self) -> ChatCompletionResponse:
        """The model's whole answer, after the end of the turn.

        Raises:
            StreamUsageError: the turn has not ended well.
        """
        if self._turn.response is None:
            raise StreamUsageError(
                "this turn has not ended, and has no whole response; .partial is the response so"
                " far, and get_final_completion() reads the rest"
            )
        return self._turn.response

    @property
    def text_stream(self) -> Iterator[str]:
        """The text alone, piece by piece: iterate over it instead of the stream."""
        return ConversationTexts(self._steps)

    def get_final_completion(self) -> ChatCompletionResponse:
        """Read what is left of the turn, and return the model's whole answer. Harmless twice.

        Raises:
            StreamUsageError: it was closed before its end, or ended with an error.
            MeshAPIError: as for `send`.
        """
        return self._steps.until_done()

    def get_final_text(self) -> str:
        """Read what is left of the turn, and return the text of the model's answer.

        Raises:
            StreamUsageError, MeshAPIError: as for `get_final_completion`.
        """
        return self._steps.until_done().text

    def __iter__(self) -> Iterator[ToolStep[ChatCompletionResponse]]:
        return self._steps.__iter__()

    def __enter__(self) -> Self:
        self._steps.__enter__()
        return self

    def __exit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None:
        self._steps.close()

    def close(self) -> None:
        """End the turn now. Harmless twice. `resume` of the conversation goes on with it."""
        self._steps.close()


class ConversationTexts(Iterated):
    """The text of a turn: a blocking iterator over its pieces, none of them empty."""

    def __init__(self, steps: _Steps) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[str]:
        self._steps.__iter__()
        return self

    def __next__(self) -> str:
        while True:
            step = self._steps.__next__()
            if isinstance(step, ContentDelta):
                return step.text
