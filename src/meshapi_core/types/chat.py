"""Chat completions: requests, responses and the chunks of streams.

`None` in a field of a request means "not sent". Nothing is checked when a Struct is made, except
content parts and tools that are given as dicts; everything is checked when it is sent. In
responses, every field has a default, so that a missing or null field never raises, and fields with
known words may have any other.

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
    "ChatConversationFields",
    "ChatMessage",
    "ChatParseFields",
    "ChatRole",
    "ChatToolRunFields",
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
    """Where an image is, and how closely to look at it.

    Fields:
        url: an https URL, or the image itself as `data:image/png;base64,...`.
        detail: how many model tokens to spend on it; the model decides if it is left out.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(bare="url")

    url: str
    detail: Optional[Open[Literal["auto", "low", "high"]]] = None


class InputAudio(OpenRecord, kw_only=True, dict=True):
    """Audio for the model to hear: `format`, and one of `data`, `uri` and `url`.

    Fields:
        data: the audio in base64, without a `data:` prefix.
        uri, url: where the audio is.
        format: how the audio is encoded.
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
    """A document for the model to read: its content, or the ID of an uploaded file.

    Fields:
        file_data: the content as `data:application/pdf;base64,...`.
        file_id: the ID of a file that the gateway or the provider already has.
        filename: the name that the model sees.
    """

    _one_of: ClassVar = ("file_data", "file_id")
    file_data: Optional[str] = None
    file_id: Optional[str] = None
    filename: Optional[str] = None


class _Part(OpenRecord, kw_only=True, dict=True):
    """The base class of the parts of a message, so that lists of mixed parts have a type."""


class ContentPartText(_Part, kw_only=True, dict=True):
    """Text in a message.

    Fields:
        text: the text.
        cache_control: marks the end of a prefix for the provider to cache: `{"type": "ephemeral"}`,
            with `"ttl": "1h"` for an hour instead of the provider's default.
    """

    type: Literal["text"] = always("text")
    text: str
    cache_control: Optional[dict[str, Any]] = None


class ContentPartImage(_Part, kw_only=True, dict=True):
    """An image in a message.

    Fields:
        image_url: where the image is.
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
        video_url: where the video is.
        fps: frames per second that the model looks at, as text, such as "2".
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
    # Wider than in responses: a list of one class of parts, or of dicts, is not a
    # `list[ContentPart]` to type checkers.
    ContentToSend = Union[str, Sequence[Union[_Part, Mapping[str, Any]]]]
    Function = Literal["function"]
    Index = int
else:
    # In responses, __post_init__ tells the parts apart. A tool call of another type must decode,
    # and be sent back unchanged.
    Content = Union[str, list[Any]]
    ContentToSend = Union[str, list[by_type(_PARTS)]]
    Function = str
    # A stream sets missing indexes before it returns a chunk (`accumulators.tool_calls`).
    Index = Optional[int]


class ToolCallFunction(OpenRecord, kw_only=True, dict=True, forbid_unknown_fields=True):
    """The function that the model wants to be called.

    Fields:
        arguments: JSON text as the model wrote it: it may be invalid, or not match the schema.
    """

    name: str
    arguments: str


class ToolCall(OpenRecord, kw_only=True, dict=True, forbid_unknown_fields=True):
    """One call that the model asks for, in a response or in a message that is sent back.

    Fields:
        id: the `tool_call_id` for the message with the result.
        thought_signature: opaque; some models need it back unchanged.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(essential=frozenset({"function"}))

    id: str
    type: Function = always("function")
    function: ToolCallFunction
    thought_signature: Optional[str] = None

    @property
    def parsed_arguments(self) -> dict[str, Any]:
        """The arguments of the function as a dict; {} if the model wrote nothing.

        They are parsed each time, and are not checked against the tool's schema.

        Raises:
            ToolArgumentsError: the model wrote something that is not a JSON object. It is a
                ResponseDecodeError and a ValueError; `.arguments` has the text.
        """
        from meshapi_core.codec.arguments import parse_arguments

        return parse_arguments(self.function.name, self.function.arguments)


_CALLS: dict[str, type[Record]] = {"function": ToolCall}

if TYPE_CHECKING:
    ToolCallToSend = ToolCall
else:
    ToolCallToSend = by_type(_CALLS, "function")


class ChatMessage(Record, kw_only=True):
    """One message of the conversation.

    Fields:
        content: text, or a list of parts. A part given as a dict becomes an instance of its type's
            class if that loses nothing; a part of an unknown type is sent as given.
        name: names the speaker, if several have the same role.
        tool_call_id: in a message with role "tool", the `id` of the call whose result it is.
        tool_calls: in a message with role "assistant", the calls that the model asked for; dicts
            are treated as in `content`.
        reasoning_details: from an earlier response, so that the model can continue its reasoning.

    Raises:
        InvalidParamsError: when the message is made, if a part or a tool call is neither a dict
            nor an object of its class, is a part without `type`, or has a field of the wrong type.
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
            # A message from a response keeps undeclared fields, so that it is sent back unchanged.
            return cast("Self", ChatCompletionMessage._validated(plain))
        return made

    def __post_init__(self) -> None:
        # New lists, so that the caller's are not changed.
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
    """A function that the model may ask you to call.

    Fields:
        description: tells the model when and how to use the function.
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
    """The voice and the encoding of a spoken answer; both fields are always sent."""

    voice: str = always("alloy")
    format: Open[Literal["wav", "mp3", "flac", "opus", "pcm16"]] = always("wav")


class ImageOptions(Record, kw_only=True):
    """The form of images in an answer; all fields are always sent.

    Fields:
        n: number of images, 1 to 10.
        size: width and height in pixels, such as "1024x1024".
        response_format: "url" for a URL that expires, "b64_json" for the image itself in base64.
    """

    n: Annotated[int, msgspec.Meta(ge=1, le=10)] = always(1)
    size: str = always("1024x1024")
    quality: str = always("high")
    response_format: Open[Literal["url", "b64_json"]] = always("url")


class ProviderPreferences(Record, kw_only=True):
    """Which providers may serve the request.

    Fields:
        order: names of providers, in the order in which to try them.
        allow_fallbacks: whether other providers may serve the request if those cannot.
        require_parameters: use only providers that support every parameter of the request.
        data_collection: "deny" excludes providers that keep data.
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
    """The parameters of `chat.completions.create` and `stream`; only `messages` is required.

    Fields:
        messages: the conversation.
        model: a model ID, "auto" for the router, or None for the token's default or the
            template's model.
        models: IDs of models for the gateway to fall back on, in order.
        stream: set by the method; a contradicting value is refused.
        template, variables: a stored prompt, by name or UUID, and the values of its variables.
            Fields of the request override those of the template.
        max_tokens, max_completion_tokens: limits of the answer in model tokens; the second also
            counts reasoning.
        stop: a string, or a few of them, at which the answer ends.
        n: number of choices.
        timeout: seconds, more than 0, that the gateway waits for the provider (300 by default).
            The client waits one second longer than that, unless its own limits are shorter: for a
            whole response, or for the beginning of a stream.
        cache: False keeps this request out of the gateway's cache.
        async_mode: asks the gateway to work in the background.
        modality, image: for answers that are images.
        modalities, audio: for spoken answers.
        tools, tool_choice: functions that the model may call. A dict of an unknown type is sent as
            given.
        response_format: `{"type": "json_object"}` or `{"type": "json_schema", ...}`; sent as given.
        reasoning: a dict with `effort` or `max_tokens`, and `exclude`, `enabled`, `context`,
            `mode`.
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
    """The usage of a request in model tokens; a missing count is 0.

    Fields:
        prompt_tokens_details: `cached_tokens`, `cache_write_tokens`, `cache_write_1h_tokens`, ...
        classifier_prompt_tokens, classifier_completion_tokens, classifier_tokens: used by the
            router, with `model="auto"`.
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
    """The model's message: a `ChatMessage`, which can be appended to `messages` unchanged.

    Fields:
        content: text, or a list of parts. A part of an unknown type stays a dict. See `text`.
        audio: the spoken answer: `id`, `data` in base64, `transcript`, `expires_at`.
        reasoning_content: the model's reasoning as text, from models that show it.
        reasoning_details: the same in the provider's form, to be sent back unchanged.
        refusal: why the model refused to answer.
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

    def _repr_html_(self) -> Optional[str]:
        if self.audio is None:
            return None
        from meshapi_core.types._html import audio_html

        return audio_html(self.audio)

    def __post_init__(self) -> None:
        content = self.content
        if type(content) is list:
            parts = [_part_received(part) for part in content]
            # Narrower than in requests, so that readers need not handle dicts of known types.
            self.content = parts  # pyright: ignore[reportIncompatibleVariableOverride]

    @property
    def text(self) -> str:
        """The text in `content`; of a list of parts, all text parts joined. "" if there is no text.

        `text` is a property: it is not in `model_dump()`, and it changes when `content` is set.
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
    """One choice: one of the `n` answers that were asked for.

    Fields:
        message: never None. If the server sent null or nothing, an empty message, here and in
            `model_dump()`; `raw` of the response shows which. Sending an empty message back is
            refused.
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
        model: the model that answered, possibly under the provider's name for it.
        choices: the answers. `text` and `tool_calls` are those of the first one.
        cost: in US dollars, a decimal number as text.
        x_resolved_model_id: the model that the router chose.
        x_auto_routed, x_auto_routed_fallback, x_auto_routed_fallback_reason: whether the router
            chose the model, whether it fell back on another, and why.
        x_classifier_usage: the usage of the router itself.
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

    def _repr_html_(self) -> Optional[str]:
        audio = self.choices[0].message.audio if self.choices else None
        if audio is None:
            return None
        from meshapi_core.types._html import audio_html

        return audio_html(audio)

    def __post_init__(self) -> None:
        number(self.choices)

    @property
    def text(self) -> str:
        """The text of the first choice; "" if there is none. See `ChatCompletionMessage.text`."""
        return self.choices[0].message.text if self.choices else ""

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls of the first choice; [] if there are none."""
        return (self.choices[0].message.tool_calls if self.choices else None) or []


class ToolCallFunctionChunk(OpenRecord, kw_only=True, dict=True, forbid_unknown_fields=True):
    """What a chunk adds to the function of a tool call.

    Fields:
        name: the whole name, in the first chunk of a call.
        arguments: JSON text to append to the arguments.
    """

    name: Optional[str] = None
    arguments: Optional[str] = None


class ToolCallChunk(OpenRecord, kw_only=True, dict=True, forbid_unknown_fields=True):
    """What a chunk adds to a tool call.

    Fields:
        index: which call of the message this belongs to. If the gateway leaves it out, the stream
            works it out from the IDs and the order, and `raw` of the chunk shows what was sent.
        id, type: in the first chunk of a call.
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
        content: text to append to the message; see `text`.
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
        """The text that the chunk adds: `content`, or "" if that is None."""
        return self.content or ""


class ChatCompletionChunkChoice(Record, kw_only=True):
    """What a chunk adds to one choice.

    Fields:
        delta: never None; empty if the server sent null or nothing.
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
    """One chunk of a streamed chat completion; the fields are those of `ChatCompletionResponse`.

    Fields:
        choices: empty in the last chunk, which contains `usage` and sometimes `cost`. See `text`.
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
        """The text that the chunk adds to the first choice; "" if it adds none.

        Joined, these are `choices[0].message.text` of the whole response. For other choices
        (`n=2`), use `index` and `delta` in `choices`.
        """
        return "".join(part.delta.content or "" for part in self.choices if part.index == 0)


class ChatConversationFields(TypedDict, total=False):
    """The parameters of `chat.conversation` besides its own; see `ChatCompletionParams`."""

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
    tool_choice: Optional[Union[ToolChoice, Mapping[str, Any]]]
    parallel_tool_calls: Optional[bool]
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


class _Messages(TypedDict, total=False):
    # A base of its own, so that signatures show it first.
    messages: Sequence[Union[ChatMessage, Mapping[str, Any]]]


class ChatParseFields(_Messages, ChatConversationFields, total=False):
    """The keyword arguments of `chat.completions.parse`, besides the type of the value.

    Only `messages` is required, which is checked at run time. Structs may be plain dicts.
    """

    tools: Optional[Sequence[Union[Tool, Mapping[str, Any]]]]


class ChatToolRunFields(_Messages, ChatConversationFields, total=False):
    """The parameters of `chat.completions.run_tools` besides its own; see `ChatCompletionParams`.

    Only `messages` is required, which is checked at run time.
    """

    response_format: Optional[Mapping[str, Any]]


class ChatCompletionFields(ChatParseFields, ChatToolRunFields, total=False):
    """The fields of `ChatCompletionParams` as keyword arguments; Structs may be plain dicts.

    Only `messages` is required, which is checked at run time. There is no `stream`: the method
    decides that.
    """
