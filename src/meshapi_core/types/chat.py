"""Chat completions: what a request may hold and what a response and its chunks bring.

`None` in a field of a request means "not sent". Nothing is checked when a Struct is made, except
for content parts and tools that are given as dicts; everything is checked when it is sent. In
responses every field has a default, so that a missing or null one never raises, and any enum value
is possible.

Source: MeshAPI chat completions, https://developers.meshapi.ai/docs
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Optional, Union, cast

import msgspec
from typing_extensions import Self, TypedDict

from meshapi_core._json_kinds import is_array, is_object
from meshapi_core.codec.content_parts import Parts
from meshapi_core.codec.decoding import fit
from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.types._base import OpenRecord, Params, Record, ResponseModel, always, number
from meshapi_core.types._open import Open
from meshapi_core.types._tagged import all_to_send, by_type, to_send

__all__ = [
    "AudioOutputOptions",
    "ChatCompletionChoice",
    "ChatCompletionChunk",
    "ChatCompletionChunkChoice",
    "ChatCompletionChunkDelta",
    "ChatCompletionFields",
    "ChatCompletionMessage",
    "ChatCompletionParams",
    "ChatCompletionResponse",
    "ChatMessage",
    "ChatRole",
    "ContentPart",
    "ContentPartAudio",
    "ContentPartFile",
    "ContentPartImage",
    "ContentPartText",
    "ContentPartVideo",
    "ImageDetail",
    "ImageOptions",
    "InputAudio",
    "InputFile",
    "ProviderPreferences",
    "Tool",
    "ToolCall",
    "ToolCallChunk",
    "ToolCallFunction",
    "ToolCallFunctionChunk",
    "ToolChoice",
    "ToolChoiceFunction",
    "ToolChoiceObject",
    "ToolFunction",
    "UsageInfo",
    "VideoUrl",
]

ChatRole = Literal["system", "developer", "user", "assistant", "tool"]


class ImageDetail(OpenRecord, kw_only=True, dict=True):
    """Where an image is and how closely to look at it.

    Fields:
        url: an https URL, or the image itself as `data:image/png;base64,...`.
        detail: how many tokens the model spends on it; the model decides when left out.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(bare="url")

    url: str
    detail: Optional[Open[Literal["auto", "low", "high"]]] = None


class InputAudio(OpenRecord, kw_only=True, dict=True):
    """Audio for the model to hear: one of `data`, `uri` and `url`.

    Fields:
        data: the audio in base64, without a `data:` prefix.
        uri, url: where the audio is.
        format: how it is encoded.
    """

    _one_of: ClassVar = ("data", "uri", "url")
    data: Optional[str] = None
    uri: Optional[str] = None
    url: Optional[str] = None
    format: Open[Literal["wav", "mp3", "aiff", "aac", "ogg", "flac", "m4a", "pcm16", "pcm24"]]


class VideoUrl(OpenRecord, kw_only=True, dict=True):
    """Where a video is.

    Fields:
        url: an https URL, or the video itself as `data:video/mp4;base64,...`.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(bare="url")

    url: str


class InputFile(OpenRecord, kw_only=True, dict=True):
    """A document for the model to read: its content, or the id of an uploaded one.

    Fields:
        file_data: the content as `data:application/pdf;base64,...`.
        file_id: the id of a file that the gateway or the provider already has.
        filename: the name that the model sees.
    """

    _one_of: ClassVar = ("file_data", "file_id")
    file_data: Optional[str] = None
    file_id: Optional[str] = None
    filename: Optional[str] = None


class _Part(OpenRecord, kw_only=True, dict=True):
    """What the parts of a message have in common: a list of several kinds is a list of these."""


class ContentPartText(_Part, kw_only=True, dict=True):
    """A piece of text in a message.

    Fields:
        text: the text.
        cache_control: marks the end of a prefix to be cached: `{"type": "ephemeral"}`, with
            `"ttl": "1h"` for an hour instead of the provider's default.
    """

    type: Literal["text"] = always("text")
    text: str
    cache_control: Optional[dict[str, Any]] = None


class ContentPartImage(_Part, kw_only=True, dict=True):
    """An image in a message.

    Fields:
        image_url: where it is.
        cache_control: as in `ContentPartText`.
    """

    type: Literal["image_url"] = always("image_url")
    image_url: ImageDetail
    cache_control: Optional[dict[str, Any]] = None


class ContentPartAudio(_Part, kw_only=True, dict=True):
    """Audio in a message.

    Fields:
        input_audio: the audio.
        cache_control: as in `ContentPartText`.
    """

    type: Literal["input_audio"] = always("input_audio")
    input_audio: InputAudio
    cache_control: Optional[dict[str, Any]] = None


class ContentPartVideo(_Part, kw_only=True, dict=True):
    """A video in a message.

    Fields:
        video_url: where it is.
        fps: frames for each second that the model looks at; a number as text, such as "2".
        cache_control: as in `ContentPartText`.
    """

    type: Literal["video_url"] = always("video_url")
    video_url: VideoUrl
    fps: Optional[str] = None
    cache_control: Optional[dict[str, Any]] = None


class ContentPartFile(_Part, kw_only=True, dict=True):
    """A document in a message.

    Fields:
        file: the document.
        cache_control: as in `ContentPartText`.
    """

    type: Literal["file"] = always("file")
    file: InputFile
    cache_control: Optional[dict[str, Any]] = None


ContentPart = Union[
    ContentPartText, ContentPartImage, ContentPartAudio, ContentPartVideo, ContentPartFile
]

_PARTS: dict[str, type[Record]] = {
    "text": ContentPartText,
    "image_url": ContentPartImage,
    "input_audio": ContentPartAudio,
    "video_url": ContentPartVideo,
    "file": ContentPartFile,
}

if TYPE_CHECKING:
    Content = Union[str, list[ContentPart]]
    # Wider than what comes in: a list of one class of parts, or of dicts, is none of `ContentPart`.
    ContentToSend = Union[str, Sequence[Union[_Part, Mapping[str, Any]]]]
    Function = Literal["function"]
    Index = int
else:
    # In responses, __post_init__ tells the parts apart. And a tool call of another type must
    # decode, and go back as it came.
    Content = Union[str, list[Any]]
    ContentToSend = Union[str, list[by_type(_PARTS)]]
    Function = str
    # A stream gives the pieces their index before it gives them out (`accumulators.tool_calls`).
    Index = Optional[int]


class ToolCallFunction(OpenRecord, kw_only=True, dict=True, forbid_unknown_fields=True):
    """The function that the model wants called.

    Fields:
        arguments: JSON text, as the model wrote it: it may be invalid, or not match the schema.
    """

    name: str
    arguments: str


class ToolCall(OpenRecord, kw_only=True, dict=True, forbid_unknown_fields=True):
    """One call that the model asks for, in a response and in the message that gives it back.

    Fields:
        id: to be repeated as `tool_call_id` of the message with the result.
        thought_signature: opaque; some models want it back unchanged.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(essential=frozenset({"function"}))

    id: str
    type: Function = always("function")
    function: ToolCallFunction
    thought_signature: Optional[str] = None


_CALLS: dict[str, type[Record]] = {"function": ToolCall}

if TYPE_CHECKING:
    ToolCallToSend = ToolCall
else:
    ToolCallToSend = by_type(_CALLS, "function")


class ChatMessage(Record, kw_only=True):
    """One message of the conversation.

    Fields:
        content: text, or a list of parts. A part given as a dict becomes the class of its `type`
            when nothing is lost by that; a part of an unknown type is sent as given.
        name: who speaks, where several have the same role.
        tool_call_id: in a message of role "tool", the call that it answers.
        tool_calls: in a message of role "assistant", the calls that it asked for; dicts as in
            `content`.
        reasoning_details: from an earlier response, to go on with its reasoning.

    Raises:
        InvalidParamsError: when made, if a part or a tool call is not one: neither a dict nor an
            object of its class, without `type`, or with a field of the wrong kind.
    """

    _one_of: ClassVar = ("content", "tool_calls")
    role: Open[ChatRole]
    content: Optional[ContentToSend] = None
    name: Optional[str] = None
    tool_call_id: Optional[str] = None
    tool_calls: Optional[list[ToolCallToSend]] = None
    reasoning_details: Optional[list[dict[str, Any]]] = None

    @classmethod
    def _validated(cls, plain: dict[str, Any]) -> Self:
        made = super()._validated(plain)
        if type(made) is ChatMessage and not plain.keys() <= {*cls.__struct_encode_fields__}:
            # A response's message keeps what has no name here, so that it goes back as it came.
            return cast("Self", ChatCompletionMessage._validated(plain))
        return made

    def __post_init__(self) -> None:
        # New lists: the caller's own are not changed.
        content: Any = self.content
        if is_array(content):
            self.content = [
                to_send(part, f"content[{i}]", "a content part", _PARTS)
                for i, part in enumerate(content)
            ]
        calls: Any = self.tool_calls
        if calls is not None and is_array(calls):
            self.tool_calls = [
                to_send(call, f"tool_calls[{i}]", "a tool call", _CALLS, "function")
                for i, call in enumerate(calls)
            ]


class ToolFunction(Record, kw_only=True):
    """A function that the model may ask to be called.

    Fields:
        description: tells the model when and how to use it.
        parameters: a JSON schema of type "object".
        strict: whether the arguments must match the schema exactly.
    """

    name: str
    description: Optional[str] = None
    parameters: Optional[dict[str, Any]] = None
    strict: Optional[bool] = None


class Tool(Record, kw_only=True):
    """A tool that the model may use."""

    type: Literal["function"] = always("function")
    function: ToolFunction


class ToolChoiceFunction(Record, kw_only=True):
    """The name of the one function to call."""

    name: str


class ToolChoiceObject(Record, kw_only=True):
    """Makes the model call one function."""

    type: Literal["function"] = always("function")
    function: ToolChoiceFunction


_TOOLS: dict[str, type[Record]] = {"function": Tool}
_CHOICES: dict[str, type[Record]] = {"function": ToolChoiceObject}

if TYPE_CHECKING:
    ToolToSend = Tool
    ToolChoice = Union[Open[Literal["auto", "none", "required"]], ToolChoiceObject]
else:
    ToolToSend = by_type(_TOOLS, "function")
    ToolChoice = Union[str, by_type(_CHOICES, "function")]


class AudioOutputOptions(Record, kw_only=True):
    """How a spoken answer sounds; both fields are always sent."""

    voice: str = always("alloy")
    format: Open[Literal["wav", "mp3", "flac", "opus", "pcm16"]] = always("wav")


class ImageOptions(Record, kw_only=True):
    """How drawn answers look; all fields are always sent.

    Fields:
        n: number of images, 1 to 10.
        size: width and height in pixels, "1024x1024".
        response_format: a URL that expires, or the image itself in base64.
    """

    n: Annotated[int, msgspec.Meta(ge=1, le=10)] = always(1)
    size: str = always("1024x1024")
    quality: str = always("high")
    response_format: Open[Literal["url", "b64_json"]] = always("url")


class ProviderPreferences(Record, kw_only=True):
    """Which upstream providers may serve the request.

    Fields:
        order: provider names, the first to be tried first.
        allow_fallbacks: whether others may serve it where those cannot.
        require_parameters: only providers that support every parameter of the request.
        data_collection: whether providers that keep data may serve it.
    """

    order: Optional[list[str]] = None
    allow_fallbacks: Optional[bool] = None
    require_parameters: Optional[bool] = None
    data_collection: Optional[Open[Literal["allow", "deny"]]] = None


Modality = Literal["text", "image"]
OutputModality = Literal["text", "audio", "image"]
ReasoningEffort = Literal["high", "medium", "low", "none"]
ServiceTier = Literal["auto", "default", "flex"]
WeightProfile = Literal["quality_first", "balanced", "cost_first", "latency_first"]


class ChatCompletionParams(Params, kw_only=True):
    """The parameters of one chat completion.

    Fields:
        messages: the conversation; the only required field.
        model: a model id, "auto" for the router, or None for the key's default or the template's.
        models: ids to fall back on, in order; the gateway does it.
        stream: set by `create` and `stream`; a contradiction is refused.
        template, variables: a stored prompt, by name or UUID, and the values of its variables.
            What the request says comes before what the template says.
        max_tokens, max_completion_tokens: limits of the response in tokens; the second one counts
            reasoning, too.
        stop: at most a few strings at which the response ends.
        n: number of choices.
        timeout: seconds, more than 0, that the gateway waits for its provider (300 by default).
            The client's own timeout is another.
        cache: False keeps this request out of the gateway's cache.
        async_mode: asks the gateway to work in the background.
        modality, image: drawn answers.
        modalities, audio: spoken answers.
        tools, tool_choice: functions. A dict of a type that no class is for is sent as given.
        response_format: `{"type": "json_object"}` or `{"type": "json_schema", ...}`, sent as it is.
        reasoning: `effort` or `max_tokens`, `exclude`, `enabled`, `context`, `mode`.
        logprobs, top_logprobs, logit_bias, parallel_tool_calls, stream_options, metadata, seed,
            user: as in OpenAI's API.
    """

    messages: list[ChatMessage]
    model: Optional[str] = None
    models: Optional[list[str]] = None
    stream: Optional[bool] = None
    template: Optional[str] = None
    variables: Optional[dict[str, str]] = None
    session_id: Optional[str] = None
    temperature: Optional[float] = None
    max_tokens: Optional[int] = None
    max_completion_tokens: Optional[int] = None
    top_p: Optional[float] = None
    frequency_penalty: Optional[float] = None
    presence_penalty: Optional[float] = None
    stop: Optional[Union[str, list[str]]] = None
    seed: Optional[int] = None
    n: Optional[int] = None
    logprobs: Optional[bool] = None
    top_logprobs: Optional[int] = None
    logit_bias: Optional[dict[str, float]] = None
    tools: Optional[list[ToolToSend]] = None
    tool_choice: Optional[ToolChoice] = None
    parallel_tool_calls: Optional[bool] = None
    response_format: Optional[dict[str, Any]] = None
    stream_options: Optional[dict[str, Any]] = None
    user: Optional[str] = None
    metadata: Optional[dict[str, str]] = None
    modality: Optional[Open[Modality]] = None
    image: Optional[ImageOptions] = None
    async_mode: Optional[bool] = None
    modalities: Optional[list[Open[OutputModality]]] = None
    audio: Optional[AudioOutputOptions] = None
    timeout: Optional[Annotated[float, msgspec.Meta(gt=0)]] = None
    cache: Optional[bool] = None
    transforms: Optional[list[str]] = None
    reasoning_effort: Optional[Open[ReasoningEffort]] = None
    reasoning: Optional[dict[str, Any]] = None
    provider: Optional[Union[str, ProviderPreferences]] = None
    service_tier: Optional[Open[ServiceTier]] = None
    weight_profile: Optional[Open[WeightProfile]] = None

    def __post_init__(self) -> None:
        if self.tools is not None:
            self.tools = all_to_send(self.tools, "tools", "a tool", _TOOLS, "function")
        choice: Any = self.tool_choice
        if choice is not None and not isinstance(choice, str):
            expected = "str or ToolChoiceObject"
            self.tool_choice = to_send(choice, "tool_choice", expected, _CHOICES, "function")


class UsageInfo(Record, kw_only=True):
    """What the call took, in tokens; a count that the server left out is 0.

    Fields:
        prompt_tokens_details: `cached_tokens`, `cache_write_tokens`, `cache_write_1h_tokens`, ...
        classifier_prompt_tokens, classifier_completion_tokens, classifier_tokens: spent by the
            router of `model="auto"`.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_tokens_details: Optional[dict[str, Any]] = None
    completion_tokens_details: Optional[dict[str, Any]] = None
    classifier_prompt_tokens: Optional[int] = None
    classifier_completion_tokens: Optional[int] = None
    classifier_tokens: Optional[int] = None


class ChatCompletionMessage(
    OpenRecord, ChatMessage, kw_only=True, dict=True, forbid_unknown_fields=True
):
    """The model's message: a `ChatMessage`, which can be put back into `messages` as it is.

    Fields:
        content: text, or a list of parts. A part of an unknown type stays a dict. See `text`.
        audio: the spoken answer: `id`, base64 `data`, `transcript`, `expires_at`.
        reasoning_content: the model's reasoning as text, from models that show it.
        reasoning_details: the same in the provider's own form, to be given back unchanged.
        refusal: why the model would not answer.
        annotations: citations and the like.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        essential=frozenset({"content", "tool_calls"}),
        prose=frozenset({"reasoning_content", "refusal"}),
        bare="content",
    )

    role: Open[ChatRole] = always("assistant")
    content: Optional[Content] = None
    tool_calls: Optional[list[ToolCall]] = None
    audio: Optional[dict[str, Any]] = None
    reasoning_content: Optional[str] = None
    reasoning_details: Optional[list[dict[str, Any]]] = None
    refusal: Optional[str] = None
    annotations: Optional[list[dict[str, Any]]] = None

    def __post_init__(self) -> None:
        content = self.content
        if type(content) is list:
            parts = [_part_received(part) for part in content]
            # Narrower than in what is sent, so that it can be read.
            self.content = parts  # pyright: ignore[reportIncompatibleVariableOverride]

    @property
    def text(self) -> str:
        """The text in `content`: that of all text parts, joined; "" where there is none.

        A property: it is not in `model_dump()`, and to change it, set `content`.
        """
        content: Any = self.content
        if isinstance(content, str):
            return content
        parts = content if is_array(content) else [content]
        return Parts([_as_received(part) for part in parts]).text


def _part_received(part: Any) -> Any:
    kind = part.get("type") if is_object(part) else None
    wanted = _PARTS.get(kind) if isinstance(kind, str) else None
    return part if wanted is None else fit(part, wanted)


def _as_received(part: Any) -> Any:
    return part.text if isinstance(part, ContentPartText) else part


class ChatCompletionChoice(Record, kw_only=True):
    """One of the responses.

    Fields:
        message: an empty one where the server sent null or nothing, here and in `model_dump()`;
            never None. `raw` of the response shows which of them it was. An empty one is refused
            where it is sent again.
        finish_reason: "stop", "length", "tool_calls", "content_filter" or another.
        logprobs: as the provider sent them.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        essential=frozenset({"message"}), bare="message"
    )

    index: int = 0
    message: ChatCompletionMessage = msgspec.field(default_factory=ChatCompletionMessage)
    finish_reason: Optional[str] = None
    logprobs: Optional[Any] = None


class ChatCompletionResponse(ResponseModel, kw_only=True):
    """A whole chat completion.

    Fields:
        created: Unix time in seconds.
        model: the model that answered; may be the provider's name of it.
        cost: in US dollars, as a decimal number in text.
        x_resolved_model_id: the model that the router chose.
        x_auto_routed, x_auto_routed_fallback, x_auto_routed_fallback_reason: whether the router
            chose, whether it fell back, and why.
        x_classifier_usage: what the router itself spent.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        essential=frozenset({"choices"}), counted=frozenset({"choices"})
    )

    id: str = ""
    object: str = ""
    created: int = 0
    model: str = ""
    choices: list[ChatCompletionChoice] = msgspec.field(default_factory=list)
    usage: Optional[UsageInfo] = None
    system_fingerprint: Optional[str] = None
    cost: Optional[str] = None
    x_resolved_model_id: Optional[str] = None
    x_auto_routed: Optional[bool] = None
    x_auto_routed_fallback: Optional[bool] = None
    x_auto_routed_fallback_reason: Optional[str] = None
    x_classifier_usage: Optional[list[dict[str, Any]]] = None

    def __post_init__(self) -> None:
        number(self.choices)


class ToolCallFunctionChunk(OpenRecord, kw_only=True, dict=True, forbid_unknown_fields=True):
    """A piece of the function that the model wants called.

    Fields:
        name: whole, in the first piece of a call.
        arguments: the next piece of the JSON text.
    """

    name: Optional[str] = None
    arguments: Optional[str] = None


class ToolCallChunk(OpenRecord, kw_only=True, dict=True, forbid_unknown_fields=True):
    """A piece of a tool call.

    Fields:
        index: which call of the message it belongs to. Where the gateway leaves it out, a stream
            finds it by the id and the order of the pieces, and `raw` of the chunk shows what came.
        id, type: in the first piece of a call.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(essential=frozenset({"function"}))

    index: Index = msgspec.field(default=cast("Any", None))
    id: Optional[str] = None
    type: Optional[Function] = None
    function: Optional[ToolCallFunctionChunk] = None
    thought_signature: Optional[str] = None


class ChatCompletionChunkDelta(OpenRecord, kw_only=True, dict=True, forbid_unknown_fields=True):
    """What a chunk adds to the message; the fields are those of `ChatCompletionMessage`.

    Fields:
        content: the next piece of the text; see `text`.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        essential=frozenset({"content", "tool_calls"}),
        prose=frozenset({"content", "reasoning_content", "refusal"}),
        thoughts="reasoning_content",
        bare="content",
    )

    role: Optional[str] = None
    content: Optional[str] = None
    tool_calls: Optional[list[ToolCallChunk]] = None
    audio: Optional[dict[str, Any]] = None
    reasoning_content: Optional[str] = None
    reasoning_details: Optional[list[dict[str, Any]]] = None
    refusal: Optional[str] = None
    annotations: Optional[list[dict[str, Any]]] = None

    @property
    def text(self) -> str:
        """The next piece of the text: `content`, or "" where that is None."""
        return self.content or ""


class ChatCompletionChunkChoice(Record, kw_only=True):
    """What a chunk adds to one of the responses.

    Fields:
        delta: an empty one where the server sent null or nothing; never None.
        finish_reason: in the last chunk of the choice.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        essential=frozenset({"delta"}), bare="delta"
    )

    index: int = 0
    delta: ChatCompletionChunkDelta = msgspec.field(default_factory=ChatCompletionChunkDelta)
    finish_reason: Optional[str] = None
    logprobs: Optional[Any] = None


class ChatCompletionChunk(ResponseModel, kw_only=True):
    """One event of a streamed chat completion.

    Fields:
        choices: empty in the last chunk, which brings `usage` and sometimes `cost`. See `text`.
        others: as in `ChatCompletionResponse`.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        essential=frozenset({"choices"}), counted=frozenset({"choices"}), pieces=True
    )

    id: str = ""
    object: str = ""
    created: int = 0
    model: str = ""
    choices: list[ChatCompletionChunkChoice] = msgspec.field(default_factory=list)
    usage: Optional[UsageInfo] = None
    cost: Optional[str] = None
    system_fingerprint: Optional[str] = None
    x_resolved_model_id: Optional[str] = None
    x_auto_routed: Optional[bool] = None
    x_auto_routed_fallback: Optional[bool] = None
    x_auto_routed_fallback_reason: Optional[str] = None
    x_classifier_usage: Optional[list[dict[str, Any]]] = None

    @property
    def text(self) -> str:
        """The next piece of the text of the first choice; "" where the chunk brings none.

        All of them together are `choices[0].message.text` of the whole response. For other
        choices (`n=2`), look at `index` and `delta` in `choices`.
        """
        return "".join(part.delta.content or "" for part in self.choices if part.index == 0)


class ChatCompletionFields(TypedDict, total=False):
    """The fields of `ChatCompletionParams` as keywords; Structs may be given as plain dicts.

    Only `messages` is required, which is checked at run time. `stream` is missing on purpose: the
    name of the method says it.
    """

    messages: Sequence[Union[ChatMessage, Mapping[str, Any]]]
    model: Optional[str]
    models: Optional[Sequence[str]]
    template: Optional[str]
    variables: Optional[Mapping[str, str]]
    session_id: Optional[str]
    temperature: Optional[float]
    max_tokens: Optional[int]
    max_completion_tokens: Optional[int]
    top_p: Optional[float]
    frequency_penalty: Optional[float]
    presence_penalty: Optional[float]
    stop: Optional[Union[str, Sequence[str]]]
    seed: Optional[int]
    n: Optional[int]
    logprobs: Optional[bool]
    top_logprobs: Optional[int]
    logit_bias: Optional[Mapping[str, float]]
    tools: Optional[Sequence[Union[Tool, Mapping[str, Any]]]]
    tool_choice: Optional[Union[ToolChoice, Mapping[str, Any]]]
    parallel_tool_calls: Optional[bool]
    response_format: Optional[Mapping[str, Any]]
    stream_options: Optional[Mapping[str, Any]]
    user: Optional[str]
    metadata: Optional[Mapping[str, str]]
    modality: Optional[Open[Modality]]
    image: Optional[Union[ImageOptions, Mapping[str, Any]]]
    async_mode: Optional[bool]
    modalities: Optional[Sequence[Open[OutputModality]]]
    audio: Optional[Union[AudioOutputOptions, Mapping[str, Any]]]
    timeout: Optional[float]
    cache: Optional[bool]
    transforms: Optional[Sequence[str]]
    reasoning_effort: Optional[Open[ReasoningEffort]]
    reasoning: Optional[Mapping[str, Any]]
    provider: Optional[Union[str, ProviderPreferences, Mapping[str, Any]]]
    service_tier: Optional[Open[ServiceTier]]
    weight_profile: Optional[Open[WeightProfile]]
