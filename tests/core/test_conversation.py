"""Conversations without a client: the test does the steps of their turns, and is the model."""

import json
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshapi_core import (
    APIConnectionError,
    InvalidParamsError,
    ModelRefusalError,
    OutputValidationError,
    StreamUsageError,
    ToolCallsPendingError,
    ToolLoopLimitError,
)
from meshapi_core.endpoints import Chat
from meshapi_core.flows import Emit, FunctionOutcome, RunFunctions, Tell
from meshapi_core.structured.outputs import output_of
from meshapi_core.tools import Deferred
from meshapi_core.types import ChatCompletionResponse, ChatMessage

SYSTEM = {"role": "system", "content": "Be brief."}


def begin(**options: Any) -> Any:
    return Chat.conversation.build(**{"model": "m", **options})


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def says(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


def calls(*named: "tuple[str, str]") -> dict[str, Any]:
    return {
        "role": "assistant",
        "tool_calls": [
            {"id": id_, "type": "function", "function": {"name": name, "arguments": "{}"}}
            for id_, name in named
        ],
    }


def result(call_id: str, content: str) -> dict[str, Any]:
    return {"role": "tool", "content": content, "tool_call_id": call_id}


class Host:
    """Does the steps of turns.

    Args:
        respond: is given the body of each request, and returns a message of the model or an error.

    Attributes:
        sent: the bodies of the requests.
        steps: what the turns emitted.
        called: the names of the functions that were called.
    """

    def __init__(self, respond: Callable[[Any], Any]) -> None:
        self._respond = respond
        self.sent: list[dict[str, Any]] = []
        self.steps: list[Any] = []
        self.called: list[str] = []

    def run(self, flow: Any, interrupt_at: int = -1) -> Optional[ChatCompletionResponse]:
        """Run a turn to its end, or until it is closed before a step; then return None."""
        value, error = None, None
        try:
            while True:
                step = flow.send(value) if error is None else flow.throw(error)
                value = error = None
                if interrupt_at == 0:
                    flow.close()
                    return None
                interrupt_at -= 1
                try:
                    value = self._do(step)
                except Exception as exc:
                    error = exc
        except StopIteration as stop:
            returned: ChatCompletionResponse = stop.value
            return returned

    def _do(self, step: Any) -> Any:
        if isinstance(step, Emit):
            self.steps.append(step.value)
            return None
        if isinstance(step, Tell):
            return step.function(*step.arguments)
        if isinstance(step, RunFunctions):
            return [self._call(at, call, step) for at, call in enumerate(step.calls)]
        self.sent.append(json.loads(step.body))
        message = self._respond(self.sent[-1])
        if isinstance(message, Exception):
            raise message
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        used = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        return ChatCompletionResponse.model_validate(
            {"id": "c", "choices": [choice], "usage": used}
        )

    def _call(self, position: int, call: Any, step: Any) -> FunctionOutcome:
        self.called.append(call.function.__name__)
        try:
            outcome = FunctionOutcome(call.function(*call.arguments, **call.keywords))
        except Exception as exc:
            outcome = FunctionOutcome(error=exc)
        step.on_end(position, outcome)
        return outcome


def answering(*messages: Any) -> Host:
    """A host whose model gives these answers."""
    left = iter(messages)
    return Host(lambda body: next(left))


# --- any sequence of operations ---------------------------------------------------------------


@dataclass
class Turn:
    """What the model of a conversation knows of a turn: the answers to come, and its messages."""

    plan: list[str]
    kept: list[Any]
    messages: list[Any]
    waiting: list[str] = field(default_factory=list)


class Simple:
    """A conversation as simple as can be, beside a `Dialogue` that it is compared with."""

    def __init__(self, world: "Several", dialogue: Any, turns: "list[list[Any]]") -> None:
        self.world, self.dialogue = world, dialogue
        self.turns = turns
        self.unfinished: Optional[Turn] = None

    def kept(self) -> "list[list[Any]]":
        trim = self.world.trim
        if isinstance(trim, int):
            return self.turns[-trim:]
        return self.turns if trim is None else [*trim(self.turns)]

    def send(self, plan: "list[str]", interrupt_at: int) -> None:
        content = f"question {self.world.fresh()}"
        turn = self.dialogue.turn(content)
        self.unfinished = Turn([*plan], self.kept(), [user(content)])
        self._run(turn.flow(), interrupt_at)

    def resume(self, interrupt_at: int, give: bool) -> None:
        if self.unfinished is None:
            assert self.dialogue.unfinished is None
            return
        results = dict.fromkeys(self.unfinished.waiting, "given") if give else {}
        if give:
            self.unfinished.messages += [result(each, "given") for each in results]
            self.unfinished.waiting = []
        self._run(self.dialogue.unfinished.flow(results), interrupt_at)

    def append(self) -> None:
        message = user(f"said {self.world.fresh()}")
        self.dialogue.append([message])
        self.turns = [*self.turns, [message]]
        self.unfinished = None

    def fork(self) -> "Simple":
        return Simple(self.world, self.dialogue.fork(), self.turns)

    def check(self) -> None:
        whole = [message for turn in self.turns for message in turn]
        assert self.dialogue.messages == [SYSTEM, *whole]
        assert (self.dialogue.unfinished is None) == (self.unfinished is None)

    def _run(self, flow: Any, interrupt_at: int) -> None:
        turn = self.unfinished
        assert turn is not None
        try:
            response = Host(self._respond).run(flow, interrupt_at)
        except APIConnectionError:
            return
        except ToolCallsPendingError as exc:
            turn.waiting = [call.id for call in exc.pending]
            return
        if response is not None:
            assert response.text == turn.messages[-1]["content"]
            self.turns, self.unfinished = [*turn.kept, turn.messages], None

    def _respond(self, body: Any) -> Any:
        turn, world = self.unfinished, self.world
        assert turn is not None
        kept = [message for each in turn.kept for message in each]
        assert body["messages"] == [SYSTEM, *kept, *turn.messages]
        what = turn.plan.pop(0) if turn.plan else "text"
        if what == "error":
            return APIConnectionError("gone")
        key = json.dumps(body["messages"])
        assert key not in world.answered, "a request that was answered is sent again"
        world.answered.add(key)
        mark = str(world.fresh())
        if what == "text":
            message = says(f"answer {mark}", x_mark=mark)
            turn.messages = [*turn.messages, message]
        elif what == "call":
            message = calls((f"a{mark}", "note"), (f"b{mark}", "note"))
            told = [result(f"{each}{mark}", "noted") for each in "ab"]
            turn.messages = [*turn.messages, message, *told]
            world.asked += 2
        else:
            message = calls((f"a{mark}", "note"), (f"l{mark}", "later"))
            turn.messages = [*turn.messages, message, result(f"a{mark}", "noted")]
            world.asked += 1
        return message


class Several:
    """What conversations of a test have in common.

    Attributes:
        answered: the requests that had an answer.
        asked, noted: how many calls of `note` the model has asked for, and how many were made.
    """

    def __init__(self, trim: Any) -> None:
        self.trim = trim
        self.answered: set[str] = set()
        self.asked = self.noted = self._last = 0

    def fresh(self) -> int:
        self._last += 1
        return self._last

    def begin(self) -> Simple:
        def note() -> str:
            self.noted += 1
            return "noted"

        def later() -> Any:
            raise Deferred

        options = {} if self.trim is None else {"trim": self.trim}
        dialogue = begin(system="Be brief.", tools=[note, later], max_turns=99, **options)
        return Simple(self, dialogue, [])


PLANS = st.lists(st.sampled_from(["call", "error", "later"]), max_size=4)
PLACES = st.one_of(st.just(-1), st.integers(0, 12))
OPERATIONS = st.one_of(
    st.tuples(st.just("send"), PLANS, PLACES),
    st.tuples(st.just("resume"), PLACES, st.booleans()),
    st.tuples(st.just("append")),
    st.tuples(st.just("fork")),
    st.tuples(st.just("swap")),
)


def first_and_last(turns: "list[list[Any]]") -> "list[list[Any]]":
    return turns if len(turns) < 3 else [turns[0], turns[-1]]


@given(st.lists(OPERATIONS, max_size=12), st.sampled_from([None, 1, 2, first_and_last]))
@settings(max_examples=150)
def test_a_history_has_whole_turns_whatever_happens(operations: "list[Any]", trim: Any) -> None:
    world = Several(trim)
    current = world.begin()
    other = current.fork()
    for name, *arguments in operations:
        if name == "fork":
            other = current.fork()
        elif name == "swap":
            current, other = other, current
        else:
            getattr(current, name)(*arguments)
        for each in (current, other):
            each.check()
        # What has a result is not called again.
        assert world.noted <= world.asked
    if current.unfinished is not None:
        current.unfinished.plan = []
        current.resume(-1, give=True)
        # A call that was not deferred yet when its result was needed is deferred first.
        current.resume(-1, give=True)
        assert current.unfinished is None
        current.check()


# --- each operation ---------------------------------------------------------------------------


def test_a_turn_is_in_the_history_when_it_has_ended_well() -> None:
    dialogue = begin(system="Be brief.")
    turn = dialogue.turn("Hi")
    host = answering(says("Hello.", x_thought="hm"))
    response = host.run(turn.flow())
    assert response is not None
    assert (response.text, turn.response, turn.partial) == ("Hello.", response, response)
    asked = [SYSTEM, user("Hi")]
    assert [body["messages"] for body in host.sent] == [asked]
    history = dialogue.messages
    # Unknown fields stay, here and in JSON.
    assert history == [*asked, says("Hello.", x_thought="hm")]
    again = begin(messages=json.loads(json.dumps(history)))
    assert again.messages == history
    # It is the caller's own.
    history[0]["content"] = "x"
    history.clear()
    assert len(dialogue.messages) == 3


def test_content_may_be_parts() -> None:
    dialogue = begin()
    host = answering(says("A cat."))
    parts = [{"type": "text", "text": "What is it?"}]
    host.run(dialogue.turn(parts).flow())
    parts[0]["text"] = "changed"
    assert dialogue.messages[0]["content"] == [{"type": "text", "text": "What is it?"}]


@pytest.mark.parametrize(
    ("given_content", "said"),
    [
        (None, "content: expected a text, or a list of content parts, got None"),
        (1, "got 1"),
        ([], "got an empty list"),
        (b"Hi", "got bytes"),
        (user("Hi"), r"append\(\) takes whole messages"),
        ([1], "content"),
        ([{"type": "text", "text": float("nan")}], "content"),
    ],
)
def test_wrong_content_is_refused_before_the_turn_begins(given_content: Any, said: str) -> None:
    dialogue = begin()
    with pytest.raises(InvalidParamsError, match=said):
        dialogue.turn(given_content)
    assert dialogue.messages == []


def wrong(*args: Any) -> Any:
    raise AssertionError("never called")


async def rule(turns: Any) -> Any:
    return turns


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"system": 1}, "system: expected a text, or a list of content parts, got 1"),
        ({"system": []}, "system: "),
        ({"system": "a", "messages": [SYSTEM]}, "leave out `system`"),
        ({"system": "a", "messages": [ChatMessage(role="developer", content="b")]}, "system: "),
        ({"messages": user("Hi")}, "messages: expected a list of messages"),
        ({"messages": "Hi"}, "messages: expected a list of messages"),
        ({"messages": None}, "messages: expected a list of messages, got None"),
        ({"messages": [1]}, r"messages\[0\]"),
        ({"messages": [{"role": "user", "contents": "Hi"}, {"content": 1}]}, r"messages\[1\]"),
        ({"tools": [1]}, "tools"),
        ({"trim": 0}, "trim: expected a number of turns, at least 1, or a plain function"),
        ({"trim": -1}, "trim: "),
        ({"trim": True}, "trim: .* got True"),
        ({"trim": "all"}, "trim: .* got 'all'"),
        ({"trim": rule}, "trim: "),
        ({"n": 2}, "n: expected 1, got 2"),
        ({"max_turns": 0}, "max_turns"),
        ({"stream": True}, "stream"),
        ({"temprature": 1}, "temperature"),
        (
            {"system_prompt": "Be brief."},
            "system_prompt: no such parameter; did you mean system\\?",
        ),
        ({"trims": 2}, "did you mean trim\\?"),
        ({"budget": 1}, r"use client.with_options\(budget=\.\.\.\)"),
        ({"temperature": "hot"}, "temperature"),
    ],
)
def test_wrong_options_are_refused_at_once(options: "dict[str, Any]", said: str) -> None:
    with pytest.raises((InvalidParamsError, TypeError), match=said):
        begin(**options)


def test_positional_options_are_refused_with_their_names() -> None:
    build: Any = Chat.conversation.build
    message = "positional arguments: expected none, got 1; pass each by its name, such as model=..."
    with pytest.raises(InvalidParamsError) as caught:
        build("openai/gpt-4o-mini")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "returned", [None, 1, "turns", [user("a")], [["a"]], {"a": 1}, [[user("a")], None]]
)
def test_a_rule_that_returns_something_else_is_refused(returned: Any) -> None:
    dialogue = begin(trim=lambda turns: returned, messages=[user("a"), says("b")])
    host = answering()
    with pytest.raises(InvalidParamsError, match="trim: expected a rule that returns turns"):
        host.run(dialogue.turn("c").flow())
    assert host.sent == []
    assert dialogue.unfinished is None
    assert len(dialogue.messages) == 2


def test_a_rule_may_change_what_it_gets_and_yield() -> None:
    def shorter(turns: "list[list[dict[str, Any]]]") -> Any:
        for turn in turns[-1:]:
            turn[0]["content"] = "short"
            yield turn

    dialogue = begin(trim=shorter, messages=[SYSTEM, user("a"), says("b"), user("c"), says("d")])
    host = answering(APIConnectionError("gone"), says("f"))
    turn = dialogue.turn("e")
    with pytest.raises(APIConnectionError):
        host.run(turn.flow())
    # A failed turn forgets nothing.
    assert [each["content"] for each in dialogue.messages] == ["Be brief.", "a", "b", "c", "d"]
    host.run(turn.flow())
    contents = ["Be brief.", "short", "d", "e"]
    assert [[each["content"] for each in body["messages"]] for body in host.sent] == [contents] * 2
    assert [each["content"] for each in dialogue.messages] == [*contents, "f"]


def test_one_turn_at_a_time() -> None:
    dialogue = begin()
    first, second = dialogue.turn("a"), dialogue.turn("b")
    flow = first.flow()
    flow.send(None)
    for act in (
        lambda: second.flow().send(None),
        lambda: first.flow().send(None),
        lambda: dialogue.append([user("c")]),
    ):
        with pytest.raises(StreamUsageError, match="under way"):
            act()
    assert dialogue.fork().messages == []
    # A turn that nobody holds any more keeps no other one out.
    del flow
    answering(says("ok")).run(second.flow())
    # The conversation has gone on without the first one.
    with pytest.raises(StreamUsageError, match="gone on"):
        answering().run(first.flow())
    with pytest.raises(StreamUsageError, match="gone on"):
        answering().run(second.flow())
    assert [each["content"] for each in dialogue.messages] == ["b", "ok"]


def test_appended_messages_are_checked() -> None:
    dialogue = begin()
    dialogue.append([])
    dialogue.append([ChatMessage(role="user", content="a"), says("b", x_mark=1)])
    for bad in ([1], [{"role": "user", "content": 1}], [{"role": "assistant"}]):
        with pytest.raises(InvalidParamsError):
            dialogue.append(bad)
    assert dialogue.messages == [user("a"), says("b", x_mark=1)]


def later() -> Any:
    """Ask a human."""
    return Deferred()


def test_deferred_calls_get_their_results_by_resuming() -> None:
    dialogue = begin(tools=[later])
    host = answering(calls(("x", "later")), says("done"))
    turn = dialogue.turn("go")
    with pytest.raises(ToolCallsPendingError, match="results of 1 calls") as raised:
        host.run(turn.flow())
    assert [call.id for call in raised.value.pending] == ["x"]
    assert raised.value.checkpoint["state"]["turn"]
    assert dialogue.messages == []
    with pytest.raises(ToolCallsPendingError):
        host.run(turn.flow())
    for results, said in (
        ({"y": 1}, "results: expected IDs of pending calls"),
        ([1], "results: expected a dict"),
        ({"x": object()}, "a JSON value"),
    ):
        with pytest.raises(InvalidParamsError, match=said):
            host.run(turn.flow(results))
    host.run(turn.flow({"x": {"approved": True}}))
    assert dialogue.messages == [
        user("go"),
        calls(("x", "later")),
        result("x", '{"approved":true}'),
        says("done"),
    ]
    assert len(host.sent) == 2


def note() -> str:
    """Note it."""
    return "noted"


def test_values_are_asked_for_again_and_only_the_right_one_is_kept() -> None:
    dialogue = begin(tools=[note])
    host = answering(says('"x"'), calls(("a", "note")), says('{"value":2.5}'), says('{"value":7}'))
    turn = dialogue.turn("count", output=output_of(int), retries=2)
    response: Any = host.run(turn.flow())
    assert response.parsed == 7
    assert [each.text for each in response.rejected] == ['"x"', '{"value":2.5}']
    assert dialogue.messages == [
        user("count"),
        calls(("a", "note")),
        result("a", "noted"),
        says('{"value":7}'),
    ]
    told = [each["content"] for each in host.sent[-1]["messages"] if each["role"] == "user"]
    assert told[0] == "count"
    assert [text.startswith("That does not match") for text in told[1:]] == [True, True]
    assert "response_format" in host.sent[0]
    assert "response_format" not in dialogue.fields


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (says("seven"), OutputValidationError),
        ({"role": "assistant", "refusal": "no"}, ModelRefusalError),
    ],
)
def test_a_turn_without_its_value_asks_again_when_it_is_resumed(message: Any, kind: Any) -> None:
    dialogue = begin(tools=[note])
    host = answering(calls(("a", "note")), message, says('{"value":7}'))
    turn = dialogue.turn("count", output=output_of(int))
    with pytest.raises(kind):
        host.run(turn.flow())
    assert dialogue.messages == []
    assert dialogue.unfinished is turn
    response: Any = host.run(turn.flow())
    assert response.parsed == 7
    assert host.called == ["note"]
    assert host.sent[1] == host.sent[2]
    assert [each["role"] for each in dialogue.messages] == [
        "user",
        "assistant",
        "tool",
        "assistant",
    ]


def test_limits_count_for_the_whole_turn() -> None:
    dialogue = begin(tools=[note], max_total_tokens=10, tool_choice="required")
    host = answering(says('"x"'), calls(("a", "note")))
    turn = dialogue.turn("count", output=output_of(int), retries=1)
    with pytest.raises(
        ToolLoopLimitError, match="but max_total_tokens=10 is reached \\(10 used\\)"
    ):
        host.run(turn.flow())
    # As is a call that is forced.
    assert ["tool_choice" in body for body in host.sent] == [True, False]
    assert dialogue.messages == []


def test_errors_of_functions_leave_the_history_alone() -> None:
    def fail() -> None:
        raise LookupError("no reason")

    dialogue = begin(tools=[note, fail], on_tool_error="raise")
    host = answering(calls(("a", "note"), ("b", "fail")))
    with pytest.raises(LookupError):
        host.run(dialogue.turn("go").flow())
    assert dialogue.messages == []
    assert host.called == ["note", "fail"]
    answering(says("ok")).run(dialogue.turn("hi").flow())
    assert [each["content"] for each in dialogue.messages] == ["hi", "ok"]
