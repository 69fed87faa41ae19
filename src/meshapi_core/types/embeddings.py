"""Embeddings: vectors for texts, model tokens, images and videos.

`None` in a field of a request means "not sent". In responses, every field has a default, so that a
missing or null field never raises.

Source: MeshAPI embeddings, https://developers.meshapi.ai/docs
"""

from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Optional, Union

import msgspec
from typing_extensions import TypedDict

from meshapi_core.codec.decoding import fit
from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.codec.parsing import parse
from meshapi_core.errors import Base64Error
from meshapi_core.types._base import Params, Record, ResponseModel, number
from meshapi_core.types._base64 import from_base64
from meshapi_core.types._open import Open
from meshapi_core.types.chat import ProviderPreferences

__all__ = [
    "EmbeddingItem",
    "EmbeddingsFields",
    "EmbeddingsParams",
    "EmbeddingsResponse",
    "EmbeddingsUsage",
    "ImageEmbeddingUrl",
    "MultimodalEmbeddingInput",
    "VideoEmbeddingUrl",
]

_FLOAT_SIZE = 4
_BIG_ENDIAN = array("H", [1]).tobytes()[0] == 0
"""Whether this computer's byte order differs from that of the responses, little-endian."""


class ImageEmbeddingUrl(Record, kw_only=True):
    """Where an image is.

    Fields:
        url: an https URL, or the image itself as `data:image/png;base64,...`.
    """

    url: str


class VideoEmbeddingUrl(Record, kw_only=True):
    """Where a video is.

    Fields:
        url: an https URL, or the video itself as `data:video/mp4;base64,...`.
    """

    url: str


class MultimodalEmbeddingInput(Record, kw_only=True):
    """One input for a multimodal model.

    Fields:
        type: the name of the field that has the input.
    """

    _one_of: ClassVar = ("text", "image_url", "video_url")
    type: Open[Literal["text", "image_url", "video_url"]]
    text: Optional[str] = None
    image_url: Optional[ImageEmbeddingUrl] = None
    video_url: Optional[VideoEmbeddingUrl] = None


if TYPE_CHECKING:
    _InputItem = Union[str, int, Sequence[int], MultimodalEmbeddingInput, Mapping[str, Any]]
    EmbeddingInput = Union[str, Sequence[_InputItem]]
else:
    # msgspec can tell items apart, but not lists. So lists may be mixed, and the gateway decides.
    EmbeddingInput = Union[str, list[Union[str, int, list[int], MultimodalEmbeddingInput]]]

EncodingFormat = Literal["float", "base64"]


class EmbeddingsParams(Params, kw_only=True):
    """The parameters of `embeddings.create`; only `input` is required.

    Fields:
        input: a text, a list of texts, the IDs of the model tokens of one text, a list of such
            lists, or a list of multimodal objects. Each text, list of IDs, or object gets a vector.
        dimensions: length of each vector; at least 1.
        encoding_format: "base64" makes the response smaller and faster to read than "float";
            `EmbeddingItem.vector()` accepts both.
        input_type: what the vectors are for, such as "query" or "document"; the choice depends on
            the model.
        provider: the name of a provider, or which ones may serve the request.
        user: your user's ID; at most 256 characters.
        instructions: tell the model what to look at, if it supports that.
        sparse_embedding: options for models with sparse vectors; sent as given.
    """

    input: EmbeddingInput
    model: Optional[str] = None
    dimensions: Optional[Annotated[int, msgspec.Meta(ge=1)]] = None
    encoding_format: Optional[Open[EncodingFormat]] = None
    input_type: Optional[str] = None
    provider: Optional[Union[str, ProviderPreferences]] = None
    user: Optional[Annotated[str, msgspec.Meta(max_length=256)]] = None
    instructions: Optional[str] = None
    sparse_embedding: Optional[dict[str, Any]] = None


class EmbeddingsFields(TypedDict, total=False):
    """The fields of `EmbeddingsParams` as keyword arguments; Structs may be plain dicts."""

    input: EmbeddingInput
    model: Optional[str]
    dimensions: Optional[int]
    encoding_format: Optional[Open[EncodingFormat]]
    input_type: Optional[str]
    provider: Optional[Union[str, ProviderPreferences, Mapping[str, Any]]]
    user: Optional[str]
    instructions: Optional[str]
    sparse_embedding: Optional[Mapping[str, Any]]


class EmbeddingItem(Record, kw_only=True):
    """The vector of one input.

    Fields:
        index: position of the input; the first is 0.
        embedding: the numbers; with `encoding_format="base64"`, little-endian 32-bit floats in
            base64.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        essential=frozenset({"embedding"}), bare="embedding"
    )

    object: str = ""
    index: int = 0
    embedding: Union[list[float], str] = msgspec.field(default_factory=list)

    def vector(self) -> "array[float]":
        """Return the vector as an array of 32-bit floats, whatever form it was sent in.

        Each call makes a new array. numpy reads it without a copy: `numpy.frombuffer(v, "f4")`.
        Numbers that do not fit into 32 bits are rounded, or become infinite.

        Raises:
            Base64Error: `embedding` is not base64, or its bytes are not whole floats. It is a
                ResponseDecodeError and a ValueError.
        """
        if not isinstance(self.embedding, str):
            return array("f", self.embedding)
        if self.embedding.lstrip().startswith("["):
            # A JSON array as text.
            return array("f", fit(parse(self.embedding.encode()), list[float]))
        data = from_base64("embedding", self.embedding)
        if len(data) % _FLOAT_SIZE:
            raise Base64Error(
                f"embedding is {len(data)} bytes, which is not a multiple of {_FLOAT_SIZE}",
                error_code="parse_error",
            )
        floats = array("f", data)
        if _BIG_ENDIAN:
            floats.byteswap()
        return floats


class EmbeddingsUsage(Record, kw_only=True):
    """The usage in model tokens; with your own key for the provider, counts may be missing.

    Fields:
        byok_used: whether the gateway used your own key for the provider.
        fallback_triggered: whether another provider or key had to serve the request.
    """

    prompt_tokens: Optional[int] = None
    total_tokens: Optional[int] = None
    byok_used: Optional[bool] = None
    fallback_triggered: Optional[bool] = None


class EmbeddingsResponse(ResponseModel, kw_only=True):
    """Vectors, one for each input.

    Fields:
        data: the vectors; the `index` of each is the position of its input.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        essential=frozenset({"data"}), counted=frozenset({"data"}), rows="data"
    )

    object: str = ""
    data: list[EmbeddingItem] = msgspec.field(default_factory=list)
    model: str = ""
    usage: Optional[EmbeddingsUsage] = None

    def __post_init__(self) -> None:
        number(self.data)
