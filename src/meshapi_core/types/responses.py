"""Responses: requests, responses, lists of responses, and the events of streams.

`None` in a field of a request means "not sent". Nothing is checked when a Struct is made, except
tools that are given as dicts; everything is checked when it is sent. In responses, every field has
a default, and fields that a class does not declare are attributes, too.

Source: MeshAPI responses, https://developers.meshapi.ai/docs
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Optional, Union, get_args

import msgspec
from typing_extensions import TypedDict

from meshapi_core._json_kinds import is_object
from meshapi_core.codec.decoding import fit
from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.types._base import OpenRecord, OpenResponseModel, Params, Record, always
from meshapi_core.types._open import Open
from meshapi_core.types._outcomes import is_bad_end, is_end
from meshapi_core.types._pages import AfterPage
from meshapi_core.types._tagged import all_to_send, by_type
from meshapi_core.types.chat import ProviderPreferences, ServiceTier, WeightProfile

__all__ = [
    "BuiltinTool",
    "ResponsesFields",
    "ResponsesFunctionCall",
    "ResponsesFunctionTool",
    "ResponsesListItem",
    "ResponsesListResponse",
    "ResponsesParams",
    "ResponsesParseFields",
    "ResponsesResponse",
    "ResponsesStreamEvent",
    "ResponsesToolRunFields",
    "ResponsesUsage",
]

BuiltinToolType = Literal[
    "image_generation",
    "web_search_preview",
    "web_search_preview_2025_03_11",
    "file_search",
    "computer_use_preview",
    "code_interpreter",
]


class _Tool(Record, kw_only=True):
    """The base class of both kinds of tools, so that mixed lists have a type."""


class ResponsesFunctionTool(_Tool, kw_only=True):
    """A function that the model may ask you to call; flat, unlike the `Tool` of chat completions.

    Fields:
        description: tells the model when and how to use the function.
        parameters: a JSON schema of type "object".
        strict: whether the arguments must match the schema exactly.
    """

    type: Literal["function"] = always("function")
    name: str
    description: Optional[str] = None
    parameters: Optional[dict[str, Any]] = None
    strict: Optional[bool] = None


class BuiltinTool(OpenRecord, _Tool, kw_only=True, dict=True):
    """A tool that the provider runs; its options are further keyword arguments.

    `BuiltinTool(type="web_search_preview", search_context_size="low")` sends both fields.
    """

    type: Open[BuiltinToolType]

    if TYPE_CHECKING:
        # For type checkers that do not take a constructor's signature from the metaclass.
        def __init__(
            self,
            *,
            type: Open[BuiltinToolType],  # noqa: A002 - the name of the field
            **options: Any,
        ) -> None: ...


_TOOLS: dict[str, type[Record]] = {
    "function": ResponsesFunctionTool,
    **dict.fromkeys(get_args(BuiltinToolType), BuiltinTool),
}

if TYPE_CHECKING:
    ResponsesTool = Union[ResponsesFunctionTool, BuiltinTool]
else:
    ResponsesTool = by_type(_TOOLS, "function")


class ResponsesParams(Params, kw_only=True):
    """The parameters of `responses.create` and `stream`; only `input` is required.

    Fields:
        input: a text, or a list of input items as in OpenAI's API.
        model: a model ID, "auto" for the router, or None for the token's default or the
            template's model.
        template, variables: a stored prompt, by name or UUID, and the values of its variables.
        stream: set by the method; a contradicting value is refused.
        max_output_tokens: limit of the answer in model tokens, reasoning included; at least 1.
        temperature: 0 to 2.
        top_p: 0 to 1.
        tools: functions and built-in tools. A dict of an unknown type is sent as given.
        max_tool_calls: 1 to 10, for built-in tools.
        user: your user's ID; at most 256 characters.
        timeout: seconds, more than 0, that the gateway waits for the provider (300 by default).
            The client waits one second longer than that, unless its own limits are shorter: for a
            whole response, or for the beginning of a stream.
        background: True makes the response a job: `get` it by its ID until `status` says that it
            has ended.
        store: whether `get`, `list` and `previous_response_id` can find the response later.
        expire_at: Unix time in seconds until which the response is stored.
        text, response_format: the form of the answer, such as
            `{"format": {"type": "json_schema", ...}}`.
        reasoning: a dict with `effort`, `summary`, ...
        weight_profile: what the router prefers, with `model="auto"`.
        max_completion_tokens, n, logprobs, logit_bias: as in chat completions, sent as given.
        others: as in OpenAI's API, or in that of the provider behind the model.
    """

    input: Union[str, list[Any]]
    model: Optional[str] = None
    background: Optional[bool] = None
    text: Optional[dict[str, Any]] = None
    template: Optional[str] = None
    variables: Optional[dict[str, str]] = None
    session_id: Optional[str] = None
    stream: bool = False
    max_output_tokens: Optional[Annotated[int, msgspec.Meta(ge=1)]] = None
    temperature: Optional[Annotated[float, msgspec.Meta(ge=0.0, le=2.0)]] = None
    top_p: Optional[Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]] = None
    seed: Optional[int] = None
    reasoning: Optional[dict[str, Any]] = None
    tools: Optional[list[ResponsesTool]] = None
    tool_choice: Optional[Union[str, dict[str, Any]]] = None
    response_format: Optional[dict[str, Any]] = None
    user: Optional[Annotated[str, msgspec.Meta(max_length=256)]] = None
    timeout: Optional[Annotated[float, msgspec.Meta(gt=0)]] = None
    previous_response_id: Optional[str] = None
    instructions: Optional[str] = None
    thinking: Optional[dict[str, Any]] = None
    caching: Optional[dict[str, Any]] = None
    store: Optional[bool] = None
    include: Optional[list[Any]] = None
    expire_at: Optional[int] = None
    max_tool_calls: Optional[Annotated[int, msgspec.Meta(ge=1, le=10)]] = None
    context_management: Optional[dict[str, Any]] = None
    plugins: Optional[list[Any]] = None
    max_completion_tokens: Optional[int] = None
    n: Optional[int] = None
    logprobs: Optional[bool] = None
    top_logprobs: Optional[int] = None
    logit_bias: Optional[dict[str, float]] = None
    stream_options: Optional[dict[str, Any]] = None
    parallel_tool_calls: Optional[bool] = None
    metadata: Optional[dict[str, str]] = None
    provider: Optional[Union[str, ProviderPreferences]] = None
    service_tier: Optional[Open[ServiceTier]] = None
    weight_profile: Optional[Open[WeightProfile]] = None

    def __post_init__(self) -> None:
        # The list is typed for callers; msgspec converts one of plain dicts.
        self.tools = all_to_send(self.tools, "tools", "a tool", _TOOLS, "function")


class ResponsesUsage(Record, kw_only=True):
    """The usage of a request in model tokens; None for a count that the provider does not send.

    Fields:
        input_tokens, output_tokens: some providers call them `prompt_tokens` and
            `completion_tokens` instead.
        classifier_tokens: used by the router, with `model="auto"`.
    """

    input_tokens: Optional[int] = None
    output_tokens: Optional[int] = None
    total_tokens: Optional[int] = None
    prompt_tokens: Optional[int] = None
    completion_tokens: Optional[int] = None
    prompt_tokens_details: Optional[dict[str, Any]] = None
    completion_tokens_details: Optional[dict[str, Any]] = None
    input_tokens_details: Optional[dict[str, Any]] = None
    output_tokens_details: Optional[dict[str, Any]] = None
    classifier_tokens: Optional[int] = None


class ResponsesFunctionCall(OpenRecord, kw_only=True, dict=True):
    """A function that the model wants to be called: an item of `output`, as an object.

    Fields:
        call_id: for the `function_call_output` item with the result.
        arguments: JSON text as the model wrote it; see `parsed_arguments`.
    """

    type: Literal["function_call"] = always("function_call")
    id: Optional[str] = None
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    status: Optional[str] = None

    @property
    def parsed_arguments(self) -> dict[str, Any]:
        """The arguments as a dict; {} if the model wrote nothing.

        They are parsed each time, and are not checked against the tool's schema.

        Raises:
            ToolArgumentsError: the model wrote something that is not a JSON object. It is a
                ResponseDecodeError and a ValueError; `.arguments` has the text.
        """
        from meshapi_core.codec.arguments import parse_arguments

        return parse_arguments(self.name, self.arguments)


class ResponsesResponse(OpenResponseModel, kw_only=True, dict=True):
    """A whole response, or the state of a response that runs in the background.

    Fields:
        id: for `get` and `previous_response_id`; "" if the server sent none.
        output: the items as dicts: messages, reasoning, function calls, ...; see `output_text` and
            `tool_calls`.
        status: "completed", "queued", "in_progress", "incomplete", "failed", "cancelled" or
            another.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(essential=frozenset({"output"}))

    id: str = ""
    object: Optional[str] = None
    model: Optional[str] = None
    output: Optional[list[Any]] = None
    usage: Optional[ResponsesUsage] = None
    status: Optional[str] = None

    @property
    def ended(self) -> bool:
        """Whether a response that runs in the background has ended, successfully or not."""
        return is_end(self.status)

    @property
    def failed(self) -> bool:
        """Whether it has ended without an answer: failed, cancelled or expired."""
        return is_bad_end(self.status)

    @property
    def output_text(self) -> str:
        """The text of all messages in `output`, joined; "" if there is none."""
        items: list[Any] = self.output or []
        return "".join(text for item in items for text in _texts(item))

    @property
    def tool_calls(self) -> list[ResponsesFunctionCall]:
        """The function calls in `output`; [] if there are none."""
        items: list[Any] = self.output or []
        calls = [item for item in items if is_object(item) and item.get("type") == "function_call"]
        return [fit(call, ResponsesFunctionCall) for call in calls]


def _texts(item: Any) -> list[str]:
    content: Any = item.get("content") if is_object(item) and item.get("type") == "message" else ()
    parts: list[dict[str, Any]] = [part for part in content or () if is_object(part)]
    texts = [part.get("text") for part in parts if part.get("type") == "output_text"]
    return [text for text in texts if isinstance(text, str)]


class ResponsesListItem(OpenResponseModel, kw_only=True, dict=True):
    """One row of the list of responses, without input and output.

    Fields:
        created_at, completed_at: Unix time in seconds.
        usage_synced: whether the usage has been billed.
    """

    id: str = ""
    object: Optional[str] = None
    model: Optional[str] = None
    provider: Optional[str] = None
    status: Optional[str] = None
    created_at: Optional[int] = None
    completed_at: Optional[int] = None
    usage_synced: Optional[bool] = None


class ResponsesListResponse(
    OpenResponseModel, AfterPage[ResponsesListItem], kw_only=True, dict=True
):
    """One page of stored responses.

    Fields:
        has_more: whether there is a next page: `responses.list(after=page.last_id)`.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(rows="data")

    object: Optional[str] = None
    data: list[ResponsesListItem] = msgspec.field(default_factory=list)
    has_more: bool = False
    first_id: Optional[str] = None
    last_id: Optional[str] = None

    def _rows(self) -> list[ResponsesListItem]:
        return self.data


class ResponsesStreamEvent(OpenResponseModel, kw_only=True, dict=True):
    """One event of a streamed response, of any type.

    Each type that OpenAI documents has a class derived from this one: see `response_events`. Events
    of other types are instances of this class.

    Fields:
        type: such as "response.output_text.delta".
        response: the response as a dict, in the events that begin and end it.
        usage: the usage, from gateways that send it next to `response`.
    """

    type: Optional[str] = None
    response: Optional[dict[str, Any]] = None
    usage: Optional[ResponsesUsage] = None


class _SharedFields(TypedDict, total=False):
    input: Union[str, Sequence[Any]]
    model: Optional[str]
    text: Optional[Mapping[str, Any]]
    template: Optional[str]
    variables: Optional[Mapping[str, str]]
    session_id: Optional[str]
    max_output_tokens: Optional[int]
    temperature: Optional[float]
    top_p: Optional[float]
    seed: Optional[int]
    reasoning: Optional[Mapping[str, Any]]
    tool_choice: Optional[Union[str, Mapping[str, Any]]]
    user: Optional[str]
    timeout: Optional[float]
    previous_response_id: Optional[str]
    instructions: Optional[str]
    thinking: Optional[Mapping[str, Any]]
    caching: Optional[Mapping[str, Any]]
    store: Optional[bool]
    include: Optional[Sequence[Any]]
    expire_at: Optional[int]
    max_tool_calls: Optional[int]
    context_management: Optional[Mapping[str, Any]]
    plugins: Optional[Sequence[Any]]
    max_completion_tokens: Optional[int]
    n: Optional[int]
    logprobs: Optional[bool]
    top_logprobs: Optional[int]
    logit_bias: Optional[Mapping[str, float]]
    stream_options: Optional[Mapping[str, Any]]
    parallel_tool_calls: Optional[bool]
    metadata: Optional[Mapping[str, str]]
    provider: Optional[Union[str, ProviderPreferences, Mapping[str, Any]]]
    service_tier: Optional[Open[ServiceTier]]
    weight_profile: Optional[Open[WeightProfile]]


class ResponsesParseFields(_SharedFields, total=False):
    """The keyword arguments of `responses.parse`, besides the type of the value.

    Only `input` is required, which is checked at run time. Structs may be plain dicts.
    """

    tools: Optional[Sequence[Union[_Tool, Mapping[str, Any]]]]


class ResponsesToolRunFields(_SharedFields, total=False):
    """The parameters of `responses.run_tools` besides its own; see `ResponsesParams`.

    Only `input` is required, which is checked at run time.
    """

    response_format: Optional[Mapping[str, Any]]


class ResponsesFields(ResponsesParseFields, ResponsesToolRunFields, total=False):
    """The fields of `ResponsesParams` as keyword arguments; Structs may be plain dicts.

    Only `input` is required, which is checked at run time. There is no `stream`: the method decides
    that.
    """

    background: Optional[bool]
