"""Batches."""

from meshapi_core.types.batches import (
    BatchListResponse,
    BatchObject,
    BatchRequestItem,
    CreateBatchParams,
)
from support.endpoint_rows import Row

BATCH = {
    "id": "batch_1",
    "object": "batch",
    "status": "validating",
    "created_at": 1_780_000_000,
    "request_counts": {"total": 2, "completed": 0, "failed": 0},
    "metadata": None,
    "cost": {"usd": "0.1"},
}
VALUE = BatchObject(
    id="batch_1",
    object="batch",
    status="validating",
    created_at=1_780_000_000,
    request_counts={"total": 2, "completed": 0, "failed": 0},
    cost={"usd": "0.1"},
)
ITEM = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m"}}

ROWS = [
    Row(
        "batches.create",
        "/v1/batches",
        args=(
            CreateBatchParams(
                requests=[BatchRequestItem(custom_id="1", body={"model": "m"})],
                metadata={"team": None},
            ),
        ),
        json={"requests": [ITEM], "metadata": {"team": None}},
        response=BATCH,
        value=VALUE,
    ),
    Row(
        "batches.create",
        "/v1/batches",
        kwargs={
            "requests": [
                {"custom_id": "1", "body": {"model": "m"}},
                {"custom_id": "2", "body": {}, "url": "/v1/embeddings", "new": [0]},
                BatchRequestItem(custom_id="3", body={}),
            ],
            "completion_window": "24h",
        },
        json={
            "requests": [
                ITEM,
                {
                    "custom_id": "2",
                    "method": "POST",
                    "url": "/v1/embeddings",
                    "body": {},
                    "new": [0],
                },
                {"custom_id": "3", "method": "POST", "url": "/v1/chat/completions", "body": {}},
            ],
            "completion_window": "24h",
        },
        response=BATCH,
        value=VALUE,
    ),
    Row(
        "batches.create",
        "/v1/batches",
        args=(
            CreateBatchParams(
                input_file_id="file-1", endpoint="/v1/chat/completions", completion_window="24h"
            ),
        ),
        json={
            "input_file_id": "file-1",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        },
        response=BATCH,
        value=VALUE,
    ),
    Row(
        "batches.list",
        "/v1/batches",
        method="GET",
        response={
            "object": "list",
            "data": [BATCH, None],
            "has_more": False,
            "first_id": "batch_1",
        },
        value=BatchListResponse(object="list", data=[VALUE], first_id="batch_1"),
    ),
    Row(
        "batches.list",
        "/v1/batches",
        method="GET",
        kwargs={"after": "batch/1 2", "limit": 0},
        query="after=batch%2F1%202&limit=0",
        response={"object": "list", "data": [], "has_more": True, "pages": 3},
        value=BatchListResponse(object="list", has_more=True, pages=3),
    ),
    Row(
        "batches.get",
        "/v1/batches/batch_1",
        method="GET",
        args=("batch_1",),
        response=BATCH,
        value=VALUE,
    ),
    Row(
        "batches.cancel",
        "/v1/batches/batch%2F1/cancel",
        kwargs={"batch_id": "batch/1"},
        json={},
        response=BATCH,
        value=VALUE,
    ),
]
