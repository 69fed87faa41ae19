"""A tool run without a client: the test does the steps of its flow, and is the model."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Optional

import pytest

from meshapi_core import (
    END_OF_STREAM,
    InvalidParamsError,
    JobFailedError,
    ResponseDecodeError,
    ToolLoopLimitError,
)
from meshapi_core.endpoints import Completions, Responses
from meshapi_core.flows import (
    CloseStream,
    Emit,
    FunctionCall,
    FunctionOutcome,
    NextChunk,
    OpenStream,
    RunFunctions,
    Tell,
)
from meshapi_core.streams import ContentDelta, ReasoningDelta, RefusalDelta
from meshapi_core.tools import (
    Deferred,
    FunctionTool,
    InvalidArguments,
    ModelResponded,
    Refuse,
    RequestedCall,
    ToolCallBegun,
    ToolCallDeferred,
    ToolCallEnded,
)
from meshapi_core.tools.chat import ChatDialect
from meshapi_core.types import (
    ChatCompletionChunk,
    ChatCompletionResponse,
    ResponsesResponse,
    Tool,
    ToolFunction,
)

TOKEN = "rsk_test_canary_of_tools"
ASKED = [{"role": "user", "content": "hi", "x_mark": 1}]
FORECAST = {"name": "get_weather", "arguments": '{"city":"Paris"}'}


def get_weather(city: str) -> str:
    """Return the weather."""
    return f"sunny in {city}"


def fail(reason: str = "no reason") -> None:
    """Fail."""
    raise LookupError(reason)


def later(city: str) -> Any:
    """Return it later."""
    return Deferred("a human answers")


def calling(*functions: "dict[str, str]", ids: Optional[list[str]] = None) -> dict[str, Any]:
    """A response that asks for calls, with fields that no class declares."""
    calls = [
        {"id": call_id, "type": "function", "function": function, "x_sign": call_id}
        for call_id, function in zip(ids or [f"call_{n}" for n in range(100)], functions)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls, "x_thought": "hm"}
    return completed(message, "tool_calls")


def saying(text: str) -> dict[str, Any]:
    return completed({"role": "assistant", "content": text}, "stop")


def completed(message: "dict[str, Any]", reason: str) -> dict[str, Any]:
    return {
        "id": "c",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        "cost": "0.10",
    }


class Opened:
    """A stream that is read: `chunks` come, and add up to `partial`."""

    def __init__(self, response: Any) -> None:
        self.chunks = iter(chunks_of(response))
        self.partial = response


def chunks_of(response: Any) -> "Iterator[ChatCompletionChunk]":
    yield ChatCompletionChunk.model_validate({"choices": []})
    for piece in (response.text if response else "").split():
        delta = {"index": 0, "delta": {"content": piece}}
        yield ChatCompletionChunk.model_validate({"choices": [delta]})


class Host:
    """Does the steps of a run. `sent` has the bodies of its requests, `steps` what it emitted."""

    def __init__(self, loop: Any, responses: "list[Any]", interrupt_at: int = -1) -> None:
        self.loop = loop
        self.sent: list[dict[str, Any]] = []
        self.steps: list[Any] = []
        self.called: list[str] = []
        self._responses = iter(responses)
        self._countdown = interrupt_at

    def run(self) -> Any:
        flow = self.loop.flow()
        value, error = None, None
        try:
            while True:
                step = flow.send(value) if error is None else flow.throw(error)
                value = error = None
                if self._is_interrupted():
                    flow.close()
                    return None
                try:
                    value = self._do(step)
                except Exception as exc:
                    error = exc
        except StopIteration as stop:
            return stop.value

    def _is_interrupted(self) -> bool:
        self._countdown -= 1
        return self._countdown == -1

    def _do(self, step: Any) -> Any:
        if isinstance(step, Emit):
            self.steps.append(step.value)
            return None
        if isinstance(step, Tell):
            return step.function(*step.arguments)
        if isinstance(step, RunFunctions):
            return [self._call(at, call, step) for at, call in enumerate(step.calls)]
        if isinstance(step, OpenStream):
            return Opened(self._respond(step.call))
        if isinstance(step, NextChunk):
            return next(step.stream.chunks, END_OF_STREAM)
        if isinstance(step, CloseStream):
            return None
        return self._respond(step)

    def _respond(self, call: Any) -> Any:
        self.sent.append(json.loads(call.body))
        response = next(self._responses)
        if response is None:
            return None
        if isinstance(response, Exception):
            raise response
        kind = ChatCompletionResponse if "messages" in self.sent[-1] else ResponsesResponse
        return kind.model_validate(response)

    def _call(self, position: int, call: FunctionCall, step: RunFunctions) -> FunctionOutcome:
        self.called.append(call.function.__name__)
        try:
            outcome = FunctionOutcome(call.function(*call.arguments, **call.keywords))
        except Exception as exc:
            outcome = FunctionOutcome(error=exc)
        step.on_end(position, outcome)
        return outcome


def start(tools: Any, **options: Any) -> Any:
    return Completions.run_tools.build(model="m", messages=ASKED, tools=tools, **options)


def resume(checkpoint: Any, tools: Any, **options: Any) -> Any:
    return Completions.resume_tools.build(checkpoint, tools=tools, **options)


def contents(messages: "list[Any]") -> list[Any]:
    return [message.content for message in messages if getattr(message, "role", "") == "tool"]


def test_the_model_is_told_the_results_until_it_answers() -> None:
    host = Host(start([get_weather]), [calling(FORECAST, FORECAST), saying("It is sunny.")])
    result = host.run()
    assert (result.text, result.turns, result.pending) == ("It is sunny.", 2, ())
    assert (result.usage.total_tokens, str(result.usage.cost_usd)) == (10, "0.20")
    assert [type(step) for step in host.steps] == [
        ModelResponded,
        *[ToolCallBegun] * 2,
        *[ToolCallEnded] * 2,
        ModelResponded,
    ]
    first, second = host.sent
    assert first["tools"][0]["function"]["name"] == "get_weather"
    # Unknown fields go back as they came.
    assert second["messages"][:2] == [
        *ASKED,
        {k: v for k, v in calling(FORECAST, FORECAST)["choices"][0]["message"].items() if v},
    ]
    assert second["messages"][2:] == [
        {"role": "tool", "tool_call_id": "call_0", "content": "sunny in Paris"},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny in Paris"},
    ]
    assert host.loop.messages == result.messages
    # They can be sent again.
    Completions.create.build(messages=result.messages)


@pytest.mark.parametrize(
    ("message", "is_kept"),
    [
        ({"role": "assistant", "content": None}, False),
        ({"role": "assistant", "content": ""}, True),
        ({"role": "assistant", "refusal": "no"}, True),
        ({"role": "assistant", "audio": {"id": "a"}}, True),
    ],
)
def test_a_last_message_is_kept_unless_it_says_nothing(
    message: "dict[str, Any]", is_kept: bool
) -> None:
    result = Host(start([get_weather]), [completed(message, "stop")]).run()
    assert (len(result.messages), result.text) == (1 + is_kept, "")


def test_a_response_without_choices_ends_the_run() -> None:
    result = Host(start([get_weather]), [{**saying(""), "choices": []}]).run()
    assert (result.messages, result.text, result.turns) == (ASKED, "", 1)


def test_a_streamed_run_tells_the_text_as_it_comes() -> None:
    responses = [calling(FORECAST), saying("It is sunny.")]
    host = Host(start([get_weather], stream=True), responses)
    result = host.run()
    assert [step.text for step in host.steps if isinstance(step, ContentDelta)] == [
        "It",
        "is",
        "sunny.",
    ]
    assert [request["stream"] for request in host.sent] == [True, True]
    whole = Host(start([get_weather]), responses)
    assert result == whole.run()
    assert [step for step in host.steps if not isinstance(step, ContentDelta)] == whole.steps
    # A checkpoint does not say how it was read.
    again = Host(resume(host.loop.checkpoint(), [get_weather], stream=True), [])
    assert again.run().text == "It is sunny."


def test_a_streamed_run_tells_reasoning_and_refusals_too() -> None:
    said = [{"reasoning_content": "Hm"}, {"content": "It"}, {"refusal": "no"}]
    chunks = [
        ChatCompletionChunk.model_validate({"choices": [{"index": 0, "delta": delta}]})
        for delta in said
    ]
    receive = ChatDialect(Completions.create.build, Completions.stream.build).deltas()
    assert [step for chunk in chunks for step in receive(chunk)] == [
        ReasoningDelta(text="Hm"),
        ContentDelta(text="It"),
        RefusalDelta(text="no"),
    ]


def test_the_response_that_arrives_is_the_partial_one() -> None:
    loop = start([get_weather], stream=True)
    assert loop.partial is None
    flow = loop.flow()
    opened = Opened(ChatCompletionResponse.model_validate(saying("It is sunny.")))
    assert isinstance(flow.send(None), OpenStream)
    assert isinstance(flow.send(opened), NextChunk)
    assert loop.partial is opened.partial
    flow.close()
    # What had arrived is there after an interruption.
    assert loop.partial is opened.partial
    assert loop.messages == ASKED


def test_a_stream_without_a_chunk_is_an_error() -> None:
    host = Host(start([get_weather], stream=True), [None])
    with pytest.raises(ResponseDecodeError):
        host.run()
    assert (host.loop.turns, host.loop.messages) == (0, ASKED)


def test_calls_with_one_id_are_all_made_and_told() -> None:
    asked = calling(FORECAST, FORECAST, ids=["same", "same"])
    host = Host(start([get_weather]), [asked, saying("ok")])
    assert contents(host.run().messages) == ["sunny in Paris"] * 2


def test_deferred_calls_with_one_id_wait_for_a_result_each() -> None:
    wanted = {"name": "later", "arguments": '{"city":"Oslo"}'}
    host = Host(start([later]), [calling(wanted, wanted, ids=["same", "same"])])
    host.run()
    one = Host(resume(host.loop.checkpoint(), [later], results={"same": "a"}), [])
    assert len(one.run().pending) == 1
    both = Host(resume(one.loop.checkpoint(), [later], results={"same": "b"}), [saying("ok")])
    assert contents(both.run().messages) == ["a", "b"]


def test_calls_without_an_id_get_one_each() -> None:
    wanted = {"name": "later", "arguments": '{"city":"Oslo"}'}
    asked = calling(wanted, wanted, FORECAST, ids=["", "", "given"])
    del asked["choices"][0]["message"]["tool_calls"][1]["id"]
    host = Host(start([later, get_weather]), [asked])
    first, second = host.run().pending
    assert first.id
    assert first.id != second.id
    results = {first.id: "a", second.id: "b"}
    answered = Host(
        resume(host.loop.checkpoint(), [later, get_weather], results=results), [saying("ok")]
    )
    _, said, *told = answered.run().messages[:-1]
    ids = [first.id, second.id, "given"]
    assert [call["id"] for call in said["tool_calls"]] == ids
    assert [each.tool_call_id for each in told] == ids
    assert contents(told) == ["a", "b", "sunny in Paris"]


def test_calls_of_responses_without_an_id_get_one_each() -> None:
    items = [{"type": "function_call", "call_id": given, **FORECAST} for given in (None, 5)]
    loop = Responses.run_tools.build(model="m", input="hi", tools=[get_weather])
    host = Host(loop, [{"output": items}, {"output": []}])
    _, *said = host.run().messages
    ids = [each["call_id"] for each in said]
    assert ids[:2] == ids[2:]
    assert len({*ids}) == 2


@pytest.mark.parametrize("error", [{"code": "server_error", "message": "out of memory"}, None, "x"])
def test_a_response_that_has_failed_is_not_an_answer(error: Any) -> None:
    output = [{"type": "message", "content": [{"type": "output_text", "text": "Sun"}]}]
    failed = {"id": "r", "status": "failed", "output": output, "error": error}
    loop = Responses.run_tools.build(model="m", input="hi", tools=[get_weather])
    with pytest.raises(JobFailedError, match="the status of the response is 'failed'") as raised:
        Host(loop, [failed]).run()
    is_told = isinstance(error, dict)
    assert raised.value.error_code == ("server_error" if is_told else "job_failed")
    assert ("out of memory" in str(raised.value)) == is_told
    assert isinstance(raised.value.partial, ResponsesResponse)
    # The model can be asked again.
    assert (loop.turns, len(loop.messages)) == (0, 1)
    again = Responses.resume_tools.build(loop.checkpoint(), tools=[get_weather])
    assert Host(again, [{"output": output}]).run().text == "Sun"


def test_an_output_of_odd_items_is_sent_without_them() -> None:
    call = {"type": "function_call", "call_id": "c", **FORECAST}
    loop = Responses.run_tools.build(model="m", input="hi", tools=[get_weather])
    host = Host(loop, [{"output": [None, call, 5]}, {"output": []}])
    host.run()
    kinds = [each.get("type") for each in host.sent[1]["input"]]
    assert kinds == [None, "function_call", "function_call_output"]


def test_what_is_no_exception_leaves_the_call_as_begun() -> None:
    def leave() -> None:
        raise KeyboardInterrupt

    host = Host(start([leave]), [calling({"name": "leave", "arguments": "{}"})])
    with pytest.raises(KeyboardInterrupt):
        host.run()
    told: list[RequestedCall] = []
    tool = FunctionTool(lambda: "left", name="leave")
    again = Host(resume(host.loop.checkpoint(), [tool], before_call=told.append), [saying("ok")])
    assert contents(again.run().messages) == ["left"]
    assert [call.may_have_run for call in told] == [True]


def test_responses_are_told_in_their_own_way() -> None:
    items = [
        {"type": "reasoning", "id": "r", "summary": [], "x_mark": 2},
        {"type": "function_call", "call_id": "c1", "status": "completed", **FORECAST},
        {"type": "web_search_call", "id": "w"},
    ]
    said = {"type": "message", "content": [{"type": "output_text", "text": "Sunny."}]}
    used = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    loop = Responses.run_tools.build(
        model="m", input="hi", tools=[get_weather, {"type": "web_search_preview"}]
    )
    host = Host(
        loop, [{"output": items, "usage": used, "cost": 0.1}, {"output": [said], "cost": "0.1"}]
    )
    result = host.run()
    assert (result.text, result.turns, result.usage.total_tokens) == ("Sunny.", 2, 5)
    assert str(result.usage.cost_usd) == "0.2"
    assert [tool["type"] for tool in host.sent[0]["tools"]] == ["function", "web_search_preview"]
    assert host.sent[0]["tools"][0]["name"] == "get_weather"
    output = {"type": "function_call_output", "call_id": "c1", "output": "sunny in Paris"}
    asked = {"role": "user", "content": "hi"}
    assert host.sent[1]["input"] == [asked, *items, output]
    assert result.messages == [asked, *items, output, said]
    Responses.create.build(input=result.messages)


@pytest.mark.parametrize(
    ("function", "kind", "told"),
    [
        ({"name": "get_wether", "arguments": "{}"}, LookupError, "the tools are: get_weather"),
        ({"name": "get_weather", "arguments": "{}"}, InvalidArguments, "city"),
        ({"name": "get_weather", "arguments": '{"city":'}, InvalidArguments, "not valid JSON"),
        ({"name": "fail", "arguments": '{"reason":"it rains"}'}, LookupError, "it rains"),
    ],
)
def test_errors_are_told_to_the_model(function: "dict[str, str]", kind: type, told: str) -> None:
    host = Host(start([get_weather, fail]), [calling(function, FORECAST), saying("ok")])
    result = host.run()
    (ended,) = [each for each in host.steps if isinstance(each, ToolCallEnded) and each.error]
    assert isinstance(ended.error, kind)
    content, other = contents(result.messages)
    assert content == ended.content
    assert content.startswith("Error: ")
    assert told in content
    assert other == "sunny in Paris"


def test_an_error_without_a_text_is_told_by_its_class() -> None:
    class Wordless(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    def give_up() -> None:
        raise Wordless

    host = Host(start([give_up]), [calling({"name": "give_up", "arguments": ""}), saying("ok")])
    assert contents(host.run().messages) == ["Error: Wordless"]


def test_errors_of_functions_are_raised_by_choice_and_the_run_can_go_on() -> None:
    failing = {"name": "fail", "arguments": "{}"}
    host = Host(start([get_weather, fail], on_tool_error="raise"), [calling(failing, FORECAST)])
    with pytest.raises(LookupError, match="no reason"):
        host.run()
    assert host.loop.messages == ASKED
    again = Host(resume(host.loop.checkpoint(), [get_weather, fail]), [saying("ok")])
    assert again.run().text == "ok"
    assert again.called == ["fail"]


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("text", "text"),
        ("\ud800", "?"),
        (None, "null"),
        ({"a": [1]}, '{"a":[1]}'),
        (FunctionTool, "Error: TypeError: the result cannot be sent as JSON"),
    ],
)
def test_results_are_texts_or_json(value: Any, content: str) -> None:
    def get() -> Any:
        return value

    host = Host(start([get]), [calling({"name": "get", "arguments": ""}), saying("ok")])
    (told,) = contents(host.run().messages)
    assert told.startswith(content)
    assert content.startswith("Error") or told == content


def test_before_call_approves_changes_refuses_and_defers() -> None:
    asked: list[RequestedCall] = []

    def before(call: RequestedCall) -> Any:
        asked.append(call)
        return verdicts[call.id]

    verdicts = {
        "call_0": None,
        "call_1": {"city": "Rome"},
        "call_2": Refuse("not now"),
        "call_3": Deferred(),
    }
    loop = start([get_weather], before_call=before)
    host = Host(loop, [calling(FORECAST, FORECAST, FORECAST, FORECAST)])
    result = host.run()
    assert [call.arguments for call in asked] == [{"city": "Paris"}] * 4
    assert [call.id for call in result.pending] == ["call_3"]
    resumed = Host(
        resume(loop.checkpoint(), [get_weather], results={"call_3": "late"}), [saying("ok")]
    )
    assert contents(resumed.run().messages) == [
        "sunny in Paris",
        "sunny in Rome",
        "Error: PermissionError: refused: not now",
        "late",
    ]


@pytest.mark.parametrize("verdict", [5, {"town": "Rome"}, {"city": FunctionTool}])
def test_what_before_call_may_not_return_is_refused(verdict: Any) -> None:
    host = Host(start([get_weather], before_call=lambda call: verdict), [calling(FORECAST)])
    with pytest.raises(InvalidParamsError, match="before_call"):
        host.run()
    assert host.called == []


@pytest.mark.parametrize("verdict", [True, False])
def test_a_verdict_of_before_call_is_no_bool(verdict: Any) -> None:
    host = Host(start([get_weather], before_call=lambda call: verdict), [calling(FORECAST)])
    with pytest.raises(InvalidParamsError, match=r"None approves, Refuse\(reason\) refuses"):
        host.run()


def test_what_before_call_raises_ends_the_run() -> None:
    def before(call: RequestedCall) -> None:
        raise PermissionError("stop")

    host = Host(start([get_weather], before_call=before), [calling(FORECAST)])
    with pytest.raises(PermissionError, match="stop"):
        host.run()


@pytest.mark.parametrize(
    ("options", "turns"),
    [
        ({"max_turns": 3}, 3),
        ({"max_total_tokens": 10}, 2),
        ({"max_total_tokens": 11}, 3),
        ({"max_cost_usd": "0.3"}, 3),
        ({"max_cost_usd": 0.1}, 1),
    ],
)
def test_a_limit_ends_the_run_before_further_calls(options: "dict[str, Any]", turns: int) -> None:
    host = Host(start([get_weather], **options), [calling(FORECAST)] * 9)
    with pytest.raises(ToolLoopLimitError) as raised:
        host.run()
    error = raised.value
    assert (error.limit, error.turns, error.usage.total_tokens) == (*options, turns, turns * 5)
    assert len(host.sent) == turns
    assert len(host.called) == turns - 1
    assert error.messages == host.loop.messages
    assert len(error.messages) == 1 + 2 * (turns - 1)
    # A higher limit goes on, without asking the model or a function twice.
    again = Host(resume(error.checkpoint, [get_weather], max_turns=99), [saying("ok")])
    assert again.run().turns == turns + 1
    assert again.called == ["get_weather"]


def test_a_final_answer_at_the_limit_is_no_error() -> None:
    host = Host(start([get_weather], max_turns=1, max_cost_usd="0.1"), [saying("ok")])
    assert host.run().text == "ok"


def test_a_choice_that_forces_a_call_counts_for_the_first_turn() -> None:
    host = Host(start([get_weather], tool_choice="required"), [calling(FORECAST), saying("ok")])
    host.run()
    assert [request.get("tool_choice") for request in host.sent] == ["required", None]


DECLARED = Tool(
    function=ToolFunction(name="later", parameters={"type": "object", "properties": {}})
)
BY_HAND = FunctionTool(name="later", parameters={"type": "object"}, deferred=True)


@pytest.mark.parametrize(
    "tool", [later, FunctionTool(later, deferred=True), DECLARED, BY_HAND, DECLARED.model_dump()]
)
@pytest.mark.parametrize("form", [dict, json.dumps, lambda plain: json.dumps(plain).encode()])
def test_deferred_calls_end_the_run_and_their_results_continue_it(
    tool: Any, form: Callable[..., Any]
) -> None:
    wanted = {"name": "later", "arguments": '{"city":"Oslo"}'}
    host = Host(start([get_weather, tool]), [calling(wanted, FORECAST, wanted)])
    result = host.run()
    assert [call.id for call in result.pending] == ["call_0", "call_2"]
    assert result.pending[0].arguments == {"city": "Oslo"}
    # No half turn.
    assert result.messages == ASKED
    assert isinstance(host.steps[-1], (ToolCallDeferred, ToolCallEnded))
    checkpoint = form(host.loop.checkpoint())
    some = Host(resume(checkpoint, [get_weather, tool], results={"call_2": {"c": 5}}), [])
    assert [call.id for call in some.run().pending] == ["call_0"]
    rest = Host(
        resume(some.loop.checkpoint(), [get_weather, tool], results={"call_0": OSError("no")}),
        [saying("ok")],
    )
    done = rest.run()
    assert contents(done.messages) == ["Error: OSError: no", "sunny in Paris", '{"c":5}']
    assert rest.called == some.called == []
    assert done.usage.total_tokens == 10
    # A run that is over stays over.
    over = Host(resume(rest.loop.checkpoint(), [get_weather, tool]), [])
    assert over.run().text == "ok"


def test_an_interruption_at_any_step_loses_nothing_and_does_nothing_twice() -> None:
    """The sweep: interrupt at the n-th step, resume, interrupt again at the first, resume."""
    responses = [calling(FORECAST, FORECAST), calling(FORECAST), saying("ok")]
    whole = Host(start([get_weather]), responses)
    expected = whole.run()
    steps = 0
    while True:
        host = Host(start([get_weather]), responses, interrupt_at=steps)
        if host.run() is not None:
            break
        loop = host.loop
        assert len(loop.messages) in (1, 4, 6, 7)
        for interrupt_at in (0, -1):
            left = responses[loop.turns :]
            last = Host(resume(loop.checkpoint(), [get_weather]), left, interrupt_at)
            result = last.run()
            host.called += last.called
            loop = last.loop
        assert result.text == "ok"
        assert result.usage == expected.usage
        assert len(host.called) == len(whole.called)
        assert loop.checkpoint()["state"] == whole.loop.checkpoint()["state"]
        steps += 1
    assert steps > 10


def test_a_call_that_was_interrupted_says_so() -> None:
    seen: list[bool] = []

    def before(call: RequestedCall) -> None:
        seen.append(call.may_have_run)

    class Stop(BaseException):
        pass

    def stopped(city: str) -> None:
        raise Stop

    tool = FunctionTool(stopped, name="get_weather")
    host = Host(start([tool], before_call=before), [calling(FORECAST)])
    with pytest.raises(Stop):
        host.run()
    Host(resume(host.loop.checkpoint(), [get_weather], before_call=before), [saying("")]).run()
    assert seen == [False, True]


def test_an_error_of_the_gateway_leaves_whole_turns() -> None:
    host = Host(start([get_weather]), [calling(FORECAST), ConnectionError("gone")])
    with pytest.raises(ConnectionError):
        host.run()
    assert len(host.loop.messages) == 3
    assert Host(resume(host.loop.checkpoint(), [get_weather]), [saying("ok")]).run().turns == 2


def test_a_model_that_says_nothing_ends_the_run_with_a_history_that_can_be_sent() -> None:
    empty: dict[str, Any] = {"choices": []}
    for response in (empty, completed({"role": "assistant"}, "stop")):
        result = Host(start([get_weather]), [response]).run()
        assert (result.text, result.messages) == ("", ASKED)


def test_a_checkpoint_has_no_token_and_is_a_copy() -> None:
    host = Host(start([later]), [calling({"name": "later", "arguments": '{"city":"Oslo"}'})])
    host.run()
    checkpoint = host.loop.checkpoint()
    assert TOKEN not in json.dumps(checkpoint)
    checkpoint["state"]["history"].clear()
    assert host.loop.messages == ASKED
    host.loop.checkpoint()["state"]["turn"]["calls"].clear()
    assert len(host.loop.pending) == 1


def _damaged(checkpoint: "dict[str, Any]") -> Iterator[tuple[Any, str]]:
    def changed(**changes: Any) -> dict[str, Any]:
        return {**checkpoint, **changes}

    def inside(**changes: Any) -> dict[str, Any]:
        return changed(state={**checkpoint["state"], **changes})

    text = json.dumps(checkpoint)
    yield 5, "checkpoint"
    yield "", "checkpoint"
    yield text[:-1], "checkpoint"
    yield b"\xff", "checkpoint"
    yield {}, "checkpoint.version"
    yield changed(version=2), "checkpoint.version"
    yield changed(version="1"), "checkpoint.version"
    yield changed(api="responses"), "checkpoint.api"
    yield changed(more=1), "checkpoint"
    yield changed(response=None), "checkpoint"
    yield changed(tools=["later", "gone"]), "tools"
    yield inside(turns=-1), "checkpoint"
    yield inside(turns="1"), "checkpoint"
    yield inside(is_over=True), "checkpoint"
    yield inside(history=[5]), "checkpoint"
    yield inside(fields={"modle": "m"}), "checkpoint"
    yield inside(turn={"said": [], "calls": []}), "checkpoint"
    yield inside(turn={"said": []}), "checkpoint"
    yield from ((value, "checkpoint") for value in [[], [checkpoint], None])


def test_a_damaged_checkpoint_is_refused() -> None:
    host = Host(start([later]), [calling({"name": "later", "arguments": '{"city":"Oslo"}'})])
    host.run()
    for damaged, field in _damaged(host.loop.checkpoint()):
        with pytest.raises(InvalidParamsError) as raised:
            resume(damaged, [later])
        assert raised.value.field == field, damaged


def test_what_was_stored_or_returned_is_told_from_a_checkpoint() -> None:
    expected = "checkpoint: expected what checkpoint() returned, or its JSON, got "
    with pytest.raises(InvalidParamsError) as raised:
        resume("run.json", [later])
    assert str(raised.value).startswith(f"{expected}text: ")
    assert raised.value.hint == "pass what the file contains, not its path"

    class Run:
        def checkpoint(self) -> None: ...

    with pytest.raises(InvalidParamsError) as raised:
        resume(Run(), [later])
    assert raised.value.hint == "pass run.checkpoint()"


@pytest.mark.parametrize(
    ("results", "field"),
    [
        ({"call_9": "x"}, "results"),
        ([("call_0", "x")], "results"),
        ({"call_0": FunctionTool}, "results['call_0']"),
    ],
)
def test_results_that_fit_no_pending_call_are_refused(results: Any, field: str) -> None:
    host = Host(start([later]), [calling({"name": "later", "arguments": '{"city":"Oslo"}'})])
    host.run()
    with pytest.raises(InvalidParamsError) as raised:
        resume(host.loop.checkpoint(), [later], results=results)
    assert raised.value.field == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tools": get_weather}, "tools"),
        ({"tools": [get_weather, 5]}, "tools[1]"),
        ({"tools": [get_weather, None]}, "tools[1]"),
        ({"tools": [get_weather, get_weather]}, "tools[1]"),
        ({"tools": [lambda: None]}, "tools[0].__name__"),
        ({"max_turns": 0}, "max_turns"),
        ({"max_turns": None}, "max_turns"),
        ({"max_concurrent_calls": True}, "max_concurrent_calls"),
        ({"tool_timeout": 0}, "tool_timeout"),
        ({"tool_timeout": float("nan")}, "tool_timeout"),
        ({"on_tool_error": "ignore"}, "on_tool_error"),
        ({"before_call": "f"}, "before_call"),
        ({"max_total_tokens": -1}, "max_total_tokens"),
        ({"max_cost_usd": "much"}, "max_cost_usd"),
        ({"max_cost_usd": -0.1}, "max_cost_usd"),
        ({"n": 2}, "n"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "user", "contents": "x"}]}, "messages[0].contents"),
        ({"temperature": "hot"}, "temperature"),
        ({"max_turn": 3}, "max_turn"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_wrong_arguments_are_refused_at_once(changes: "dict[str, Any]", field: str) -> None:
    arguments: dict[str, Any] = {"messages": ASKED, "tools": [get_weather], **changes}
    with pytest.raises(InvalidParamsError) as raised:
        Completions.run_tools.build(**arguments)
    assert raised.value.field == field


def test_responses_in_the_background_are_refused() -> None:
    with pytest.raises(InvalidParamsError, match="background"):
        Responses.run_tools.build(input="hi", tools=[], background=True)  # type: ignore[call-arg]
