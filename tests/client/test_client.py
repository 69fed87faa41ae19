"""Both clients from outside: how they are made, what they send, and how calls end."""

import json
import os
import ssl
import threading
import time
import traceback
from typing import Any, Optional

import pytest

from meshapi import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncMeshAPI,
    AuthenticationError,
    ChatCompletionParams,
    ChatMessage,
    Headers,
    InternalServerError,
    InvalidParamsError,
    Limits,
    MeshAPI,
    NotFoundError,
    RateLimitError,
    RetryPolicy,
    StreamInterruptedError,
    Timeout,
    Tool,
    ToolFunction,
    __version__,
)
from meshapi.testing import LocalGateway
from meshapi_backends import TransportError
from meshapi_core import Failure, Request
from support.flavours import ASK, QUICK, TOKEN, on_every_flavour
from support.scripted_server import Peer, ScriptedServer
from support.wire import (
    chunk,
    chunked,
    completion,
    dump,
    failed,
    frame,
    good,
    serve,
    stream_head,
    streamed,
    texts,
)

CLIENTS = pytest.mark.parametrize("client_class", [MeshAPI, AsyncMeshAPI])
URL = "http://127.0.0.1:9"
QUESTION = {
    "model": "openai/gpt-4o-mini",
    "messages": [{"role": "user", "content": "What is 2+2?"}],
}
WEATHER = Tool(
    function=ToolFunction(
        name="get_weather",
        description="Current weather of a city",
        parameters={
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    )
)


@pytest.fixture(scope="module")
def gateway():
    with LocalGateway(token=TOKEN, words_per_second=0) as gateway:
        yield gateway


def text_of(chunks: list[Any]) -> str:
    return "".join(part.choices[0].delta.content or "" for part in chunks if part.choices)


# Making a client


@CLIENTS
def test_the_environment_says_where_and_who(client_class, monkeypatch):
    monkeypatch.setenv("MESHAPI_BASE_URL", "http://127.0.0.1:8000/prefix/")
    monkeypatch.setenv("MESHAPI_TOKEN", TOKEN)
    config = client_class()._config
    assert config.base_url == "http://127.0.0.1:8000/prefix"
    assert config.token.reveal() == TOKEN
    config = client_class(base_url=URL, token="rsk_test_other")._config
    assert (config.base_url, config.token.reveal()) == (URL, "rsk_test_other")


@CLIENTS
def test_without_an_address_it_is_the_public_gateway(client_class, monkeypatch):
    monkeypatch.delenv("MESHAPI_BASE_URL", raising=False)
    assert client_class(token=TOKEN)._config.base_url == "https://api.meshapi.ai"


@CLIENTS
def test_without_a_token_there_is_no_client(client_class, monkeypatch):
    monkeypatch.delenv("MESHAPI_TOKEN", raising=False)
    with pytest.raises(ValueError, match="MESHAPI_TOKEN"):
        client_class(base_url=URL)


@pytest.mark.parametrize(
    "token",
    [
        "",
        " ",
        TOKEN + "\n",
        "\t" + TOKEN,
        TOKEN + " x",
        TOKEN + "\x00",
        TOKEN + "\x7f",
        TOKEN + "é",
    ],
)
@CLIENTS
def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(client_class, token):
    with pytest.raises(ValueError, match="token") as caught:
        client_class(base_url=URL, token=token)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("token", [b"rsk_test_bytes", 7])
@CLIENTS
def test_a_token_of_another_type_is_refused_and_not_shown(client_class, token):
    with pytest.raises(TypeError, match="token") as caught:
        client_class(base_url=URL, token=token)
    assert "rsk_test_bytes" not in shown(caught.value)


def shown(exc: BaseException) -> str:
    """The text that error trackers collect: the locals of every frame inside the library."""
    stack = traceback.TracebackException.from_exception(exc, capture_locals=True)
    inside = [frame for frame in stack.stack if f"{os.sep}src{os.sep}meshapi" in frame.filename]
    assert inside
    return str(exc) + "".join(map(repr, (frame.locals for frame in inside)))


@CLIENTS
def test_a_client_that_could_not_be_made_can_be_shown(client_class):
    """On Python 3.9 to 3.11, a repr that raises spoils the whole report."""
    with pytest.raises(ValueError, match="base_url") as caught:
        client_class(base_url="ftp://h", token=TOKEN)
    text = shown(caught.value)
    assert client_class.__name__ in text
    assert TOKEN not in text
    assert repr(client_class.__new__(client_class)) == f"<{client_class.__name__} (not made)>"


@CLIENTS
def test_options_of_another_type_are_refused_by_name(client_class):
    for options in (
        {"limits": 5},
        {"limits": None},
        {"tls": False},
        {"tls": "no-such-file.pem"},
        {"sockets": {}},
        {"transport": object()},
        {"transport": False},
        {"transport": {}},
    ):
        (name,) = options
        with pytest.raises(TypeError, match=f"^{name}: expected ") as caught:
            client_class(base_url=URL, token=TOKEN, **options)
        assert TOKEN not in shown(caught.value)


def test_a_transport_of_the_other_side_is_refused():
    with pytest.raises(TypeError, match=r"^transport: expected .*blocking"):
        MeshAPI(base_url=URL, token=TOKEN, transport=AsyncToyTransport())
    with pytest.raises(TypeError, match=r"^transport: expected .*async"):
        AsyncMeshAPI(base_url=URL, token=TOKEN, transport=ToyTransport())


def test_a_transport_need_not_be_of_any_class():
    class Wrapped:
        """Delegates everything, as a spy in a test does."""

        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

    blocking = MeshAPI(base_url=URL, token=TOKEN, transport=Wrapped(ToyTransport()))
    waiting = AsyncMeshAPI(base_url=URL, token=TOKEN, transport=Wrapped(AsyncToyTransport()))
    assert blocking._config.base_url == waiting._config.base_url == URL


@CLIENTS
def test_a_tls_context_is_what_can_wrap_a_connection(client_class):
    context = ssl.create_default_context()
    assert repr(client_class(base_url=URL, token=TOKEN, tls=context))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.meshapi.ai",
        "ftp://127.0.0.1",
        "http://",
        "http://user:secret@127.0.0.1",
        "http://127.0.0.1?x=1",
        "http://127.0.0.1#x",
        "http://127.0.0.1/v1",
        "http://127.0.0.1:99999",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/\r\nX: y",
    ],
)
@CLIENTS
def test_a_base_url_that_is_not_a_url_of_a_gateway_is_refused(client_class, url, monkeypatch):
    monkeypatch.delenv("MESHAPI_BASE_URL", raising=False)
    with pytest.raises(ValueError, match="base_url") as caught:
        # An empty URL in the environment means the default; an empty argument is a mistake.
        client_class(base_url=url, token=TOKEN)
    assert TOKEN not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": -1.0}, {"max_retries": -1}])
@CLIENTS
def test_options_out_of_range_are_refused(client_class, options):
    with pytest.raises(ValueError, match=r"timeout|max_retries"):
        client_class(base_url=URL, token=TOKEN, **options)


@CLIENTS
def test_there_is_the_same_on_both_clients(client_class):
    assert client_class(base_url=URL, token=TOKEN).chat.completions.create is not None
    own, blocking = client_class.__init__.__kwdefaults__, MeshAPI.__init__.__kwdefaults__
    # The only keyword that the official SDK names differently on the two clients.
    assert {name.replace("async_httpx", "httpx"): own[name] for name in own} == blocking


# Requests


@on_every_flavour
async def test_what_goes_over_the_wire(world):
    with ScriptedServer(serve) as server:
        async with world.client(server.url + "/prefix/") as client:
            await client.chat.completions.create(**ASK)
            [_ async for _ in client.chat.completions.stream(**ASK)]
        whole, streamed_one = server.requests
    assert whole.line == streamed_one.line == b"POST /prefix/v1/chat/completions HTTP/1.1"
    headers = whole.headers
    assert headers.pop("idempotency-key") != streamed_one.headers["idempotency-key"]
    agent = headers.pop("user-agent")
    assert agent.startswith("meshapi-python/")
    assert headers == {
        "host": f"127.0.0.1:{server.port}",
        "authorization": f"Bearer {TOKEN}",
        "content-type": "application/json",
        "content-length": str(len(whole.body)),
        "accept": "application/json",
        "accept-encoding": "identity",
        "x-meshapi-sdk": f"python/{__version__}",
    }
    assert whole.json() == {**ASK, "stream": False}
    assert streamed_one.json() == {**ASK, "stream": True}


@on_every_flavour
async def test_both_call_forms_send_the_same(world):
    params = ChatCompletionParams(
        model="m",
        messages=[ChatMessage(role="user", content="hi")],
        temperature=0.7,
        tools=[WEATHER],
    )
    fields: dict[str, Any] = {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0.7,
        "tools": [WEATHER],
    }
    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            for form in ({"args": (params,)}, {"kwargs": fields}):
                args, kwargs = form.get("args", ()), form.get("kwargs", {})
                await client.chat.completions.create(*args, **kwargs)
                [_ async for _ in client.chat.completions.stream(*args, **kwargs)]
        bodies = [request.json() for request in server.requests]
    assert bodies[:2] == bodies[2:]
    assert bodies[0]["tools"][0]["function"]["name"] == "get_weather"


@on_every_flavour
async def test_wrong_arguments_are_refused_before_anything_is_sent(world):
    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            completions = client.chat.completions
            for call in (completions.create, completions.stream):
                for fields, name in (
                    ({"model": "m"}, "messages"),
                    ({**ASK, "temperature": "hot"}, "temperature"),
                    ({**ASK, "colour": "red"}, "colour"),
                    ({"messages": [{"role": 5}]}, r"messages\[0\]\.role"),
                ):
                    with pytest.raises(InvalidParamsError, match=name):
                        await call(**fields)
        assert server.connections == 0


# Against the gateway


@on_every_flavour
async def test_a_question_is_answered(world, gateway):
    async with world.client(gateway.url) as client:
        response = await client.chat.completions.create(**QUESTION)
    assert response.choices[0].message.content == "2 + 2 = 4."
    assert response.choices[0].finish_reason == "stop"
    assert (
        response.usage.total_tokens
        == response.usage.prompt_tokens + response.usage.completion_tokens
    )
    assert response._request_id.startswith("req_")
    assert response.raw["object"] == "chat.completion"


@on_every_flavour
async def test_a_question_is_answered_word_by_word(world, gateway):
    async with world.client(gateway.url) as client:
        async with client.chat.completions.stream(
            model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "Count to 5."}]
        ) as stream:
            assert stream.request_id.startswith("req_")
            chunks = [part async for part in stream]
        assert world.pool_state(client).idle == 1, "a finished stream gives its connection back"
    assert text_of(chunks) == "1 2 3 4 5"
    assert len(chunks) > 5
    assert chunks[-1].usage.total_tokens > 0


@on_every_flavour
async def test_a_tool_is_called_and_its_result_used(world, gateway):
    question = ChatMessage(role="user", content="What is the weather in Paris?")
    async with world.client(gateway.url) as client:
        response = await client.chat.completions.create(
            model="openai/gpt-4o", messages=[question], tools=[WEATHER], tool_choice="auto"
        )
        (call,) = response.choices[0].message.tool_calls
        assert response.choices[0].finish_reason == "tool_calls"
        assert call.function.name == "get_weather"
        assert list(json.loads(call.function.arguments)) == ["city"]

        pieces = []
        async for part in client.chat.completions.stream(
            model="openai/gpt-4o", messages=[question], tools=[WEATHER]
        ):
            for one in (part.choices[0].delta.tool_calls if part.choices else None) or ():
                pieces.append(one.function.arguments or "")
        assert json.loads("".join(pieces)) == json.loads(call.function.arguments)

        response = await client.chat.completions.create(
            model="openai/gpt-4o",
            messages=[
                question,
                ChatMessage(role="assistant", tool_calls=[call]),
                ChatMessage(role="tool", tool_call_id=call.id, content="18 degrees"),
            ],
            tools=[WEATHER],
        )
        assert "18 degrees" in response.choices[0].message.content


@on_every_flavour
async def test_the_gateways_errors_are_typed(world, gateway):
    async with world.client(gateway.url, retry=RetryPolicy(max_retries=0)) as client:
        completions = client.chat.completions
        with pytest.raises(NotFoundError) as unknown:
            await completions.create(**{**QUESTION, "model": "nobody/none"})
        with pytest.raises(RateLimitError) as busy:
            await completions.create(**{**QUESTION, "model": "mesh/rate-limited"})
        with pytest.raises(StreamInterruptedError) as cut:
            [_ async for _ in completions.stream(**{**QUESTION, "model": "mesh/broken-stream"})]
        with pytest.raises(InternalServerError) as framed:
            [_ async for _ in completions.stream(**{**QUESTION, "model": "mesh/error-in-stream"})]
    async with world.client(gateway.url, token="rsk_test_wrong") as client:
        with pytest.raises(AuthenticationError) as stranger:
            await client.chat.completions.create(**QUESTION)
    assert unknown.value.error_code == "model_not_found"
    assert busy.value.retry_after_seconds == 1
    assert cut.value.partial.choices[0].message.content
    assert (framed.value.status, framed.value.error_code) == (0, "gateway_timeout")
    assert stranger.value.status == 401
    for caught in (unknown, busy, cut, framed, stranger):
        assert caught.value.request_id.startswith("req_")


@on_every_flavour
async def test_a_gateway_that_fails_twice_is_asked_three_times(world, gateway):
    async with world.client(gateway.url) as client:
        response = await client.chat.completions.create(
            **{**QUESTION, "model": "mesh/flaky", "user": f"flaky-{world.name}"}
        )
    assert response.choices[0].message.content == "2 + 2 = 4."


@pytest.mark.slow
@on_every_flavour
async def test_a_hundred_calls_at_once_are_answered_each_with_its_own(world, gateway):
    calls = 100 if world.name != "sync" else 24

    def ask(n: int, client: Any) -> Any:
        async def asks():
            question = [{"role": "user", "content": f"Repeat: number {n}"}]
            response = await client.chat.completions.create(model="auto", messages=question)
            return response.choices[0].message.content

        async def streams():
            question = [{"role": "user", "content": f"Repeat: number {n}"}]
            stream = client.chat.completions.stream(model="auto", messages=question)
            return text_of([part async for part in stream])

        return streams if n % 4 == 0 else asks

    async with world.client(gateway.url, timeout=15.0) as client:
        outcomes = await world.together(*(ask(n, client) for n in range(calls)))
        pool_state = world.pool_state(client)
        assert (pool_state.slots, pool_state.waiting) == (pool_state.idle, 0)
    assert outcomes == [f"number {n}" for n in range(calls)]


# Time limits


@pytest.mark.slow
@on_every_flavour
async def test_the_limit_of_a_whole_call_holds_across_its_retries(world):
    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(failed(503, "provider_not_available"))

    policy = RetryPolicy(max_retries=1000, initial_delay=0.05, max_delay=0.05)
    with ScriptedServer(script) as server:
        async with world.client(server.url, retry=policy, timeout=Timeout(total=0.5)) as client:
            began = time.monotonic()
            with pytest.raises((InternalServerError, APITimeoutError)):
                await client.chat.completions.create(**ASK)
            assert time.monotonic() - began < 8.0
        assert 1 < len(server.requests) <= 20


@on_every_flavour
async def test_the_limit_of_a_whole_call_holds_for_a_stream(world):
    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(stream_head())
        one = chunked(frame(chunk("a")), end=False)
        peer.drip(one * 500, 0.01, step=len(one))

    with ScriptedServer(script) as server:
        limits = Timeout(total=1.0, idle=5.0, read=5.0)
        async with world.client(server.url, timeout=limits) as client:
            chunks = []
            with pytest.raises(APITimeoutError) as caught:
                async for part in client.chat.completions.stream(**ASK):
                    chunks.append(part)
            await world.until(lambda: server.open_now == 0)
    assert caught.value.phase == "total"
    assert chunks
    assert caught.value.partial.choices[0].message.content == "a" * len(chunks)


@pytest.mark.slow
@on_every_flavour
async def test_every_event_starts_the_idle_limit_anew(world):
    """Comments do not: see "comments and no events" in `backends/test_fault_matrix.py`."""

    def lively(peer: Peer) -> None:
        peer.receive()
        peer.send(stream_head())
        for word in texts(*"abcdefghij"):
            peer.send(chunked(word, end=False))
            if peer.left_within(0.06):
                return
        peer.send(b"0\r\n\r\n")

    with ScriptedServer(lively) as server:
        async with world.client(server.url, timeout=Timeout(idle=0.5)) as client:
            chunks = [part async for part in client.chat.completions.stream(**ASK)]
    assert text_of(chunks) == "abcdefghij"


@on_every_flavour
async def test_the_time_a_consumer_takes_is_not_the_streams(world):
    """The idle limit counts the wait for the server, not the time spent on a chunk."""
    with ScriptedServer(serve) as server:
        async with world.client(server.url, timeout=Timeout(idle=0.05)) as client:
            chunks = []
            async for part in client.chat.completions.stream(**ASK):
                chunks.append(part)
                await world.sleep(0.07)
    assert text_of(chunks) == "pong"


# Retries


@on_every_flavour
async def test_max_retries_counts_the_attempts_after_the_first(world):
    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(failed(503, "provider_not_available"))

    for retries in (0, 1, 3):
        with ScriptedServer(script) as server:
            policy = RetryPolicy(max_retries=retries, initial_delay=0.001)
            async with world.client(server.url, retry=policy) as client:
                with pytest.raises(InternalServerError):
                    await client.chat.completions.create(**ASK)
            assert len(server.requests) == 1 + retries


@pytest.mark.parametrize("status", [400, 408, 409, 500, 501])
@on_every_flavour
async def test_what_may_have_been_billed_is_not_repeated(world, status):
    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(failed(status, "provider_job_failed"))

    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            with pytest.raises(APIStatusError) as caught:
                await client.chat.completions.create(**ASK)
        assert caught.value.status == status
        assert len(server.requests) == 1


@on_every_flavour
async def test_a_quota_that_is_used_up_is_not_asked_again(world):
    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(failed(429, "spend_limit_exceeded"))

    with ScriptedServer(script) as server:
        async with world.client(server.url) as client:
            with pytest.raises(RateLimitError):
                await client.chat.completions.create(**ASK)
        assert len(server.requests) == 1


# Transports


class ToyResponse:
    """A response that has already arrived."""

    cut = False

    def __init__(self, status: int, body: bytes, kind: str) -> None:
        self.status = status
        self.headers = Headers({"content-type": kind, "x-request-id": "req_toy"})
        self._body = [body[i : i + 5] for i in range(0, len(body), 5)]
        self.aborted = False

    def read(self, until: Optional[float] = None) -> bytes:
        return self._body.pop(0) if self._body else b""

    def abort(self) -> None:
        self.aborted = True


class ToyTransport:
    """Responds without a network: a 503 to the second request, a failure of the fifth."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.closed = False

    def send(
        self, request: Request, *, timeout: Timeout, deadline: Optional[float], fresh: bool
    ) -> Any:
        self.requests.append(request)
        if len(self.requests) == 2:
            return ToyResponse(503, b"", "text/plain")
        if len(self.requests) == 5:
            error = APIConnectionError("the toy is broken", error_code="disconnected")
            raise TransportError(Failure(error, "request"))
        if json.loads(request.body)["stream"]:
            return ToyResponse(200, b"".join(texts("to", "y")), "text/event-stream")
        return ToyResponse(200, dump(completion("toy")), "application/json")

    def close(self) -> None:
        self.closed = True


class AsyncToyResponse(ToyResponse):
    async def read(self, until: Optional[float] = None) -> bytes:
        return super().read(until)


class AsyncToyTransport(ToyTransport):
    async def send(self, request: Request, **limits: Any) -> Any:
        response = super().send(request, **limits)
        response.__class__ = AsyncToyResponse
        return response

    async def aclose(self) -> None:
        self.close()


@on_every_flavour
async def test_a_transport_of_ones_own_carries_everything(world):
    toy = ToyTransport() if world.name == "sync" else AsyncToyTransport()
    async with world.client("http://gateway.test/p", transport=toy) as client:
        completions = client.chat.completions
        assert (await completions.create(**ASK)).choices[0].message.content == "toy"
        response = await completions.create(**ASK)
        assert response._request_id == "req_toy"
        assert text_of([part async for part in completions.stream(**ASK)]) == "toy"
        with pytest.raises(APIConnectionError, match="toy is broken"):
            await completions.create(**ASK)
    assert len(toy.requests) == 5, "the 503 was tried again, by the same rules as ever"
    assert toy.requests[0].url == "http://gateway.test/p/v1/chat/completions"
    assert toy.requests[1] == toy.requests[2], "the same value on every attempt"
    assert not toy.closed, "it belongs to whoever made it"


# Sharing


def test_threads_share_a_client():
    barrier = threading.Barrier(8, timeout=10)

    def script(peer: Peer) -> None:
        for _ in peer.requests():
            peer.send(good())

    with ScriptedServer(script) as server:
        with MeshAPI(base_url=server.url, token=TOKEN, limits=Limits(max_connections=3)) as client:
            responses: list[Optional[str]] = []

            def work() -> None:
                barrier.wait()
                for _ in range(10):
                    response = client.chat.completions.create(**ASK)
                    responses.append(response.choices[0].message.content)

            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(20)
        assert responses == ["pong"] * 80
        assert server.most_open <= 3


@on_every_flavour
async def test_two_streams_at_once_do_not_mix(world):
    def script(peer: Peer) -> None:
        for request in peer.requests():
            peer.send(streamed(*texts(*(request.json()["model"] * 3))))

    with ScriptedServer(script) as server:
        async with world.client(server.url, retry=QUICK) as client:
            one = client.chat.completions.stream(**{**ASK, "model": "a"})
            other = client.chat.completions.stream(**{**ASK, "model": "b"})
            read = []
            for _ in range(3):
                for stream in (one, other):
                    part = await stream.__anext__()
                    read.append(part.choices[0].delta.content)
            await one.close()
            await other.close()
    assert "".join(read) == "ababab"
