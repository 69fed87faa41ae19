"""/v1/router/select of the local gateway."""

from typing import Any

import pytest

from meshapi.gateway.models import CHAT_MODELS, DEFAULT_MODEL, EMBEDDING_MODELS
from meshapi.testing import LocalGateway
from support.gateway_calls import post

PATH = "/v1/router/select"
MESSAGES = [{"role": "user", "content": "Hi"}]


def select(gateway: LocalGateway, **members: Any) -> Any:
    return post(gateway, PATH, {"messages": MESSAGES, **members}).json()


def test_the_choice_is_what_auto_means(gateway: LocalGateway) -> None:
    chosen = select(gateway)
    assert chosen["auto_router"] == {"fallback_used": False, "fallback_reason": None}
    body = {"model": "auto", "messages": MESSAGES}
    assert post(gateway, "/v1/chat/completions", body).json()["model"] == chosen["model"]
    assert select(gateway, api_type="responses") == chosen


def test_embeddings_have_a_choice_of_their_own(gateway: LocalGateway) -> None:
    assert select(gateway, api_type="embeddings")["model"] in EMBEDDING_MODELS


def test_models_can_be_left_out_and_named(gateway: LocalGateway) -> None:
    other = select(gateway, exclude_models=[DEFAULT_MODEL])["model"]
    assert other != DEFAULT_MODEL
    assert other in CHAT_MODELS
    chosen = select(gateway, candidate_models=["openai/o4-mini", "acme/none"])
    assert (chosen["model"], chosen["reasoning_effort"]) == ("openai/o4-mini", "low")


def test_the_default_steps_in_when_no_model_is_left(gateway: LocalGateway) -> None:
    chosen = select(gateway, exclude_models=sorted(CHAT_MODELS))
    assert chosen["model"] == DEFAULT_MODEL
    assert chosen["auto_router"]["fallback_used"] is True
    assert chosen["auto_router"]["fallback_reason"]


@pytest.mark.parametrize(
    ("body", "kind", "where"),
    [
        ({}, "missing", ["messages"]),
        ({"messages": []}, "too_short", ["messages"]),
        ({"messages": MESSAGES, "api_type": "images"}, "literal_error", ["api_type"]),
        ({"messages": MESSAGES, "exclude_models": "a"}, "list_type", ["exclude_models"]),
    ],
)
def test_a_bad_body_is_refused(
    gateway: LocalGateway, body: dict[str, Any], kind: str, where: list[Any]
) -> None:
    assert post(gateway, PATH, body).faults[0] == (kind, ["body", *where])
