"""What type checkers must say about tool runs. Checked, never run.

It has no negative cases, for which each checker has its own comment.
"""

from decimal import Decimal
from functools import partial
from typing import Any, Optional, Union

from typing_extensions import assert_type

from meshapi import (
    AnyTool,
    AsyncMeshAPI,
    AsyncToolRun,
    ChatCompletionResponse,
    ContentDelta,
    FunctionTool,
    MeshAPI,
    ModelResponded,
    ReasoningDelta,
    RefusalDelta,
    RequestedCall,
    ResponsesResponse,
    ToolCallBegun,
    ToolCallDeferred,
    ToolCallEnded,
    ToolLoopLimitError,
    ToolRun,
    ToolRunResult,
)


def add(a: int, b: int) -> int:
    return a + b


async def wait(seconds: float) -> None: ...


class Counter:
    def __call__(self, word: str) -> int:
        return len(word)


FUNCTIONS = [add, wait]
TOOLS: list[AnyTool] = [
    add,
    partial(add, 1),
    Counter(),
    FunctionTool(add, name="plus"),
    {"type": "web_search_preview"},
]


def blocking_runs_are_exact(client: MeshAPI) -> None:
    run = client.chat.completions.run_tools(
        model="m", messages=[{"role": "user", "content": "?"}], tools=[add], max_cost_usd=Decimal(1)
    )
    assert_type(run, ToolRun[ChatCompletionResponse])
    with run:
        for step in run:
            assert_type(
                step,
                Union[
                    ContentDelta,
                    ReasoningDelta,
                    RefusalDelta,
                    ModelResponded[ChatCompletionResponse],
                    ToolCallBegun,
                    ToolCallEnded,
                    ToolCallDeferred,
                ],
            )
            if isinstance(step, ContentDelta):
                assert_type(step.text, str)
            elif isinstance(step, ToolCallEnded):
                assert_type(step.error, Optional[Exception])
    result = run.until_done()
    assert_type(result, ToolRunResult[ChatCompletionResponse])
    assert_type(result.response, ChatCompletionResponse)
    assert_type(result.text, str)
    assert_type(result.pending, tuple[RequestedCall, ...])
    assert_type(result.usage.cost_usd, Optional[Decimal])
    assert_type(run.checkpoint(), dict[str, Any])
    again = client.responses.resume_tools(run.checkpoint(), tools=TOOLS, results={"call_1": 5})
    assert_type(again, ToolRun[ResponsesResponse])


async def async_runs_are_exact(client: AsyncMeshAPI) -> None:
    client.responses.run_tools(model="m", input="?", tools=[Counter(), add, partial(add, 1), wait])
    run = client.responses.run_tools(model="m", input="?", tools=FUNCTIONS, stream=True)
    assert_type(run, AsyncToolRun[ResponsesResponse])
    async with run:
        async for step in run:
            if isinstance(step, ContentDelta):
                assert_type(step.text, str)
    try:
        result = await run.until_done()
    except ToolLoopLimitError as error:
        assert_type(error.checkpoint, dict[str, Any])
        assert_type(error.limit, str)
    else:
        assert_type(result.response, ResponsesResponse)
    again = client.chat.completions.resume_tools("{}", tools=[add])
    assert_type(again, AsyncToolRun[ChatCompletionResponse])
