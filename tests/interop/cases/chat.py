"""Chat completions."""

from interop.cases.grammar import CLAUDE, PIXEL, WEATHER, ask, case, chunks, weather_tool

from meshapi import (
    AudioOutputOptions,
    BulkEmbedRequest,
    ChatMessage,
    ContentPartAudio,
    ContentPartImage,
    ContentPartText,
    ContentPartVideo,
    EmbeddingsParams,
    ImageDetail,
    ImageOptions,
    InputAudio,
    ToolChoiceFunction,
    ToolChoiceObject,
    VideoUrl,
    WebSearchParams,
)


@case()
def chat_answers():
    yield lambda c: c.chat.completions.create(ask("What is 2+2?"))


@case()
def chat_answers_in_any_alphabet():
    yield lambda c: c.chat.completions.create(ask('Repeat: žluťoučký 🦊 \u2028 \x7f \\ " end'))


@case()
def chat_sends_every_option():
    yield lambda c: c.chat.completions.create(
        ask(
            "Count to 9.",
            temperature=0.5,
            max_tokens=5,
            top_p=1,
            frequency_penalty=-0.5,
            presence_penalty=0.0,
            stop=["7", "8"],
            seed=0,
            user="user-1",
            session_id="session-1",
            timeout=20,
            cache=False,
            transforms=["middle-out"],
            reasoning_effort="low",
            stream=False,
        )
    )


@case()
def chat_sends_defaults_of_nested_options():
    yield lambda c: c.chat.completions.create(
        ask("hello", image=ImageOptions(), audio=AudioOutputOptions(), modalities=["text"])
    )


@case()
def chat_falls_back_to_another_model():
    yield lambda c: c.chat.completions.create(ask("hello", model="no/such", models=[CLAUDE]))


@case()
def chat_lets_the_router_choose():
    yield lambda c: c.chat.completions.create(ask("What is 2+2?", model="auto"))


@case()
def chat_has_content_parts():
    message = ChatMessage(
        role="user",
        name="Ada",
        content=[
            ContentPartText(type="text", text="What is the capital of France?"),
            ContentPartImage(type="image_url", image_url=ImageDetail(url=PIXEL, detail="low")),
            ContentPartAudio(
                type="input_audio", input_audio=InputAudio(data="UklGRg==", format="wav")
            ),
            ContentPartVideo(
                type="video_url", video_url=VideoUrl(url="https://example.com/v.mp4"), fps="2"
            ),
        ],
    )
    yield lambda c: c.chat.completions.create(ask("", messages=[message]))


@case()
def chat_calls_a_tool_and_reads_its_result():
    question = ChatMessage(role="user", content="What is the weather in Paris?")
    choice = ToolChoiceObject(type="function", function=ToolChoiceFunction(name="get_weather"))
    response = yield lambda c: c.chat.completions.create(
        ask("", messages=[question], tools=[weather_tool()], tool_choice=choice)
    )
    message = response.choices[0].message
    calls = message.tool_calls
    history = [
        question,
        ChatMessage(role="assistant", content=message.content, tool_calls=calls),
        ChatMessage(role="tool", tool_call_id=calls[0].id, content='{"celsius": 21}'),
    ]
    yield lambda c: c.chat.completions.create(ask("", messages=history, tools=[weather_tool()]))


@case()
def chat_answers_in_json():
    schema = {"name": "city", "schema": WEATHER}
    yield lambda c: c.chat.completions.create(
        ask("Weather in Oslo", response_format={"type": "json_schema", "json_schema": schema})
    )


@case()
def chat_refuses():
    yield lambda c: c.chat.completions.create(ask("hello", model="mesh/refusal"))


@case()
def chat_streams():
    yield chunks(lambda c: c.chat.completions.stream(ask("Count to 5.", max_tokens=4)))


@case()
def chat_streams_a_tool_call():
    yield chunks(
        lambda c: c.chat.completions.stream(
            ask("What is the weather in Paris?", tools=[weather_tool()], tool_choice="auto")
        )
    )


@case()
def chat_streams_a_refusal():
    yield chunks(lambda c: c.chat.completions.stream(ask("hello", model="mesh/refusal")))


@case(fault="errors in streams do not know their request")
def chat_streams_until_an_error():
    yield chunks(
        lambda c: c.chat.completions.stream(ask("Count to 9.", model="mesh/error-in-stream"))
    )


@case(fault="errors in streams do not know their request")
def chat_streams_until_the_connection_breaks():
    yield chunks(
        lambda c: c.chat.completions.stream(ask("Count to 9.", model="mesh/broken-stream"))
    )


@case()
def chat_with_an_unknown_model():
    yield lambda c: c.chat.completions.create(ask("hello", model="no/such"))
    yield chunks(lambda c: c.chat.completions.stream(ask("hello", model="no/such")))


@case()
def chat_with_a_bad_value():
    yield lambda c: c.chat.completions.create(ask("hello", messages=[]))


@case(token="rsk_test_wrong")
def chat_with_a_wrong_token():
    yield lambda c: c.chat.completions.create(ask("hello"))
    yield lambda c: c.models.list()


@case()
def chat_over_the_rate_limit():
    yield lambda c: c.chat.completions.create(ask("hello", model="mesh/rate-limited"))


@case(max_retries=3, slow=True)
def chat_is_repeated_when_the_gateway_is_busy():
    yield lambda c: c.chat.completions.create(ask("hello", model="mesh/flaky"))


@case(refuses=4)
def unknown_fields_are_refused_before_anything_is_sent():
    yield lambda c: c.chat.completions.create(ask("hello", no_such_field=1))
    yield lambda c: c.embeddings.create(EmbeddingsParams(input="a", dimensions=0))
    yield lambda c: c.rag.embed(BulkEmbedRequest(file_ids=[]))
    yield lambda c: c.web.search(WebSearchParams(query="x", max_results=21))
