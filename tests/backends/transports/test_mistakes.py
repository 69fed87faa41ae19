"""Mistakes in a transport of one's own: what was given, what was expected, and what to do."""

import copy
import warnings
from typing import Any

import pytest

from meshapi import APIConnectionError
from meshapi.transports import AiohttpTransport, AsyncHTTPCoreTransport, HTTPCoreTransport
from support.flavours import ASK, World, on_every_flavour
from support.wire import completion, dump

URL = "http://gateway.test"
SECRET = "sk-of-the-transport-1234"


class Response:
    status: Any = 200
    headers: Any = (("content-type", "application/json"),)
    is_aborted = False

    def __init__(self, **parts: Any) -> None:
        self.pieces = [dump(completion("pong")), b""]
        vars(self).update(parts)

    def read(self, until: Any) -> Any:
        return self.pieces.pop(0)

    def abort(self) -> None:
        self.is_aborted = True


class AsyncResponse(Response):
    async def read(self, until: Any) -> Any:
        return super().read(until)


class OwnTransport:
    """Returns what it is told to return, or raises it."""

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome
        self.count = 0

    def send(self, request: Any, **options: Any) -> Any:
        self.count += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    def close(self) -> None:
        pass


class AsyncOwnTransport(OwnTransport):
    async def send(self, request: Any, **options: Any) -> Any:
        return super().send(request, **options)

    async def aclose(self) -> None:
        pass


def own(world: World, outcome: Any) -> Any:
    return (OwnTransport if world.name == "sync" else AsyncOwnTransport)(outcome)


def responding(world: World, **parts: Any) -> Any:
    return (Response if world.name == "sync" else AsyncResponse)(**parts)


async def passing(request: Any, call_next: Any) -> Any:
    return await call_next(request)


async def call(world: World, transport: Any, behind: str = "", **options: Any) -> Any:
    if behind:
        options["middleware"] = [world.middleware(passing)]
    async with world.client(URL, transport=transport, **options) as client:
        return await client.chat.completions.create(**ASK)


async def refusal(world: World, transport: Any, behind: str = "") -> str:
    """What the error says with which a call ends, at once and unchanged."""
    with pytest.raises(TypeError) as caught:
        await call(world, transport, behind)
    assert transport.count == 1, "not retried"
    return str(caught.value)


behind = pytest.mark.parametrize("behind", ["", "middleware"])
A_RESPONSE = "send() to return a response, with status (int), headers, read() and abort()"


@behind
@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"status": "200"}, "the status of its response to be an int, got str"),
        ({"status": None}, "the status of its response to be an int, got None"),
        ({"read": None}, "its response to have a method read(), got {response}"),
        (
            {"headers": None},
            (
                "the headers of its response to be pairs of names and values, or to have items(),"
                " got None"
            ),
        ),
        (
            {"pieces": ["text"]},
            "read() of its response to return bytes, got str; write x.encode()",
        ),
        (
            {"pieces": [b"{", None]},
            'read() of its response to return bytes, got None; return b"" at the end',
        ),
        ({"pieces": [5]}, "read() of its response to return bytes, got int"),
    ],
)
@on_every_flavour
async def test_a_part_of_a_wrong_kind_is_named(world, behind, parts, said):
    response = responding(world, **copy.deepcopy(parts))
    transport = own(world, response)
    kind, name = type(response).__name__, type(transport).__name__
    library = f"{__name__.partition('.')[0]}."
    got = said.format(response=library + kind)
    assert (
        await refusal(world, transport, behind) == f"the transport {library}{name}: expected {got}"
    )
    assert response.is_aborted


@behind
@pytest.mark.parametrize("outcome", [None, 5, b"x"])
@on_every_flavour
async def test_what_is_no_response_is_refused(world, behind, outcome):
    said = await refusal(world, own(world, outcome), behind)
    assert f": expected {A_RESPONSE}, got " in said


@behind
@on_every_flavour
async def test_methods_of_the_other_kind_say_how_to_write_them(world, behind):
    # Of a coroutine that nobody awaits, Python would say that as well.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if world.name == "sync":
            transport = OwnTransport(AsyncResponse())
            assert "got coroutine; write def read, without async" in await refusal(
                world, transport, behind
            )
            return
        said = await refusal(world, AsyncOwnTransport(Response()), behind)
        assert "expected read() of its response to return an awaitable, got bytes" in said
        assert said.endswith("; write async def read")
        plain = OwnTransport(AsyncResponse())
        plain.aclose = AsyncOwnTransport.aclose.__get__(plain)  # type: ignore[attr-defined]
        said = await refusal(world, plain, behind)
        assert said.endswith("; write async def send")


@on_every_flavour
async def test_bytes_of_another_class_will_do(world):
    body = dump(completion("pong"))
    pieces = [bytearray(body[:5]), memoryview(body)[5:], b""]
    made = await call(world, own(world, responding(world, pieces=pieces)))
    assert made.choices[0].message.text == "pong"


# Found when the client is made


@pytest.mark.parametrize(
    "parameters",
    ["self, request", "self", "self, request, timeout", "self, request, *, timeout, deadline"],
)
@on_every_flavour
async def test_send_that_lacks_parameters_is_refused_by_the_client(world, parameters):
    scope: Any = {}
    prefix = "" if world.name == "sync" else "async "
    closing = "close" if world.name == "sync" else "aclose"
    exec(
        f"class Plain:\n  {prefix}def send({parameters}): ...\n  {prefix}def {closing}(self): ...",
        scope,
    )
    with pytest.raises(TypeError) as caught:
        world.client(URL, transport=scope["Plain"]())
    shown = parameters.partition(", ")[2]
    assert str(caught.value).endswith(
        f": expected send(request, *, timeout, deadline, fresh), got send({shown}); add **options"
    )


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        (HTTPCoreTransport, "got the class HTTPCoreTransport; write HTTPCoreTransport()"),
        (AsyncHTTPCoreTransport, "class AsyncHTTPCoreTransport; write AsyncHTTPCoreTransport()"),
        (AiohttpTransport, "got the class AiohttpTransport; write AiohttpTransport(...)"),
    ],
)
@on_every_flavour
async def test_a_class_is_refused_by_the_client(world, kind, hint):
    with pytest.raises(TypeError) as caught:
        world.client(URL, transport=kind)
    assert str(caught.value).startswith("transport: expected a")
    assert str(caught.value).endswith(hint)


# Mistakes within it


@pytest.mark.parametrize("kind", [TypeError, AttributeError, NameError])
@on_every_flavour
async def test_a_mistake_of_the_program_is_quoted(world, kind):
    with pytest.raises(APIConnectionError) as caught:
        await call(
            world,
            own(world, kind(f"no 'x' in 'rsk_test_0123456789' {SECRET}")),
            token="rsk_test_0123456789",
            default_headers={"x-api-key": SECRET},
        )
    assert caught.value.message == (f"the HTTP client failed: {kind.__name__}: no 'x' in '***' ***")


@on_every_flavour
async def test_an_error_that_may_quote_a_header_is_not(world):
    with pytest.raises(APIConnectionError) as caught:
        await call(world, own(world, ValueError("Invalid header value b'abc'")))
    assert caught.value.message == "the HTTP client failed: ValueError"
