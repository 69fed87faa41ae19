"""Turns of sessions over real sockets: one transcript, on every flavour."""

import asyncio
import threading
from typing import Any

import anyio
import pytest

from meshapi import (
    APITimeoutError,
    Deferred,
    FunctionTool,
    InvalidParamsError,
    RealtimeConnectionClosed,
    RealtimeError,
    Reconnect,
    Refuse,
    StreamUsageError,
    ToolLoopLimitError,
)
from support.cancellation import Attack, Blow, EdgeAttack, ScopeAttack
from support.flavours import FLAVOURS, QUICK, on_every_flavour
from support.realtime_server import RealtimePeer, connected, upgraded
from support.realtime_turns import Answer, Called, Provider, Speech, Text, events_of, facts_of

asynchronous = pytest.mark.parametrize("world", FLAVOURS[1:], ids=lambda world: world.name)
AGAIN = Reconnect(attempts=3, retry=QUICK)
SPOKEN = Answer("resp_1", [[Speech(["Hel", "lo"], [b"ab", b"cd"])], [Text(["Hi"])]])
LAST = Answer("resp_9", [[Text(["Done"])]])


def calling(*calls: "tuple[str, str]", key: str = "resp_1") -> Answer:
    """A response that calls functions: their names and arguments."""
    items = [Called(f"call_{n}", name, [text]) for n, (name, text) in enumerate(calls, 1)]
    return Answer(key, items)


def look(place: str) -> str:
    """Look somewhere."""
    return f"nothing in {place}"


async def look_async(place: str) -> str:
    """Look somewhere."""
    return look(place)


def look_for(world: Any) -> FunctionTool:
    """A function of the flavour's own kind."""
    return FunctionTool(look if world.name == "sync" else look_async, name="look")


async def taken(turns: Any, count: int) -> list[Any]:
    return [await turns.receive(10) for _ in range(count)]


def hang_up(peer: RealtimePeer) -> None:
    peer.peer.close()


# Responses


@on_every_flavour
async def test_each_response_is_a_turn(world):
    provider = Provider(events_of(SPOKEN), events_of(LAST))
    async with connected(world, upgraded(provider)) as (session, _):
        await session.send_text("Hello?")
        seen = []
        async for turn in session.turns():
            seen.append(facts_of(turn))
            if len(seen) == 2:
                break
            await session.say("Well")
    assert seen == [SPOKEN.facts, LAST.facts]
    asked, create, said = provider.received
    assert asked["item"] == {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "Hello?"}],
    }
    assert create == {"type": "response.create"}
    assert said["response"]["input"][0]["content"][0]["text"] == "Well"
    assert said["response"]["tool_choice"] == "none"


@on_every_flavour
async def test_hooks_are_called_while_a_response_arrives(world):
    told: list[Any] = []

    async def on_text(text: str) -> None:
        told.append(text)

    hooks = {
        "on_audio": told.append,
        "on_text": told.append if world.name == "sync" else on_text,
        "on_message": lambda message: told.append(message.type) if message.audio else None,
    }
    kind = "response.output_audio.delta"
    async with connected(world, upgraded(Provider(events_of(SPOKEN)))) as (session, _):
        await session.send_text("Hello?")
        (turn,) = await taken(session.turns(**hooks), 1)
    assert told == ["Hel", "lo", kind, b"ab", kind, b"cd", "Hi"]
    assert (turn.transcript, turn.text, turn.audio) == ("Hello", "Hi", b"")


@on_every_flavour
async def test_what_a_hook_raises_ends_the_loop_and_loses_nothing(world):
    def odd(text: str) -> None:
        raise LookupError(text)

    async with connected(world, upgraded(Provider(events_of(SPOKEN)))) as (session, _):
        await session.send_text("Hello?")
        with pytest.raises(LookupError, match="Hel"):
            await session.turns(on_text=odd).receive(10)
        (turn,) = await taken(session.turns(), 1)
    assert facts_of(turn) == SPOKEN.facts


@on_every_flavour
async def test_a_loop_that_was_left_goes_on_with_the_half_built_turn(world):
    events = events_of(SPOKEN)
    provider = Provider([*events[:4], {"type": "error", "error": {"code": "odd"}}, *events[4:]])
    async with connected(world, upgraded(provider)) as (session, _):
        turns = session.turns()
        await session.send_text("Hello?")
        with pytest.raises(RealtimeError) as caught:
            await turns.receive(10)
        assert caught.value.code == "odd"
        assert "half-built" in repr(getattr(turns, "_target", turns))
        (turn,) = await taken(session.turns(), 1)
    assert facts_of(turn) == SPOKEN.facts


@on_every_flavour
async def test_messages_that_are_read_raw_are_not_part_of_turns(world):
    provider = Provider(events_of(SPOKEN), events_of(LAST))
    async with connected(world, upgraded(provider)) as (session, _):
        await session.send_text("Hello?")
        await session.wait_for("response.done", 10)
        await session.send_text("And?")
        (turn,) = await taken(session.turns(), 1)
    assert facts_of(turn) == LAST.facts


@on_every_flavour
async def test_a_timeout_loses_nothing(world):
    seen = threading.Event()
    events = events_of(SPOKEN)
    provider = Provider([*events[:4], lambda _: seen.wait(10), *events[4:]])
    async with connected(world, upgraded(provider)) as (session, _):
        turns = session.turns()
        await session.send_text("Hello?")
        with pytest.raises(APITimeoutError, match=r"'response.done' arrived within 0.05 s"):
            await turns.receive(0.05)
        seen.set()
        assert facts_of(await turns.receive(10)) == SPOKEN.facts


@on_every_flavour
async def test_a_second_loop_at_the_same_time_is_refused(world):
    async with connected(world, upgraded(Provider())) as (session, _):
        turns = session.turns()

        async def second() -> Any:
            await world.until(lambda: session._machine.is_driven)
            try:
                return await session.turns().receive(0)
            finally:
                await session.close()

        first, refused = await world.together(lambda: turns.receive(10), second)
    assert isinstance(refused, StreamUsageError)
    assert "already iterating over the turns" in str(refused)
    assert isinstance(first, RealtimeConnectionClosed)


# Functions


@on_every_flavour
async def test_functions_are_called_side_by_side_and_the_model_goes_on(world):
    barrier = threading.Barrier(2)

    def meet(place: str) -> str:
        barrier.wait(10)
        return look(place)

    names = ["meet", "meet", "look"]
    calls = calling(*zip(names, (f'{{"place": "{place}"}}' for place in "ABC")))
    provider = Provider(events_of(calls), events_of(LAST))
    async with connected(world, upgraded(provider)) as (session, _):
        turns = session.turns(tools=[meet, look_for(world)])
        await session.send_text("Look")
        first, last = await taken(turns, 2)
    assert [call.name for call in first.tool_calls] == names
    assert facts_of(last) == LAST.facts
    outputs = {f"call_{n}": f"nothing in {place}" for n, place in enumerate("ABC", 1)}
    assert provider.outputs == outputs
    item = "conversation.item.create"
    assert provider.kinds == [
        "session.update",
        item,
        "response.create",
        item,
        item,
        item,
        "response.create",
    ]
    declared = provider.received[0]["session"]["tools"][1]
    parameters = declared.pop("parameters")
    assert declared == {"type": "function", "name": "look", "description": "Look somewhere."}
    assert parameters["required"] == ["place"]


@on_every_flavour
async def test_the_model_is_told_what_went_wrong(world):
    def fail(place: str) -> str:
        raise OSError("no light")

    def before(call: Any) -> Any:
        place = call.arguments["place"]
        return {"secret": Refuse("it is private"), "old": {"place": "new"}}.get(place)

    calls = calling(
        ("fail", '{"place": "A"}'),
        ("look", '{"place": 7}'),
        ("look", "{"),
        ("nothing", "{}"),
        ("look", '{"place": "secret"}'),
        ("look", '{"place": "old"}'),
    )
    provider = Provider(events_of(calls), events_of(LAST))
    async with connected(world, upgraded(provider)) as (session, _):
        turns = session.turns(tools=[fail, look_for(world)], before_call=before)
        await session.send_text("Look")
        await taken(turns, 2)
    said = [*provider.outputs.values()]
    assert said[0] == "Error: OSError: no light"
    assert said[1].startswith("Error: InvalidArguments: ")
    assert said[2] == "Error: InvalidArguments: not valid JSON"
    assert said[3].startswith("Error: LookupError: there is no tool 'nothing'")
    assert said[4] == "Error: PermissionError: refused: it is private"
    assert said[5] == "nothing in new"


@on_every_flavour
async def test_an_error_that_is_raised_leaves_the_choice_to_the_program(world):
    tries = []

    def fail(place: str) -> str:
        tries.append(place)
        raise TimeoutError("no light")

    calls = calling(("fail", '{"place": "A"}'), ("look", '{"place": "B"}'))
    provider = Provider(events_of(calls), events_of(LAST))
    async with connected(world, upgraded(provider)) as (session, _):
        turns = session.turns(tools=[fail, look], on_tool_error="raise")
        await session.send_text("Look")
        await taken(turns, 1)
        for _ in range(2):
            with pytest.raises(TimeoutError, match="no light"):
                await turns.receive(10)
        await session.send_tool_output("call_1", "It was dark.")
        (last,) = await taken(turns, 1)
    assert tries == ["A", "A"]
    assert facts_of(last) == LAST.facts
    assert provider.outputs == {"call_1": "It was dark.", "call_2": "nothing in B"}
    assert provider.kinds[-1] == "response.create"
    assert provider.kinds.count("response.create") == 2


@on_every_flavour
async def test_deferred_calls_are_left_to_the_program(world):
    def later() -> str:
        raise Deferred

    human = FunctionTool(name="human", parameters={"type": "object"}, deferred=True)
    calls = calling(("human", "{}"), ("look", '{"place": "B"}'), ("later", "{}"))
    provider = Provider(events_of(calls), events_of(LAST))
    async with connected(world, upgraded(provider)) as (session, _):
        turns = session.turns(tools=[human, look, later])
        await session.send_text("Look")
        await taken(turns, 1)
        with pytest.raises(APITimeoutError):
            await turns.receive(0.05)
        await session.send_tool_output("call_1", "yes", respond=False)
        await session.send_tool_output("call_3", "no")
        (last,) = await taken(turns, 1)
    assert facts_of(last) == LAST.facts
    assert provider.outputs == {"call_1": "yes", "call_2": "nothing in B", "call_3": "no"}
    assert provider.kinds.count("response.create") == 2


@on_every_flavour
async def test_an_output_that_is_sent_before_the_functions_waits_for_them(world):
    human = FunctionTool(name="human", parameters={"type": "object"}, deferred=True)
    calls = calling(("human", "{}"), ("look", '{"place": "B"}'))
    provider = Provider(events_of(calls), events_of(LAST))
    async with connected(world, upgraded(provider)) as (session, _):
        turns = session.turns(tools=[human, look])
        await session.send_text("Look")
        await taken(turns, 1)
        await session.send_tool_output("call_1", "yes")
        (last,) = await taken(turns, 1)
    assert facts_of(last) == LAST.facts
    assert provider.kinds[-3:] == ["conversation.item.create"] * 2 + ["response.create"]


@on_every_flavour
async def test_limits_are_looked_at_before_functions_are_called(world):
    calls = [calling(("look", '{"place": "A"}'), key=f"resp_{n}") for n in range(3)]
    provider = Provider(*map(events_of, calls), events_of(LAST))
    async with connected(world, upgraded(provider)) as (session, _):
        turns = session.turns(tools=[look], max_tool_turns=2)
        await session.send_text("Look")
        await taken(turns, 3)
        with pytest.raises(ToolLoopLimitError, match="max_tool_turns=2 is reached") as caught:
            await turns.receive(10)
        assert (caught.value.limit, caught.value.turns) == ("max_tool_turns", 3)
        await session.send_text("Then stop")
        (last,) = await taken(turns, 1)
    assert facts_of(last) == LAST.facts
    assert len([kind for kind in provider.kinds if kind == "response.create"]) == 4


@on_every_flavour
async def test_tokens_are_a_limit(world):
    answer = calling(("look", '{"place": "A"}'))
    events = [*events_of(answer)[:-1], answer.done(usage={"total_tokens": 12})]
    async with connected(world, upgraded(Provider(events))) as (session, _):
        turns = session.turns(tools=[look], max_total_tokens=10)
        await session.send_text("Look")
        await taken(turns, 1)
        with pytest.raises(ToolLoopLimitError) as caught:
            await turns.receive(10)
    assert (caught.value.limit, caught.value.usage.total_tokens) == ("max_total_tokens", 12)


@pytest.mark.parametrize("raise_errors", [True, False])
@on_every_flavour
async def test_the_model_is_asked_again_after_a_response_that_came_first(world, raise_errors):
    calls = calling(("look", '{"place": "A"}'))
    busy = Answer("resp_2", [[Text(["Heard"])]])

    def refuse(peer: RealtimePeer) -> None:
        sent = provider.received[-1]["event_id"]
        code = "conversation_already_has_active_response"
        peer.event("error", error={"code": code, "message": "busy", "event_id": sent})

    provider = Provider(events_of(calls), [busy.created, refuse, busy.done()], events_of(LAST))
    script = upgraded(provider)
    async with connected(world, script, raise_errors=raise_errors) as (session, _):
        turns = session.turns(tools=[look])
        await session.send_text("Look")
        given = await taken(turns, 3)
    assert [turn.id for turn in given] == ["resp_1", "resp_2", "resp_9"]


# Lost connections


@on_every_flavour
async def test_a_connection_that_breaks_half_way_gives_what_there_was(world):
    provider = Provider([*events_of(SPOKEN)[:4], hang_up])
    async with connected(world, upgraded(provider)) as (session, _):
        turns = session.turns()
        await session.send_text("Hello?")
        (turn,) = await taken(turns, 1)
        assert (turn.status, turn.reason, turn.reconnected) == ("lost", "connection_lost", None)
        assert turn.transcript == "Hello"
        for _ in range(2):
            with pytest.raises(RealtimeConnectionClosed):
                await turns.receive(10)


@on_every_flavour
async def test_a_new_connection_is_told_by_a_turn(world):
    first, second = Provider([*events_of(SPOKEN)[:4], hang_up]), Provider(events_of(LAST))
    scripts = upgraded(first), upgraded(second)
    async with connected(world, *scripts, reconnect=AGAIN) as (session, _):
        turns = session.turns(tools=[look])
        await session.send_text("Hello?")
        (turn,) = await taken(turns, 1)
        assert (turn.status, turn.transcript) == ("lost", "Hello")
        assert turn.reconnected.code == 1006
        await session.send_text("Hello?")
        (turn,) = await taken(turns, 1)
    assert facts_of(turn) == LAST.facts
    assert second.kinds[0] == "session.update"
    assert second.received[0]["session"]["tools"][0]["name"] == "look"


@on_every_flavour
async def test_outputs_of_a_lost_conversation_are_not_sent(world):
    gone = threading.Event()

    def slow(place: str) -> str:
        assert gone.wait(10)
        return look(place)

    def leave(peer: RealtimePeer) -> None:
        peer.peer.close()
        gone.set()

    calls = calling(("slow", '{"place": "A"}'))
    first, second = Provider([*events_of(calls), leave]), Provider(events_of(LAST))
    scripts = upgraded(first), upgraded(second)
    async with connected(world, *scripts, reconnect=AGAIN) as (session, _):
        turns = session.turns(tools=[slow])
        await session.send_text("Look")
        turn, lost = await taken(turns, 2)
        assert (turn.status, lost.status) == ("completed", "lost")
        assert lost.reconnected is not None
        await session.send_text("Hello?")
        (last,) = await taken(turns, 1)
    assert facts_of(last) == LAST.facts
    assert second.outputs == {}
    assert second.kinds == ["session.update", "conversation.item.create", "response.create"]


# Ends


@on_every_flavour
async def test_a_loop_ends_as_the_session_does(world):
    provider = Provider([*events_of(LAST), lambda peer: peer.close(1000)])
    async with connected(world, upgraded(provider)) as (session, _):
        await session.send_text("Hello?")
        assert [turn.id async for turn in session.turns()] == ["resp_9"]


@pytest.mark.parametrize("whose", ["session", "client"])
@on_every_flavour
async def test_closing_ends_a_loop_whose_functions_run(world, whose):
    begun, done = threading.Event(), threading.Event()

    def endless() -> str:
        begun.set()
        done.wait(10)
        return "late"

    provider = Provider(events_of(calling(("endless", "{}"))))
    async with connected(world, upgraded(provider)) as (session, _):
        turns = session.turns(tools=[endless])
        await session.send_text("Look")
        await taken(turns, 1)

        async def close() -> None:
            await world.until(begun.is_set)
            if whose == "session":
                await session.close()
            else:
                await world.dress(session._link._pool).aclose()

        outcome, closed = await world.together(lambda: turns.receive(10), close)
        done.set()
    assert closed is None
    assert isinstance(outcome, RealtimeConnectionClosed)
    assert provider.outputs == {}


@on_every_flavour
async def test_a_function_may_close_the_session(world):
    provider = Provider(events_of(calling(("leave", "{}"))))
    async with connected(world, upgraded(provider)) as (session, _):
        inside = getattr(session, "_target", session)

        def leave() -> str:
            inside.close()
            return "left"

        async def leave_async() -> str:
            await inside.close()
            return "left"

        function = leave if world.name == "sync" else leave_async
        turns = session.turns(tools=[FunctionTool(function, name="leave")])
        await session.send_text("Go")
        assert [turn.status async for turn in turns] == ["completed"]
        assert session.close_code == 1000
    assert provider.outputs == {}


@on_every_flavour
async def test_a_hook_may_close_the_session(world):
    provider = Provider(events_of(SPOKEN))
    async with connected(world, upgraded(provider)) as (session, _):
        inside = getattr(session, "_target", session)
        hook = (lambda _: inside.close()) if world.name == "sync" else (lambda _: inside.aclose())
        await session.send_text("Go")
        turns = [turn async for turn in session.turns(on_text=hook)]
    assert [turn.status for turn in turns] in (["lost"], ["completed"])


# What is refused


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tools": look}, "tools: expected a list of functions, got function"),
        ({"tools": [7]}, r"tools\[0\]: expected a function or a FunctionTool, got"),
        ({"tools": [look, look]}, r"tools\[1\]: a second tool named 'look'"),
        ({"max_concurrent_calls": 0}, "max_concurrent_calls: expected an integer of at least 1"),
        ({"tool_timeout": -1}, "tool_timeout: expected seconds, more than 0"),
        ({"on_tool_error": "ignore"}, "on_tool_error: expected 'answer' or 'raise'"),
        ({"before_call": 7}, "before_call: expected a function"),
        ({"max_tool_turns": True}, "max_tool_turns: expected an integer of at least 1"),
        ({"max_total_tokens": "9"}, "max_total_tokens: expected an integer of at least 1"),
        ({"on_audio": 7}, "on_audio: expected a function, got"),
    ],
)
@on_every_flavour
async def test_wrong_arguments_are_refused_before_anything_is_sent(world, given, said):
    provider = Provider()
    async with connected(world, upgraded(provider)) as (session, _):
        with pytest.raises(InvalidParamsError, match=said):
            session.turns(**given)
        for text in (b"Hi", None, 7):
            with pytest.raises(InvalidParamsError, match="text: expected str, got"):
                await session.send_text(text)
            with pytest.raises(InvalidParamsError, match="text: expected str, got"):
                await session.say(text)
        with pytest.raises(InvalidParamsError, match="output: expected str, got"):
            await session.send_tool_output("call_1", {"a": 1})
        with pytest.raises(ValueError, match="timeout"):
            await session.turns().receive(-1)
    assert provider.received == []


@on_every_flavour
async def test_tools_that_come_too_late_are_refused(world):
    async with connected(world, upgraded(Provider(events_of(LAST)))) as (session, _):
        await session.send_text("Look")
        with pytest.raises(StreamUsageError, match="before send_text"):
            session.turns(tools=[look])
        await taken(session.turns(), 1)
        session.turns(tools=[look])


@on_every_flavour
async def test_the_tools_go_before_whatever_is_sent_after_them(world):
    sending = [
        lambda session: session.send_audio(b"ab"),
        lambda session: session.commit_audio(),
        lambda session: session.update({"instructions": "Be brief."}),
        lambda session: session.say("Hello"),
    ]
    for send in sending:
        provider = Provider([])
        async with connected(world, upgraded(provider)) as (session, _):
            session.turns(tools=[look])
            await send(session)
            await session.send({"type": "response.create"})
        assert provider.received[0]["session"]["tools"][0]["name"] == "look"
        assert len([event for event in provider.received if "tools" in str(event)]) == 1


@on_every_flavour
async def test_only_an_event_loop_can_call_async_functions(world):
    async with connected(world, upgraded(Provider())) as (session, _):
        for given in (
            {"tools": [look_async]},
            {"on_text": look_async},
            {"before_call": look_async, "tools": []},
        ):
            if world.name == "sync":
                with pytest.raises(InvalidParamsError, match="use AsyncMeshAPI"):
                    session.turns(**given)
            else:
                session.turns(**given)


# Cancellation

BLOWS = {
    "asyncio": (EdgeAttack, ("blocked", "race", "level")),
    "trio": (ScopeAttack, ("after", "before")),
}


async def struck(world: Any, how: str, step: int) -> "tuple[Attack, list[Any], Provider]":
    """Turns with functions, of which the loop is cancelled at a step and begun again."""
    calls = calling(("look", '{"place": "A"}'), ("plain", '{"place": "B"}'))
    provider = Provider(events_of(calls), events_of(LAST))
    tools = [look_for(world), FunctionTool(look, name="plain")]
    heard: list[Any] = []

    async def on_text(text: str) -> None:
        heard.append(text)
        await world.sleep(0)

    given: list[Any] = []

    async def loop() -> None:
        async for turn in session.turns(tools=tools, on_text=on_text):
            given.append(facts_of(turn))
            if len(given) == 2:
                break

    async with connected(world, upgraded(provider)) as (session, _):
        session.turns(tools=tools)
        await session.send_text("Look")
        attack: Attack = BLOWS[world.name][0](loop(), Blow(how, (step,)))
        async with anyio.create_task_group() as tasks:
            if world.name == "trio":
                tasks.start_soon(attack.run)
            else:
                await asyncio.wait({asyncio.ensure_future(attack.run())})
        if not attack.finished:
            await loop()
    assert heard == ["Done"]
    return attack, given, provider


@asynchronous
def test_a_loop_that_is_cancelled_anywhere_goes_on_where_it_was(world):
    async def sweep(world: Any) -> None:
        calls = calling(("look", '{"place": "A"}'), ("plain", '{"place": "B"}'))
        for how in BLOWS[world.name][1]:
            for step in range(1, 100):
                attack, given, provider = await struck(world, how, step)
                assert given == [calls.facts, LAST.facts], (how, step)
                assert provider.outputs == {"call_1": "nothing in A", "call_2": "nothing in B"}
                assert provider.kinds.count("response.create") == 2
                assert provider.kinds.count("session.update") == 1
                assert provider.kinds.count("conversation.item.create") == 3
                if attack.steps < step:
                    break
            assert step > 3

    world.run(sweep)
