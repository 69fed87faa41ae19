"""Programs written for the official package, with nothing changed but address and token.

They make the calls of its overview page and of its page on chat completions; the texts are ours.
"""

import asyncio

import pytest

from meshapi import (
    AsyncMeshAPI,
    ChatCompletionParams,
    ChatMessage,
    MeshAPI,
    MeshAPIError,
    Tool,
    ToolFunction,
)
from meshapi.testing import LocalGateway

TOKEN = "rsk_test_examples"


@pytest.fixture(scope="module")
def url():
    with LocalGateway(token=TOKEN, words_per_second=0) as gateway:
        yield gateway.url


@pytest.fixture
def client(url):
    client = MeshAPI(base_url=url, token=TOKEN)
    yield client
    client.close()


def ask(question: str) -> ChatCompletionParams:
    return ChatCompletionParams(
        model="openai/gpt-4o-mini", messages=[ChatMessage(role="user", content=question)]
    )


def test_the_overview_asks_and_streams(client, capsys):
    resp = client.chat.completions.create(
        ChatCompletionParams(
            model="openai/gpt-4o-mini",
            messages=[ChatMessage(role="user", content="What is 2+2?")],
        )
    )
    print(resp.choices[0].message.content)  # noqa: T201
    for chunk in client.chat.completions.stream(
        ChatCompletionParams(
            model="openai/gpt-4o-mini",
            messages=[ChatMessage(role="user", content="Count to 5.")],
        )
    ):
        if chunk.choices and chunk.choices[0].delta:
            print(chunk.choices[0].delta.content or "", end="", flush=True)  # noqa: T201
    assert capsys.readouterr().out == "2 + 2 = 4.\n1 2 3 4 5"


def test_the_overview_asks_on_asyncio(url, capsys):
    async def main():
        async with AsyncMeshAPI(base_url=url, token=TOKEN) as client:
            resp = await client.chat.completions.create(
                ChatCompletionParams(
                    model="openai/gpt-4o-mini",
                    messages=[ChatMessage(role="user", content="Hello!")],
                )
            )
            print(resp.choices[0].message.content)  # noqa: T201

    asyncio.run(main())
    assert capsys.readouterr().out.strip()


def test_the_overview_catches_one_class_of_errors(client):
    with pytest.raises(MeshAPIError) as caught:
        client.chat.completions.create(
            ChatCompletionParams(
                model="nobody/none", messages=[ChatMessage(role="user", content="hi")]
            )
        )
    error = caught.value
    assert error.status == 404
    assert error.error_code == "model_not_found"
    assert error.request_id.startswith("req_")
    assert error.retry_after_seconds is None


def test_the_overview_says_that_a_dropped_stream_is_an_interruption(client):
    params = ask("Count to 20.")
    params.model = "mesh/broken-stream"
    with pytest.raises(MeshAPIError) as caught:
        for _ in client.chat.completions.stream(params):
            pass
    assert caught.value.error_code == "stream_interrupted"


def test_the_chat_page_sets_options_and_counts_tokens(client):
    response = client.chat.completions.create(
        ChatCompletionParams(
            model="openai/gpt-4o-mini",
            messages=[
                ChatMessage(role="system", content="You are a concise assistant."),
                ChatMessage(role="user", content="What is the capital of France?"),
            ],
            temperature=0.7,
            max_tokens=256,
        )
    )
    assert "Paris" in response.choices[0].message.content
    assert response.usage.total_tokens > 0


def test_the_chat_page_streams_on_both_clients(url, client):
    params = ask("Write a haiku about Python.")

    def join(chunks):
        return "".join(
            chunk.choices[0].delta.content or ""
            for chunk in chunks
            if chunk.choices and chunk.choices[0].delta
        )

    async def main():
        async with AsyncMeshAPI(base_url=url, token=TOKEN) as client:
            return [chunk async for chunk in client.chat.completions.stream(params)]

    text = join(client.chat.completions.stream(params))
    assert text
    assert join(asyncio.run(main())) == text


def test_the_chat_page_streams_a_tool_call(client):
    params = ChatCompletionParams(
        model="openai/gpt-4o",
        messages=[ChatMessage(role="user", content="What is the weather in Paris?")],
        tools=[
            Tool(
                type="function",
                function=ToolFunction(
                    name="get_weather",
                    description="Get current weather for a city",
                    parameters={
                        "type": "object",
                        "properties": {"city": {"type": "string"}},
                        "required": ["city"],
                    },
                ),
            )
        ],
        tool_choice="auto",
    )
    calls, text = [], ""
    for chunk in client.chat.completions.stream(params):
        delta = chunk.choices[0].delta if chunk.choices else None
        if delta and delta.tool_calls:
            calls += delta.tool_calls
        elif delta and delta.content:
            text += delta.content
    assert calls[0].function.name == "get_weather"
    assert "Paris" in "".join(call.function.arguments or "" for call in calls)
    assert text == ""
