"""The events of a streamed response that OpenAI documents, one class for each type.

`EVENTS` has the class for each `type`. All of them are `ResponsesStreamEvent`s; an event of any
other type is an instance of that class.

Items, parts and annotations are plain dicts, as the server sent them: `event.item["type"]`. A field
that the gateway leaves out is empty or 0. Fields that most events have:

    sequence_number: counts the events of one response from 0.
    item_id, output_index: the item of `output` that the event is about: its ID and its position.
    content_index, summary_index: the position in the item's `content` or `summary`.

Source: https://platform.openai.com/docs/api-reference/responses-streaming
"""

from typing import Any, ClassVar, Final, Optional

import msgspec

from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.types._base import always
from meshapi_core.types.responses import ResponsesStreamEvent

__all__ = [
    "ResponseAudioDeltaEvent",
    "ResponseAudioDoneEvent",
    "ResponseAudioTranscriptDeltaEvent",
    "ResponseAudioTranscriptDoneEvent",
    "ResponseCodeInterpreterCallCodeDeltaEvent",
    "ResponseCodeInterpreterCallCodeDoneEvent",
    "ResponseCodeInterpreterCallCompletedEvent",
    "ResponseCodeInterpreterCallInProgressEvent",
    "ResponseCodeInterpreterCallInterpretingEvent",
    "ResponseCompactionCompactingEvent",
    "ResponseCompletedEvent",
    "ResponseContentPartAddedEvent",
    "ResponseContentPartDoneEvent",
    "ResponseCreatedEvent",
    "ResponseCustomToolCallInputDeltaEvent",
    "ResponseCustomToolCallInputDoneEvent",
    "ResponseErrorEvent",
    "ResponseFailedEvent",
    "ResponseFileSearchCallCompletedEvent",
    "ResponseFileSearchCallInProgressEvent",
    "ResponseFileSearchCallSearchingEvent",
    "ResponseFunctionCallArgumentsDeltaEvent",
    "ResponseFunctionCallArgumentsDoneEvent",
    "ResponseImageGenCallCompletedEvent",
    "ResponseImageGenCallGeneratingEvent",
    "ResponseImageGenCallInProgressEvent",
    "ResponseImageGenCallPartialImageEvent",
    "ResponseInProgressEvent",
    "ResponseIncompleteEvent",
    "ResponseMcpCallArgumentsDeltaEvent",
    "ResponseMcpCallArgumentsDoneEvent",
    "ResponseMcpCallCompletedEvent",
    "ResponseMcpCallFailedEvent",
    "ResponseMcpCallInProgressEvent",
    "ResponseMcpListToolsCompletedEvent",
    "ResponseMcpListToolsFailedEvent",
    "ResponseMcpListToolsInProgressEvent",
    "ResponseOutputItemAddedEvent",
    "ResponseOutputItemDoneEvent",
    "ResponseOutputTextAnnotationAddedEvent",
    "ResponseQueuedEvent",
    "ResponseReasoningSummaryPartAddedEvent",
    "ResponseReasoningSummaryPartDoneEvent",
    "ResponseReasoningSummaryTextDeltaEvent",
    "ResponseReasoningSummaryTextDoneEvent",
    "ResponseReasoningTextDeltaEvent",
    "ResponseReasoningTextDoneEvent",
    "ResponseRefusalDeltaEvent",
    "ResponseRefusalDoneEvent",
    "ResponseShellCallCommandAddedEvent",
    "ResponseShellCallCommandDeltaEvent",
    "ResponseShellCallCommandDoneEvent",
    "ResponseShellCallOutputContentDeltaEvent",
    "ResponseShellCallOutputContentDoneEvent",
    "ResponseTextDeltaEvent",
    "ResponseTextDoneEvent",
    "ResponseWebSearchCallCompletedEvent",
    "ResponseWebSearchCallInProgressEvent",
    "ResponseWebSearchCallSearchingEvent",
]


class _Event(ResponsesStreamEvent, kw_only=True, dict=True):
    sequence_number: int = 0


class _ItemEvent(_Event, kw_only=True, dict=True):
    item_id: str = ""
    output_index: int = 0


class _ContentEvent(_ItemEvent, kw_only=True, dict=True):
    content_index: int = 0


class _SummaryEvent(_ItemEvent, kw_only=True, dict=True):
    summary_index: int = 0


class _CommandEvent(_Event, kw_only=True, dict=True):
    output_index: int = 0
    command_index: int = 0


class ResponseCreatedEvent(_Event, kw_only=True, dict=True):
    """The response was created; `response` has what is known of it."""

    type: Optional[str] = always("response.created")


class ResponseQueuedEvent(_Event, kw_only=True, dict=True):
    """The response is waiting for its turn."""

    type: Optional[str] = always("response.queued")


class ResponseInProgressEvent(_Event, kw_only=True, dict=True):
    """The model is working on the response."""

    type: Optional[str] = always("response.in_progress")


class ResponseCompletedEvent(_Event, kw_only=True, dict=True):
    """The end: `response` is the whole response."""

    type: Optional[str] = always("response.completed")


class ResponseFailedEvent(_Event, kw_only=True, dict=True):
    """The end, without a response: `response["error"]` says why."""

    type: Optional[str] = always("response.failed")


class ResponseIncompleteEvent(_Event, kw_only=True, dict=True):
    """The end of a response that is not whole: `response["incomplete_details"]` says why."""

    type: Optional[str] = always("response.incomplete")


class ResponseErrorEvent(_Event, kw_only=True, dict=True):
    """Something went wrong; events may follow, but they are not the whole response.

    Fields:
        code: the error code.
        param: the parameter of the request that caused the error.
    """

    type: Optional[str] = always("error")
    code: Optional[str] = None
    message: str = ""
    param: Optional[str] = None


class ResponseOutputItemAddedEvent(_Event, kw_only=True, dict=True):
    """An item of the output begins.

    Fields:
        item: what is known of it, with its `type` and `id`.
    """

    type: Optional[str] = always("response.output_item.added")
    output_index: int = 0
    item: dict[str, Any] = msgspec.field(default_factory=dict)


class ResponseOutputItemDoneEvent(_Event, kw_only=True, dict=True):
    """An item of the output is complete."""

    type: Optional[str] = always("response.output_item.done")
    output_index: int = 0
    item: dict[str, Any] = msgspec.field(default_factory=dict)


class ResponseContentPartAddedEvent(_ContentEvent, kw_only=True, dict=True):
    """A part of a message or of the reasoning begins.

    Fields:
        part: of type "output_text", "refusal" or "reasoning_text".
    """

    type: Optional[str] = always("response.content_part.added")
    part: dict[str, Any] = msgspec.field(default_factory=dict)


class ResponseContentPartDoneEvent(_ContentEvent, kw_only=True, dict=True):
    """A part of a message or of the reasoning is complete."""

    type: Optional[str] = always("response.content_part.done")
    part: dict[str, Any] = msgspec.field(default_factory=dict)


class ResponseTextDeltaEvent(_ContentEvent, kw_only=True, dict=True):
    """A delta of the answer's text."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"delta"}))

    type: Optional[str] = always("response.output_text.delta")
    delta: str = ""
    logprobs: list[dict[str, Any]] = msgspec.field(default_factory=list)


class ResponseTextDoneEvent(_ContentEvent, kw_only=True, dict=True):
    """The whole text of one part."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"text"}))

    type: Optional[str] = always("response.output_text.done")
    text: str = ""
    logprobs: list[dict[str, Any]] = msgspec.field(default_factory=list)


class ResponseOutputTextAnnotationAddedEvent(_ContentEvent, kw_only=True, dict=True):
    """A citation or the like, for some of the text.

    Fields:
        annotation: of type "file_citation", "url_citation", "file_path" or another.
    """

    type: Optional[str] = always("response.output_text.annotation.added")
    annotation_index: int = 0
    annotation: Optional[dict[str, Any]] = None


class ResponseRefusalDeltaEvent(_ContentEvent, kw_only=True, dict=True):
    """A delta of the reason why the model refuses to answer."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"delta"}))

    type: Optional[str] = always("response.refusal.delta")
    delta: str = ""


class ResponseRefusalDoneEvent(_ContentEvent, kw_only=True, dict=True):
    """The whole reason why the model refuses to answer."""

    type: Optional[str] = always("response.refusal.done")
    refusal: str = ""


class ResponseReasoningTextDeltaEvent(_ContentEvent, kw_only=True, dict=True):
    """A delta of the reasoning itself, as opposed to its summary."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"delta"}))

    type: Optional[str] = always("response.reasoning_text.delta")
    delta: str = ""


class ResponseReasoningTextDoneEvent(_ContentEvent, kw_only=True, dict=True):
    """The whole reasoning itself, as opposed to its summary."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"text"}))

    type: Optional[str] = always("response.reasoning_text.done")
    text: str = ""


class ResponseReasoningSummaryPartAddedEvent(_SummaryEvent, kw_only=True, dict=True):
    """A part of the summary of the reasoning begins."""

    type: Optional[str] = always("response.reasoning_summary_part.added")
    part: dict[str, Any] = msgspec.field(default_factory=dict)


class ResponseReasoningSummaryPartDoneEvent(_SummaryEvent, kw_only=True, dict=True):
    """A part of the summary of the reasoning has ended.

    Fields:
        status: "incomplete" if the part was cut off.
    """

    type: Optional[str] = always("response.reasoning_summary_part.done")
    part: dict[str, Any] = msgspec.field(default_factory=dict)
    status: Optional[str] = None


class ResponseReasoningSummaryTextDeltaEvent(_SummaryEvent, kw_only=True, dict=True):
    """A delta of the summary of the reasoning."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"delta"}))

    type: Optional[str] = always("response.reasoning_summary_text.delta")
    delta: str = ""


class ResponseReasoningSummaryTextDoneEvent(_SummaryEvent, kw_only=True, dict=True):
    """The whole text of one part of the summary of the reasoning."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"text"}))

    type: Optional[str] = always("response.reasoning_summary_text.done")
    text: str = ""


class ResponseFunctionCallArgumentsDeltaEvent(_ItemEvent, kw_only=True, dict=True):
    """A delta of a function's arguments, which are JSON text."""

    type: Optional[str] = always("response.function_call_arguments.delta")
    delta: str = ""


class ResponseFunctionCallArgumentsDoneEvent(_ItemEvent, kw_only=True, dict=True):
    """A function's whole arguments, as JSON text."""

    type: Optional[str] = always("response.function_call_arguments.done")
    arguments: str = ""

    @property
    def parsed_arguments(self) -> dict[str, Any]:
        """The arguments as a dict; {} if the model wrote nothing.

        Raises:
            ToolArgumentsError: the model wrote something that is not a JSON object.
        """
        from meshapi_core.codec.arguments import parse_arguments

        return parse_arguments("", self.arguments)


class ResponseCustomToolCallInputDeltaEvent(_ItemEvent, kw_only=True, dict=True):
    """A delta of the input of a custom tool."""

    type: Optional[str] = always("response.custom_tool_call_input.delta")
    delta: str = ""


class ResponseCustomToolCallInputDoneEvent(_ItemEvent, kw_only=True, dict=True):
    """The whole input of a custom tool."""

    type: Optional[str] = always("response.custom_tool_call_input.done")
    input: str = ""


class ResponseFileSearchCallInProgressEvent(_ItemEvent, kw_only=True, dict=True):
    """A file search begins."""

    type: Optional[str] = always("response.file_search_call.in_progress")


class ResponseFileSearchCallSearchingEvent(_ItemEvent, kw_only=True, dict=True):
    """A file search is under way."""

    type: Optional[str] = always("response.file_search_call.searching")


class ResponseFileSearchCallCompletedEvent(_ItemEvent, kw_only=True, dict=True):
    """A file search has ended."""

    type: Optional[str] = always("response.file_search_call.completed")


class ResponseWebSearchCallInProgressEvent(_ItemEvent, kw_only=True, dict=True):
    """A web search begins."""

    type: Optional[str] = always("response.web_search_call.in_progress")


class ResponseWebSearchCallSearchingEvent(_ItemEvent, kw_only=True, dict=True):
    """A web search is under way."""

    type: Optional[str] = always("response.web_search_call.searching")


class ResponseWebSearchCallCompletedEvent(_ItemEvent, kw_only=True, dict=True):
    """A web search has ended."""

    type: Optional[str] = always("response.web_search_call.completed")


class ResponseCodeInterpreterCallInProgressEvent(_ItemEvent, kw_only=True, dict=True):
    """A call of the code interpreter begins."""

    type: Optional[str] = always("response.code_interpreter_call.in_progress")


class ResponseCodeInterpreterCallInterpretingEvent(_ItemEvent, kw_only=True, dict=True):
    """The code interpreter is running the code."""

    type: Optional[str] = always("response.code_interpreter_call.interpreting")


class ResponseCodeInterpreterCallCompletedEvent(_ItemEvent, kw_only=True, dict=True):
    """A call of the code interpreter has ended."""

    type: Optional[str] = always("response.code_interpreter_call.completed")


class ResponseCodeInterpreterCallCodeDeltaEvent(_ItemEvent, kw_only=True, dict=True):
    """A delta of the code to run."""

    type: Optional[str] = always("response.code_interpreter_call_code.delta")
    delta: str = ""


class ResponseCodeInterpreterCallCodeDoneEvent(_ItemEvent, kw_only=True, dict=True):
    """The whole code to run."""

    type: Optional[str] = always("response.code_interpreter_call_code.done")
    code: str = ""


class ResponseImageGenCallInProgressEvent(_ItemEvent, kw_only=True, dict=True):
    """The generation of an image begins."""

    type: Optional[str] = always("response.image_generation_call.in_progress")


class ResponseImageGenCallGeneratingEvent(_ItemEvent, kw_only=True, dict=True):
    """An image is being generated."""

    type: Optional[str] = always("response.image_generation_call.generating")


class ResponseImageGenCallPartialImageEvent(_ItemEvent, kw_only=True, dict=True):
    """A preview of an image that is being generated.

    Fields:
        partial_image_b64: the preview in base64.
        partial_image_index: counts the previews from 0.
    """

    type: Optional[str] = always("response.image_generation_call.partial_image")
    partial_image_b64: str = ""
    partial_image_index: int = 0
    size: Optional[str] = None
    quality: Optional[str] = None
    background: Optional[str] = None
    output_format: Optional[str] = None


class ResponseImageGenCallCompletedEvent(_ItemEvent, kw_only=True, dict=True):
    """An image was generated; it is in the item."""

    type: Optional[str] = always("response.image_generation_call.completed")


class ResponseMcpCallArgumentsDeltaEvent(_ItemEvent, kw_only=True, dict=True):
    """A delta of an MCP tool's arguments, which are JSON text."""

    type: Optional[str] = always("response.mcp_call_arguments.delta")
    delta: str = ""


class ResponseMcpCallArgumentsDoneEvent(_ItemEvent, kw_only=True, dict=True):
    """An MCP tool's whole arguments, as JSON text."""

    type: Optional[str] = always("response.mcp_call_arguments.done")
    arguments: str = ""


class ResponseMcpCallInProgressEvent(_ItemEvent, kw_only=True, dict=True):
    """A call of an MCP tool begins."""

    type: Optional[str] = always("response.mcp_call.in_progress")


class ResponseMcpCallCompletedEvent(_ItemEvent, kw_only=True, dict=True):
    """A call of an MCP tool has succeeded."""

    type: Optional[str] = always("response.mcp_call.completed")


class ResponseMcpCallFailedEvent(_ItemEvent, kw_only=True, dict=True):
    """A call of an MCP tool has failed; the response continues."""

    type: Optional[str] = always("response.mcp_call.failed")


class ResponseMcpListToolsInProgressEvent(_ItemEvent, kw_only=True, dict=True):
    """An MCP server is being asked for its tools."""

    type: Optional[str] = always("response.mcp_list_tools.in_progress")


class ResponseMcpListToolsCompletedEvent(_ItemEvent, kw_only=True, dict=True):
    """An MCP server has listed its tools."""

    type: Optional[str] = always("response.mcp_list_tools.completed")


class ResponseMcpListToolsFailedEvent(_ItemEvent, kw_only=True, dict=True):
    """An MCP server has failed to list its tools; the response continues."""

    type: Optional[str] = always("response.mcp_list_tools.failed")


class ResponseShellCallCommandAddedEvent(_CommandEvent, kw_only=True, dict=True):
    """A shell command begins."""

    type: Optional[str] = always("response.shell_call_command.added")
    command: str = ""


class ResponseShellCallCommandDeltaEvent(_CommandEvent, kw_only=True, dict=True):
    """A delta of a shell command."""

    type: Optional[str] = always("response.shell_call_command.delta")
    delta: str = ""


class ResponseShellCallCommandDoneEvent(_CommandEvent, kw_only=True, dict=True):
    """A whole shell command."""

    type: Optional[str] = always("response.shell_call_command.done")
    command: str = ""


class ResponseShellCallOutputContentDeltaEvent(_CommandEvent, kw_only=True, dict=True):
    """A delta of the output of a shell command.

    Fields:
        delta: `stdout`, `stderr`, or both.
    """

    type: Optional[str] = always("response.shell_call_output_content.delta")
    item_id: str = ""
    delta: dict[str, Any] = msgspec.field(default_factory=dict)


class ResponseShellCallOutputContentDoneEvent(_CommandEvent, kw_only=True, dict=True):
    """The whole output of a shell command.

    Fields:
        output: dicts with `stdout`, `stderr`, and `outcome`: how the command ended.
    """

    type: Optional[str] = always("response.shell_call_output_content.done")
    item_id: str = ""
    output: list[dict[str, Any]] = msgspec.field(default_factory=list)


class ResponseAudioDeltaEvent(_Event, kw_only=True, dict=True):
    """A delta of the spoken answer.

    Fields:
        delta: audio in base64.
    """

    type: Optional[str] = always("response.audio.delta")
    delta: str = ""


class ResponseAudioDoneEvent(_Event, kw_only=True, dict=True):
    """The end of the spoken answer."""

    type: Optional[str] = always("response.audio.done")


class ResponseAudioTranscriptDeltaEvent(_Event, kw_only=True, dict=True):
    """A delta of the transcript of the spoken answer."""

    type: Optional[str] = always("response.audio.transcript.delta")
    delta: str = ""


class ResponseAudioTranscriptDoneEvent(_Event, kw_only=True, dict=True):
    """The end of the transcript of the spoken answer."""

    type: Optional[str] = always("response.audio.transcript.done")


class ResponseCompactionCompactingEvent(_ItemEvent, kw_only=True, dict=True):
    """The earlier conversation is being compacted."""

    type: Optional[str] = always("response.compaction.compacting")


EVENTS: Final[dict[str, type[ResponsesStreamEvent]]] = {
    "response.created": ResponseCreatedEvent,
    "response.queued": ResponseQueuedEvent,
    "response.in_progress": ResponseInProgressEvent,
    "response.completed": ResponseCompletedEvent,
    "response.failed": ResponseFailedEvent,
    "response.incomplete": ResponseIncompleteEvent,
    "error": ResponseErrorEvent,
    "response.output_item.added": ResponseOutputItemAddedEvent,
    "response.output_item.done": ResponseOutputItemDoneEvent,
    "response.content_part.added": ResponseContentPartAddedEvent,
    "response.content_part.done": ResponseContentPartDoneEvent,
    "response.output_text.delta": ResponseTextDeltaEvent,
    "response.output_text.done": ResponseTextDoneEvent,
    "response.output_text.annotation.added": ResponseOutputTextAnnotationAddedEvent,
    "response.refusal.delta": ResponseRefusalDeltaEvent,
    "response.refusal.done": ResponseRefusalDoneEvent,
    "response.reasoning_text.delta": ResponseReasoningTextDeltaEvent,
    "response.reasoning_text.done": ResponseReasoningTextDoneEvent,
    "response.reasoning_summary_part.added": ResponseReasoningSummaryPartAddedEvent,
    "response.reasoning_summary_part.done": ResponseReasoningSummaryPartDoneEvent,
    "response.reasoning_summary_text.delta": ResponseReasoningSummaryTextDeltaEvent,
    "response.reasoning_summary_text.done": ResponseReasoningSummaryTextDoneEvent,
    "response.function_call_arguments.delta": ResponseFunctionCallArgumentsDeltaEvent,
    "response.function_call_arguments.done": ResponseFunctionCallArgumentsDoneEvent,
    "response.custom_tool_call_input.delta": ResponseCustomToolCallInputDeltaEvent,
    "response.custom_tool_call_input.done": ResponseCustomToolCallInputDoneEvent,
    "response.file_search_call.in_progress": ResponseFileSearchCallInProgressEvent,
    "response.file_search_call.searching": ResponseFileSearchCallSearchingEvent,
    "response.file_search_call.completed": ResponseFileSearchCallCompletedEvent,
    "response.web_search_call.in_progress": ResponseWebSearchCallInProgressEvent,
    "response.web_search_call.searching": ResponseWebSearchCallSearchingEvent,
    "response.web_search_call.completed": ResponseWebSearchCallCompletedEvent,
    "response.code_interpreter_call.in_progress": ResponseCodeInterpreterCallInProgressEvent,
    "response.code_interpreter_call.interpreting": ResponseCodeInterpreterCallInterpretingEvent,
    "response.code_interpreter_call.completed": ResponseCodeInterpreterCallCompletedEvent,
    "response.code_interpreter_call_code.delta": ResponseCodeInterpreterCallCodeDeltaEvent,
    "response.code_interpreter_call_code.done": ResponseCodeInterpreterCallCodeDoneEvent,
    "response.image_generation_call.in_progress": ResponseImageGenCallInProgressEvent,
    "response.image_generation_call.generating": ResponseImageGenCallGeneratingEvent,
    "response.image_generation_call.partial_image": ResponseImageGenCallPartialImageEvent,
    "response.image_generation_call.completed": ResponseImageGenCallCompletedEvent,
    "response.mcp_call_arguments.delta": ResponseMcpCallArgumentsDeltaEvent,
    "response.mcp_call_arguments.done": ResponseMcpCallArgumentsDoneEvent,
    "response.mcp_call.in_progress": ResponseMcpCallInProgressEvent,
    "response.mcp_call.completed": ResponseMcpCallCompletedEvent,
    "response.mcp_call.failed": ResponseMcpCallFailedEvent,
    "response.mcp_list_tools.in_progress": ResponseMcpListToolsInProgressEvent,
    "response.mcp_list_tools.completed": ResponseMcpListToolsCompletedEvent,
    "response.mcp_list_tools.failed": ResponseMcpListToolsFailedEvent,
    "response.shell_call_command.added": ResponseShellCallCommandAddedEvent,
    "response.shell_call_command.delta": ResponseShellCallCommandDeltaEvent,
    "response.shell_call_command.done": ResponseShellCallCommandDoneEvent,
    "response.shell_call_output_content.delta": ResponseShellCallOutputContentDeltaEvent,
    "response.shell_call_output_content.done": ResponseShellCallOutputContentDoneEvent,
    "response.audio.delta": ResponseAudioDeltaEvent,
    "response.audio.done": ResponseAudioDoneEvent,
    "response.audio.transcript.delta": ResponseAudioTranscriptDeltaEvent,
    "response.audio.transcript.done": ResponseAudioTranscriptDoneEvent,
    "response.compaction.compacting": ResponseCompactionCompactingEvent,
}
"""The class for each type of event."""
