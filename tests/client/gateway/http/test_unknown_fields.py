"""The bodies of requests may have no unknown fields."""

from typing import Any

import pytest

from meshapi.testing import LocalGateway
from support.gateway_calls import call, post

CHAT = [{"role": "user", "content": "Hi"}]
VIDEO = {"model": "google/veo-3.0-generate", "content": [{"type": "text", "text": "A cat"}]}
BODIES: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"messages": CHAT}),
    ("/v1/chat/compare", {"messages": CHAT, "models": ["openai/gpt-4o"]}),
    ("/v1/responses", {"input": "Hi"}),
    ("/v1/embeddings", {"input": "Hi"}),
    ("/v1/images/generations", {"prompt": "A cat"}),
    ("/v1/images/edits", {"model": "openai/gpt-image-1", "image": "AAAA"}),
    ("/v1/video/generations", VIDEO),
    ("/v1/audio/speech", {"input": "Hi"}),
    ("/v1/templates", {"name": "t"}),
    ("/v1/batches", {"requests": [{"custom_id": "a", "body": {"messages": CHAT}}]}),
    ("/v1/files", {"file_name": "a", "mime_type": "text/plain"}),
    ("/v1/files", {"requests": [{"custom_id": "a", "body": {"messages": CHAT}}]}),
    ("/v1/files/embed", {"file_ids": ["a"]}),
    ("/v1/files/search", {"query": "a"}),
    ("/v1/moderations", {"input": "Hi"}),
    ("/v1/web/search", {"query": "Hi"}),
    ("/v1/router/select", {"messages": CHAT}),
    ("/v1/documents/generate", {"format": "csv", "prompt": "Hi"}),
]


@pytest.mark.parametrize(("path", "body"), BODIES)
def test_an_unknown_field_of_a_body_is_a_fault(
    gateway: LocalGateway, path: str, body: dict[str, Any]
) -> None:
    assert post(gateway, path, body).status in (200, 201)
    fault = ("extra_forbidden", ["body", "frobnicate"])
    assert post(gateway, path, {**body, "frobnicate": None}).faults == [fault]


def test_an_unknown_field_of_a_row_is_a_fault(gateway: LocalGateway) -> None:
    row = {"custom_id": "a", "body": {"messages": CHAT}, "frobnicate": 1}
    at = ["body", "requests", 0, "frobnicate"]
    assert post(gateway, "/v1/batches", {"requests": [row]}).faults == [("extra_forbidden", at)]
    content = [{"type": "text", "text": "A cat", "frobnicate": 1}]
    at = ["body", "content", 0, "frobnicate"]
    made = post(gateway, "/v1/video/generations", {**VIDEO, "content": content})
    assert made.faults == [("extra_forbidden", at)]


def test_an_unknown_field_of_an_update_is_a_fault(gateway: LocalGateway) -> None:
    made = post(gateway, "/v1/templates", {"name": "t"}).json()
    update = call(gateway, "PATCH", f"/v1/templates/{made['id']}", {"frobnicate": 1})
    assert update.faults == [("extra_forbidden", ["body", "frobnicate"])]


def test_an_unknown_field_inside_a_message_is_ignored(gateway: LocalGateway) -> None:
    body = {"messages": [{**CHAT[0], "frobnicate": 1}]}
    assert post(gateway, "/v1/chat/completions", body).status == 200
