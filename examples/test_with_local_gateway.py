"""Test your own program: its calls go to a gateway on this machine.

    pytest test_with_local_gateway.py        # needs pytest, and the extra `gateway` of meshapi

Copy it to a folder of your own first: in a checkout of meshapi, pytest would take the settings of
that project.

Nothing is mocked: the requests cross a real socket, and the local gateway checks them as the
service does. `python -m pydoc meshapi.testing` lists its answers, and the models that fail.
"""

from collections.abc import Iterator

import pytest

from meshapi import MeshAPI, RateLimitError
from meshapi.testing import LocalGateway


# The code under test: a function of yours that takes a client.
def capital_of(client: MeshAPI, country: str, model: str = "openai/gpt-4o-mini") -> str:
    question = f"What is the capital of {country}?"
    try:
        response = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": question}]
        )
    except RateLimitError:
        return "unknown"
    return response.text.rpartition(" ")[2].rstrip(".")


@pytest.fixture(scope="session")
def shared_gateway() -> Iterator[LocalGateway]:
    with LocalGateway(words_per_second=0) as gateway:
        yield gateway


@pytest.fixture
def gateway(shared_gateway: LocalGateway) -> LocalGateway:
    shared_gateway.reset()  # Forget what other tests asked.
    return shared_gateway


@pytest.fixture
def client(gateway: LocalGateway) -> Iterator[MeshAPI]:
    with MeshAPI(base_url=gateway.url, token=gateway.token, max_retries=0) as client:
        yield client


def test_the_capital_is_the_last_word(client: MeshAPI) -> None:
    assert capital_of(client, "France") == "Paris"


def test_the_question_is_asked_once(client: MeshAPI, gateway: LocalGateway) -> None:
    capital_of(client, "Japan")
    [request] = gateway.requests
    assert request.path == "/v1/chat/completions"
    assert request.json()["messages"][0]["content"] == "What is the capital of Japan?"


def test_a_rate_limit_is_no_failure(client: MeshAPI) -> None:
    assert capital_of(client, "France", model="mesh/rate-limited") == "unknown"
