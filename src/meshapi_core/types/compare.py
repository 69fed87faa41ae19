"""Compare: one conversation for several models at once, and a model that compares the responses.

`None` in a field of a request means "not sent". In responses every field has a default, so that a
missing or null one never raises, and any enum value is possible.

Source: MeshAPI compare, https://developers.meshapi.ai/docs
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Optional, Union

import msgspec
from typing_extensions import TypedDict

from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.types._base import OpenResponseModel, Params, Record, ResponseModel, always
from meshapi_core.types.chat import ChatMessage

__all__ = [
    "CompareFields",
    "CompareParams",
    "CompareResponse",
    "CompareStreamEvent",
    "ModelCompareResult",
    "ModelOverride",
    "TokenUsage",
]

Temperature = Annotated[float, msgspec.Meta(ge=0.0, le=2.0)]
TokenLimit = Annotated[int, msgspec.Meta(ge=1)]


class ModelOverride(Record, kw_only=True):
    """What is different for one of the models.

    Fields:
        model: one of the `models` of the request.
        temperature: 0 to 2.
        max_tokens: limit of its response in tokens; at least 1.
        system_prompt: put before the messages.
    """

    model: str
    temperature: Optional[Temperature] = None
    max_tokens: Optional[TokenLimit] = None
    system_prompt: Optional[str] = None


class CompareParams(Params, kw_only=True):
    """The parameters of one comparison; `models` and `messages` are required.

    Fields:
        models: 1 to 10 model ids; the gateway asks each of them once, however often it is named.
        messages: the conversation that all of them are given.
        model_overrides: what is different for some of them.
        comparison_model, comparison_instructions: who compares the responses, and how.
        temperature: 0 to 2.
        max_tokens: limit of each response in tokens; at least 1.
        stream: set by `create` and `stream`; a contradiction is refused.
        cache: False keeps this request out of the gateway's cache.
        template, variables: a stored prompt, by name or UUID, and the values of its variables.
        skip_comparison: True for the responses alone; always sent.
    """

    models: list[str]
    messages: list[ChatMessage]
    model_overrides: Optional[list[ModelOverride]] = None
    comparison_model: Optional[str] = None
    comparison_instructions: Optional[str] = None
    temperature: Optional[Temperature] = None
    max_tokens: Optional[TokenLimit] = None
    stream: bool = False
    cache: Optional[bool] = None
    template: Optional[str] = None
    variables: Optional[dict[str, str]] = None
    skip_comparison: bool = always(False)


class TokenUsage(Record, kw_only=True):
    """What one model took, in tokens."""

    prompt_tokens: Optional[int] = None
    completion_tokens: Optional[int] = None
    total_tokens: Optional[int] = None


class ModelCompareResult(Record, kw_only=True):
    """The response of one of the models, or why it has none.

    Fields:
        response_body: the model's whole chat completion.
        content: its text.
        latency_ms: milliseconds from the request to its response.
        error, error_code: a sentence and "gateway_timeout", "model_not_found", "upstream_error"
            or another; None where all is well.
        request_id: of this model's part of the request.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"content"}))

    model: str = ""
    response_body: Optional[dict[str, Any]] = None
    content: Optional[str] = None
    latency_ms: int = 0
    error: Optional[str] = None
    error_code: Optional[str] = None
    usage: Optional[TokenUsage] = None
    request_id: str = ""


class CompareResponse(ResponseModel, kw_only=True):
    """A whole comparison.

    Fields:
        created: Unix time in seconds.
        models: those that were asked, each once.
        results: one for each of them; look at `error` before `content`.
        comparison: what `comparison_model` says about the responses; None if it was skipped.
        comparison_fallback_used: whether another model than the one asked for compared them.
        total_latency_ms: milliseconds that all of it took.
        partial: whether one of the models has failed.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        essential=frozenset({"results"}), prose=frozenset({"comparison"})
    )

    comparison_id: str = ""
    object: str = ""
    created: int = 0
    models: list[str] = msgspec.field(default_factory=list)
    results: list[ModelCompareResult] = msgspec.field(default_factory=list)
    comparison: Optional[str] = None
    comparison_model: Optional[str] = None
    comparison_usage: Optional[TokenUsage] = None
    comparison_fallback_used: bool = False
    total_latency_ms: int = 0
    partial: bool = False
    skip_comparison: bool = False


class CompareStreamEvent(OpenResponseModel, kw_only=True, dict=True):
    """One event of a streamed comparison; which fields it has depends on `event`.

    Fields:
        event: "meta" first; "model_chunk" for each response, or with `skip_comparison` for each
            piece of one; "model_done" (its `results` are dicts) or "model_stream_done";
            "comparison_chunk"; "done" last.
        data: the whole payload; its members are the other fields, those that are not declared
            included.
        delta: the next piece of the text of `model`, or of the comparison.
        latency_ms, total_latency_ms: milliseconds.
        error, error_code: why this one model has no response; the others go on.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(prose=frozenset({"delta"}))

    event: Optional[str] = None
    data: Optional[dict[str, Any]] = None
    delta: Optional[str] = None
    model: Optional[str] = None
    comparison_id: Optional[str] = None
    comparison_model: Optional[str] = None
    models: Optional[list[str]] = None
    latency_ms: Optional[int] = None
    total_latency_ms: Optional[int] = None
    finish_reason: Optional[str] = None
    error: Optional[Any] = None
    error_code: Optional[str] = None
    usage: Optional[dict[str, Any]] = None
    skip_comparison: Optional[bool] = None
    partial: Optional[bool] = None
    comparison_fallback_used: Optional[bool] = None


class CompareFields(TypedDict, total=False):
    """The fields of `CompareParams` as keywords; Structs may be given as plain dicts.

    Only `models` and `messages` are required, which is checked at run time. `stream` is missing on
    purpose: the name of the method says it.
    """

    models: Sequence[str]
    messages: Sequence[Union[ChatMessage, Mapping[str, Any]]]
    model_overrides: Optional[Sequence[Union[ModelOverride, Mapping[str, Any]]]]
    comparison_model: Optional[str]
    comparison_instructions: Optional[str]
    temperature: Optional[float]
    max_tokens: Optional[int]
    cache: Optional[bool]
    template: Optional[str]
    variables: Optional[Mapping[str, str]]
    skip_comparison: bool
