"""A scripted gateway, as our client sees it on every flavour, and as it goes over the wire."""

import base64
import json
import re
import struct
from typing import Any

import pytest

from meshapi import (
    APIConnectionError,
    APIStatusError,
    InternalServerError,
    RateLimitError,
    StreamInterruptedError,
)
from meshapi.testing import (
    LocalGateway,
    RecordedRequest,
    Reply,
    broken_stream,
    cut,
    error,
    error_in_stream,
    reply,
    slow,
    stall,
    tool_call,
)
from support.chat_calls import ask, complete, text_of
from support.flavours import World, on_every_flavour
from support.gateway_calls import call, get, post

QUESTION = [{"role": "user", "content": "How is the weather?"}]


def client_of(world: World, gateway: LocalGateway, **options: Any) -> Any:
    return world.client(gateway.url, token=gateway.token, **options)


@on_every_flavour
async def test_a_canned_tool_call_and_what_comes_after_it(
    world: World, gateway: LocalGateway
) -> None:
    gateway.on("weather", reply(tool_calls=[tool_call("get_weather", {"city": "Paris"})]), "Sunny.")
    async with client_of(world, gateway) as client:
        first = await client.chat.completions.create(messages=QUESTION)
        (called,) = first.choices[0].message.tool_calls
        assert (called.function.name, called.function.arguments) == (
            "get_weather",
            '{"city": "Paris"}',
        )
        assert first.choices[0].finish_reason == "tool_calls"
        result = {"role": "tool", "tool_call_id": called.id, "content": "22"}
        messages = [*QUESTION, first.choices[0].message, result]
        second = await client.chat.completions.create(messages=messages)
    assert second.choices[0].message.content == "Sunny."
    assert gateway.last_request.messages[-1]["content"] == "22"
    gateway.assert_all_used()


@on_every_flavour
async def test_the_next_error_is_retried(world: World, gateway: LocalGateway) -> None:
    gateway.next_error(429, retry_after=0.001)
    gateway.on("weather", "Sunny.")
    async with client_of(world, gateway) as client:
        response = await client.chat.completions.create(messages=QUESTION)
        assert response.meta.attempts == 2
        assert response.choices[0].message.content == "Sunny."
        gateway.next_error(429, "spent", "Too much.", retry_after=0.001, count=3)
        with pytest.raises(RateLimitError) as caught:
            await client.chat.completions.create(messages=QUESTION)
    assert (caught.value.error_code, caught.value.message) == ("spent", "Too much.")
    assert len(gateway.requests) == 5


@on_every_flavour
async def test_a_stream_breaks_off_for_any_model(world: World, gateway: LocalGateway) -> None:
    gateway.on(broken_stream("one two three four"), model="anybody/their-model")
    texts: list[str] = []
    async with client_of(world, gateway) as client:
        with pytest.raises(StreamInterruptedError):
            async with client.chat.completions.stream(
                messages=QUESTION, model="anybody/their-model"
            ) as stream:
                async for chunk in stream:
                    texts += [choice.delta.content or "" for choice in chunk.choices]
    assert "".join(texts) == "one two"


@on_every_flavour
async def test_the_same_script_is_whole_and_streamed_and_a_response_with_its_events(
    world: World, gateway: LocalGateway
) -> None:
    gateway.on("weather", reply(chunks=["Su", "nny."], usage={"prompt_tokens": 7}))
    async with client_of(world, gateway) as client:
        whole = await client.chat.completions.create(messages=QUESTION)
        async with client.chat.completions.stream(messages=QUESTION) as stream:
            chunks = [chunk async for chunk in stream]
        answer = await client.responses.create(input="weather?")
        async with client.responses.stream(input="weather?") as stream:
            events = [event async for event in stream]
    assert whole.choices[0].message.content == "Sunny."
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (7, 1)
    deltas = [choice.delta.content for chunk in chunks for choice in chunk.choices]
    assert [delta for delta in deltas if delta] == ["Su", "nny."]
    assert chunks[-1].usage == whole.usage
    assert answer.output_text == "Sunny."
    assert answer.usage.input_tokens == 7
    said = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert said == ["Su", "nny."]
    assert events[-1].response["output"][0]["content"][0]["text"] == "Sunny."


@on_every_flavour
async def test_a_request_that_is_not_scripted_is_an_error_that_is_not_retried(
    world: World, gateway: LocalGateway
) -> None:
    gateway.on("sport", "Football.")
    gateway.strict = True
    try:
        async with client_of(world, gateway) as client:
            with pytest.raises(InternalServerError) as caught:
                await client.chat.completions.create(messages=QUESTION)
    finally:
        gateway.strict = False
    assert (caught.value.status, caught.value.error_code) == (501, "not_scripted")
    assert "test_scripted.py:" in str(caught.value)
    assert len(gateway.requests) == 1
    with pytest.raises(AssertionError, match="How is the weather"):
        gateway.assert_all_used()


def test_what_was_not_used_is_named_with_the_line_where_it_was_added(
    gateway: LocalGateway,
) -> None:
    line = test_what_was_not_used_is_named_with_the_line_where_it_was_added.__code__.co_firstlineno
    gateway.on("never", "a")
    twice = gateway.on("Hi", "a", times=2)
    assert text_of(complete(gateway, ask("Hi"))) == "a"
    assert twice.used == 1
    with pytest.raises(AssertionError) as caught:
        gateway.assert_all_used()
    assert str(caught.value) == (
        "these scripts were not used up:\n"
        f"  test_scripted.py:{line + 4}: 'never': never used\n"
        f"  test_scripted.py:{line + 5}: 'Hi': used 1 of 2 times"
    )
    gateway.reset()
    gateway.assert_all_used()


def test_a_function_of_the_request_decides(gateway: LocalGateway) -> None:
    def respond(request: RecordedRequest) -> Reply:
        return reply(f"{request.model}: {len(request.messages)} message")

    gateway.on(respond, model="openai/gpt-4o")
    assert text_of(complete(gateway, ask("Hi", model="openai/gpt-4o"))) == (
        "openai/gpt-4o: 1 message"
    )
    assert text_of(complete(gateway, ask("Repeat: me", model="openai/gpt-4o-mini"))) == "me"


def test_patterns_paths_methods_and_predicates_are_conditions(gateway: LocalGateway) -> None:
    gateway.on(re.compile(r"^\d+$"), "A number.")
    gateway.on({"object": "list", "data": []}, path="/v1/models", method="GET")
    gateway.on(reply("Tom."), where=lambda request: request.headers.get("x-user") == "tom")
    assert text_of(complete(gateway, ask("12"))) == "A number."
    assert text_of(complete(gateway, ask("Who?"), x_user="tom")) == "Tom."
    assert text_of(complete(gateway, ask("Repeat: x"))) == "x"
    assert get(gateway, "/v1/models").json() == {"object": "list", "data": []}


def test_a_reply_may_be_a_refusal_json_or_cut_short_and_have_headers(
    gateway: LocalGateway,
) -> None:
    gateway.on("bomb", reply(refusal="No."))
    gateway.on("json", reply(json={"city": "Paris"}, headers={"X-Mine": "1"}))
    gateway.on("long", reply("Once upon", finish_reason="length"))
    refused = complete(gateway, ask("bomb")).json()["choices"][0]
    assert (refused["message"]["refusal"], refused["message"]["content"]) == ("No.", None)
    made = complete(gateway, ask("json", response_format={"type": "json_object"}))
    assert json.loads(text_of(made)) == {"city": "Paris"}
    assert made.headers["x-mine"] == "1"
    assert complete(gateway, ask("long")).json()["choices"][0]["finish_reason"] == "length"
    response = post(gateway, "/v1/responses", {"input": "long"}).json()
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}


def test_a_reply_may_have_text_and_calls(gateway: LocalGateway) -> None:
    gateway.on("both", reply("Wait.", tool_calls=[tool_call("f"), tool_call("g")]))
    message = complete(gateway, ask("both")).json()["choices"][0]["message"]
    assert message["content"] == "Wait."
    assert [one["function"]["name"] for one in message["tool_calls"]] == ["f", "g"]
    output = post(gateway, "/v1/responses", {"input": "both"}).json()["output"]
    assert [item["type"] for item in output] == ["message", "function_call", "function_call"]


def test_only_the_usage_of_the_own_answer_is_scripted(gateway: LocalGateway) -> None:
    gateway.on(reply(usage={"prompt_tokens": 1_000_000, "completion_tokens": 0}))
    response = complete(gateway, ask("Repeat: me", model="openai/gpt-4o-mini"))
    assert text_of(response) == "me"
    assert response.json()["usage"]["total_tokens"] == 1_000_000
    assert response.json()["cost"] == "0.1500000"


def test_a_model_that_the_gateway_does_not_know_can_be_scripted(gateway: LocalGateway) -> None:
    gateway.on(reply("Mine."), model="mine/best")
    gateway.on(reply(embedding=[0.5]), model="mine/embed")
    response = complete(gateway, ask("Hi", model="mine/best"))
    assert (text_of(response), response.json()["model"]) == ("Mine.", "mine/best")
    made = post(gateway, "/v1/embeddings", {"input": "a", "model": "mine/embed"}).json()
    assert made["model"] == "mine/embed"
    assert complete(gateway, ask("Hi", model="mine/other")).code == (404, "model_not_found")


def test_an_embedding_is_a_vector_or_that_of_a_text(gateway: LocalGateway) -> None:
    gateway.on("cat", reply(embedding=[1.0, 0.5]))
    gateway.on("kitten", "animal", times=1)
    gateway.on("puppy", "animal")
    embedded = {
        word: post(gateway, "/v1/embeddings", {"input": word}).json()["data"][0]["embedding"]
        for word in ("cat", "kitten", "puppy", "animal")
    }
    assert embedded["cat"] == [1.0, 0.5]
    assert embedded["kitten"] == embedded["puppy"] == embedded["animal"]
    encoded = {"input": "cat", "encoding_format": "base64"}
    data = post(gateway, "/v1/embeddings", encoded).json()["data"][0]["embedding"]
    assert struct.unpack("<2f", base64.b64decode(data)) == (1.0, 0.5)


def test_a_transcript_and_an_answer_of_a_search_are_texts(gateway: LocalGateway) -> None:
    gateway.on(reply("Hello."), path="/v1/audio/transcriptions")
    gateway.on("cats", "Many.")
    form = (
        b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nopenai/whisper-1\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n'
        b"--b--\r\n"
    )
    path = "/v1/audio/transcriptions"
    heard = call(gateway, "POST", path, form, content_type="multipart/form-data; boundary=b")
    assert heard.json()["text"] == "Hello."
    assert gateway.last_request.model == "openai/whisper-1"
    assert gateway.last_request.form() == {"model": "openai/whisper-1"}
    assert post(gateway, "/v1/web/search", {"query": "cats"}).json()["answer"] == "Many."


def test_each_model_of_a_comparison_is_asked(gateway: LocalGateway) -> None:
    gateway.on(reply("Yes."), model="openai/gpt-4o")
    gateway.on(error(503), model="openai/gpt-4o-mini")
    body = {**ask("Rain?"), "models": ["openai/gpt-4o", "openai/gpt-4o-mini"]}
    results = post(gateway, "/v1/chat/compare", body).json()["results"]
    assert results[0]["content"] == "Yes."
    assert results[1]["error_code"] == "upstream_error"
    gateway.next_error(500, path="/v1/chat/compare")
    assert post(gateway, "/v1/chat/compare", body).code == (500, "internal_error")


def test_each_request_of_a_batch_is_asked(gateway: LocalGateway) -> None:
    gateway.on("rain", "Yes.")
    gateway.on("snow", error(429))
    gateway.on("hail", {"any": "body"})
    gateway.on("fog", broken_stream())
    asked = ["rain", "snow", "hail", "fog"]
    rows = [{"custom_id": word, "body": ask(word)} for word in asked]
    batch = post(gateway, "/v1/batches", {"requests": rows}).json()
    for _ in range(2):
        batch = get(gateway, f"/v1/batches/{batch['id']}").json()
    done = {
        row["custom_id"]: row["response"] for row in (*batch["results"], *batch["errors_detail"])
    }
    assert done["rain"]["body"]["choices"][0]["message"]["content"] == "Yes."
    assert {name: row["status_code"] for name, row in done.items()} == {
        "rain": 200,
        "snow": 429,
        "hail": 200,
        "fog": 502,
    }
    assert done["hail"]["body"] == {"any": "body"}


def test_an_error_says_when_to_come_back(gateway: LocalGateway) -> None:
    gateway.next_response(error(429, retry_after=2), error(503, retry_after=0.25))
    first, second = (complete(gateway, ask("Hi")) for _ in range(2))
    assert (first.status, first.headers["retry-after"]) == (429, "2")
    assert first.error["retry_after_seconds"] == 2
    assert (second.headers["retry-after"], second.headers["retry-after-ms"]) == ("1", "250")


def test_the_next_responses_come_before_all_others_and_only_for_what_they_name(
    gateway: LocalGateway,
) -> None:
    gateway.on("always", reply())
    gateway.on(reply("usual"))
    gateway.next_response("first", model="openai/gpt-4o")
    gateway.next_response("second")
    answers = [
        text_of(complete(gateway, ask("Hi", model=model)))
        for model in ("openai/gpt-4o-mini", "openai/gpt-4o", "openai/gpt-4o")
    ]
    assert answers == ["second", "first", "usual"]
    assert text_of(complete(gateway, ask("Repeat: always"))) == "always"


def test_a_wrong_call_fails_at_once(gateway: LocalGateway) -> None:
    with pytest.raises(TypeError, match="expected at least one response"):
        gateway.next_response()
    with pytest.raises(ValueError, match="status: expected an error, 400 to 599, got 200"):
        gateway.next_error(200)
    with pytest.raises(ValueError, match="use a dict, which is sent as the body"):
        gateway.on("a cat", "text", path="/v1/images/generations")
    with pytest.raises(TypeError, match=re.escape("that is the response itself is reply('Hi')")):
        gateway.on("Hi", model="openai/gpt-4o")
    with pytest.raises(LookupError, match="has received no request"):
        _ = gateway.last_request


def test_a_script_that_does_not_fit_says_so(gateway: LocalGateway) -> None:
    gateway.on("a cat", "text")
    gateway.on("body", {"a": 1})
    response = post(gateway, "/v1/images/generations", {"prompt": "a cat"})
    assert response.code == (501, "script_does_not_fit")
    assert complete(gateway, ask("body")).json() == {"a": 1}
    streamed = complete(gateway, ask("body", stream=True))
    assert streamed.code == (501, "script_does_not_fit")
    with pytest.raises(AssertionError, match="asks for a stream"):
        gateway.assert_all_used()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
def test_faults_of_streams(gateway: LocalGateway, path: str) -> None:
    gateway.next_response(
        broken_stream("one two three four"),
        error_in_stream("one two three four", status=500, message="Gone."),
        slow("one two", start=0, pause=0),
        cut("one two three four", after_bytes=10),
    )
    body = {**(ask("Hi") if "chat" in path else {"input": "Hi"}), "stream": True}
    broken, failed, slow_one, cut_off = (post(gateway, path, body) for _ in range(4))
    assert broken.broken
    assert b"two" in broken.body
    assert b"three" not in broken.body
    *_, failure, done = failed.frames()
    assert json.loads(failure)["error"] == {"code": "internal_error", "message": "Gone."}
    assert done == "[DONE]"
    assert not slow_one.broken
    assert cut_off.broken
    assert len(cut_off.body) == 10


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", ask("Hi")),
        ("/v1/embeddings", {"input": "Hi"}),
        ("/v1/audio/speech", {"input": "Hi", "response_format": "wav"}),
        ("/v1/images/generations", {"prompt": "a cat"}),
        ("/v1/files/search", {"query": "a cat"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_faults_of_whole_responses(gateway: LocalGateway, path: str, body: Any) -> None:
    usual = post(gateway, path, body)
    gateway.next_response(
        broken_stream(),
        error_in_stream(),
        cut(after_bytes=5),
        cut(after_bytes=0),
        slow(start=0, pause=0),
    )
    broken, failed, cut_off, empty, slow_one = (post(gateway, path, body) for _ in range(5))
    assert broken.broken
    assert len(broken.body) == pytest.approx(len(usual.body) // 2, abs=60)
    assert failed.code == (504, "gateway_timeout")
    assert (cut_off.broken, cut_off.body) == (True, usual.body[:5])
    assert (empty.status, empty.broken, empty.body) == (200, True, b"")
    assert (slow_one.status, slow_one.broken) == (200, False)
    gateway.assert_all_used()


@on_every_flavour
async def test_a_response_that_stalls_meets_the_time_limit(
    world: World, gateway: LocalGateway
) -> None:
    gateway.on(stall(), path="/v1/models")
    async with client_of(world, gateway, timeout=0.05, max_retries=0) as client:
        with pytest.raises((APIConnectionError, APIStatusError)):
            await client.models.list()
