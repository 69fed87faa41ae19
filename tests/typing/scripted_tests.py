"""What type checkers must say about `meshapi.testing`. Checked, never run.

It has no negative cases, for which each checker has its own comment.
"""

import re
from pathlib import Path
from typing import Optional

from typing_extensions import assert_type

from meshapi import AsyncMeshAPI, ChatCompletionChunk, ChatCompletionResponse, MeshAPI
from meshapi.testing import (
    ByteFault,
    ErrorReply,
    FakeGateway,
    Fault,
    LocalGateway,
    RecordedRequest,
    Reply,
    Script,
    Scripted,
    ScriptedCall,
    ScriptedResponse,
    block_network,
    broken_stream,
    cassette,
    chunks,
    close,
    completion,
    cut,
    error,
    error_in_stream,
    reply,
    slow,
    stall,
    tool_call,
)


def responses() -> None:
    assert_type(tool_call("f", {"a": 1}), ScriptedCall)
    assert_type(reply("hi", usage={"prompt_tokens": 1}), Reply)
    assert_type(reply(tool_calls=[tool_call("f")], finish_reason="tool_calls"), Reply)
    assert_type(error(429, retry_after=0.5), ErrorReply)
    for fault in (broken_stream("hi"), error_in_stream({}), stall(), slow(), close(4402)):
        assert_type(fault, Fault)
    assert_type(cut(reply("hi"), after_bytes=7), Fault)


def answer(request: RecordedRequest) -> Optional[Reply]:
    assert_type(request.model, Optional[str])
    assert_type(request.text, Optional[str])
    assert_type(request.form(), dict[str, str])
    return reply("hi") if request.text else None


def scripts(gateway: Scripted) -> None:
    several: list[ScriptedResponse] = ["hi", {"data": []}, error(500), answer]
    assert_type(gateway.on("weather", *several), Script)
    assert_type(gateway.on(answer, model="m", where=lambda request: request.model), Script)
    assert_type(gateway.on(re.compile("a+"), stall(), path=re.compile("/v1/.*")), Script)
    assert_type(gateway.next_response(reply(), broken_stream()), Script)
    assert_type(gateway.next_error(429, retry_after=2, count=3), Script)
    assert_type(gateway.requests, list[RecordedRequest])
    assert_type(gateway.last_request, RecordedRequest)
    gateway.load_scripts(Path("weather.json"))
    gateway.assert_all_used()


def gateways() -> None:
    with LocalGateway(strict=True) as local, FakeGateway(cut=7, runs=False) as fake:
        scripts(local)
        scripts(fake)
        assert_type(fake.client(max_retries=0), MeshAPI)
        assert_type(fake.async_client(), AsyncMeshAPI)
        assert_type(fake.clock.now, float)
        assert_type(fake.clock.waits, list[float])
        fake.next_fault(ByteFault.lost(5, of="body"), count=2)
        MeshAPI(transport=fake, token=fake.token)
        AsyncMeshAPI(transport=fake, token=fake.token)


def without_a_gateway() -> None:
    assert_type(completion("hi", finish_reason="length"), ChatCompletionResponse)
    assert_type(chunks("he", "llo"), list[ChatCompletionChunk])
    assert_type(chunks("he", "llo", cut=7), list[bytes])


def off_the_network() -> None:
    tape = cassette(Path("a.json"), mode="new_episodes")
    with block_network(), block_network(allow=["127.0.0.1"]), tape as entered:
        assert_type(entered, cassette)
        assert_type(entered.recorded, int)
