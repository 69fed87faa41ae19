"""The catalogue of models."""

from meshapi_core.types._base import ResponseList
from meshapi_core.types.models import (
    ListModelsParams,
    ModelInfo,
    ModelPricing,
    ModelProviders,
    ModelSearchParams,
    ModelsPage,
)
from support.endpoint_rows import Row

MODEL = {
    "id": "openai/gpt-4o-mini",
    "name": "GPT-4o mini",
    "is_free": False,
    "context_length": 128_000,
    "pricing": {"prompt_usd_per_1m": "0.15", "input_usd_per_unit": "0.00000015"},
    "supports_tools": True,
    "new": 1,
}
MINI = ModelInfo(
    id="openai/gpt-4o-mini",
    name="GPT-4o mini",
    context_length=128_000,
    pricing=ModelPricing(prompt_usd_per_1m="0.15", input_usd_per_unit="0.00000015"),
    supports_tools=True,
)

ROWS = [
    Row("models.list", "/v1/models", method="GET", response=[MODEL], value=ResponseList([MINI])),
    Row(
        "models.list",
        "/v1/models",
        method="GET",
        kwargs={"free": False, "type": "embedding", "provider": "a b"},
        query="free=false&type=embedding&provider=a%20b",
        response=None,
        value=ResponseList(),
    ),
    Row(
        "models.list",
        "/v1/models",
        method="GET",
        args=(ListModelsParams(free=True),),
        query="free=true",
        response=[],
        value=ResponseList(),
    ),
    Row(
        "models.free",
        "/v1/models/free",
        method="GET",
        response=[{"id": "a", "name": None, "is_free": True, "pricing": None}],
        value=ResponseList([ModelInfo(id="a", is_free=True)]),
    ),
    Row(
        "models.paid", "/v1/models/paid", method="GET", response=[MODEL], value=ResponseList([MINI])
    ),
    Row(
        "models.search",
        "/v1/models/search",
        method="GET",
        response={"items": [MODEL], "total": 1, "limit": 20, "offset": 0, "brands": ["openai"]},
        value=ModelsPage(items=[MINI], total=1, limit=20, brands=["openai"]),
    ),
    Row(
        "models.search",
        "/v1/models/search",
        method="GET",
        args=(
            ModelSearchParams(
                q="gpt 4&o",
                free=False,
                input_modality=["text", "image"],
                brand=[],
                sort="context_length",
                order="desc",
                offset=0,
            ),
        ),
        query="q=gpt%204%26o&free=false&input_modality=text&input_modality=image"
        "&sort=context_length&order=desc&offset=0",
        response={"items": [], "total": 0, "limit": 20, "offset": 0},
        value=ModelsPage(limit=20),
    ),
    Row(
        "models.search",
        "/v1/models/search",
        method="GET",
        kwargs={"discounted": True, "brand": ("a", "b"), "sort": "price", "limit": 1},
        query="discounted=true&brand=a&brand=b&sort=price&limit=1",
        response={"items": [], "total": 0, "limit": 1, "offset": 0, "facets": {"a": 2}, "new": 1},
        value=ModelsPage(limit=1, facets={"a": 2}, new=1),
    ),
    Row(
        "models.get",
        "/v1/models/openai/gpt-4o-mini",
        method="GET",
        args=("openai/gpt-4o-mini",),
        response=MODEL,
        value=MINI,
    ),
    Row(
        "models.get",
        "/v1/models/a%3Fb/c%20d%23",
        method="GET",
        kwargs={"model_id": "a?b/c d#"},
        response=MODEL,
        value=MINI,
    ),
    Row(
        "models.providers",
        "/v1/models/openai/gpt-4o-mini/providers",
        method="GET",
        args=("openai/gpt-4o-mini",),
        response={"providers": [{"name": "openai"}]},
        value=ModelProviders(providers=[{"name": "openai"}]),
    ),
    Row(
        "models.providers",
        "/v1/models/m/providers",
        method="GET",
        args=("m",),
        response=[{"name": "openai"}],
        value=ModelProviders(),
    ),
]
