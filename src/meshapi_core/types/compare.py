"""Compare: one conversation for several models at once, and a model that compares their answers.

`None` in a field of a request means "not sent". In responses, every field has a default, so that a
missing or null field never raises, and fields with known words may have any other.

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
    """The parameters that differ for one of the models.

    Fields:
        model: one of the `models` of the request.
        temperature: 0 to 2.
        max_tokens: limit of its answer in model tokens; at least 1.
        system_prompt: put before the messages.
    """

    model: str
    temperature: Optional[Temperature] = None
    max_tokens: Optional[TokenLimit] = None
    system_prompt: Optional[str] = None


class CompareParams(Params, kw_only=True):
    """The parameters of `compare.create` and `stream`; `models` and `messages` are required.

    Fields:
        models: 1 to 10 model IDs; the gateway drops repeated ones.
        messages: the conversation, for all models.
        model_overrides: the parameters that differ for some of the models.
        comparison_model, comparison_instructions: the model that compares the answers, and how.
        temperature: 0 to 2.
        max_tokens: limit of each answer in model tokens; at least 1.
        stream: set by the method; a contradicting value is refused.
        cache: False keeps this request out of the gateway's cache.
        template, variables: a stored prompt, by name or UUID, and the values of its variables.
        skip_comparison: True to get the answers without a comparison; always sent.
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
    """The usage of one model, in model tokens."""

    prompt_tokens: Optional[int] = None
    completion_tokens: Optional[int] = None
    total_tokens: Optional[int] = None


class ModelCompareResult(Record, kw_only=True):
    """The answer of one of the models, or why it has none.

    Fields:
        response_body: the model's whole chat completion, as a dict.
        content: the text of the answer.
        latency_ms: milliseconds from the request to the answer.
        error, error_code: a message, and "gateway_timeout", "model_not_found", "upstream_error"
            or another error code; None if the model answered.
        request_id: the ID of this model's part of the request.
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
        models: the IDs of the models that were asked, without repetitions.
        results: one for each of them; look at `error` before `content`.
        comparison: what `comparison_model` says about the answers; None if it was skipped.
        comparison_fallback_used: whether a model other than the requested one compared them.
        total_latency_ms: milliseconds for the whole comparison.
        partial: whether any of the models failed.
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

    def by_model(self) -> dict[str, ModelCompareResult]:
        """Return the results by the ID of the model, in the order of `results`."""
        return {result.model: result for result in self.results}


class CompareStreamEvent(OpenResponseModel, kw_only=True, dict=True):
    """One event of a streamed comparison; which fields it has depends on `event`.

    Fields:
        event: "meta" first; "model_chunk" with a whole answer, or with `skip_comparison` with a
            delta; "model_done" (its `results` are dicts) or "model_stream_done";
            "comparison_chunk"; "done" last.
        data: the whole payload; its fields are also those of this object, declared or not.
        delta: text to append to the answer of `model`, or to the comparison.
        latency_ms, total_latency_ms: milliseconds.
        error, error_code: why this model has no answer; the others continue.
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
    """The fields of `CompareParams` as keyword arguments; Structs may be plain dicts.

    Only `models` and `messages` are required, which is checked at run time. There is no `stream`:
    the method decides that.
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
