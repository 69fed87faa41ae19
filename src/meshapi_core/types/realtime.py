"""Realtime: the configuration of sessions, and the parts of which events consist.

All classes are open: fields that a class does not declare can be passed by keyword, are sent, and
are kept when the server sends them. `None` means "not sent", except in four fields in which null
turns a feature off; in these, `msgspec.UNSET`, which is false, means "not sent". Words such as a
`type` are plain `str`, since the gateway passes on whatever providers invent.

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
    """The encoding of the audio in one direction.

    Fields:
        type: "audio/pcm" (16 bits, mono, little-endian), "audio/pcmu" or "audio/pcma" (G.711).
        rate: samples per second: 24000 with "audio/pcm", left out with the others.
    """

    type: Optional[str] = None
    rate: Optional[int] = None


class RealtimeNoiseReduction(OpenRecord, kw_only=True, dict=True):
    """The noise filter for the user's audio, before turn detection and the model.

    Fields:
        type: "near_field" for a headset, "far_field" for the microphone of a room or laptop.
    """

    type: Optional[str] = None


class RealtimeTranscription(OpenRecord, kw_only=True, dict=True):
    """The transcription of the user's audio; separate from the model, which hears the audio.

    Fields:
        model: a model that transcribes.
        language: two letters, ISO 639-1.
        prompt: words or a sentence for the model to expect.
        delay: "minimal" to "xhigh", with models that wait in order to understand better.
    """

    model: Optional[str] = None
    language: Optional[str] = None
    prompt: Optional[str] = None
    delay: Optional[str] = None


class RealtimeTurnDetection(OpenRecord, kw_only=True, dict=True):
    """How the server detects that the user has finished speaking.

    Fields:
        type: "server_vad" listens for silence, "semantic_vad" also to what is said.
        create_response: whether the model then answers without being asked to.
        interrupt_response: whether speech of the user interrupts a response.
        threshold: 0 to 1: how loud speech must be. For "server_vad", like the next three.
        prefix_padding_ms: milliseconds of audio before the speech to include.
        silence_duration_ms: milliseconds of silence that end the speech.
        idle_timeout_ms: milliseconds without speech after which the model speaks.
        eagerness: "low", "medium", "high" or "auto": how soon the model answers. For
            "semantic_vad".
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
    """The settings of the user's audio.

    In `noise_reduction`, `transcription` and `turn_detection`, None is sent as null, which turns
    the feature off. Without `turn_detection`, the caller must commit the audio and ask for a
    response.
    """

    format: Optional[RealtimeAudioFormat] = None
    noise_reduction: Union[RealtimeNoiseReduction, None, UnsetType] = UNSET
    transcription: Union[RealtimeTranscription, None, UnsetType] = UNSET
    turn_detection: Union[RealtimeTurnDetection, None, UnsetType] = UNSET


class RealtimeAudioOutput(OpenRecord, kw_only=True, dict=True):
    """The settings of the model's audio.

    Fields:
        voice: a name such as "alloy", or `{"id": ...}` for a custom voice. It cannot change once
            the model has spoken.
        speed: 0.25 to 1.5; 1 is normal.
    """

    format: Optional[RealtimeAudioFormat] = None
    voice: Optional[Union[str, dict[str, Any]]] = None
    speed: Optional[float] = None


class RealtimeAudioConfig(OpenRecord, kw_only=True, dict=True):
    """The settings of the audio in both directions; a single response has only `output`."""

    input: Optional[RealtimeAudioInput] = None
    output: Optional[RealtimeAudioOutput] = None


class RealtimeTool(OpenRecord, kw_only=True, dict=True):
    """A function that the model may ask you to call, or with type "mcp", a server that has tools.

    Fields:
        name, description, parameters: of a function; the last is a JSON schema of type "object".
        server_label: names the MCP server in calls. This and all that follow are for "mcp".
        server_url, connector_id: where the server is; set one of them.
        authorization, headers: credentials for the server. Printing the tool shows them.
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
    """The configuration of a session; an update changes only the fields that are set.

    Fields:
        type: "realtime", or "transcription" for a session that only transcribes.
        model: chosen when the session is opened; it cannot change.
        output_modalities: `["audio"]`, which includes a transcript, or `["text"]`.
        instructions: the system prompt.
        max_output_tokens: limit of one response in model tokens; a number, or "inf".
        tool_choice: "auto", "none", "required", or `{"type": "function", "name": ...}`.
        include: what else to send, such as `["item.input_audio_transcription.logprobs"]`.
        prompt: a stored prompt: a dict with `id`, `version`, `variables`.
        reasoning: `{"effort": ...}`, with models that reason.
        tracing: "auto", or a dict with `workflow_name`, `group_id` and `metadata`; None turns
            tracing off.
        truncation: what to do with a conversation that gets too long: "auto", "disabled", or
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
    """A part of a message.

    Fields:
        type: "input_text", "input_audio" or "input_image" from a user, "output_text" or
            "output_audio" from the model; in `response.content_part` events, "text" or "audio".
        audio: audio in base64, in the session's format.
        transcript: the text of the audio.
        image_url: the image as `data:image/png;base64,...`.
        detail: "auto", "low" or "high": how closely to look at the image.
    """

    type: Optional[str] = None
    text: Optional[str] = None
    audio: Optional[str] = None
    transcript: Optional[str] = None
    image_url: Optional[str] = None
    detail: Optional[str] = None


class RealtimeItem(OpenRecord, kw_only=True, dict=True):
    """One item of a conversation: a message, a function call, or its output.

    Fields:
        type: "message", "function_call", "function_call_output", "item_reference" (only `id`),
            "mcp_list_tools", "mcp_call", "mcp_approval_request" or "mcp_approval_response".
        id: chosen by the server if you leave it out.
        status: "in_progress", "completed" or "incomplete".
        role, content: of a message; the role is "user", "assistant" or "system".
        call_id: the same in a function call and its output.
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
    """The configuration of one response; fields that are not set are taken from the session.

    Fields:
        conversation: "auto", or "none" for a response that is not added to the conversation.
        input: items to answer in place of the conversation; an empty list for no input.
        metadata: your own notes, returned with the response; at most 16 pairs.
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
    """A session as the server describes it.

    Fields:
        id: the ID of the session.
        expires_at: when the session ends; Unix time in seconds.
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
        code: the error code, for programs to branch on.
        param: the field of the client's event that caused the error.
        event_id: the `event_id` of that event, if it had one.
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
    """Model tokens by kind.

    Fields:
        cached_tokens: input that came from the provider's cache; the other counts include it.
        cached_tokens_details: the cached tokens by kind.
    """

    text_tokens: Optional[int] = None
    audio_tokens: Optional[int] = None
    image_tokens: Optional[int] = None
    cached_tokens: Optional[int] = None
    cached_tokens_details: Optional[dict[str, Any]] = None


class RealtimeUsage(OpenRecord, kw_only=True, dict=True):
    """The usage of a response or a transcription.

    Fields:
        type: of a transcription, "tokens" or "duration".
        total_tokens, input_tokens, output_tokens: in model tokens. Each response counts the whole
            conversation so far as input.
        seconds: length of the audio, if a transcription is billed by duration.
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
        type: the same as the response's `status`.
        reason: "turn_detected" (the user spoke), "client_cancelled", "max_output_tokens" or
            "content_filter".
        error: why the response failed.
    """

    type: Optional[str] = None
    reason: Optional[str] = None
    error: Optional[RealtimeErrorDetail] = None


class RealtimeResponse(OpenRecord, kw_only=True, dict=True):
    """A response of the model; in `response.done` it is whole, except for its audio.

    Fields:
        status: "in_progress", "completed", "cancelled", "incomplete" or "failed".
        output: the items of the response.
        conversation_id: None if the response is not part of the conversation.
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
    """A rate limit, and what remains of it.

    Fields:
        name: "requests" or "tokens".
        limit, remaining: the whole allowance, and the rest of it.
        reset_seconds: seconds until `remaining` is `limit` again.
    """

    name: Optional[str] = None
    limit: Optional[int] = None
    remaining: Optional[int] = None
    reset_seconds: Optional[float] = None
