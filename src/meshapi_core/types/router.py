"""The router: which model is best for a conversation.

Source: MeshAPI router, https://developers.meshapi.ai/docs
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Optional, Union

import msgspec
from typing_extensions import TypedDict

from meshapi_core.types._base import Params, Record, ResponseModel, always
from meshapi_core.types._open import Open
from meshapi_core.types.chat import ChatMessage

__all__ = ["AutoRouterMeta", "RouterSelectFields", "RouterSelectParams", "RouterSelectResponse"]

APIType = Literal["completions", "responses", "embeddings"]


class RouterSelectParams(Params, kw_only=True):
    """The parameters of `router.select`; only `messages` is required.

    Fields:
        messages: the conversation to choose a model for; at least one message.
        api_type: the endpoint to use the model with; always sent.
        candidate_models: the IDs of the models to choose from.
        exclude_models: the IDs of models not to choose.
    """

    messages: Annotated[list[ChatMessage], msgspec.Meta(min_length=1)]
    api_type: Open[APIType] = always("completions")
    candidate_models: Optional[list[str]] = None
    exclude_models: Optional[list[str]] = None


class RouterSelectFields(TypedDict, total=False):
    """The fields of `RouterSelectParams` as keyword arguments; messages may be plain dicts."""

    messages: Sequence[Union[ChatMessage, Mapping[str, Any]]]
    api_type: Open[APIType]
    candidate_models: Optional[Sequence[str]]
    exclude_models: Optional[Sequence[str]]


class AutoRouterMeta(Record, kw_only=True):
    """How the router chose.

    Fields:
        fallback_used, fallback_reason: whether the router could not choose and took its fallback
            model, and why.
    """

    fallback_used: bool = False
    fallback_reason: Optional[str] = None


class RouterSelectResponse(ResponseModel, kw_only=True):
    """The chosen model.

    Fields:
        model: the ID of the model.
        reasoning_effort: the effort to ask for, if the model reasons.
    """

    model: str = ""
    auto_router: AutoRouterMeta = msgspec.field(default_factory=AutoRouterMeta)
    reasoning_effort: Optional[str] = None
