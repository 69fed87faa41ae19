"""Moderations."""

from meshapi_core.types.moderations import (
    ModerationImageUrl,
    ModerationInputItem,
    ModerationParams,
    ModerationResponse,
    ModerationResult,
)
from support.endpoint_rows import Row

_PATH = "/v1/moderations"

ROWS = [
    Row(
        "moderations.create",
        _PATH,
        args=(
            ModerationParams(
                input=[
                    ModerationInputItem(type="text", text="Hello"),
                    ModerationInputItem(
                        type="image_url", image_url=ModerationImageUrl(url="https://x.test/1.png")
                    ),
                ]
            ),
        ),
        json={
            "input": [
                {"type": "text", "text": "Hello"},
                {"type": "image_url", "image_url": {"url": "https://x.test/1.png"}},
            ],
            "model": "omni-moderation-latest",
        },
        response={
            "id": "modr_1",
            "model": "omni-moderation-latest",
            "results": [
                {
                    "flagged": True,
                    "categories": {"violence": True, "hate/threatening": False},
                    "category_scores": {"violence": 1, "hate/threatening": 0.01},
                    "category_applied_input_types": {"violence": ["text"]},
                }
            ],
            "cost": "0",
        },
        value=ModerationResponse(
            id="modr_1",
            model="omni-moderation-latest",
            results=[
                ModerationResult(
                    flagged=True,
                    categories={"violence": True, "hate/threatening": False},
                    category_scores={"violence": 1.0, "hate/threatening": 0.01},
                    category_applied_input_types={"violence": ["text"]},
                )
            ],
            cost="0",
        ),
    ),
    Row(
        "moderations.create",
        _PATH,
        kwargs={"input": ["a", ""], "model": "m"},
        json={"input": ["a", ""], "model": "m"},
        response={"results": [{"flagged": None, "categories": {"new": None}}]},
        value=ModerationResponse(results=[ModerationResult()]),
    ),
]
