"""Embeddings."""

from meshapi_core.types.chat import ProviderPreferences
from meshapi_core.types.embeddings import (
    EmbeddingItem,
    EmbeddingsParams,
    EmbeddingsResponse,
    EmbeddingsUsage,
    ImageEmbeddingUrl,
    MultimodalEmbeddingInput,
    VideoEmbeddingUrl,
)
from support.endpoint_rows import Row

_PATH = "/v1/embeddings"

ROWS = [
    Row(
        "embeddings.create",
        _PATH,
        args=(
            EmbeddingsParams(
                model="openai/text-embedding-3-small",
                input=["Hello", "w\u00f6rld"],
                dimensions=1,
                encoding_format="float",
                provider=ProviderPreferences(order=["openai"], allow_fallbacks=False),
                user="",
            ),
        ),
        json={
            "model": "openai/text-embedding-3-small",
            "input": ["Hello", "w\u00f6rld"],
            "dimensions": 1,
            "encoding_format": "float",
            "provider": {"order": ["openai"], "allow_fallbacks": False},
            "user": "",
        },
        response={
            "object": "list",
            "data": [
                {"object": "embedding", "index": 0, "embedding": [0.5, -1, 1e-9]},
                {"object": "embedding", "index": 1, "embedding": []},
            ],
            "model": "openai/text-embedding-3-small",
            "usage": {"prompt_tokens": 2, "total_tokens": 2},
        },
        value=EmbeddingsResponse(
            object="list",
            data=[
                EmbeddingItem(object="embedding", index=0, embedding=[0.5, -1.0, 1e-9]),
                EmbeddingItem(object="embedding", index=1, embedding=[]),
            ],
            model="openai/text-embedding-3-small",
            usage=EmbeddingsUsage(prompt_tokens=2, total_tokens=2),
        ),
    ),
    Row(
        "embeddings.create",
        _PATH,
        kwargs={
            "params": EmbeddingsParams(
                model="m",
                input=[
                    MultimodalEmbeddingInput(type="text", text="a cat"),
                    MultimodalEmbeddingInput(
                        type="image_url", image_url=ImageEmbeddingUrl(url="https://x.test/c.png")
                    ),
                    MultimodalEmbeddingInput(
                        type="video_url", video_url=VideoEmbeddingUrl(url="data:video/mp4;base64,")
                    ),
                ],
                instructions="Look at the cat.",
                sparse_embedding={"type": None},
            )
        },
        json={
            "model": "m",
            "input": [
                {"type": "text", "text": "a cat"},
                {"type": "image_url", "image_url": {"url": "https://x.test/c.png"}},
                {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,"}},
            ],
            "instructions": "Look at the cat.",
            "sparse_embedding": {"type": None},
        },
        response={
            "data": [{"embedding": [1]}],
            "usage": {"byok_used": True, "fallback_triggered": False},
        },
        value=EmbeddingsResponse(
            data=[EmbeddingItem(embedding=[1.0])],
            usage=EmbeddingsUsage(byok_used=True, fallback_triggered=False),
        ),
    ),
    Row(
        "embeddings.create",
        _PATH,
        kwargs={
            "input": [[0, 1], (2,)],
            "encoding_format": "base64",
            "provider": {"order": [], "new": 0},
            "model": None,
        },
        json={
            "input": [[0, 1], [2]],
            "encoding_format": "base64",
            "provider": {"order": [], "new": 0},
        },
        response={"data": [{"index": 0, "embedding": "AACAPw=="}], "usage": None},
        value=EmbeddingsResponse(data=[EmbeddingItem(embedding="AACAPw==")]),
    ),
]
