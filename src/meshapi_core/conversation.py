"""The history of a conversation, and its turns as flows.

A turn is what the user says, the tools that the model calls because of it, and its answer. The
rules:

1. The history has whole turns only. What a turn adds to it is added when it has ended well; after
   an error or a cancellation, the history is what it was before.
2. A turn that did not end is kept beside the history, with the results of the calls that were made,
   until it is resumed or the conversation goes on without it.
3. The system message, at the beginning, is never trimmed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Optional, Union

from typing_extensions import TypeAlias

from meshapi_core._json_kinds import is_mapping, is_sequence, value_name
from meshapi_core.errors import (
    InvalidParamsError,
    OutputValidationError,
    StreamUsageError,
    StructuredOutputError,
    ToolCallsPendingError,
)
from meshapi_core.flows.steps import ItemFlow
from meshapi_core.params.plain_values import as_plain
from meshapi_core.structured.answers import parsed_completion
from meshapi_core.structured.outputs import Output
from meshapi_core.structured.parsing import correction
from meshapi_core.tools.chat import ChatDialect
from meshapi_core.tools.checkpoints import RunState
from meshapi_core.tools.function_tool import is_async
from meshapi_core.tools.loop import ToolLoop
from meshapi_core.tools.options import OPTION_NAMES, RunOptions
from meshapi_core.tools.steps import ToolStep
from meshapi_core.tools.toolbox import AnyTool, Toolbox
from meshapi_core.types.chat import ChatCompletionResponse, ChatMessage, ContentPart

__all__ = ["Content", "Dialogue", "DialogueTurn", "Message", "TrimRule", "dialogue"]

Message: TypeAlias = Union[ChatMessage, Mapping[str, Any]]
"""One message of a history, such as `{"role": "user", "content": "Hi"}`."""

Content: TypeAlias = Union[str, Sequence[Union[ContentPart, Mapping[str, Any]]]]
"""What the user says: a text, or a list of texts, images and the like."""

TrimRule: TypeAlias = Callable[[list[list[dict[str, Any]]]], Iterable[Sequence[Mapping[str, Any]]]]
"""Is given the earlier turns, each as its messages, and returns those that are sent again."""

_FIRST = ("system", "developer")
_ANY = {"role": "user", "content": ""}


class Dialogue:
    """The history of a conversation, between its turns.

    Args:
        dialect: makes the calls.
        tools: what the model may call.
        options: the limits and choices of each turn.
        fields: the parameters of each request, without messages and tools.
        messages: the history to begin with.
        trim: how many earlier turns are sent again at most, or a rule that picks them.

    Attributes:
        unfinished: the turn that is under way, or that did not end well.
    """

    def __init__(
        self,
        dialect: ChatDialect,
        tools: Toolbox,
        options: RunOptions,
        fields: Mapping[str, Any],
        messages: Sequence[Any],
        trim: Optional[Union[int, TrimRule]] = None,
    ) -> None:
        self.dialect, self.tools, self.options = dialect, tools, options
        self.fields = {**fields}
        self.unfinished: Optional[DialogueTurn] = None
        self._messages: list[Any] = as_plain([*messages])
        self._trim = trim
        # Empty while a turn is under way. Taking what is in it is one step, for threads.
        self._idle = [True]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The history as plain values for JSON: whole turns only."""
        plain: list[dict[str, Any]] = as_plain(self._messages)
        return plain

    def fork(self) -> "Dialogue":
        """Return another conversation with the same history, which goes on independently."""
        return Dialogue(
            self.dialect, self.tools, self.options, self.fields, self._messages, self._trim
        )

    def append(self, messages: Sequence[Any]) -> None:
        """Add messages to the history; a turn that did not end is forgotten.

        Raises:
            InvalidParamsError: they are not messages.
            StreamUsageError: a turn is under way.
        """
        self.begin()
        try:
            history = [*self._messages, *messages]
            self.dialect.call(self.fields, history or [_ANY], self.tools.declarations)
            self.commit(history)
        finally:
            self.end()

    def turn(
        self,
        content: Content,
        *,
        stream: bool = False,
        output: Optional[Output[Any]] = None,
        retries: int = 0,
    ) -> "DialogueTurn":
        """Return a turn that has not begun.

        Args:
            content: what the user says.
            stream: whether what the model says comes piece by piece.
            output: what the model's answer must describe.
            retries: how many more times to ask for that, at most.

        Raises:
            InvalidParamsError: `content` is not valid.
        """
        _check_content("content", content)
        message = as_plain({"role": "user", "content": content})
        # What the request itself refuses is refused now.
        self.dialect.call(self.fields, [message], self.tools.declarations)
        return DialogueTurn(self, message, stream=stream, output=output, retries=retries)

    def begin(self) -> None:
        """Keep other turns out, until `end`.

        Raises:
            StreamUsageError: one is under way.
        """
        try:
            self._idle.pop()
        except IndexError:
            raise StreamUsageError(
                "a turn of this conversation is under way; wait until it has ended, or read or"
                " close its stream; fork() gives another conversation with the same history"
            ) from None

    def end(self) -> None:
        """Let other turns in."""
        self._idle.append(True)

    def kept(self) -> list[Any]:
        """Return the messages of the history that are sent again.

        Raises:
            InvalidParamsError: the rule has returned something that is not a list of turns.
        """
        if self._trim is None:
            return [*self._messages]
        first = next(
            (at for at, each in enumerate(self._messages) if each.get("role") not in _FIRST),
            len(self._messages),
        )
        turns: list[list[Any]] = []
        for message in self._messages[first:]:
            if message.get("role") == "user" or not turns:
                turns.append([])
            turns[-1].append(message)
        picked = turns[-self._trim :] if isinstance(self._trim, int) else self._picked(turns)
        return [*self._messages[:first], *(message for turn in picked for message in turn)]

    def commit(self, history: Sequence[Any]) -> None:
        """Take the history with a turn that has ended well."""
        self._messages, self.unfinished = as_plain([*history]), None

    def _picked(self, turns: list[list[Any]]) -> list[Any]:
        rule: Any = self._trim
        picked: Any = rule(as_plain(turns))
        listed = is_sequence(picked) or hasattr(picked, "__next__")
        whole: Optional[list[Any]] = [*picked] if listed else None
        if whole is None or not all(
            is_sequence(turn) and all(is_mapping(each) for each in turn) for turn in whole
        ):
            expected = "a rule that returns turns: lists of messages"
            raise InvalidParamsError("trim", expected, value_name(picked, show=True))
        return whole


def dialogue(
    dialect: ChatDialect,
    tools: Sequence[AnyTool],
    options: RunOptions,
    fields: Mapping[str, Any],
    system: Optional[Content],
    messages: Sequence[Message],
    trim: Optional[Union[int, TrimRule]],
) -> Dialogue:
    """Return a conversation from the parameters of `chat.conversation`.

    Raises:
        InvalidParamsError: a parameter is not valid.
    """
    if not is_sequence(messages):
        raise InvalidParamsError("messages", "a list of messages", value_name(messages, show=True))
    first: list[Any] = []
    if system is not None:
        _check_content("system", system)
        if messages and _role(messages[0]) in _FIRST:
            hint = "leave out `system`, or the first of the messages"
            got = "given together with messages that begin with one"
            raise InvalidParamsError("system", "", got, hint)
        first = [{"role": "system", "content": system}]
    if trim is not None:
        _check_trim(trim)
    history = [*first, *messages]
    toolbox = Toolbox(tools, dialect.declare, dialect.name_of)
    # A request needs a message, and the first turn has one.
    whole = {**fields, "messages": history or [_ANY]}
    asked, _ = dialect.split(whole, toolbox.declarations, (*OPTION_NAMES, "system", "trim"))
    dialect.call(asked, history or [_ANY], toolbox.declarations)
    return Dialogue(dialect, toolbox, options, asked, history, trim)


def _check_content(name: str, content: Any) -> None:
    if not isinstance(content, str) and not (is_sequence(content) and len(content)):
        hint = "append() takes whole messages" if is_mapping(content) else ""
        got = "an empty list" if is_sequence(content) else value_name(content, show=True)
        raise InvalidParamsError(name, "a text, or a list of content parts", got, hint)


def _check_trim(trim: Any) -> None:
    is_rule = callable(trim) and not is_async(trim)
    is_count = isinstance(trim, int) and not isinstance(trim, bool) and trim > 0
    if not (is_rule or is_count):
        expected = "a number of turns, at least 1, or a plain function that picks turns"
        raise InvalidParamsError("trim", expected, value_name(trim, show=True))


def _role(message: Any) -> Any:
    return message.get("role") if is_mapping(message) else getattr(message, "role", None)


class DialogueTurn:
    """One turn as a flow, and its state at any time.

    Args:
        dialogue: the conversation.
        message: what the user says.
        stream, output, retries: see `Dialogue.turn`.

    Attributes:
        response: how it has ended; None before.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        message: Mapping[str, Any],
        *,
        stream: bool,
        output: Optional[Output[Any]],
        retries: int,
    ) -> None:
        self.response: Optional[ChatCompletionResponse] = None
        self._dialogue = dialogue
        self._message = message
        self._stream, self._output, self._retries = stream, output, retries
        self._loop: Optional[ToolLoop[ChatCompletionResponse]] = None
        # The history as it will be, without the answers that did not match and what was said about
        # them; and how many messages of the loop are in it, or are not to be.
        self._history: list[Any] = []
        self._sent = 0
        self._rejected: list[ChatCompletionResponse] = []

    @property
    def partial(self) -> Optional[ChatCompletionResponse]:
        """The response that is arriving, as far as it has; else the last one."""
        return None if self._loop is None else self._loop.partial

    def flow(
        self, results: Optional[Mapping[str, Any]] = None
    ) -> ItemFlow[ToolStep[ChatCompletionResponse], ChatCompletionResponse]:
        """Return the turn, or what is left of it; each item is a step of its tool run.

        Args:
            results: the results of pending calls, by ID; see `ToolLoop.accept`.

        Raises:
            StreamUsageError: another turn is under way, or has ended since this one began.
            InvalidParamsError: no pending call has the ID of a result.
        """
        dialogue = self._dialogue
        dialogue.begin()
        try:
            if self._loop is None:
                self._history = [*dialogue.kept(), self._message]
                self._ask(self._history)
                dialogue.unfinished = self
            elif dialogue.unfinished is not self:
                raise StreamUsageError(
                    "the conversation has gone on without this turn; send() begins another one"
                )
            if results is not None:
                self._accept(results)
            while self.response is None:
                yield from self._try()
            dialogue.commit(self._history)
            return self.response
        finally:
            dialogue.end()

    def _accept(self, results: Mapping[str, Any]) -> None:
        if not is_mapping(results):
            raise InvalidParamsError("results", "a dict by the IDs of calls", value_name(results))
        assert self._loop is not None
        self._loop.accept(results)

    def _ask(self, history: Sequence[Any]) -> None:
        dialogue, fields, before = self._dialogue, self._dialogue.fields, self._loop
        if self._output is not None:
            fields = {**fields, "response_format": self._output.response_format()}
        state = RunState(fields=fields, history=[*history])
        if before is not None:
            # The limits count for the whole turn.
            state.turns, state.usage = before.turns, before.usage
        self._sent = len(history)
        options = dialogue.options.streamed() if self._stream else dialogue.options
        self._loop = ToolLoop(dialogue.dialect, dialogue.tools, options, state)

    def _try(self) -> ItemFlow[ToolStep[ChatCompletionResponse], None]:
        loop = self._loop
        assert loop is not None
        result = yield from loop.flow()
        if result.pending:
            raise ToolCallsPendingError(
                f"the results of {len(result.pending)} calls come from elsewhere; pass them to"
                " resume()",
                pending=result.pending,
                checkpoint=loop.checkpoint(),
            )
        response, added = result.response, result.messages[self._sent :]
        if self._output is None:
            self._history += added
            self.response = response
            return
        try:
            self.response = parsed_completion(response, self._output, self._rejected)
        except StructuredOutputError as exc:
            # What was said is not kept, but what its tools returned is.
            said = self._dialogue.dialect.said(response)
            self._history += added[: len(added) - len(said)]
            if not isinstance(exc, OutputValidationError) or self._is_last():
                # A turn that is resumed asks again.
                self._ask(self._history)
                raise
            self._rejected.append(response)
            self._ask([*result.messages, correction(exc)[-1]])
        else:
            self._history += added

    def _is_last(self) -> bool:
        return len(self._rejected) >= self._retries
