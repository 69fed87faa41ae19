"""Programs written for the official 0.1.0, 0.1.3 and 0.1.4, with nothing changed in them.

They make the calls of the README of each version; the texts are ours. `test_official_examples.py`
has those of the pages on the web, `cases/` what programs do with 0.1.11.
"""

import asyncio
import json

import pytest
from interop.questions import TOKEN, ask

import meshapi
from meshapi import (
    AsyncMeshAPI,
    ChatCompletionChunk,
    ChatCompletionParams,
    ChatCompletionResponse,
    ChatMessage,
    CompareParams,
    CompareStreamEvent,
    CreateTemplateParams,
    EmbeddingsParams,
    EmbeddingsResponse,
    MeshAPI,
    MeshAPIConfig,
    MeshAPIError,
    ModelInfo,
    ModelPricing,
    ResponsesParams,
    ResponsesResponse,
    TemplateSummary,
    Tool,
    ToolFunction,
    UpdateTemplateParams,
)


def test_a_client_is_configured_by_keywords(url):
    client = MeshAPI(base_url=url, token=TOKEN, timeout=60.0, max_retries=3, httpx_client=None)
    assert client.chat.completions.create(ask("What is 2+2?")).choices
    client.close()

    async def main():
        client = AsyncMeshAPI(base_url=url, token=TOKEN, max_retries=0, async_httpx_client=None)
        response = await client.chat.completions.create(ask("What is 2+2?"))
        await client.aclose()
        return response.choices

    assert asyncio.run(main())


def test_each_realm_has_a_client_of_its_own(url):
    control = MeshAPI(base_url=url, token=TOKEN)
    control.templates.create(
        CreateTemplateParams(
            name="support-agent",
            system="You are a support agent for {{company}}. Be concise and friendly.",
            model="openai/gpt-4o-mini",
            variables=["company"],
        )
    )
    client = MeshAPI(base_url=url, token=TOKEN)
    response = client.chat.completions.create(
        ChatCompletionParams(
            messages=[ChatMessage(role="user", content="How do I reset my password?")],
            template="support-agent",
            variables={"company": "Acme Corp"},
        )
    )
    assert response.choices[0].message.content
    control.close()
    client.close()


def test_a_response_has_its_text_and_its_tokens(client):
    response = client.chat.completions.create(
        ChatCompletionParams(
            model="anthropic/claude-sonnet-4.5",
            messages=[
                ChatMessage(role="system", content="You are a concise assistant."),
                ChatMessage(role="user", content="What is the capital of France?"),
            ],
            temperature=0.7,
            max_tokens=256,
        )
    )
    assert isinstance(response, ChatCompletionResponse)
    assert "Paris" in response.choices[0].message.content
    assert f"Tokens: {response.usage.total_tokens}" != "Tokens: 0"


def test_chunks_are_joined(url, client):
    params = ask("Write a haiku about Python.")
    text = ""
    for chunk in client.chat.completions.stream(params):
        assert isinstance(chunk, ChatCompletionChunk)
        if chunk.choices and chunk.choices[0].delta:
            text += chunk.choices[0].delta.content or ""

    async def main():
        text = ""
        async with AsyncMeshAPI(base_url=url, token=TOKEN) as client:
            async for chunk in client.chat.completions.stream(params):
                if chunk.choices and chunk.choices[0].delta:
                    text += chunk.choices[0].delta.content or ""
        return text

    assert text
    assert asyncio.run(main()) == text


def test_a_tool_is_called_and_its_result_is_sent_back(client):
    tool = Tool(
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
    messages = [ChatMessage(role="user", content="What is the weather in Paris?")]
    params = ChatCompletionParams(
        model="openai/gpt-4o", messages=messages, tools=[tool], tool_choice="auto"
    )
    message = client.chat.completions.create(params).choices[0].message
    (call,) = message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Paris"}
    messages += [
        ChatMessage(role=message.role, content=message.content, tool_calls=message.tool_calls),
        ChatMessage(role="tool", tool_call_id=call.id, content="21 degrees"),
    ]
    response = client.chat.completions.create(params.model_copy(update={"messages": messages}))
    assert "21 degrees" in response.choices[0].message.content


def test_a_reasoning_model_answers_and_streams(client):
    params = ResponsesParams(
        model="openai/o4-mini",
        input="Explain the halting problem in two sentences.",
        reasoning={"effort": "medium"},
        max_output_tokens=512,
    )
    response = client.responses.create(params)
    assert isinstance(response, ResponsesResponse)
    assert "message" in [item["type"] for item in response.output]
    kinds = [event.type for event in client.responses.stream(params)]
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"


def test_texts_become_vectors(client):
    result = client.embeddings.create(
        EmbeddingsParams(
            model="openai/text-embedding-3-small", input=["hello world", "goodbye world"]
        )
    )
    assert isinstance(result, EmbeddingsResponse)
    assert [len(item.embedding) for item in result.data] == [1536, 1536]


def test_models_are_compared_in_a_stream(client):
    stream = client.compare.stream(
        CompareParams(
            models=[
                "openai/gpt-4o-mini",
                "anthropic/claude-sonnet-4.5",
                "google/gemini-2.5-flash",
            ],
            messages=[ChatMessage(role="user", content="What is 2+2?")],
            stream=True,
        )
    )
    seen = []
    for event in stream:
        assert isinstance(event, CompareStreamEvent)
        # No event has this name; programs ask for it all the same.
        if event.event == "delta":
            seen.append(event.data)
        if event.event == "model_chunk":
            seen.append((event.model, event.data["delta"]))
    assert sorted(model for model, _ in seen) == [
        "anthropic/claude-sonnet-4.5",
        "google/gemini-2.5-flash",
        "openai/gpt-4o-mini",
    ]
    assert {text for _, text in seen} == {"2 + 2 = 4."}


def test_models_are_compared_by_another_one(client):
    result = client.compare.create(
        CompareParams(
            models=["openai/gpt-4o-mini", "anthropic/claude-sonnet-4.5"],
            messages=[ChatMessage(role="user", content="Count to 3.")],
            comparison_model="openai/gpt-4o",
        )
    )
    assert [entry.content for entry in result.results] == ["1 2 3", "1 2 3"]
    assert result.comparison_model == "openai/gpt-4o"
    assert result.comparison


def test_models_have_prices(client):
    all_models = client.models.list()
    free, paid = client.models.free(), client.models.paid()
    assert all(isinstance(model, ModelInfo) for model in all_models)
    assert {model.id for model in free} | {model.id for model in paid} == {
        model.id for model in all_models
    }
    assert all(model.is_free for model in free)
    for model in paid[:5]:
        assert isinstance(model.pricing, ModelPricing)
        line = (
            f"{model.id}: prompt ${model.pricing.prompt_usd_per_1k}/1k, "
            f"completion ${model.pricing.completion_usd_per_1k}/1k"
        )
        assert "None" not in line


def test_templates_are_managed(client):
    made = client.templates.create(CreateTemplateParams(name="greeting", system="Say hello."))
    assert isinstance(made, TemplateSummary)
    template_id = made.id
    assert [template.id for template in client.templates.list()] == [template_id]
    assert client.templates.get(template_id).name == "greeting"
    client.templates.update(template_id, UpdateTemplateParams(model="openai/gpt-4o"))
    assert client.templates.get(template_id).model == "openai/gpt-4o"
    assert client.templates.delete(template_id) is None
    assert client.templates.list() == []


@pytest.mark.parametrize(
    ("model", "token", "code", "status"),
    [
        ("mesh/rate-limited", TOKEN, "rate_limit_exceeded", 429),
        ("openai/gpt-4o-mini", "rsk_test_wrong", "unauthorized", 401),
        ("nobody/none", TOKEN, "model_not_found", 404),
    ],
)
def test_errors_are_told_apart_by_their_codes(url, model, token, code, status):
    client = MeshAPI(base_url=url, token=token, max_retries=0, timeout=30.0)
    params = ask("hello").model_copy(update={"model": model})
    try:
        client.chat.completions.create(params)
    except MeshAPIError as e:
        line = f"[{e.status}] {e.error_code}: {e}"
        assert e.request_id.startswith("req_")
        assert (e.retry_after_seconds == 1) is (e.error_code == "rate_limit_exceeded")
        assert e.provider_error is None
        assert e.details == []
    assert line.startswith(f"[{status}] {code}: ")
    client.close()


def test_an_invalid_request_says_what_is_invalid(client):
    with pytest.raises(MeshAPIError) as caught:
        client.chat.completions.create(ask("hello").model_copy(update={"messages": []}))
    assert caught.value.error_code == "validation_error"
    assert caught.value.details[0]["loc"] == ["body", "messages"]


def test_a_broken_stream_is_begun_again(client):
    broken = ask("Count to 20.").model_copy(update={"model": "mesh/broken-stream"})
    texts: list[str] = []

    def process(params: ChatCompletionParams) -> None:
        texts.append("")
        for chunk in client.chat.completions.stream(params):
            if chunk.choices:
                texts[-1] += chunk.choices[0].delta.content or ""

    try:
        process(broken)
    except MeshAPIError as e:
        assert e.error_code == "stream_interrupted"
        process(ask("Count to 20."))
    assert len(texts) == 2
    assert texts[1].startswith(texts[0])
    assert texts[1].endswith(" 20")


def test_the_version_is_a_text():
    assert meshapi.__version__[0].isdigit()


def test_a_config_shows_no_token():
    config = MeshAPIConfig(base_url="http://127.0.0.1:1", token=TOKEN)
    assert TOKEN not in repr(config)
