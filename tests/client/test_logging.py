"""What the logger `meshapi` says, on every flavour and over an injected HTTP client."""

import json
import logging
import re
import sys
from typing import Any

import pytest
from client.test_content_codings import client_over, collected, over_both_transports
from client.test_secrets import QUERY, SIGNATURE, fixed_all, initiated
from house.fresh import run_python

from meshapi import InvalidParamsError, MeshAPI, MeshAPIError, Reconnect, RetryPolicy
from support.flavours import ASK, TOKEN, World, on_every_flavour
from support.realtime_server import RealtimePeer, connected, upgraded
from support.reporters import seen
from support.scripted_server import Peer, Script, ScriptedServer
from support.turns import by_turns
from support.wire import chunked, failed, good, make_response, stream_head, streamed, texts

PATH = "POST /v1/chat/completions"


def lines(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    """The lines of at least a level, with `_` for times and numbers of ports."""
    return [
        re.sub(r"(?<=127.0.0.1:)\d+", "_", re.sub(r"\d+\.\d\d s", "_ s", record.getMessage()))
        for record in caplog.records
        if record.name == "meshapi" and record.levelno >= level
    ]


def responses(*each: bytes) -> Script:
    """Respond to each request on a connection with the next one."""

    def script(peer: Peer) -> None:
        for _, response in zip(peer.requests(), each):
            peer.send(response)

    return script


@over_both_transports
@on_every_flavour
async def test_a_response_is_one_line(
    world: World, over: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "meshapi")
    with ScriptedServer(responses(good())) as server:
        async with client_over(world, over, server.url) as client:
            await client.chat.completions.create(**ASK)
    assert lines(caplog) == [f"{PATH} 200 in _ s (request req_01TEST, attempt 1 of 3)"]
    (record,) = [record for record in caplog.records if record.name == "meshapi"]
    assert record.levelno == logging.INFO
    facts: dict[str, Any] = record.meshapi  # type: ignore[attr-defined]
    assert facts["status"] == 200
    assert facts["request_id"] == "req_01TEST"
    assert (facts["attempt"], facts["most_attempts"]) == (1, 3)
    assert facts["seconds"] >= 0


@over_both_transports
@on_every_flavour
async def test_an_error_is_one_line(
    world: World, over: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "meshapi")
    with ScriptedServer(responses(failed(404, "not_found"))) as server:
        async with client_over(world, over, server.url) as client:
            with pytest.raises(MeshAPIError):
                await client.chat.completions.create(**ASK)
    assert lines(caplog) == [f"{PATH} 404 not_found in _ s (request req_01TEST, attempt 1 of 3)"]
    assert caplog.records[-1].meshapi["error_code"] == "not_found"  # type: ignore[attr-defined]


@on_every_flavour
async def test_a_retry_says_why_and_when(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "meshapi")
    busy = failed(503, "overloaded")
    with ScriptedServer(responses(busy, good())) as server:
        async with world.client(server.url) as client:
            await client.chat.completions.create(**ASK)
    assert lines(caplog) == [
        f"{PATH} 503 overloaded in _ s (request req_01TEST, attempt 1 of 3); again in _ s",
        f"{PATH} 200 in _ s (request req_01TEST, attempt 2 of 3)",
    ]


@on_every_flavour
async def test_a_broken_connection_says_what_broke(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "meshapi")
    with ScriptedServer(lambda peer: peer.reset()) as server:
        async with world.client(server.url, retry=RetryPolicy(max_retries=0)) as client:
            with pytest.raises(MeshAPIError) as caught:
                await client.models.list()
    (line,) = lines(caplog)
    assert re.fullmatch(r"GET /v1/models failed after _ s \(attempt 1 of 1\): .+", line)
    assert str(caught.value).partition(":")[0] in line


@over_both_transports
@on_every_flavour
async def test_a_stream_has_a_line_at_its_begin_and_one_at_its_end(
    world: World, over: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "meshapi")
    with ScriptedServer(responses(streamed(*texts("a", "b")))) as server:
        async with client_over(world, over, server.url) as client:
            await collected(client.chat.completions.stream(**ASK))
    assert lines(caplog) == [
        f"{PATH} 200 in _ s (request req_01TEST, attempt 1 of 3); the stream has begun",
        f"{PATH}: stream complete after _ s (request req_01TEST, 3 chunks)",
    ]


@over_both_transports
@on_every_flavour
async def test_a_stream_that_breaks_says_so(
    world: World, over: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "meshapi")
    broken = stream_head() + chunked(*texts("a")[:1], end=False)

    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(broken)

    with ScriptedServer(script) as server:
        async with client_over(world, over, server.url) as client:
            with pytest.raises(MeshAPIError):
                await collected(client.chat.completions.stream(**ASK))
    assert lines(caplog)[1].startswith(
        f"{PATH}: stream failed after _ s (request req_01TEST, 1 chunk): "
    )


@over_both_transports
@on_every_flavour
async def test_a_stream_that_is_closed_says_so_once(
    world: World, over: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "meshapi")
    begun = stream_head() + chunked(*texts("a")[:1], end=False)

    def script(peer: Peer) -> None:
        peer.receive()
        peer.send(begun)
        peer.wait_until_left()

    with ScriptedServer(script) as server:
        async with (
            client_over(world, over, server.url) as client,
            client.chat.completions.stream(**ASK) as stream,
        ):
            async for _ in stream:
                break
    assert lines(caplog) == [
        f"{PATH} 200 in _ s (request req_01TEST, attempt 1 of 3); the stream has begun",
        f"{PATH}: closed after _ s (request req_01TEST, 1 chunk)",
    ]


@on_every_flavour
async def test_an_upload_has_a_line_for_each_call(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "meshapi")
    with (
        ScriptedServer(responses(make_response(200, b""))) as storage,
        ScriptedServer(responses(initiated(storage.url), make_response(200, b"{}"))) as gateway,
    ):
        async with world.client(gateway.url) as client:
            try:
                await client.rag.upload_file(file_name="a", mime_type="a/b", content=b"abc")
            except MeshAPIError:
                pass  # of the last response, which does not matter here
    told = lines(caplog)
    assert any(line.startswith("PUT /bucket/f 200 in _ s (") for line in told), told
    assert SIGNATURE not in "".join(told)


@on_every_flavour
async def test_a_session_says_when_it_connects_is_lost_and_ends(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "meshapi")

    def script(peer: RealtimePeer) -> None:
        peer.event("session.created")
        if peer.number == 0:
            peer.close(1012, "restart")
        else:
            peer.peer.wait_until_left()

    quick = Reconnect(retry=RetryPolicy(initial_delay=0.002))
    scripts = (upgraded(script), upgraded(script))
    async with connected(world, *scripts, reconnect=quick) as (session, _):
        kinds = [(await session.receive(5)).type for _ in range(3)]
    assert kinds == ["session.created", "meshapi.reconnected", "session.created"]
    begun = "GET /v1/realtime 101 in _ s (request req_01REALTIME, attempt 1 of {})"
    assert lines(caplog) == [
        f"{begun.format(3)}; the session has begun",
        "GET /v1/realtime: connection lost (1012 restart); again in _ s",
        f"{begun.format(5)}; the session has begun",
        "GET /v1/realtime: session over after _ s (3 messages)",
    ]
    assert "GET /v1/realtime: item 0: session.created" in lines(caplog, logging.DEBUG)
    assert TOKEN not in caplog.text


# Details


@on_every_flavour
async def test_bodies_and_connections_are_told_at_debug(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "meshapi")
    long = {"model": "m", "messages": [{"role": "user", "content": "x" * 5000}]}
    with ScriptedServer(responses(good("pong"), good("pong"))) as server:
        async with world.client(server.url) as client:
            await client.chat.completions.create(**ASK)
            await client.chat.completions.create(**long)
    told = lines(caplog, logging.DEBUG)
    assert "connection to http://127.0.0.1:_ opened" in told
    assert "connection to http://127.0.0.1:_ used again" in told
    assert told.count("connection to http://127.0.0.1:_ kept") == 2
    sent = [line for line in told if ": sends " in line]
    assert '"content":"ping"' in sent[0]
    assert re.search(r"x \(of \d+ bytes\)$", sent[1])
    assert len(sent[1]) < 1200
    assert any('receives {"id"' in line and '"content":"pong"' in line for line in told)
    assert any("authorization: ***" in line for line in told)


@on_every_flavour
async def test_binary_bodies_are_told_by_their_size(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "meshapi")
    with ScriptedServer(responses(make_response(200, b"\0\1\2", kind="audio/mpeg"))) as server:
        async with world.client(server.url) as client:
            try:
                await client.audio.synthesize(model="m", input="hi", voice="v")
            except MeshAPIError:
                pass
    told = "\n".join(lines(caplog, logging.DEBUG))
    assert "receives 3 bytes of audio/mpeg" in told
    assert "\\x00" not in told
    assert "\0" not in told


@on_every_flavour
async def test_a_server_can_not_write_lines_of_its_own(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "meshapi")
    evil = failed(400, "a\nCRITICAL root: b", "x\r\nCRITICAL root: \x1b[31mowned\u2028")
    with ScriptedServer(responses(evil)) as server:
        async with world.client(server.url) as client:
            with pytest.raises(MeshAPIError):
                await client.chat.completions.create(**ASK)
    for line in lines(caplog, logging.DEBUG):
        assert not re.search(r"[\x00-\x1f\x7f\u2028]", line)


@by_turns
@pytest.mark.parametrize("over", ["own", "httpx"])
@on_every_flavour
async def test_no_secret_is_in_any_line(
    world: World, over: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(1)
    echo = failed(401, TOKEN, f"bad key Bearer {TOKEN}", f"X-Echo: {TOKEN}", "Set-Cookie: s=abcdef")
    cut = make_response(400, f"{'x' * 1015}{TOKEN}".encode(), kind="text/plain")
    ok = make_response(200, json.dumps({"quoted": f"Bearer {TOKEN}"}).encode())
    for response in (echo, cut, ok):
        with ScriptedServer(fixed_all(response)) as server:
            async with client_over(world, over, server.url) as client:
                client = client.with_options(
                    extra_headers={"X-Password": "hunter2-hunter2"},
                    extra_query={"k": "qu3ry-s3cret"},
                )
                try:
                    await client.chat.completions.create(**ASK)
                except MeshAPIError:
                    pass
    storage = make_response(403, f"<Code>{SIGNATURE}</Code>{QUERY}".encode(), kind="text/xml")
    with (
        ScriptedServer(fixed_all(storage)) as there,
        ScriptedServer(fixed_all(initiated(there.url))) as gateway,
    ):
        async with client_over(world, over, gateway.url) as client:
            with pytest.raises(MeshAPIError):
                await client.rag.upload_file(file_name="a", mime_type="a/b", content=b"abc")
    records = [record for record in caplog.records if record.name == "meshapi"]
    told = "\n".join(f"{record.getMessage()} {vars(record)}" for record in records)
    assert "receives" in told
    for secret in (TOKEN, TOKEN[:12], "hunter2", "qu3ry", SIGNATURE, "20260101", "abcdef"):
        assert secret not in told, secret


# When nobody listens


@on_every_flavour
async def test_nothing_is_formatted_when_nobody_listens(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Counted: no function that observes, watches or logs runs, though `logging` is loaded."""
    caplog.set_level(logging.WARNING, "meshapi")
    seen: list[str] = []

    def profile(frame: Any, event: str, _: object) -> None:
        if event == "call" and OURS.search(frame.f_code.co_filename):
            seen.append(frame.f_code.co_name)

    with ScriptedServer(responses(good(), streamed(*texts("a")))) as server:
        async with world.client(server.url) as client:
            sys.setprofile(profile)
            try:
                await client.chat.completions.create(**ASK)
                await collected(client.chat.completions.stream(**ASK))
            finally:
                sys.setprofile(None)
    assert seen == []


OURS = re.compile(r"meshapi_core.observing|meshapi_backends.*(watch|_logging|_hooks)")


def test_logging_that_is_configured_later_is_heard(caplog: pytest.LogCaptureFixture):
    with (
        ScriptedServer(responses(good(), good())) as server,
        MeshAPI(base_url=server.url, token=TOKEN) as client,
    ):
        caplog.set_level(logging.WARNING, "meshapi")
        client.chat.completions.create(**ASK)
        assert lines(caplog) == []
        caplog.set_level(logging.INFO, "meshapi")
        client.chat.completions.create(**ASK)
    assert len(lines(caplog)) == 1


def test_logging_is_not_loaded_for_a_call():
    printed = run_python(
        "import sys, meshapi",
        "with meshapi.MeshAPI(token='rsk_test_x', base_url='http://127.0.0.1:9') as client:",
        "    before = 'logging' in sys.modules",
        "    try: client.with_options(max_retries=0).models.list()",
        "    except meshapi.APIConnectionError: pass",
        "print(before or 'meshapi_backends._logging' not in sys.modules)",
    )
    assert printed.strip() == "True"


# MESHAPI_LOG


CALL = (
    "import meshapi, sys",
    "def call():",
    "    with meshapi.MeshAPI(token='rsk_test_x', base_url='http://127.0.0.1:9') as client:",
    "        try: client.with_options(max_retries=0).models.list()",
    "        except meshapi.APIConnectionError: pass",
    "import contextlib, io",
    "said = io.StringIO()",
)


def test_the_variable_writes_each_line_once_on_stderr():
    printed = run_python(
        *CALL,
        "import os; os.environ['MESHAPI_LOG'] = 'info'",
        "with contextlib.redirect_stderr(said): call(), call()",
        "import logging",
        "print(said.getvalue().count('INFO meshapi: GET /v1/models failed after '))",
        "print(logging.getLogger().handlers, logging.getLogger().level)",
    )
    assert printed.split("\n")[:2] == ["2", "[] 30"]


def test_a_program_that_configures_logging_gets_each_line_once():
    for before in (True, False):
        setup = "import logging; logging.basicConfig(stream=said, format='mine: %(message)s')"
        printed = run_python(
            *CALL,
            "import os; os.environ['MESHAPI_LOG'] = 'info'",
            "with contextlib.redirect_stderr(said):",
            f"    {setup if before else 'pass'}",
            "    client = meshapi.MeshAPI(token='rsk_test_x')",
            f"    {'pass' if before else setup}",
            "    call()",
            "print(said.getvalue().count('mine: GET'), said.getvalue().count('GET'))",
        )
        assert printed.strip() == "1 1"


@pytest.mark.parametrize("value", ["trace", "1", "warning"])
def test_another_value_is_refused_with_the_name(value: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MESHAPI_LOG", value)
    with pytest.raises(InvalidParamsError) as caught:
        MeshAPI(token=TOKEN)
    said = f'MESHAPI_LOG (environment): expected "info", "debug" or "off", got {value!r}'
    assert str(caught.value) == said


def test_a_token_in_the_wrong_variable_is_not_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MESHAPI_LOG", TOKEN)
    with pytest.raises(InvalidParamsError, match="got other text") as caught:
        MeshAPI(token=TOKEN)
    assert TOKEN not in seen(caught.value)
    monkeypatch.setenv("MESHAPI_LOG", " ")
    MeshAPI(token=TOKEN)


@pytest.mark.parametrize(
    ("setup", "expected"),
    [
        # Handlers that do not write the line.
        ("logging.getLogger('meshapi').addHandler(logging.NullHandler())", 1),
        ("error = logging.StreamHandler(); error.setLevel(40); root.addHandler(error)", 1),
        # What the program decides.
        ("logging.getLogger('meshapi').propagate = False", 1),
        ("logging.getLogger('meshapi').setLevel(40)", 0),
        ("logging.disable(logging.INFO)", 0),
        ("root.setLevel(logging.ERROR)", 1),
        ("logging.config.dictConfig({'version': 1})", 0),
        ("logging.config.dictConfig({'version': 1, 'disable_existing_loggers': False})", 1),
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_the_variable_and_what_a_program_configures(setup: str, expected: int, before: bool):
    printed = run_python(
        *CALL,
        "import os; os.environ['MESHAPI_LOG'] = 'info'",
        "import logging, logging.config; root = logging.getLogger()",
        "with contextlib.redirect_stderr(said):",
        f"    {setup if before else 'pass'}",
        "    client = meshapi.MeshAPI(token='rsk_test_x')",
        f"    {'pass' if before else setup}",
        "    call()",
        "print(said.getvalue().count('GET'))",
    )
    # A logger that is made later is not an existing one.
    is_new = before and setup.endswith("{'version': 1})")
    assert printed.strip() == ("1" if is_new else str(expected))
