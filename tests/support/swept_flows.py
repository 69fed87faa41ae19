"""What programs do with flows, for the cancellation sweep, and what the server says to them.

Each function is given the client, and a `Running` in which the functions that it lets run note when
they begin and end.
"""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Optional, Union

import anyio.lowlevel

from meshapi_core.endpoints import Completions
from meshapi_core.flows import (
    EndCalls,
    Flow,
    FunctionCall,
    ItemFlow,
    NextEnds,
    OpenTable,
    RunFunctions,
    StartCalls,
    StartPull,
    WriteRows,
)
from support.concurrent_flows import asking, keeping, pulling
from support.pumped_server import (
    CLOSE,
    PAUSE,
    STREAM_HEAD,
    Response,
    ask,
    chunk,
    completion,
    streamed,
    whole,
)

LIMIT = 20.0
"""Seconds that a function may take, which takes a few thousandths of one."""


class Running:
    """Counts the coroutine functions that are running."""

    def __init__(self) -> None:
        self.count = 0

    @contextmanager
    def noting(self) -> Iterator[None]:
        self.count += 1
        try:
            yield
        finally:
            self.count -= 1


def _tools(running: Running) -> list[Any]:
    """A function that is awaited, and one that runs in a thread."""

    async def look() -> str:
        with running.noting():
            await anyio.lowlevel.checkpoint()
            await anyio.lowlevel.checkpoint()
        return "something"

    def look_elsewhere() -> str:
        return "nothing"

    return [look, look_elsewhere]


def _run(client: Any, running: Running, **options: Any) -> Any:
    asked = ask("streamed calls" if options.get("stream") else "calls")
    return client.chat.completions.run_tools(**asked, tools=_tools(running), **options)


async def tool_run(client: Any, running: Running) -> Any:
    result = await _run(client, running).until_done()
    return [result.turns, result.text]


async def streamed_tool_run(client: Any, running: Running) -> Any:
    seen = []
    async with _run(client, running, stream=True, tool_timeout=LIMIT) as run:
        async for step in run:
            seen.append(type(step).__name__)
        result = await run.until_done()
    return [seen[0], seen[-1], result.text]


async def tool_run_broken_off(client: Any, running: Running) -> Any:
    async with _run(client, running, stream=True) as run:
        async for step in run:
            if type(step).__name__ == "ContentDelta":
                return step.text
    return None


async def failing_functions(client: Any, running: Running) -> Any:
    """One of two functions ends the flow, and with it the other one."""

    class Stop(BaseException):
        pass

    async def stops() -> None:
        await anyio.lowlevel.checkpoint()
        raise Stop

    async def waits() -> None:
        with running.noting():
            await anyio.sleep(LIMIT)

    calls = (FunctionCall(stops, is_async=True), FunctionCall(waits, is_async=True))

    def flow() -> ItemFlow[None, None]:
        yield RunFunctions(calls, 2, lambda position, outcome: None)

    try:
        await client._runner.run_flow(flow())
    except Stop:
        return "stopped"


async def calls_at_once(client: Any, running: Running) -> Any:
    """Three calls, of which two are under way at once."""
    run = client._runner.open_flow(keeping(["plain", "busy once", "plain"], 2))
    ends = [end async for end in run]
    return sorted("busy" if end.error is not None else end.value.text for end in ends)


async def calls_of_a_source(client: Any, running: Running) -> Any:
    run = client._runner.open_flow(pulling(_source(running, 2), 2))
    return [end.value.text async for end in run]


async def calls_looked_at(client: Any, running: Running) -> Any:
    """The flow looks twice at what has ended, before it waits for it."""

    def flow() -> Flow[Any]:
        yield StartCalls([(0, asking("plain"))])
        ends: list[Any] = []
        for seconds in (0, 0, None):
            if not ends:
                given = yield NextEnds(seconds)
                ends = given.ends
        return ends[0].value.text

    return await client._runner.run_flow(flow())


async def many_calls(client: Any, running: Running) -> Any:
    """A run of three calls, one after the other: the sweep has one connection."""
    calls = [Completions.create.build(**ask("plain")) for _ in range(3)]
    run = client.map(calls, concurrency=1, on_progress=_telling(running))
    texts = [item.result().text async for item in run]
    return [*texts, run.stopped]


async def many_calls_of_a_source(client: Any, running: Running) -> Any:
    """A run that is left while a call is under way, and the source is open."""

    async def source() -> AsyncIterator[Any]:
        with running.noting():
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
                yield Completions.create.build(**ask("plain"))

    async with client.map(source(), concurrency=1, order="input") as run:
        text = (await run.__anext__()).result().text
    return [text, run.stopped]


def _telling(running: Running) -> Any:
    async def on_progress(progress: Any) -> None:
        with running.noting():
            await anyio.lowlevel.checkpoint()

    return on_progress


class Rows:
    """What a table is where pyarrow is not installed; the awaits are the same."""

    def write_rows(self, columns: Any) -> None:
        self.columns = columns


def table(path: str) -> Flow[str]:
    """A table that is not kept."""
    made: Any = None
    try:
        made = yield OpenTable(path, {"id": "text"})
    except ModuleNotFoundError:
        made = Rows()
    yield WriteRows(made, {"id": ["a"]})
    return "written"


async def calls_closed(client: Any, running: Running) -> Any:
    async with client._runner.open_flow(keeping(["plain"] * 3, 2)) as run:
        return (await run.__anext__()).value.text


async def calls_of_a_source_closed(client: Any, running: Running) -> Any:
    """Closed while a call is under way, and the source has to be closed, too."""
    async with client._runner.open_flow(pulling(_source(running, 20), 2)) as run:
        return (await run.__anext__()).value.text


async def calls_of_a_source_with_a_scope(client: Any, running: Running) -> Any:
    """A scope of the source is cancelled while the source is not asked for anything."""
    scope = anyio.CancelScope()

    async def source() -> AsyncIterator[str]:
        with running.noting():
            with scope:
                yield "plain"
                yield "no item"
            await anyio.lowlevel.checkpoint()
            yield "plain"

    texts = []
    async with client._runner.open_flow(pulling(source(), 1)) as run:
        async for end in run:
            texts.append(end.value.text)
            scope.cancel()
            await anyio.lowlevel.checkpoint()
    return texts


async def calls_ended(client: Any, running: Running) -> Any:
    """The flow ends its calls itself, after a wait with a time limit."""

    def flow() -> Flow[bool]:
        source = _source(running, 1, then_waits=True)
        yield StartPull(source)
        yield NextEnds(LIMIT)
        yield StartPull(source)
        yield StartCalls([(0, asking("plain")), (1, asking("plain"))])
        yield NextEnds(LIMIT)
        yield EndCalls()
        yield StartCalls([(2, asking("plain"))])
        ended = yield NextEnds()
        return bool(ended.ends)

    return await client._runner.run_flow(flow())


async def _source(running: Running, count: int, *, then_waits: bool = False) -> AsyncIterator[str]:
    with running.noting():
        try:
            for _ in range(count):
                await anyio.lowlevel.checkpoint()
                yield "plain"
            if then_waits:
                await anyio.sleep(LIMIT)
        finally:
            # Where it is cancelled, it may be cut short here.
            await anyio.lowlevel.checkpoint()


def _conversation(client: Any, running: Running, model: str) -> Any:
    return client.chat.conversation(model=model, tools=_tools(running))


async def turn(client: Any, running: Running) -> Any:
    chat = _conversation(client, running, "calls")
    return [(await chat.send("Hello?")).text, len(chat.messages)]


async def streamed_turn(client: Any, running: Running) -> Any:
    chat = _conversation(client, running, "streamed calls")
    async with chat.stream("Hello?") as stream:
        texts = [text async for text in stream.text_stream]
    return [texts, len(chat.messages)]


async def whole_streamed_turn(client: Any, running: Running) -> Any:
    chat = _conversation(client, running, "streamed calls")
    return [await chat.stream("Hello?").get_final_text(), len(chat.messages)]


async def job(client: Any, running: Running) -> Any:
    told: list[Optional[str]] = []

    async def on_progress(progress: Any) -> None:
        await anyio.lowlevel.checkpoint()
        told.append(progress.what)

    waiting: dict[str, Any] = {"poll_interval": 0.001, "on_progress": on_progress}
    batch = await client.batches.wait("batch_1", **waiting)
    return [batch.status, told]


async def rows_of_pages(client: Any, running: Running) -> Any:
    return [batch.id async for batch in client.batches.list()]


async def pages(client: Any, running: Running) -> Any:
    lists = client.batches.list().pages()
    return [[batch.id for batch in page.data] async for page in lists]


async def submitted_calls(client: Any, running: Running) -> Any:
    submission = await client.batches.submit(_calls())
    return list(submission.batch_ids)


async def results_of_submitted_calls(client: Any, running: Running) -> Any:
    submission = await client.batches.submit(_calls())
    texts = []
    async with client.batches.results(submission, poll_interval=0.001) as results:
        async for item in results:
            texts.append(item.result().text)
        ended = await results.until_done()
    return [texts, [batch.status for batch in ended]]


async def batched_calls(client: Any, running: Running) -> Any:
    async with client.batches.run(_calls(), poll_interval=0.001) as results:
        texts = sorted([item.result().text async for item in results])
        submission = await results.until_done()
    return [texts, list(submission.batch_ids)]


async def results_of_a_batch(client: Any, running: Running) -> Any:
    ended = await client.batches.results("batch_1", poll_interval=0.001).until_done()
    return [batch.id for batch in ended]


def _calls() -> Iterator[Any]:
    for model in ("m", "n"):
        yield Completions.create.build(**ask(model))


async def tracked(client: Any, running: Running) -> Any:
    with client.track_usage() as usage:
        await client.chat.completions.create(**ask("plain"))
        async with client.chat.completions.stream(**ask("stream")) as stream:
            async for _ in stream:
                pass
    return usage.total.requests


_CALLS = [
    {"index": index, "id": f"call_{index}", "type": "function", "function": function}
    for index, function in enumerate(
        [{"name": "look", "arguments": "{}"}, {"name": "look_elsewhere", "arguments": "{}"}]
    )
]


def _asking_for_calls() -> bytes:
    message = {"role": "assistant", "content": None, "tool_calls": _CALLS}
    choices = [{"index": 0, "message": message, "finish_reason": "tool_calls"}]
    return whole({**completion(""), "choices": choices})


def _streamed_calls() -> Response:
    choices = [{"index": 0, "delta": {"tool_calls": _CALLS}, "finish_reason": "tool_calls"}]
    data = {**completion(""), "object": "chat.completion.chunk", "choices": choices}
    event = chunk(f"data: {json.dumps(data)}\n\n".encode())
    ends: list[Union[bytes, int]] = [chunk(b"data: [DONE]\n\n"), PAUSE, b"0\r\n\r\n"]
    return [PAUSE, STREAM_HEAD, PAUSE, event, PAUSE, *ends]


def _batch(number: int, status: str, **fields: Any) -> dict[str, Any]:
    return {"id": f"batch_{number}", "object": "batch", "status": status, **fields}


def _page(number: int, *, has_more: bool) -> bytes:
    rows = [_batch(number, "completed")]
    page = {"object": "list", "data": rows, "has_more": has_more, "last_id": f"batch_{number}"}
    return whole(page)


def _ended(number: int) -> bytes:
    return whole(_batch(number, "completed", output_file_id=f"file_{number}"))


def _output(number: int) -> bytes:
    response = {"status_code": 200, "body": completion(f"text {number}")}
    return whole({"custom_id": f"call-{number - 1}", "response": response})


RESPONSES: "dict[str, list[Response]]" = {
    "calls": [[PAUSE, _asking_for_calls()], [PAUSE, whole(completion("seen"))]],
    "streamed calls": [_streamed_calls(), streamed("se", "en")],
    "POST /v1/batches": [[PAUSE, whole(_batch(number, "validating"))] for number in (1, 2)],
    "GET /v1/usage/rate-limits": [[PAUSE, whole({"key": {}})]],
    "GET /v1/batches": [
        [PAUSE, _page(1, has_more=True)],
        [PAUSE, _page(2, has_more=False)],
    ],
    "GET /v1/batches/batch_1": [
        [PAUSE, whole(_batch(1, "in_progress"))],
        [PAUSE, _ended(1)],
    ],
    "GET /v1/batches/batch_2": [[PAUSE, _ended(2)]],
    "GET /v1/files/file_1/content": [[PAUSE, _output(1)]],
    "GET /v1/files/file_2/content": [[PAUSE, _output(2)]],
    "GET /v1/files/broken/content": [
        [
            PAUSE,
            b'HTTP/1.1 200 OK\r\netag: "a"\r\ncontent-length: 6\r\n\r\n',
            PAUSE,
            b"abc",
            PAUSE,
            CLOSE,
        ],
        [
            PAUSE,
            b"HTTP/1.1 206 OK\r\ncontent-range: bytes 3-5/6\r\ncontent-length: 3\r\n\r\n",
            PAUSE,
            b"def",
        ],
    ],
}
"""As in `support.pumped_server`."""
