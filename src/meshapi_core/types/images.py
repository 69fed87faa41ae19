"""Images: generation and editing.

`None` in a field of a request means "not sent". In responses, every field has a default, so that a
missing or null field never raises.

Source: MeshAPI images, https://developers.meshapi.ai/docs
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Optional, Union
from urllib.parse import unquote_to_bytes

import msgspec
from typing_extensions import TypedDict

from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.types._base import Params, Record, ResponseModel, always
from meshapi_core.types._base64 import from_base64
from meshapi_core.types._open import Open

__all__ = [
    "ImageEditFields",
    "ImageEditParams",
    "ImageGenerationChunk",
    "ImageGenerationFields",
    "ImageGenerationParams",
    "ImageGenerationResponse",
    "ImageItem",
    "ImageRef",
    "ImageUsage",
]

ResponseFormat = Literal["url", "b64_json"]
OutputFormat = Literal["png", "jpeg", "webp"]
Background = Literal["transparent", "opaque", "auto"]
Moderation = Literal["low", "auto"]
Sequential = Literal["auto", "disabled"]
EditOperation = Literal[
    "edit", "inpaint", "outpaint", "mix", "reframe", "upscale", "remove_background"
]


class ImageGenerationParams(Params, kw_only=True):
    """The parameters of `images.generate` and `stream`; only `prompt` is required.

    Fields:
        n: number of images; 1 by default.
        size: width and height in pixels, such as "1024x1024"; or, for some models, "2K".
        aspect_ratio, resolution: another way to give the size, such as "16:9" and "2K"; which way
            has an effect depends on the model.
        response_format: "url" for a URL that expires, "b64_json" for the image itself in base64;
            some models always send base64.
        output_compression: 0 to 100, for JPEG and WebP.
        stream: set by `stream`; `generate` refuses True.
        partial_images: number of previews in a stream, 0 to 3.
        image: one or more images to start from, as data URLs or base64.
        seed: -1 to 2147483647; -1 chooses a random one.
        sequential_image_generation, sequential_image_generation_options: "auto" lets the model
            decide how many images to make, within the options.
        guidance_scale: how closely to follow the prompt, 1 to 10.
        optimize_prompt_options: sent as given.
    """

    prompt: str
    model: Optional[str] = None
    n: Optional[int] = None
    size: Optional[str] = None
    quality: Optional[str] = None
    response_format: Optional[Open[ResponseFormat]] = None
    output_format: Optional[Open[OutputFormat]] = None
    stream: Optional[bool] = None
    aspect_ratio: Optional[str] = None
    resolution: Optional[str] = None
    output_compression: Optional[Annotated[int, msgspec.Meta(ge=0, le=100)]] = None
    background: Optional[Open[Background]] = None
    moderation: Optional[Open[Moderation]] = None
    partial_images: Optional[Annotated[int, msgspec.Meta(ge=0, le=3)]] = None
    image: Optional[Union[str, list[str]]] = None
    seed: Optional[Annotated[int, msgspec.Meta(ge=-1, le=2147483647)]] = None
    sequential_image_generation: Optional[Open[Sequential]] = None
    sequential_image_generation_options: Optional[dict[str, Any]] = None
    guidance_scale: Optional[Annotated[float, msgspec.Meta(ge=1, le=10)]] = None
    watermark: Optional[bool] = None
    optimize_prompt_options: Optional[dict[str, Any]] = None


class ImageGenerationFields(TypedDict, total=False):
    """The fields of `ImageGenerationParams` as keyword arguments, except `stream`."""

    prompt: str
    model: Optional[str]
    n: Optional[int]
    size: Optional[str]
    quality: Optional[str]
    response_format: Optional[Open[ResponseFormat]]
    output_format: Optional[Open[OutputFormat]]
    aspect_ratio: Optional[str]
    resolution: Optional[str]
    output_compression: Optional[int]
    background: Optional[Open[Background]]
    moderation: Optional[Open[Moderation]]
    partial_images: Optional[int]
    image: Optional[Union[str, Sequence[str]]]
    seed: Optional[int]
    sequential_image_generation: Optional[Open[Sequential]]
    sequential_image_generation_options: Optional[Mapping[str, Any]]
    guidance_scale: Optional[float]
    watermark: Optional[bool]
    optimize_prompt_options: Optional[Mapping[str, Any]]


class ImageItem(Record, kw_only=True):
    """One image: a URL, or the image itself, which `image_bytes()` returns.

    Fields:
        url: where the image is, for some time; or the image as `data:image/png;base64,...`.
        b64_json: the image in base64.
        revised_prompt: the prompt as the model changed it.
    """

    url: Optional[str] = None
    b64_json: Optional[str] = None
    revised_prompt: Optional[str] = None

    def _repr_html_(self) -> Optional[str]:
        from meshapi_core.types._html import images_html

        return images_html([self])

    def image_bytes(self) -> bytes:
        """Return the image as the bytes of an image file.

        Nothing is downloaded: pass `response_format="b64_json"` to get the image in the response.

        Raises:
            ValueError: the response has only a link to the image, or no image.
            Base64Error: the image is not valid base64. It is a ResponseDecodeError and a
                ValueError.
        """
        if self.b64_json:
            return from_base64("b64_json", self.b64_json)
        if not self.url:
            raise ValueError("the response has no image: b64_json and url are empty")
        scheme, _, rest = self.url.partition(":")
        if scheme.lower() != "data":
            # The message does not quote the link: its query may grant access.
            raise ValueError(
                "the response has only a link to the image, in url; to get the image itself, pass"
                ' response_format="b64_json"'
            )
        return _data_of(rest)


def _data_of(data_url: str) -> bytes:
    """Return the content of a data URL, which is given without its scheme.

    Source: https://www.rfc-editor.org/rfc/rfc2397
    """
    media_type, comma, data = data_url.partition(",")
    if not comma:
        raise ValueError("the image's url is a data URL without data: it has no comma")
    content = unquote_to_bytes(data)
    encoded = media_type.rpartition(";")[2].strip().lower() == "base64"
    return from_base64("the image's url", content) if encoded else content


class ImageUsage(Record, kw_only=True):
    """The usage in model tokens.

    Fields:
        prompt_tokens, completion_tokens, total_tokens: 0 if the provider does not count them.
        input_tokens, output_tokens: the same under other names, from providers that use these.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    input_tokens: Optional[int] = None
    output_tokens: Optional[int] = None
    input_tokens_details: Optional[dict[str, Any]] = None
    output_tokens_details: Optional[dict[str, Any]] = None


class ImageGenerationResponse(ResponseModel, kw_only=True):
    """Generated or edited images.

    Fields:
        created: Unix time in seconds.
        background, output_format, quality, size: what the model chose.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(
        essential=frozenset({"data"}), rows="data"
    )

    created: int = 0
    data: list[ImageItem] = msgspec.field(default_factory=list)
    background: Optional[str] = None
    output_format: Optional[str] = None
    quality: Optional[str] = None
    size: Optional[str] = None
    usage: Optional[ImageUsage] = None

    def _repr_html_(self) -> Optional[str]:
        from meshapi_core.types._html import images_html

        return images_html(self.data)


class ImageGenerationChunk(ResponseModel, kw_only=True):
    """One chunk of a streamed generation.

    Fields:
        data: the images that are ready; empty in chunks that only keep the connection alive.
        status: "processing" while there is no image yet.
        others: as in `ImageGenerationResponse`, if the gateway sends them.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(essential=frozenset({"data"}))

    id: Optional[str] = None
    object: Optional[str] = "image.chunk"
    created: int = 0
    data: list[ImageItem] = msgspec.field(default_factory=list)
    status: Optional[str] = None
    model: Optional[str] = None
    background: Optional[str] = None
    output_format: Optional[str] = None
    quality: Optional[str] = None
    size: Optional[str] = None
    usage: Optional[ImageUsage] = None

    def _repr_html_(self) -> Optional[str]:
        from meshapi_core.types._html import images_html

        return images_html(self.data)


class ImageRef(Record, kw_only=True):
    """An image to edit.

    Fields:
        url: the image itself, as `data:image/png;base64,...`; the gateway refuses links.
    """

    url: str


class ImageEditParams(Params, kw_only=True):
    """The parameters of `images.edit`; `model` and `image` are required.

    Fields:
        image: the image as a data URL or base64; the gateway refuses links.
        prompt, operation: what to do; both are always sent.
        mask: an image that is white where to edit; required for "inpaint".
        reference_images: one to three images to mix in; required for "mix".
        n: number of images, 1 to 10.
        upscale_factor: "x2" or "x4"; required for "upscale".
        aspect_ratio: such as "16:9"; required for "reframe".
        expand_factor: how far "outpaint" extends the image.
        mask_feather: how soft the edge of the mask is.
    """

    model: str
    image: Union[str, ImageRef]
    prompt: str = always("")
    operation: Open[EditOperation] = always("edit")
    mask: Optional[Union[str, ImageRef]] = None
    reference_images: Optional[list[Union[str, ImageRef]]] = None
    n: Optional[int] = None
    size: Optional[str] = None
    response_format: Optional[Open[ResponseFormat]] = None
    background: Optional[str] = None
    upscale_factor: Optional[str] = None
    quality_tier: Optional[str] = None
    aspect_ratio: Optional[str] = None
    resolution: Optional[str] = None
    expand_factor: Optional[Union[str, float]] = None
    mask_feather: Optional[int] = None


class ImageEditFields(TypedDict, total=False):
    """The fields of `ImageEditParams` as keyword arguments; Structs may be plain dicts."""

    model: str
    image: Union[str, ImageRef, Mapping[str, Any]]
    prompt: str
    operation: Open[EditOperation]
    mask: Optional[Union[str, ImageRef, Mapping[str, Any]]]
    reference_images: Optional[Sequence[Union[str, ImageRef, Mapping[str, Any]]]]
    n: Optional[int]
    size: Optional[str]
    response_format: Optional[Open[ResponseFormat]]
    background: Optional[str]
    upscale_factor: Optional[str]
    quality_tier: Optional[str]
    aspect_ratio: Optional[str]
    resolution: Optional[str]
    expand_factor: Optional[Union[str, float]]
    mask_feather: Optional[int]
