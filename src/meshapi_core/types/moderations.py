"""Moderations: whether something is harmful, and in which way.

Source: MeshAPI moderations, https://developers.meshapi.ai/docs
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Optional, Union

import msgspec
from typing_extensions import TypedDict

from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.types._base import OpenRecord, OpenResponseModel, Params, Record, always
from meshapi_core.types._open import Open

__all__ = [
    "ModerationFields",
    "ModerationImageUrl",
    "ModerationInputItem",
    "ModerationParams",
    "ModerationResponse",
    "ModerationResult",
]


class ModerationImageUrl(Record, kw_only=True):
    """Where an image is.

    Fields:
        url: an https URL, or the image itself as `data:image/png;base64,...`.
    """

    url: str


class ModerationInputItem(Record, kw_only=True):
    """A text or an image to be looked at.

    Fields:
        type: says which of the other fields counts.
    """

    _one_of: ClassVar = ("text", "image_url")
    type: Open[Literal["text", "image_url"]]
    text: Optional[str] = None
    image_url: Optional[ModerationImageUrl] = None


if TYPE_CHECKING:
    _InputItem = Union[str, ModerationInputItem, Mapping[str, Any]]
    ModerationInput = Union[str, Sequence[_InputItem]]
else:
    # msgspec tells items apart, but not lists.
    ModerationInput = Union[str, list[Union[str, ModerationInputItem]]]


class ModerationParams(Params, kw_only=True):
    """The parameters of one moderation; `input` is the only required one.

    Fields:
        input: a text, a list of texts, or a list of texts and images.
        model: always sent.
    """

    input: ModerationInput
    model: str = always("omni-moderation-latest")


class ModerationFields(TypedDict, total=False):
    """The fields of `ModerationParams` as keywords; Structs may be given as plain dicts."""

    input: ModerationInput
    model: str


class ModerationResult(OpenRecord, kw_only=True, dict=True):
    """What is to be said of one input.

    Fields:
        flagged: whether it is harmful in any way.
        categories: whether it is, for each way.
        category_scores: how likely it is, for each way; 0 to 1.
    """

    flagged: bool = False
    categories: dict[str, bool] = msgspec.field(default_factory=dict)
    category_scores: dict[str, float] = msgspec.field(default_factory=dict)


class ModerationResponse(OpenResponseModel, kw_only=True, dict=True):
    """One result for each text of the input."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        essential=frozenset({"results"}), counted=frozenset({"results"}), rows="results"
    )

    id: Optional[str] = None
    model: Optional[str] = None
    results: list[ModerationResult] = msgspec.field(default_factory=list)
