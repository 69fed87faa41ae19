"""openai-python's own client sees a scripted gateway as ours does."""

from collections.abc import Iterator
from typing import Any

import pytest

from meshapi.testing import (
    LocalGateway,
    broken_stream,
    error_in_stream,
    reply,
    tool_call,
)

openai = pytest.importorskip("openai", reason="needs the extra `interop`")

TOKEN = "rsk_test_openai"
QUESTION: Any = [{"role": "user", "content": "How is the weather?"}]


@pytest.fixture(scope="module")
def running() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as gateway:
        yield gateway


@pytest.fixture
def gateway(running: LocalGateway) -> Iterator[LocalGateway]:
    running.reset()
    yield running
    running.assert_all_used()


@pytest.fixture
def client(gateway: LocalGateway) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=TOKEN, max_retries=0) as client:
        yield client


def test_a_tool_call_and_what_was_sent(client: Any, gateway: LocalGateway) -> None:
    gateway.on("weather", reply(tool_calls=[tool_call("get_weather", {"city": "Rome"})]))
    response = client.chat.completions.create(model="my/model", messages=QUESTION)
    (called,) = response.choices[0].message.tool_calls
    assert (called.function.name, called.function.arguments) == ("get_weather", '{"city": "Rome"}')
    assert response.choices[0].finish_reason == "tool_calls"
    assert gateway.last_request.messages == QUESTION
    assert gateway.last_request.model == "my/model"


def test_the_chunks_of_a_stream(client: Any, gateway: LocalGateway) -> None:
    gateway.on("weather", reply(chunks=["Su", "nny."], usage={"prompt_tokens": 3}))
    chunks = list(client.chat.completions.create(model="m", messages=QUESTION, stream=True))
    said = [choice.delta.content for chunk in chunks for choice in chunk.choices]
    assert [text for text in said if text] == ["Su", "nny."]
    assert chunks[-1].usage.prompt_tokens == 3


def test_a_response_and_its_events(client: Any, gateway: LocalGateway) -> None:
    gateway.on("weather", reply(chunks=["Su", "nny."]))
    assert client.responses.create(model="m", input="weather?").output_text == "Sunny."
    events = list(client.responses.create(model="m", input="weather?", stream=True))
    said = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert said == ["Su", "nny."]
    assert events[-1].response.output_text == "Sunny."


def test_structured_output_and_embeddings(client: Any, gateway: LocalGateway) -> None:
    gateway.on("weather", reply(json={"sky": "clear"}))
    gateway.on("vector", reply(embedding=[0.5, 1.0]))
    response = client.chat.completions.create(model="m", messages=QUESTION)
    assert response.choices[0].message.content == '{"sky": "clear"}'
    embedded = client.embeddings.create(model="m", input="vector")
    assert embedded.data[0].embedding == [0.5, 1.0]


def test_a_rate_limit_is_retried(client: Any, gateway: LocalGateway) -> None:
    gateway.on("weather", "Sunny.")
    gateway.next_error(429, retry_after=0.001)
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="m", messages=QUESTION)
    assert caught.value.response.headers["retry-after-ms"] == "1"
    gateway.next_error(429, retry_after=0.001)
    patient = client.with_options(max_retries=1)
    response = patient.chat.completions.create(model="m", messages=QUESTION)
    assert response.choices[0].message.content == "Sunny."


def test_streams_that_break_off(client: Any, gateway: LocalGateway) -> None:
    gateway.next_response(broken_stream("one two"), error_in_stream("one two", message="Gone."))
    stream = client.chat.completions.create(model="m", messages=QUESTION, stream=True)
    with pytest.raises(Exception, match=r"incomplete chunked read|peer closed|Connection error"):
        list(stream)
    stream = client.chat.completions.create(model="m", messages=QUESTION, stream=True)
    with pytest.raises(openai.APIError, match="Gone"):
        list(stream)


def test_a_request_without_a_script_is_not_retried() -> None:
    def broken(request: Any) -> Any:
        raise LookupError(request.model)

    with LocalGateway(token=TOKEN, strict=True) as gateway:
        client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=TOKEN, max_retries=2)
        with pytest.raises(openai.InternalServerError) as caught:
            client.chat.completions.create(model="m", messages=QUESTION)
        assert (caught.value.status_code, caught.value.code) == (501, "not_scripted")
        assert len(gateway.requests) == 1
        gateway.on("weather", broken)
        with pytest.raises(openai.InternalServerError) as caught:
            client.chat.completions.create(model="m", messages=QUESTION)
        assert caught.value.code == "script_failed"
        assert len(gateway.requests) == 2
