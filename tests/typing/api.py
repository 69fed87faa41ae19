"""What type checkers must say about the public clients. Checked, never run.

`assert_type` holds the positive cases. A `type: ignore` holds a negative one: mypy --strict
compares its code, and both checkers complain about one that is not needed, so that an error that
goes away is noticed.
"""

import os
import ssl
from array import array
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from threading import Lock
from typing import Any, Generic, NoReturn, Optional, TypeVar, Union

from typing_extensions import assert_type

from meshapi import (
    NOT_GIVEN,
    APIStatusError,
    APITimeoutError,
    AsyncMeshAPI,
    AsyncRawMeshAPI,
    AsyncRealtimeResource,
    AsyncRealtimeSession,
    AsyncRealtimeTurns,
    AsyncVideosResource,
    BatchItem,
    BatchListResponse,
    BatchObject,
    BatchSubmission,
    BuiltinTool,
    ChatCompletionChunk,
    ChatCompletionMessage,
    ChatCompletionParams,
    ChatCompletionResponse,
    ChatEvent,
    ChatMessage,
    CompareResponse,
    CompletionDone,
    ContentDelta,
    ContentPart,
    ContentPartImage,
    ContentPartText,
    DocumentResponse,
    EmbeddingsParams,
    EmbeddingsResponse,
    FileObject,
    ImageDetail,
    ImageGenerationResponse,
    ImageItem,
    InitUploadResponse,
    Limits,
    MeshAPI,
    MeshAPIError,
    ModelCompareResult,
    ModelInfo,
    ModelPricing,
    RagResource,
    RawMeshAPI,
    RawResponse,
    RealtimeAudioConfig,
    RealtimeAudioInput,
    RealtimeConnectionClosed,
    RealtimeError,
    RealtimeInputAudioCommitEvent,
    RealtimeMessage,
    RealtimeResource,
    RealtimeResponseDoneEvent,
    RealtimeServerEvent,
    RealtimeSession,
    RealtimeSessionConfig,
    RealtimeTextDeltaEvent,
    RealtimeToolCall,
    RealtimeTurn,
    RealtimeTurns,
    Reconnect,
    Reconnected,
    ResponseList,
    ResponseMeta,
    ResponsesFunctionCall,
    ResponsesFunctionTool,
    ResponsesListResponse,
    ResponsesParams,
    ResponsesResponse,
    RouterSelectResponse,
    SavedFile,
    SocketOptions,
    StreamUsageError,
    TemplateSummary,
    Timeout,
    Tool,
    ToolCall,
    ToolFunction,
    TranscriptionResponse,
    Voice,
    WebSearchResponse,
)
from meshapi_core import (
    NEED_DATA,
    Call,
    Closed,
    Done,
    EndOfStream,
    Exchange,
    GetToken,
    Headers,
    HTTP11Connection,
    MeshAPIConfig,
    NeedData,
    RealtimeCall,
    RealtimeConnected,
    RealtimeConnection,
    RealtimeExchange,
    Request,
    RetryQuota,
    Send,
    ServerSentEvent,
    Service,
    SSEDecoder,
    StreamCall,
    Wait,
)
from meshapi_core.bulk import Estimate
from meshapi_core.endpoints import (
    AsyncChatCompletionStream,
    AsyncImagesStream,
    AsyncItemStream,
    AsyncRawRunner,
    AsyncResponsesStream,
    AsyncRunner,
    AsyncStream,
    ChatCompletionStream,
    CompareStream,
    Completions,
    Embeddings,
    ImagesStream,
    ItemFlow,
    ItemStream,
    R_co,
    RawRunner,
    Resource,
    ResponsesStream,
    Runner,
    Stream,
    build_params,
    encode_params,
    encode_query,
    item_flow_endpoint_as,
    path_segment,
    stream_endpoint_as,
)
from meshapi_core.readers import BodyDecoder

T = TypeVar("T")

PARAMS = ChatCompletionParams(
    model="openai/gpt-4o-mini", messages=[ChatMessage(role="user", content="hi")]
)


def both_call_forms_are_typed(client: MeshAPI) -> None:
    assert_type(client.chat.completions.create(PARAMS), ChatCompletionResponse)
    assert_type(
        client.chat.completions.create(
            model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "hi"}]
        ),
        ChatCompletionResponse,
    )
    assert_type(client.chat.completions.stream(PARAMS), ChatCompletionStream)
    assert_type(
        client.chat.completions.stream(
            model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "hi"}]
        ),
        ChatCompletionStream,
    )


def words_that_a_provider_may_invent_are_text(client: MeshAPI, word: str) -> None:
    client.chat.completions.create(messages=[], reasoning_effort="xhigh", service_tier=word)
    client.chat.completions.create(messages=[], tool_choice="any", modalities=["text", word])
    client.images.generate(prompt="a fox", output_format="avif", background=word)
    client.documents.generate(format="odt", prompt="p")
    client.web.search(query="q", search_depth="deep", provider=word)
    client.models.list(type=word)
    ChatMessage(role=word, content="hi")
    ImageDetail(url="https://x", detail="original")


def two_kinds_of_tools_are_a_list_of_tools(client: MeshAPI) -> None:
    function = ResponsesFunctionTool(name="weather")
    tools = [function, BuiltinTool(type="web_search", search_context_size="low")]
    client.responses.create(input="hi", tools=tools)
    ResponsesParams(input="hi", tools=[function])
    chat_tools = [Tool(function=ToolFunction(name="weather"))]
    client.chat.completions.create(messages=[], tools=chat_tools)
    client.chat.completions.create(messages=[], tools=[*chat_tools, {"type": "custom"}])


async def both_call_forms_are_typed_on_the_async_client(client: AsyncMeshAPI) -> None:
    coroutine = client.chat.completions.create(PARAMS)
    response = await assert_type(coroutine, Coroutine[Any, Any, ChatCompletionResponse])
    assert_type(response, ChatCompletionResponse)
    assert_type(response.choices[0].message.text, str)
    assert_type(
        await client.chat.completions.create(
            model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "hi"}]
        ),
        ChatCompletionResponse,
    )
    assert_type(client.chat.completions.stream(PARAMS), AsyncChatCompletionStream)
    assert_type(
        client.chat.completions.stream(
            model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "hi"}]
        ),
        AsyncChatCompletionStream,
    )


def messages_may_be_variables(client: MeshAPI) -> None:
    plain = [{"role": "user", "content": "hi"}]
    client.chat.completions.create(model="auto", messages=plain)
    nested = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    client.chat.completions.create(model="auto", messages=nested)
    typed = [ChatMessage(role="user", content="hi")]
    client.chat.completions.create(model="auto", messages=typed)
    response = client.chat.completions.create(PARAMS)
    message = response.choices[0].message
    client.chat.completions.create(model="auto", messages=[*typed, message])
    turns = [ChatMessage(role="user", content="hi"), ChatCompletionMessage(content="hello")]
    client.chat.completions.create(model="auto", messages=turns)
    history = [ChatMessage(role="user", content="hi")]
    history.append(message)
    history.append(ChatCompletionMessage(content="hello"))
    client.chat.completions.stream(ChatCompletionParams(messages=history))
    client.compare.create(models=["a", "b"], messages=history)
    client.router.select(messages=turns)


def nested_types_are_exact() -> None:
    text = ContentPartText(type="text", text="What is this?")
    image = ContentPartImage(type="image_url", image_url=ImageDetail(url="https://x", detail="low"))
    ChatMessage(role="user", content=[text, image])
    texts: list[ContentPartText] = [text]
    ChatMessage(role="user", content=texts)
    ChatMessage(role="user", content=(text, image))
    ChatMessage(role="user", content=[{"type": "text", "text": "What is this?"}, image])
    plain = [{"type": "text", "text": "What is this?"}]
    ChatMessage(role="user", content=plain)
    parts: list[ContentPart] = [text, image]
    ChatMessage(role="user", content=parts)
    inferred = [text, image]
    ChatMessage(role="user", content=inferred)
    Tool(type="function", function=ToolFunction(name="weather", parameters={"type": "object"}))


def answers_are_typed(client: MeshAPI) -> None:
    response = client.chat.completions.create(PARAMS)
    assert_type(response.id, str)
    assert_type(response.choices[0].finish_reason, Optional[str])
    assert_type(response.created, int)
    message = assert_type(response.choices[0].message, ChatCompletionMessage)
    assert_type(message.content, Union[str, list[ContentPart], None])
    assert_type(message.text, str)
    ChatMessage(role="assistant", content=message.content)


def responses_tell_about_their_calls(client: MeshAPI, error: MeshAPIError) -> None:
    response = client.chat.completions.create(PARAMS)
    meta = assert_type(response.meta, ResponseMeta)
    assert_type(client.models.list().meta, ResponseMeta)
    assert_type(client.chat.completions.stream(PARAMS).meta, ResponseMeta)
    assert_type(error.meta, ResponseMeta)
    assert_type(error.attempts, int)
    assert_type(meta.status, int)
    assert_type(meta.headers, Headers)
    assert_type(meta.elapsed, float)
    assert_type(meta.rate_limits.tokens.remaining, Optional[int])
    assert_type(meta.rate_limits.tokens.reset, Optional[float])
    assert_type(meta.routing.fallback, Optional[bool])
    assert_type(meta.cache_hit, bool)


def raw_responses_are_exact(client: MeshAPI) -> None:
    view = assert_type(client.with_raw_response, RawMeshAPI)
    raw = view.chat.completions.create(PARAMS)
    assert_type(raw, RawResponse[ChatCompletionResponse])
    assert_type(raw.parse(), ChatCompletionResponse)
    assert_type(raw.content, bytes)
    assert_type(raw.text, str)
    assert_type(raw.status, int)
    assert_type(raw.request_id, str)
    assert_type(raw.meta, ResponseMeta)
    assert_type(view.models.list(), RawResponse[ResponseList[ModelInfo]])
    assert_type(view.files.delete("f").status, int)
    assert_type(view.audio.synthesize(input="hi"), RawResponse[bytes])
    assert_type(view.chat.completions.stream(PARAMS), ChatCompletionStream)
    assert_type(view.with_options(timeout=1), RawMeshAPI)
    assert_type(client.with_options(timeout=1).with_raw_response, RawMeshAPI)
    view.chat.completions.create(modell="m")  # type: ignore[call-arg]
    raw.choices  # type: ignore[attr-defined]


async def raw_responses_are_exact_on_the_async_client(client: AsyncMeshAPI) -> None:
    view = assert_type(client.with_raw_response, AsyncRawMeshAPI)
    coroutine = view.chat.completions.create(PARAMS)
    raw = await assert_type(coroutine, Coroutine[Any, Any, RawResponse[ChatCompletionResponse]])
    assert_type(raw.parse(), ChatCompletionResponse)
    assert_type(view.chat.completions.stream(PARAMS), AsyncChatCompletionStream)
    assert_type(view.with_options(timeout=1), AsyncRawMeshAPI)


def several_calls_have_no_raw_response(client: MeshAPI) -> None:
    refused: Callable[[str], NoReturn] = client.with_raw_response.rag.upload_file
    del refused


def a_stream_is_an_iterator_and_a_context_manager(client: MeshAPI) -> None:
    with client.chat.completions.stream(PARAMS) as stream:
        assert_type(stream, ChatCompletionStream)
        assert_type(stream.request_id, Optional[str])
        assert_type(stream.headers["x-request-id"], str)
        for chunk in stream:
            assert_type(chunk, ChatCompletionChunk)
            assert_type(chunk.choices[0].delta.content, Optional[str])
            assert_type(chunk.choices[0].delta.text, str)
            assert_type(chunk.text, str)
            for piece in chunk.choices[0].delta.tool_calls or ():
                assert_type(piece.index, int)
        assert_type(next(stream), ChatCompletionChunk)
        assert_type(stream.close(), None)
    iterator: Iterator[ChatCompletionChunk] = client.chat.completions.stream(PARAMS)
    next(iterator)


async def an_async_stream_is_an_async_iterator_and_a_context_manager(
    client: AsyncMeshAPI,
) -> None:
    async with client.chat.completions.stream(PARAMS) as stream:
        assert_type(stream, AsyncChatCompletionStream)
        assert_type(stream.request_id, Optional[str])
        async for chunk in stream:
            assert_type(chunk, ChatCompletionChunk)
            assert_type(chunk.text, str)
        assert_type(await stream.aclose(), None)
    iterator: AsyncIterator[ChatCompletionChunk] = client.chat.completions.stream(PARAMS)
    await iterator.__anext__()


async def clients_are_context_managers() -> None:
    with MeshAPI(base_url="http://localhost:8000", token="rsk_test_typing") as client:
        assert_type(client, MeshAPI)
    assert_type(client.close(), None)
    limits = Limits(max_connections=10, max_keepalive=5, keepalive_expiry=1.0)
    async with AsyncMeshAPI(timeout=Timeout(connect=1.0), max_retries=0, limits=limits) as other:
        assert_type(other, AsyncMeshAPI)
    assert_type(await other.aclose(), None)
    MeshAPI(timeout=5)
    MeshAPI(timeout=None)
    MeshAPI(timeout=NOT_GIVEN, max_retries=NOT_GIVEN, token=lambda: "rsk_test_typing")
    MeshAPI(default_headers={"a": None}, default_query={"a": 1}, user_agent="a/1", api_version="1")
    config = MeshAPIConfig(token=lambda: "rsk_test_typing", retry_quota=RetryQuota(Lock))
    assert_type(MeshAPI.from_config(config, limits=limits), MeshAPI)
    assert_type(AsyncMeshAPI.from_config(config), AsyncMeshAPI)

    async def ask() -> str:
        return "rsk_test_typing"

    AsyncMeshAPI(token=ask)
    AsyncMeshAPI(token=lambda: "rsk_test_typing")
    MeshAPI(tls="ca.pem", sockets=SocketOptions(uds="/run/gateway.sock"))
    MeshAPI(tls=Path("ca.pem"))
    MeshAPI(tls=("certificate.pem", Path("key.pem")))
    MeshAPI(tls=("certificate.pem", "key.pem", b"password"))
    AsyncMeshAPI(tls=ssl.create_default_context())


def errors_carry_facts() -> None:
    try:
        pass
    except APITimeoutError as error:
        assert_type(error.error_code, str)
    except APIStatusError as error:
        assert_type(error.status, int)
    except MeshAPIError as error:
        assert_type(error.request_id, str)
        assert_type(error.retry_after_seconds, Optional[float])


def a_stream_that_is_used_twice_has_an_error(client: MeshAPI) -> None:
    try:
        list(client.chat.completions.stream(PARAMS))
    except StreamUsageError as error:
        wrong: RuntimeError = error
        del wrong


def the_core_is_typed_all_the_way(config: MeshAPIConfig) -> None:
    call = Completions.create.build(PARAMS)
    assert_type(call, Call[ChatCompletionResponse])
    stream_call = Completions.stream.build(model="auto", messages=[])
    assert_type(stream_call, StreamCall[ChatCompletionChunk])
    exchange = Exchange(call, config, now=0.0, random_bytes=os.urandom)
    assert_type(exchange, Exchange[ChatCompletionResponse])
    action = exchange.next_action(0.0)
    assert_type(action, Union[Send, Wait, Done[ChatCompletionResponse], GetToken])
    if isinstance(action, Done):
        assert_type(action.value, ChatCompletionResponse)
    streaming = Exchange(stream_call, config, now=0.0, random_bytes=os.urandom)
    assert_type(streaming, Exchange[BodyDecoder[ChatCompletionChunk]])


def what_hosts_use_is_typed(request: Request, decoder: BodyDecoder[bytes], data: bytearray) -> None:
    assert_type(request.plain_headers(), list[tuple[str, str]])
    assert_type(request.raw_headers, list[tuple[bytes, bytes]])
    assert_type((request.plain_url, request.plain_target), tuple[str, str])
    for machine in (decoder, SSEDecoder(), HTTP11Connection()):
        machine.receive_data(data)
        machine.receive_data(memoryview(data))
    assert_type((decoder.complete, decoder.request_id), tuple[bool, str])
    assert_type((decoder.status, decoder.headers), tuple[int, Headers])
    assert_type(decoder.service, Service)


def other_services_are_typed(service: Service) -> None:
    assert_type(MeshAPIConfig(service=service, token="rsk_test_1").service, Service)
    assert_type(encode_params(ChatCompletionParams, None, {}), bytes)
    assert_type(build_params(ChatCompletionParams, PARAMS, {}), dict[str, Any])
    assert_type(encode_query(ChatCompletionParams, PARAMS, {}), tuple[tuple[str, str], ...])
    assert_type(path_segment("id", "a"), str)


def sentinels_narrow() -> None:
    event = SSEDecoder().next_event()
    assert_type(event, Union[ServerSentEvent, NeedData, EndOfStream])
    if event is not NEED_DATA and not isinstance(event, EndOfStream):
        assert_type(event, ServerSentEvent)


def jobs_are_waited_for(client: MeshAPI) -> None:
    """`results` knows the types of the calls that were submitted."""
    assert_type(client.batches.wait("b", timeout=5, progress=True), BatchObject)
    completions = [Completions.create.build(model="m", messages=[])]
    made = client.batches.submit(completions, completion_window="24h")
    assert_type(made, BatchSubmission[ChatCompletionResponse])
    for item in client.batches.results(made):
        assert_type(item, BatchItem[ChatCompletionResponse])
        assert_type(item.value, Optional[ChatCompletionResponse])
        assert_type(item.error, Optional[MeshAPIError])
        assert_type(item.result(), ChatCompletionResponse)
    vectors = client.batches.submit(Embeddings.create.build(input=text) for text in "ab")
    assert_type(next(client.batches.results(vectors)).result(), EmbeddingsResponse)
    both = [*completions, Embeddings.create.build(input="a")]
    one = next(client.batches.results(client.batches.submit(both))).result()
    assert isinstance(one, (ChatCompletionResponse, EmbeddingsResponse))
    plain = client.batches.results("b", requests=["1", {"custom_id": "2"}])
    assert_type(next(plain).value, Optional[ChatCompletionResponse])
    assert_type(plain.until_done(), list[BatchObject])
    run = client.batches.run(completions, resubmit=1, under_way=made)
    assert_type(next(run), BatchItem[ChatCompletionResponse])
    assert_type(run.until_done(), BatchSubmission[ChatCompletionResponse])
    lazily = client.batches.run(Embeddings.create.build(input=text) for text in "ab")
    assert_type(next(lazily).result(), EmbeddingsResponse)
    either = next(client.batches.run(both)).result()
    assert isinstance(either, (ChatCompletionResponse, EmbeddingsResponse))
    client.batches.run(completions, under_way="b")  # type: ignore[arg-type]
    client.batches.submit(["x"])  # type: ignore[arg-type]
    client.batches.results(made, requests=[])  # type: ignore[call-overload]


async def async_jobs_are_waited_for(client: AsyncMeshAPI) -> None:
    """The same, awaited."""
    assert_type(await client.batches.wait("b"), BatchObject)
    made = await client.batches.submit([Completions.create.build(model="m", messages=[])])
    assert_type(made, BatchSubmission[ChatCompletionResponse])
    async for item in client.batches.results(made):
        assert_type(item.result(), ChatCompletionResponse)
    assert_type(await client.batches.results("b").until_done(), list[BatchObject])
    async for item in client.batches.run(_calls_as_they_come(), timeout=5):
        assert_type(item, BatchItem[ChatCompletionResponse])
    run = client.batches.run([Completions.create.build(model="m", messages=[])])
    assert_type(await run.until_done(), BatchSubmission[ChatCompletionResponse])


async def _calls_as_they_come() -> AsyncIterator[Call[ChatCompletionResponse]]:
    yield Completions.create.build(model="m", messages=[])


def an_async_iterable_needs_an_async_client(client: MeshAPI) -> None:
    """It is refused."""
    client.batches.run(_calls_as_they_come())  # type: ignore[arg-type]


def many_calls_are_refused(
    client: MeshAPI, other: AsyncMeshAPI, calls: list[Call[ChatCompletionResponse]]
) -> None:
    """`mapped.py` has what is accepted."""
    stream = Completions.stream.build(model="m", messages=[])
    client.map(_calls_as_they_come())  # type: ignore[call-overload]
    client.map([stream])  # type: ignore[arg-type]
    client.map(calls[0])  # type: ignore[call-overload]
    client.map({"a": calls[0]})  # type: ignore[arg-type]
    client.map([{"text": "hi"}])  # type: ignore[arg-type]
    client.map(["a"], template=calls[0])  # type: ignore[list-item]
    client.map(["a"], template=stream)  # type: ignore[call-overload]
    client.map([1], template=len)  # type: ignore[arg-type]
    client.map(calls, max_workers=8)  # type: ignore[call-overload]
    client.map(calls, rate_limit=500)  # type: ignore[call-overload]
    client.map(calls, budget=5)  # type: ignore[call-overload]
    client.map(calls, order="random")  # type: ignore[call-overload]
    client.map(calls, via="batches")  # type: ignore[call-overload]
    client.estimate([stream])  # type: ignore[list-item]
    client.estimate(_calls_as_they_come())  # type: ignore[call-overload]
    client.estimate(calls, outputs=5)  # type: ignore[call-overload]
    other.map([stream])  # type: ignore[arg-type]
    other.map(calls, concurrency="most")  # type: ignore[call-overload]
    for _ in other.map(calls):  # type: ignore[attr-defined]
        pass


async def an_async_run_needs_async_code(client: AsyncMeshAPI, blocking: MeshAPI) -> None:
    """`async for`, and await what it returns."""
    async for _ in blocking.map([]):  # type: ignore[attr-defined]
        pass
    client.map([]).to_jsonl("a.jsonl").size  # type: ignore[attr-defined]
    client.estimate([]).cost_usd  # type: ignore[attr-defined]


def lists(client: MeshAPI) -> None:
    """A page is an iterable of all rows; `.pages()` yields pages."""
    page = client.batches.list(limit=2)
    assert_type(page, BatchListResponse)
    for batch in page:
        assert_type(batch, BatchObject)
    assert_type(next(page.pages()), BatchListResponse)
    assert_type(list(client.audio.list_voices()), list[Voice])
    assert_type(list(client.models.search(limit=5)), list[ModelInfo])
    assert_type(list(client.models.list()), list[ModelInfo])
    assert_type(next(client.models.list().pages()), ResponseList[ModelInfo])
    assert_type(len(client.models.search()), int)
    client.batches.list(size=2)  # type: ignore[call-arg]


async def async_lists(client: AsyncMeshAPI) -> None:
    """`await` gives a page, `async for` all rows, with or without it."""
    assert_type(await client.batches.list(limit=2), BatchListResponse)
    async for batch in client.batches.list(limit=2):
        assert_type(batch, BatchObject)
    async for batch in await client.batches.list(limit=2):
        assert_type(batch, BatchObject)
    async for page in client.batches.list(limit=2).pages():
        assert_type(page, BatchListResponse)
    assert_type([row async for row in client.models.list()], list[ModelInfo])
    assert_type([row async for row in client.models.search()], list[ModelInfo])
    for _ in client.batches.list():  # type: ignore[attr-defined]
        pass


def every_resource_is_typed(client: MeshAPI) -> None:
    response = assert_type(client.responses.create(input="hi"), ResponsesResponse)
    assert_type((response.id, response.output_text), tuple[str, str])
    assert_type(client.responses.get(response.id), ResponsesResponse)
    assert_type(client.responses.stream(input="hi"), ResponsesStream)
    assert_type(client.responses.list(limit=2), ResponsesListResponse)
    assert_type(client.embeddings.create(EmbeddingsParams(input=["a"])), EmbeddingsResponse)
    assert_type(client.embeddings.create(input=[[1, 2], [3]]).data[0].vector(), "array[float]")
    assert_type(client.images.generate(prompt="a fox"), ImageGenerationResponse)
    assert_type(client.images.stream(prompt="a fox"), ImagesStream)
    assert_type(client.videos.retrieve("id").status, str)
    assert_type(client.download(client.videos.retrieve("id").url, "a.mp4"), SavedFile)
    assert_type(client.audio.synthesize(input="hi"), bytes)
    assert_type(client.audio.stream(input="hi"), Stream[bytes])
    assert_type(client.audio.synthesize_to("a.mp3", input="hi"), SavedFile)
    assert_type(client.audio.transcribe(b"", model="m"), TranscriptionResponse)
    assert_type(client.images.save(ImageItem(url="https://..."), Path("a.png")), SavedFile)
    assert_type(client.files.download("id", "a.jsonl", on_progress=print), SavedFile)
    assert_type(client.download("https://...", "a.mp4", progress=True), SavedFile)
    assert_type(client.estimate([Completions.create.build(model="m", messages=[])]), Estimate)
    rows = [{"text": "hi"}]
    assert_type(client.estimate(rows, template=Embeddings.create.build(input="{text}")), Estimate)
    client.audio.transcribe(("a.wav", b""), model="m", content_type="audio/wav")
    assert_type(client.compare.stream(models=["a"], messages=[]), CompareStream)
    assert_type(client.files.upload(file="batch.jsonl", purpose="batch"), FileObject)
    assert_type(client.files.upload(b"{}"), FileObject)
    assert_type(client.files.upload(requests=[{"custom_id": "1", "body": {}}]), FileObject)
    assert_type(client.files.content("id"), bytes)
    assert_type(client.files.delete("id"), None)
    assert_type(client.files.stream("id"), Stream[bytes])
    batch = assert_type(client.batches.get("id"), BatchObject)
    assert_type((batch.total_requests, batch.completed_requests), tuple[int, int])
    assert_type(batch.failed_requests, int)
    assert_type(client.models.list(free=True, type="text"), ResponseList[ModelInfo])
    assert_type(client.models.get("openai/gpt-4o").pricing, Optional[ModelPricing])
    assert_type(client.templates.list()[0], TemplateSummary)
    assert_type(client.templates.update("id", description=None), TemplateSummary)
    assert_type(
        client.rag.upload_file(file_name="a", mime_type="b", content=b""), InitUploadResponse
    )
    assert_type(client.rag.upload_file("a.pdf", embed=True), InitUploadResponse)
    assert_type(client.rag.upload_file(("a.pdf", b"", "application/pdf")), InitUploadResponse)
    assert_type(client.rag.search(query="q").results[0].score, float)
    assert_type(client.documents.generate(format="pdf", prompt="p"), DocumentResponse)
    assert_type(client.moderations.create(input="hi").results[0].flagged, bool)
    assert_type(client.web.search(query="q"), WebSearchResponse)
    assert_type(client.router.select(messages=[]), RouterSelectResponse)
    assert_type(client.with_options(timeout=None, extra_headers={"a": None}), MeshAPI)
    assert_type(client.with_options(idempotency_key="a", request_id="b"), MeshAPI)
    assert_type(client.config, MeshAPIConfig)
    assert_type(client.with_options(timeout=5).models.free(), ResponseList[ModelInfo])


async def every_resource_is_typed_on_the_async_client(client: AsyncMeshAPI) -> None:
    assert_type(await client.responses.create(input="hi"), ResponsesResponse)
    assert_type(client.responses.stream(input="hi"), AsyncResponsesStream)
    assert_type(await client.models.list(), ResponseList[ModelInfo])
    assert_type(await client.files.content("id"), bytes)
    assert_type(client.audio.stream(input="hi"), AsyncStream[bytes])
    assert_type(await client.audio.synthesize_to("a.mp3", input="hi"), SavedFile)
    assert_type(await client.images.save(ImageItem(url="https://..."), Path("a.png")), SavedFile)
    assert_type(await client.files.download("id", "a.jsonl", on_progress=print), SavedFile)
    assert_type(await client.download("https://...", "a.mp4", progress=True), SavedFile)
    assert_type(await client.estimate([], via="batch", output_tokens=50), Estimate)
    assert_type(
        await client.rag.upload_file(file_name="a", mime_type="b", content=b""),
        InitUploadResponse,
    )
    assert_type(client.with_options(max_retries=1), AsyncMeshAPI)


def resources_have_the_official_names(client: MeshAPI, other: AsyncMeshAPI) -> None:
    rag: RagResource = client.rag
    videos: AsyncVideosResource = other.videos
    del rag, videos


def a_realtime_session_is_typed(client: MeshAPI) -> None:
    assert_type(client.realtime, RealtimeResource)
    reconnect = Reconnect(attempts=3, codes=frozenset({1006}))
    with client.realtime.connect(
        model="openai/gpt-realtime", auth="subprotocol", reconnect=reconnect, ping_interval=None
    ) as session:
        assert_type(session, RealtimeSession)
        assert_type(session.send({"type": "response.create"}), None)
        session.send(RealtimeInputAudioCommitEvent())
        for sound in (b"", bytearray(), memoryview(b""), array("h")):
            session.send_audio(sound)
        assert_type(session.commit_audio(), None)
        session.update({"instructions": "Be brief."})
        quiet = RealtimeAudioConfig(input=RealtimeAudioInput(turn_detection=None))
        session.update(RealtimeSessionConfig(audio=quiet))
        assert_type(session.receive(), RealtimeMessage)
        assert_type(session.receive(timeout=0), RealtimeMessage)
        assert_type(session.wait_for("session.updated", timeout=1.5), RealtimeMessage)
        for message in session:
            assert_type(message, RealtimeMessage)
        assert_type(session.close(code=1000, reason="bye"), None)
        assert_type(session.close_code, Optional[int])
        assert_type(session.close_reason, Optional[str])
        assert_type(session.subprotocol, Optional[str])
        assert_type(session.closed, bool)


def look_up(place: str) -> str:
    return place


async def look_up_async(place: str) -> str:
    return place


def turns_are_typed(session: RealtimeSession, heard: list[bytes]) -> None:
    assert_type(session.send_text("Hello", respond=False), None)
    assert_type(session.say("Hello"), None)
    assert_type(session.send_tool_output("call_1", "42"), None)
    turns = session.turns(tools=[look_up], on_audio=heard.append, before_call=print)
    assert_type(turns, RealtimeTurns)
    assert_type(turns.receive(timeout=1), RealtimeTurn)
    for turn in turns:
        assert_type((turn.text, turn.transcript, turn.audio), tuple[str, str, bytes])
        assert_type(turn.tool_calls, tuple[RealtimeToolCall, ...])
        assert_type(turn.tool_calls[0].parsed_arguments, dict[str, Any])
        assert_type((turn.audio_rate, turn.input_transcript), tuple[int, str])
        assert_type(turn.error, Optional[RealtimeError])
        assert_type(turn.reconnected, Optional[Reconnected])


async def turns_are_typed_on_the_async_client(session: AsyncRealtimeSession) -> None:
    await session.send_text("Hello")
    await session.say("Hello")
    await session.send_tool_output("call_1", "42", respond=False)
    turns = session.turns(tools=[look_up, look_up_async], tool_timeout=2.5)
    assert_type(turns, AsyncRealtimeTurns)
    assert_type(await turns.receive(), RealtimeTurn)
    async for turn in turns:
        assert_type(turn, RealtimeTurn)


def wrong_use_of_turns_is_an_error(session: RealtimeSession, other: AsyncRealtimeSession) -> None:
    session.send_text(b"Hello")  # type: ignore[arg-type]
    session.turns(tools=look_up)  # type: ignore[arg-type]
    session.turns(on_tool_error="ignore")  # type: ignore[arg-type]
    session.turns([look_up])  # type: ignore[call-arg]
    for _ in other.turns():  # type: ignore[attr-defined]
        pass


async def a_realtime_session_is_typed_on_the_async_client(client: AsyncMeshAPI) -> None:
    assert_type(client.realtime, AsyncRealtimeResource)
    assert_type(await client.realtime.connect(model="m"), AsyncRealtimeSession)
    async with client.realtime.connect(model="m", raise_errors=False) as session:
        assert_type(session, AsyncRealtimeSession)
        await session.send({"type": "response.create"})
        await session.send(RealtimeInputAudioCommitEvent())
        await session.send_audio(b"")
        await session.update(RealtimeSessionConfig(instructions="Be brief."))
        assert_type(await session.receive(timeout=1), RealtimeMessage)
        assert_type(await session.wait_for("session.updated"), RealtimeMessage)
        async for message in session:
            assert_type(message, RealtimeMessage)
        assert_type(await session.aclose(4000, "bye"), None)
        await session.close()


def realtime_messages_are_typed(message: RealtimeMessage) -> None:
    assert_type(message.type, str)
    assert_type(message.text, Optional[str])
    assert_type(message.audio, Optional[bytes])
    assert_type(message.event, dict[str, Any])
    message.event["item"]["content"]
    assert_type(message.error(), Optional[RealtimeError])
    event = message.parse()
    assert_type(event, RealtimeServerEvent)
    if isinstance(event, RealtimeTextDeltaEvent):
        assert_type(event.delta, str)
    if isinstance(event, RealtimeResponseDoneEvent):
        assert_type(event.response.status, Optional[str])
    if isinstance(message, Reconnected):
        assert_type((message.code, message.reason, message.attempts), tuple[int, str, int])


def realtime_errors_carry_facts(error: Union[RealtimeError, RealtimeConnectionClosed]) -> None:
    if isinstance(error, RealtimeError):
        assert_type(error.code, str)
        assert_type(error.param, Optional[str])
        assert_type(error.event_id, Optional[str])
    else:
        assert_type((error.code, error.reason, error.clean), tuple[int, str, bool])


def the_realtime_machine_is_typed(config: MeshAPIConfig) -> None:
    connection = RealtimeConnection()
    request = RealtimeCall(model="m", auth="header").request(config, os.urandom)
    assert_type(request, Request)
    assert_type(connection.connect(request), bytes)
    assert_type(connection.connect(request, 0.0), bytes)
    assert_type(connection.next_event(), Union[RealtimeMessage, Closed, NeedData])
    assert_type(connection.send({"type": "response.create"}), bytes)
    assert_type(connection.send_audio(b""), bytes)
    assert_type(connection.data_to_send(), bytes)
    assert_type(connection.timer, float)
    assert_type(Closed(1000).error(), Optional[RealtimeConnectionClosed])
    for data in ("text", b"bytes", bytearray(), memoryview(b"")):
        assert_type(RealtimeMessage.of(data), RealtimeMessage)
        if not isinstance(data, str):
            connection.receive_data(data)
    target = RealtimeCall(model="m").websocket(config)
    assert_type(target.url, str)
    assert_type(target.headers, tuple[tuple[str, str], ...])
    assert_type(target.subprotocols, tuple[str, ...])


def the_life_of_a_realtime_session_is_typed(config: MeshAPIConfig, closed: Closed) -> None:
    call, again = RealtimeCall(model="m"), Reconnect(attempts=3)
    life = RealtimeExchange(call, config, again, now=0.0, random_bytes=os.urandom)
    action = life.next_action(0.0)
    assert_type(action, Union[Send, Wait, RealtimeConnected, GetToken])
    if isinstance(action, RealtimeConnected):
        assert_type(action.event, Optional[Reconnected])
        assert_type(action.first, Optional[str])
    life.lost(closed, 1.0)
    assert_type(life.is_last(closed), bool)
    assert_type(life.error, Optional[MeshAPIError])


def answers_offer_what_users_of_pydantic_call(response: ResponsesResponse) -> None:
    assert_type(response.model_dump(exclude_none=True, mode="json"), dict[str, Any])
    assert_type(response.model_dump_json(indent=2), str)
    assert_type(response.model_copy(update={"status": "done"}), ResponsesResponse)
    assert_type(ModelInfo.model_validate({"id": "a"}), ModelInfo)
    assert_type(ModelInfo.model_validate_json(b"{}"), ModelInfo)
    # The type is open: what it does not name is an attribute, too.
    assert_type(response.not_named, Any)


# From here on each ignore stands for an error that must be found.


def wrong_parameters_are_errors(client: MeshAPI) -> None:
    client.chat.completions.create(modle="auto")  # type: ignore[call-arg]
    client.chat.completions.create(model=1, messages=[])  # type: ignore[arg-type]
    client.chat.completions.create(messages="hi")  # type: ignore[arg-type]
    client.chat.completions.create(messages=[], temperature="hot")  # type: ignore[arg-type]
    client.chat.completions.create(messages=[], max_tokens=1.5)  # type: ignore[arg-type]
    client.chat.completions.create(messages=[], stream=True)  # type: ignore[call-arg]
    client.chat.completions.create("hi")  # type: ignore[arg-type]
    client.chat.completions.create(PARAMS, PARAMS)  # type: ignore[arg-type, call-arg]
    client.chat.completions.stream(modle="auto")  # type: ignore[call-overload]
    client.chat.completion  # type: ignore[attr-defined]
    ChatMessage(role=5, content="hi")  # type: ignore[arg-type]
    ChatMessage(role="user", content=5)  # type: ignore[arg-type]
    ChatMessage(role="user", content=[5])  # type: ignore[list-item]
    ChatMessage(content="hi")  # type: ignore[call-arg]
    ChatCompletionParams(model="auto")  # type: ignore[call-arg]


async def wrong_parameters_are_errors_on_the_async_client(client: AsyncMeshAPI) -> None:
    await client.chat.completions.create(modle="auto")  # type: ignore[call-arg]
    await client.chat.completions.create(model=1, messages=[])  # type: ignore[arg-type]
    client.chat.completions.stream(messages="hi")  # type: ignore[arg-type]


def wrong_parameters_of_other_resources_are_errors(client: MeshAPI) -> None:
    client.embeddings.create(inputs="hi")  # type: ignore[call-arg]
    client.embeddings.create(input=5)  # type: ignore[arg-type]
    client.images.generate(prompt="p", stream=True)  # type: ignore[call-arg]
    client.models.list(free="yes")  # type: ignore[arg-type]
    client.models.get()  # type: ignore[call-arg]
    client.batches.get(5)  # type: ignore[arg-type]
    client.templates.update("id", descripton="")  # type: ignore[call-arg]
    client.web.search(query="q", search_depth=2)  # type: ignore[arg-type]
    client.models.list()[0].no_such_field  # type: ignore[attr-defined]
    client.with_options(extra_headers="a: b")  # type: ignore[arg-type]


def wrong_use_of_realtime_is_an_error(client: MeshAPI) -> None:
    client.realtime.connect()  # type: ignore[call-arg]
    client.realtime.connect("m")  # type: ignore[call-arg]
    client.realtime.connect(model="m", auth="url")  # type: ignore[arg-type]
    client.realtime.connect(model="m", reconnect=True)  # type: ignore[arg-type]
    client.realtime.connect(model="m", pings=False)  # type: ignore[call-arg]
    session = client.realtime.connect(model="m")
    session.send("hi")  # type: ignore[arg-type]
    session.send_audio("hi")  # type: ignore[arg-type]
    session.receive("1")  # type: ignore[arg-type]
    session.receive().kind  # type: ignore[attr-defined]


async def realtime_sessions_do_not_mix(blocking: MeshAPI, other: AsyncMeshAPI) -> None:
    with other.realtime.connect(model="m"):  # type: ignore[attr-defined]
        pass
    other.realtime.connect(model="m").send_audio(b"")  # type: ignore[attr-defined]
    await blocking.realtime.connect(model="m")  # type: ignore[misc]
    async with blocking.realtime.connect(model="m"):  # type: ignore[attr-defined]
        pass


def the_two_sides_do_not_mix(blocking: MeshAPI, other: AsyncMeshAPI) -> None:
    for _ in other.chat.completions.stream(PARAMS):  # type: ignore[attr-defined]
        pass
    with other:  # type: ignore[attr-defined]
        pass
    other.chat.completions.create(PARAMS).id  # type: ignore[attr-defined]


async def a_blocking_answer_cannot_be_awaited(blocking: MeshAPI) -> None:
    await blocking.chat.completions.create(PARAMS)  # type: ignore[misc]
    async for _ in blocking.chat.completions.stream(PARAMS):  # type: ignore[attr-defined]
        pass


def wrong_settings_are_errors() -> None:
    MeshAPI("rsk_test_typing")  # type: ignore[arg-type]
    MeshAPI(token=b"rsk_test_typing")  # type: ignore[arg-type]
    MeshAPI(token=lambda: 7)  # type: ignore[arg-type, return-value]
    MeshAPI(timeout="60")  # type: ignore[arg-type]
    MeshAPI(retries=1)  # type: ignore[arg-type]
    MeshAPI(tls=False)  # type: ignore[arg-type]
    MeshAPI(tls=("certificate.pem",))  # type: ignore[arg-type]
    MeshAPI(sockets={"uds": "/run/gateway.sock"})  # type: ignore[arg-type]
    SocketOptions("/run/gateway.sock")  # type: ignore[call-arg]
    Timeout(conect=1.0)  # type: ignore[call-arg]


class Words:
    def __init__(self, stream: Stream[bytes]) -> None: ...


class AsyncWords:
    def __init__(self, stream: AsyncStream[bytes]) -> None: ...


class Rows(Generic[T]):
    def __init__(self, items: ItemStream[T, int]) -> None: ...


class AsyncRows(Generic[T]):
    def __init__(self, items: AsyncItemStream[T, int]) -> None: ...


class Pairs(Resource[R_co]):
    @stream_endpoint_as(lambda: Words, lambda: AsyncWords)
    def words(self, model: str) -> StreamCall[bytes]:
        raise NotImplementedError

    @item_flow_endpoint_as(lambda: Rows[str], lambda: AsyncRows[str])
    def rows(self, model: str) -> ItemFlow[str, int]:
        raise NotImplementedError


def one_of_a_pair_of_classes_is_returned(
    blocking: Runner, asynchronous: AsyncRunner, raw: RawRunner, async_raw: AsyncRawRunner
) -> None:
    assert_type(Pairs(blocking).words("m"), Words)
    assert_type(Pairs(raw).words("m"), Words)
    assert_type(Pairs(asynchronous).words(model="m"), AsyncWords)
    assert_type(Pairs(async_raw).words(model="m"), AsyncWords)
    assert_type(Pairs.words.build("m"), StreamCall[bytes])
    assert_type(Pairs(blocking).rows("m"), Rows[str])
    assert_type(Pairs(asynchronous).rows("m"), AsyncRows[str])
    assert_type(Pairs.rows.build("m"), ItemFlow[str, int])
    refused: Callable[[str], NoReturn] = Pairs(raw).rows
    Pairs(blocking).words(modle="m")  # type: ignore[call-arg]
    Pairs(asynchronous).rows(1)  # type: ignore[arg-type]
    del refused


def streams_add_up(client: MeshAPI) -> None:
    stream = client.chat.completions.stream(PARAMS)
    plain: Stream[ChatCompletionChunk] = stream
    assert_type(stream.text, str)
    assert_type(stream.partial, Optional[ChatCompletionResponse])
    assert_type(stream.response, ChatCompletionResponse)
    assert_type(stream.get_final_completion(), ChatCompletionResponse)
    assert_type(stream.get_final_text(), str)
    for piece in stream.text_stream:
        assert_type(piece, str)
    for event in stream.events():
        assert_type(event, ChatEvent)
        if event.type == "content.delta":
            assert_type(event, ContentDelta)
        elif event.type == "tool_call.done":
            assert_type(event.parsed_arguments, dict[str, Any])
        elif isinstance(event, CompletionDone):
            assert_type(event.response, ChatCompletionResponse)
    assert_type(client.responses.stream(input="hi").get_final_response(), ResponsesResponse)
    assert_type(client.responses.stream(input="hi").text_stream.__next__(), str)
    compared = client.compare.stream(models=["a"], messages=[])
    assert_type(compared.by_model(), dict[str, ModelCompareResult])
    assert_type(compared.response, CompareResponse)
    assert_type(client.images.stream(prompt="a fox").get_final_images(), list[ImageItem])
    del plain


async def async_streams_add_up(client: AsyncMeshAPI) -> None:
    stream = client.chat.completions.stream(PARAMS)
    plain: AsyncStream[ChatCompletionChunk] = stream
    assert_type(stream.text, str)
    assert_type(await stream.get_final_completion(), ChatCompletionResponse)
    assert_type(await stream.get_final_text(), str)
    async for piece in stream.text_stream:
        assert_type(piece, str)
    async for event in stream.events():
        assert_type(event, ChatEvent)
    images: AsyncImagesStream = client.images.stream(prompt="a fox")
    assert_type(await images.get_final_images(), list[ImageItem])
    del plain


def responses_have_their_text_and_tool_calls(client: MeshAPI) -> None:
    completion = client.chat.completions.create(PARAMS)
    assert_type(completion.text, str)
    assert_type(completion.tool_calls, list[ToolCall])
    assert_type(completion.tool_calls[0].parsed_arguments, dict[str, Any])
    response = client.responses.create(input="hi")
    assert_type(response.output_text, str)
    assert_type(response.tool_calls, list[ResponsesFunctionCall])
    assert_type(response.tool_calls[0].parsed_arguments, dict[str, Any])
