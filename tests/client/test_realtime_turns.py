"""Turns of realtime sessions against the local gateway: texts, speech, functions, interruptions."""

from typing import Any

import pytest

from meshapi import InvalidParamsError, Reconnect
from meshapi.testing import LocalGateway
from support.flavours import QUICK, TOKEN, on_every_flavour
from support.gateway_sessions import MODEL, RATE, loud, quiet


@pytest.fixture(scope="module")
def gateway() -> Any:
    with LocalGateway(token=TOKEN, words_per_second=0) as running:
        yield running


def get_weather(city: str) -> "dict[str, str]":
    """Return the weather in a city."""
    return {"city": city, "sky": "clear"}


async def get_time(city: str) -> str:
    """Return the time in a city."""
    return f"noon in {city}"


def plain_time(city: str) -> str:
    """Return the time in a city."""
    return f"noon in {city}"


@on_every_flavour
async def test_a_conversation_with_functions(world, gateway):
    time = plain_time if world.name == "sync" else get_time
    async with (
        world.client(gateway.url) as client,
        client.realtime.connect(model=MODEL) as session,
    ):
        name = time.__name__
        turns = session.turns(tools=[get_weather, time])
        asked = f"get_weather in Paris and get_weather in Rome, then {name} in Oslo"
        await session.send_text(asked)
        calls, more, last = [await turns.receive(10) for _ in range(3)]
        assert [call.name for call in calls.tool_calls] == ["get_weather"] * 2
        assert [call.parsed_arguments for call in calls.tool_calls] == [
            {"city": "Paris"},
            {"city": "Rome"},
        ]
        assert [call.parsed_arguments for call in more.tool_calls] == [{"city": "Oslo"}]
        assert '"city":"Paris"' in last.transcript
        assert "noon in Oslo" in last.transcript
        assert last.audio
        assert (last.audio_rate, last.status, last.tool_calls) == (RATE, "completed", ())
        assert last.usage.total_tokens > 0

        await session.send_text("Good morning", respond=False)
        await session.say("Hello there")
        said = await turns.receive(10)
        assert said.transcript == "Hello there"
        assert session.closed is False


@on_every_flavour
async def test_a_user_who_speaks_interrupts_the_model(world):
    with LocalGateway(token=TOKEN, words_per_second=100) as paced:
        async with (
            world.client(paced.url) as client,
            client.realtime.connect(model=MODEL) as session,
        ):
            told: list[str] = []
            inside = getattr(session, "_target", session)

            def on_text(text: str) -> Any:
                told.append(text)
                # The microphone hears the user, in the middle of what the model says.
                return inside.send_audio(loud(0.4) + quiet(1)) if len(told) == 1 else None

            turns = session.turns(on_text=on_text)
            await session.update({"output_modalities": ["text"]})
            await session.send_text("Count to 1000")
            interrupted, after = await turns.receive(10), await turns.receive(10)
        assert (interrupted.status, interrupted.reason) == ("cancelled", "turn_detected")
        assert 0 < len(interrupted.text) < len(" ".join(map(str, range(1000))))
        assert after.status == "completed"
        assert "seconds of audio" in after.input_transcript


@on_every_flavour
async def test_a_session_that_connects_again_goes_on_with_its_functions(world, gateway):
    again = Reconnect(attempts=3, retry=QUICK)
    async with (
        world.client(gateway.url) as client,
        client.realtime.connect(model=MODEL, reconnect=again) as session,
    ):
        turns = session.turns(tools=[get_weather])
        await session.send_text("get_weather in Paris")
        first = [await turns.receive(10) for _ in range(2)]
        session._link.current._connection.stream.abort()
        lost = await turns.receive(10)
        await session.send_text("get_weather in Rome")
        second = [await turns.receive(10) for _ in range(2)]
    assert "Paris" in first[1].transcript
    assert (lost.status, lost.reconnected.code) == ("lost", 1006)
    assert "Rome" in second[1].transcript


@on_every_flavour
async def test_a_tool_without_a_description_is_told_as_it_is(world, gateway):
    def bare() -> None: ...

    async with (
        world.client(gateway.url) as client,
        client.realtime.connect(model=MODEL) as session,
    ):
        declared = {"type": "function", "name": "shown", "parameters": {"type": "object"}}
        turns = session.turns(tools=[bare, declared])
        await session.send_text("bare")
        first, last = [await turns.receive(10) for _ in range(2)]
        assert [call.name for call in first.tool_calls] == ["bare"]
        assert "null" in last.transcript
        with pytest.raises(InvalidParamsError, match="text"):
            await session.send_text(["Hello"])
