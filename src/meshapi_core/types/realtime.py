"""Realtime: how a session is configured, and the parts of which events are made.

Everything is open: fields that a class does not declare are taken by keyword, sent, and kept when
the server sends them. `None` means "not sent", but for four fields that null turns off on the
server; in these `msgspec.UNSET`, which is false, means "not sent". Words such as a `type` are
plain `str`, since the gateway passes what providers invent.

Source: https://platform.openai.com/docs/api-reference/realtime-client-events/session/update
"""

from typing import Any, ClassVar, Optional, Union

import msgspec
from msgspec import UNSET, UnsetType

from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.types._base import OpenRecord, always

__all__ = [
    "RealtimeAudioConfig",
    "RealtimeAudioFormat",
    "RealtimeAudioInput",
    "RealtimeAudioOutput",
    "RealtimeContentPart",
    "RealtimeConversation",
    "RealtimeErrorDetail",
    "RealtimeItem",
    "RealtimeNoiseReduction",
    "RealtimeRateLimit",
    "RealtimeResponse",
    "RealtimeResponseConfig",
    "RealtimeResponseStatus",
    "RealtimeSessionConfig",
    "RealtimeSessionInfo",
    "RealtimeTokenDetails",
    "RealtimeTool",
    "RealtimeTranscription",
    "RealtimeTurnDetection",
    "RealtimeUsage",
]


class RealtimeAudioFormat(OpenRecord, kw_only=True, dict=True):
    """How sound is encoded in one direction.

    Fields:
        type: "audio/pcm" (16 bits, mono, little endian), "audio/pcmu" or "audio/pcma".
        rate: samples per second; 24000 with "audio/pcm", not sent with the others.
    """

    type: Optional[str] = None
    rate: Optional[int] = None


class RealtimeNoiseReduction(OpenRecord, kw_only=True, dict=True):
    """What is filtered out of the audio before anyone listens to it.

    Fields:
        type: "near_field" for a headset, "far_field" for the microphone of a room or laptop.
    """

    type: Optional[str] = None


class RealtimeTranscription(OpenRecord, kw_only=True, dict=True):
    """How what the user says is written down; apart from the model, which hears it itself.

    Fields:
        model: a model that transcribes.
        language: two letters, ISO 639-1.
        prompt: words or a sentence that the model may expect.
        delay: "minimal" to "xhigh", with models that wait to hear better.
    """

    model: Optional[str] = None
    language: Optional[str] = None
    prompt: Optional[str] = None
    delay: Optional[str] = None


class RealtimeTurnDetection(OpenRecord, kw_only=True, dict=True):
    """How the server notices that the user has finished speaking.

    Fields:
        type: "server_vad" goes by loudness, "semantic_vad" by what is said.
        create_response: whether the model answers then by itself.
        interrupt_response: whether the user's voice ends a response.
        threshold: 0 to 1; how loud speech must be. "server_vad", as are the next three.
        prefix_padding_ms: milliseconds from before the speech that belong to it.
        silence_duration_ms: milliseconds of silence that end it.
        idle_timeout_ms: milliseconds without speech after which the model speaks by itself.
        eagerness: "low", "medium", "high" or "auto"; how soon it answers. "semantic_vad".
    """

    type: Optional[str] = None
    create_response: Optional[bool] = None
    interrupt_response: Optional[bool] = None
    threshold: Optional[float] = None
    prefix_padding_ms: Optional[int] = None
    silence_duration_ms: Optional[int] = None
    idle_timeout_ms: Optional[int] = None
    eagerness: Optional[str] = None


class RealtimeAudioInput(OpenRecord, kw_only=True, dict=True):
    """The user's audio.

    None in the last three is sent as null, which turns them off: without `turn_detection` the
    caller commits the audio and asks for a response.
    """

    format: Optional[RealtimeAudioFormat] = None
    noise_reduction: Union[RealtimeNoiseReduction, None, UnsetType] = UNSET
    transcription: Union[RealtimeTranscription, None, UnsetType] = UNSET
    turn_detection: Union[RealtimeTurnDetection, None, UnsetType] = UNSET


class RealtimeAudioOutput(OpenRecord, kw_only=True, dict=True):
    """The model's audio.

    Fields:
        voice: a name such as "alloy", or `{"id": ...}` of one's own. It cannot change once the
            model has spoken.
        speed: 0.25 to 1.5; 1 is as the model speaks.
    """

    format: Optional[RealtimeAudioFormat] = None
    voice: Optional[Union[str, dict[str, Any]]] = None
    speed: Optional[float] = None


class RealtimeAudioConfig(OpenRecord, kw_only=True, dict=True):
    """The sound of both directions; only `output` where it is about one response."""

    input: Optional[RealtimeAudioInput] = None
    output: Optional[RealtimeAudioOutput] = None


class RealtimeTool(OpenRecord, kw_only=True, dict=True):
    """A function that the model may ask to be called, or with type "mcp" a server of tools.

    Fields:
        name, description, parameters: of a function; the last is a JSON schema of type "object".
        server_label: names the MCP server in calls; this and all that follow are for "mcp".
        server_url, connector_id: one of them says where it is.
        authorization, headers: what it is sent to be let in; they show when the tool is printed.
        allowed_tools: names, or a filter as a dict.
        require_approval: "always", "never", or a filter as a dict.
    """

    type: str = always("function")
    name: Optional[str] = None
    description: Optional[str] = None
    parameters: Optional[dict[str, Any]] = None
    server_label: Optional[str] = None
    server_url: Optional[str] = None
    server_description: Optional[str] = None
    connector_id: Optional[str] = None
    authorization: Optional[str] = None
    headers: Optional[dict[str, str]] = None
    allowed_tools: Optional[Union[list[str], dict[str, Any]]] = None
    require_approval: Optional[Union[str, dict[str, Any]]] = None


class RealtimeSessionConfig(OpenRecord, kw_only=True, dict=True):
    """What holds for a session until it is changed; only the fields that are set change.

    Fields:
        type: "realtime", or "transcription" for a session that only writes down.
        model: set by the address of the session; it cannot change.
        output_modalities: `["audio"]`, which comes with a transcript, or `["text"]`.
        instructions: what the model shall be and do.
        max_output_tokens: of one response; a number, or "inf".
        tool_choice: "auto", "none", "required", or `{"type": "function", "name": ...}`.
        include: more that the server shall send: `["item.input_audio_transcription.logprobs"]`.
        prompt: a stored prompt: `id`, `version`, `variables`.
        reasoning: `{"effort": ...}`, with models that reason.
        tracing: "auto", or `workflow_name`, `group_id` and `metadata`; None turns it off.
        truncation: what is done with a conversation that gets too long: "auto", "disabled", or
            `{"type": "retention_ratio", "retention_ratio": 0.8}`.
    """

    type: str = always("realtime")
    model: Optional[str] = None
    output_modalities: Optional[list[str]] = None
    instructions: Optional[str] = None
    audio: Optional[RealtimeAudioConfig] = None
    max_output_tokens: Optional[Union[int, str]] = None
    tools: Optional[list[RealtimeTool]] = None
    tool_choice: Optional[Union[str, dict[str, Any]]] = None
    parallel_tool_calls: Optional[bool] = None
    include: Optional[list[str]] = None
    prompt: Optional[dict[str, Any]] = None
    reasoning: Optional[dict[str, Any]] = None
    tracing: Union[str, dict[str, Any], None, UnsetType] = UNSET
    truncation: Optional[Union[str, dict[str, Any]]] = None


class RealtimeContentPart(OpenRecord, kw_only=True, dict=True):
    """A piece of a message.

    Fields:
        type: "input_text", "input_audio" or "input_image" of a user, "output_text" or
            "output_audio" of the model. In `response.content_part` events "text" or "audio".
        audio: audio in base64, in the session's format.
        transcript: what is said in it.
        image_url: the image as `data:image/png;base64,...`.
        detail: "auto", "low" or "high"; how closely to look at the image.
    """

    type: Optional[str] = None
    text: Optional[str] = None
    audio: Optional[str] = None
    transcript: Optional[str] = None
    image_url: Optional[str] = None
    detail: Optional[str] = None


class RealtimeItem(OpenRecord, kw_only=True, dict=True):
    """One item of a conversation: a message, the call of a function, or what it returned.

    Fields:
        type: "message", "function_call", "function_call_output", "item_reference" (only `id`),
            "mcp_list_tools", "mcp_call", "mcp_approval_request" or "mcp_approval_response".
        id: the server makes one up where none is given.
        status: "in_progress", "completed" or "incomplete".
        role, content: of a message; the role is "user", "assistant" or "system".
        call_id: leads from the call of a function to its output.
        name, arguments: of a call; the arguments are JSON text.
        output: what a function or a tool returned, as text.
        others: of the MCP types.
    """

    type: Optional[str] = None
    id: Optional[str] = None
    object: Optional[str] = None
    status: Optional[str] = None
    role: Optional[str] = None
    content: Optional[list[RealtimeContentPart]] = None
    call_id: Optional[str] = None
    name: Optional[str] = None
    arguments: Optional[str] = None
    output: Optional[str] = None
    server_label: Optional[str] = None
    tools: Optional[list[dict[str, Any]]] = None
    approval_request_id: Optional[str] = None
    approve: Optional[bool] = None
    reason: Optional[str] = None
    error: Optional[dict[str, Any]] = None


class RealtimeResponseConfig(OpenRecord, kw_only=True, dict=True):
    """What holds for one response; fields that are not set are those of the session.

    Fields:
        conversation: "auto", or "none" for a response that is not added to the conversation.
        input: items to answer instead of the conversation; an empty list for none at all.
        metadata: comes back with the response; at most 16 pairs.
        others: as in `RealtimeSessionConfig`.
    """

    conversation: Optional[str] = None
    input: Optional[list[RealtimeItem]] = None
    instructions: Optional[str] = None
    output_modalities: Optional[list[str]] = None
    audio: Optional[RealtimeAudioConfig] = None
    max_output_tokens: Optional[Union[int, str]] = None
    tools: Optional[list[RealtimeTool]] = None
    tool_choice: Optional[Union[str, dict[str, Any]]] = None
    parallel_tool_calls: Optional[bool] = None
    prompt: Optional[dict[str, Any]] = None
    reasoning: Optional[dict[str, Any]] = None
    metadata: Optional[dict[str, str]] = None


class RealtimeSessionInfo(RealtimeSessionConfig, kw_only=True, dict=True):
    """A session as the server has it.

    Fields:
        id: names the session.
        expires_at: Unix time in seconds at which it ends.
    """

    id: Optional[str] = None
    object: Optional[str] = None
    expires_at: Optional[int] = None


class RealtimeConversation(OpenRecord, kw_only=True, dict=True):
    """The conversation of a session."""

    id: Optional[str] = None
    object: Optional[str] = None


class RealtimeErrorDetail(OpenRecord, kw_only=True, dict=True):
    """What went wrong.

    Fields:
        type: "invalid_request_error", "server_error" or another.
        code: a word to branch on.
        param: the field of the client's event that is at fault.
        event_id: the client's event that is at fault, where it had one.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        prose=frozenset({"message"}), bare="message"
    )

    type: Optional[str] = None
    code: Optional[str] = None
    message: Optional[str] = None
    param: Optional[str] = None
    event_id: Optional[str] = None


class RealtimeTokenDetails(OpenRecord, kw_only=True, dict=True):
    """Tokens by their kind.

    Fields:
        cached_tokens: those of an input that had been read before; the others include them.
        cached_tokens_details: these by their kind again.
    """

    text_tokens: Optional[int] = None
    audio_tokens: Optional[int] = None
    image_tokens: Optional[int] = None
    cached_tokens: Optional[int] = None
    cached_tokens_details: Optional[dict[str, Any]] = None


class RealtimeUsage(OpenRecord, kw_only=True, dict=True):
    """What a response or a transcription took.

    Fields:
        type: "tokens" or "duration", of a transcription.
        input_tokens: the whole conversation so far counts again with each response.
        seconds: how long the audio is, where a transcription is paid by duration.
    """

    type: Optional[str] = None
    total_tokens: Optional[int] = None
    input_tokens: Optional[int] = None
    output_tokens: Optional[int] = None
    input_token_details: Optional[RealtimeTokenDetails] = None
    output_token_details: Optional[RealtimeTokenDetails] = None
    seconds: Optional[float] = None


class RealtimeResponseStatus(OpenRecord, kw_only=True, dict=True):
    """Why a response ended as it did.

    Fields:
        type: as the response's `status`.
        reason: "turn_detected" (the user spoke), "client_cancelled", "max_output_tokens" or
            "content_filter".
        error: why it failed.
    """

    type: Optional[str] = None
    reason: Optional[str] = None
    error: Optional[RealtimeErrorDetail] = None


class RealtimeResponse(OpenRecord, kw_only=True, dict=True):
    """A response of the model; whole in `response.done`, but for its audio.

    Fields:
        status: "in_progress", "completed", "cancelled", "incomplete" or "failed".
        output: the items that it consists of.
        conversation_id: None for one outside of the conversation.
        metadata: as given in `response.create`.
    """

    id: Optional[str] = None
    object: Optional[str] = None
    status: Optional[str] = None
    status_details: Optional[RealtimeResponseStatus] = None
    output: list[RealtimeItem] = msgspec.field(default_factory=list)
    conversation_id: Optional[str] = None
    output_modalities: Optional[list[str]] = None
    audio: Optional[RealtimeAudioConfig] = None
    max_output_tokens: Optional[Union[int, str]] = None
    metadata: Optional[dict[str, Any]] = None
    usage: Optional[RealtimeUsage] = None


class RealtimeRateLimit(OpenRecord, kw_only=True, dict=True):
    """How much may still be asked for.

    Fields:
        name: "requests" or "tokens".
        reset_seconds: seconds until `remaining` is `limit` again.
    """

    name: Optional[str] = None
    limit: Optional[int] = None
    remaining: Optional[int] = None
    reset_seconds: Optional[float] = None
