"""Moderations: whether texts and images are harmful, and in which categories.

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
    """A text or an image to check.

    Fields:
        type: the name of the field that has the input.
    """

    _one_of: ClassVar = ("text", "image_url")
    type: Open[Literal["text", "image_url"]]
    text: Optional[str] = None
    image_url: Optional[ModerationImageUrl] = None


if TYPE_CHECKING:
    _InputItem = Union[str, ModerationInputItem, Mapping[str, Any]]
    ModerationInput = Union[str, Sequence[_InputItem]]
else:
    # msgspec can tell items apart, but not lists.
    ModerationInput = Union[str, list[Union[str, ModerationInputItem]]]


class ModerationParams(Params, kw_only=True):
    """The parameters of `moderations.create`; only `input` is required.

    Fields:
        input: a text, a list of texts, or a list of texts and images.
        model: always sent.
    """

    input: ModerationInput
    model: str = always("omni-moderation-latest")


class ModerationFields(TypedDict, total=False):
    """The fields of `ModerationParams` as keyword arguments; Structs may be plain dicts."""

    input: ModerationInput
    model: str


class ModerationResult(OpenRecord, kw_only=True, dict=True):
    """The verdict on one input.

    Fields:
        flagged: whether the input is harmful in any category.
        categories: for each category, whether the input is harmful.
        category_scores: for each category, how likely it is that the input is harmful; 0 to 1.
    """

    flagged: bool = False
    categories: dict[str, bool] = msgspec.field(default_factory=dict)
    category_scores: dict[str, float] = msgspec.field(default_factory=dict)


class ModerationResponse(OpenResponseModel, kw_only=True, dict=True):
    """The results of a moderation: one for each text of the input."""

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        essential=frozenset({"results"}), counted=frozenset({"results"}), rows="results"
    )

    id: Optional[str] = None
    model: Optional[str] = None
    results: list[ModerationResult] = msgspec.field(default_factory=list)
