"""The catalogue of models.

Source: MeshAPI models, https://developers.meshapi.ai/docs
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Optional

import msgspec
from typing_extensions import TypedDict

from meshapi_core.codec.decoding_rules import DecodingRules
from meshapi_core.types._base import OpenResponseModel, Params, Record, ResponseModel
from meshapi_core.types._open import Open
from meshapi_core.types._pages import OffsetPage

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = [
    "ListModelsParams",
    "ModelInfo",
    "ModelPricing",
    "ModelProviders",
    "ModelSearchFields",
    "ModelSearchParams",
    "ModelsPage",
]

ModelType = Literal["text", "embedding", "image", "audio", "video"]
ModelSort = Literal["brand", "name", "id", "context_length", "price"]
SortOrder = Literal["asc", "desc"]


class ModelPricing(Record, kw_only=True):
    """The prices of a model in US dollars: decimal numbers as text, so that none is rounded.

    Fields:
        input_usd_per_unit, output_usd_per_unit, pricing_unit: the prices of one unit, and the
            unit.
        prompt_usd_per_1m, ..._per_1m: per million model tokens.
        prompt_usd_per_1k, completion_usd_per_1k: per thousand; newer gateways leave them out.
        prompt_usd_per_1k_discounted, completion_usd_per_1k_discounted, image_usd_per_image: from
            the first gateways only.
        discount_pct: this account's discount, in per cent.
    """

    prompt_usd_per_1k: Optional[str] = None
    completion_usd_per_1k: Optional[str] = None
    pricing_unit: Optional[str] = None
    input_usd_per_unit: Optional[str] = None
    output_usd_per_unit: Optional[str] = None
    prompt_usd_per_1m: Optional[str] = None
    completion_usd_per_1m: Optional[str] = None
    image_output_usd_per_image: Optional[str] = None
    request_usd: Optional[str] = None
    long_context_input_usd_per_1m: Optional[str] = None
    long_context_output_usd_per_1m: Optional[str] = None
    cache_read_input_usd_per_1m: Optional[str] = None
    cache_write_input_usd_per_1m: Optional[str] = None
    cache_read_audio_input_usd_per_1m: Optional[str] = None
    long_context_cache_read_input_usd_per_1m: Optional[str] = None
    long_context_cache_write_input_usd_per_1m: Optional[str] = None
    batch_input_usd_per_1m: Optional[str] = None
    batch_output_usd_per_1m: Optional[str] = None
    training_usd_per_1m: Optional[str] = None
    fine_tuned_input_usd_per_1m: Optional[str] = None
    fine_tuned_output_usd_per_1m: Optional[str] = None
    audio_input_usd_per_1m: Optional[str] = None
    audio_output_usd_per_1m: Optional[str] = None
    transcription_usd_per_1m: Optional[str] = None
    cached_audio_input_usd_per_1m: Optional[str] = None
    cached_text_input_usd_per_1m: Optional[str] = None
    cache_hit_usd_per_1m: Optional[str] = None
    output_with_audio_usd_per_1m: Optional[str] = None
    output_with_video_usd_per_1m: Optional[str] = None
    image_input_usd_per_image: Optional[str] = None
    image_output_size: Optional[str] = None
    effective_date: Optional[str] = None
    deprecated_date: Optional[str] = None
    notes: Optional[str] = None
    source_url: Optional[str] = None
    discount_pct: Optional[str] = None
    image_usd_per_image: Optional[str] = None
    prompt_usd_per_1k_discounted: Optional[str] = None
    completion_usd_per_1k_discounted: Optional[str] = None

    @property
    def amounts(self) -> "dict[str, Decimal]":
        """The prices that the gateway names, by field, as numbers to compute with."""
        from meshapi_core.usage import usd

        names = [name for name in self.__struct_fields__ if "usd" in name]
        known = {name: usd(getattr(self, name)) for name in names}
        return {name: amount for name, amount in known.items() if amount is not None}


class ModelInfo(ResponseModel, kw_only=True):
    """A model, its prices and its capabilities.

    Fields:
        id: the model ID, for the `model` of a request.
        model_type: "text", "embedding", "image", "audio" or "video".
        context_length, context_window: in model tokens.
        standard_context_threshold: model tokens from which the long-context prices apply.
        composite_models: the models of which a composite model consists.
        supports_...: None if the gateway does not say.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(bare="id")

    id: str = ""
    name: str = ""
    context_length: Optional[int] = None
    is_free: bool = False
    pricing: Optional[ModelPricing] = None
    description: Optional[str] = None
    supports_thinking: Optional[bool] = None
    supports_completions_api: Optional[bool] = None
    supports_responses_api: Optional[bool] = None
    model_type: Optional[str] = None
    input_modalities: Optional[list[str]] = None
    output_modalities: Optional[list[str]] = None
    brand: Optional[str] = None
    provider: Optional[str] = None
    supports_realtime: Optional[bool] = None
    supports_embeddings: Optional[bool] = None
    supports_tools: Optional[bool] = None
    supports_structured_output: Optional[bool] = None
    supports_system_prompt: Optional[bool] = None
    supports_batching: Optional[bool] = None
    supports_background_response: Optional[bool] = None
    supports_video_generation: Optional[bool] = None
    supports_image_edit: Optional[bool] = None
    supports_image_inpaint: Optional[bool] = None
    supports_image_outpaint: Optional[bool] = None
    supports_image_mix: Optional[bool] = None
    supports_image_reframe: Optional[bool] = None
    supports_image_upscale: Optional[bool] = None
    supports_image_remove_background: Optional[bool] = None
    supports_image_reference: Optional[bool] = None
    context_window: Optional[int] = None
    standard_context_threshold: Optional[int] = None
    realtime_session_max_tokens: Optional[int] = None
    realtime_max_concurrent_per_owner: Optional[int] = None
    is_composite: bool = False
    composite_models: Optional[list[str]] = None


class ListModelsParams(Params, kw_only=True):
    """The parameters of `models.list`; by default, it returns all models.

    Fields:
        free: True for free models only, False for paid models only.
        type: only models of this type.
        provider: only models of this provider, such as "openai" or "vertex".
    """

    free: Optional[bool] = None
    type: Optional[Open[ModelType]] = None
    provider: Optional[str] = None


class ModelSearchParams(Params, kw_only=True):
    """The parameters of `models.search`; none is required.

    Fields:
        q: text to find in the name, the ID or the brand; it need not match exactly.
        free, discounted: True for only the models that are, False for only those that are not.
        input_modality, output_modality: models with any of these.
        brand: models of any of these.
        limit, offset: size of the page, and number of models before it.
    """

    q: Optional[str] = None
    free: Optional[bool] = None
    discounted: Optional[bool] = None
    input_modality: Optional[list[str]] = None
    output_modality: Optional[list[str]] = None
    brand: Optional[list[str]] = None
    sort: Optional[Open[ModelSort]] = None
    order: Optional[Open[SortOrder]] = None
    limit: Optional[int] = None
    offset: Optional[int] = None


class ModelSearchFields(TypedDict, total=False):
    """The fields of `ModelSearchParams` as keyword arguments."""

    q: Optional[str]
    free: Optional[bool]
    discounted: Optional[bool]
    input_modality: Optional[Sequence[str]]
    output_modality: Optional[Sequence[str]]
    brand: Optional[Sequence[str]]
    sort: Optional[Open[ModelSort]]
    order: Optional[Open[SortOrder]]
    limit: Optional[int]
    offset: Optional[int]


class ModelsPage(OpenResponseModel, OffsetPage[ModelInfo], kw_only=True, dict=True):
    """One page of the models that a search found.

    Fields:
        total: number of models on all pages.
        brands: the brands of all models found.
        facets: number of models of each kind, from gateways that count them.
    """

    _decoding_rules: ClassVar[DecodingRules] = DecodingRules(rows="items")

    items: list[ModelInfo] = msgspec.field(default_factory=list)
    total: int = 0
    limit: int = 0
    offset: int = 0
    brands: list[str] = msgspec.field(default_factory=list)
    facets: Optional[Any] = None

    def _rows(self) -> list[ModelInfo]:
        return self.items

    def _repr_html_(self) -> str:
        from meshapi_core.types._html import models_html

        return models_html(self.items, self.total)


class ModelProviders(OpenResponseModel, kw_only=True, dict=True):
    """The providers that serve a model; their form is not documented: see `.raw`."""
