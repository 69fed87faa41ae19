"""What type checkers must say about many calls. Checked, never run.

It has no negative cases, for which each checker has its own comment.
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Optional, Union

from msgspec import Struct
from typing_extensions import TypedDict, assert_type

from meshapi import (
    AsyncMapRun,
    AsyncMeshAPI,
    BatchItem,
    BatchSubmission,
    Budget,
    ChatCompletionResponse,
    ClientSettings,
    EmbeddingsResponse,
    Estimate,
    MapItem,
    MapRun,
    MapSummary,
    MeshAPI,
    MeshAPIError,
    ModelInfo,
    ParsedChatCompletion,
    ParsedResponse,
    PerMinute,
    Progress,
    ResponseList,
    SavedRows,
)
from meshapi.engines import Calls
from meshapi_core import Call
from meshapi_core.endpoints import Audio, Completions, Embeddings, Responses


class Row(TypedDict):
    text: str


CHAT = Completions.create.build(model="m", messages=[{"role": "user", "content": "{text}"}])
EMBED = Embeddings.create.build(input="{text}")
ROWS: list[Row] = [{"text": "hi"}]
DICTS = [{"text": "hi"}]


def generated() -> Iterator[Call[ChatCompletionResponse]]:
    yield CHAT


def pairs() -> Iterator[tuple[str, Call[ChatCompletionResponse]]]:
    yield "a", CHAT


async def as_they_come() -> AsyncIterator[Call[ChatCompletionResponse]]:
    yield CHAT


async def pairs_as_they_come() -> AsyncIterator[tuple[int, Call[ChatCompletionResponse]]]:
    yield 1, CHAT


async def rows_as_they_come() -> AsyncIterator[Row]:
    yield {"text": "hi"}


def of_row(row: Row) -> Call[EmbeddingsResponse]:
    return Embeddings.create.build(input=row["text"])


def pair_of_row(row: Row) -> tuple[str, Call[EmbeddingsResponse]]:
    return row["text"], of_row(row)


def told(progress: Progress) -> None:
    assert_type(progress.done, int)


def calls_of_any_iterable(client: MeshAPI) -> None:
    assert_type(client.map([CHAT]), MapRun[ChatCompletionResponse])
    assert_type(client.map((CHAT, CHAT)), MapRun[ChatCompletionResponse])
    assert_type(client.map({CHAT}), MapRun[ChatCompletionResponse])
    assert_type(client.map(generated()), MapRun[ChatCompletionResponse])
    assert_type(client.map(pairs()), MapRun[ChatCompletionResponse])
    assert_type(client.map([("a", CHAT)]), MapRun[ChatCompletionResponse])
    assert_type(client.map({"a": CHAT}.items()), MapRun[ChatCompletionResponse])
    assert_type(client.map(zip("ab", [CHAT, CHAT])), MapRun[ChatCompletionResponse])
    assert_type(client.map(enumerate([CHAT])), MapRun[ChatCompletionResponse])
    assert_type(client.map(of_row(row) for row in ROWS), MapRun[EmbeddingsResponse])
    assert_type(client.map([Audio.synthesize.build(input="hi")]), MapRun[bytes])


class City(Struct):
    name: str


def calls_with_a_value(client: MeshAPI) -> None:
    asked = Completions.parse.build(messages=[], response_format=City)
    assert_type(asked, Call[ParsedChatCompletion[City]])
    assert_type(client.map([asked]), MapRun[ParsedChatCompletion[City]])
    assert_type(next(client.map([asked])).result().parsed, City)
    assert_type(client.map(ROWS, template=asked), MapRun[ParsedChatCompletion[City]])
    cities = Responses.parse.build(input="{text}", response_format=list[City])
    assert_type(cities, Call[ParsedResponse[list[City]]])
    assert_type(client.estimate(ROWS, template=cities), Estimate)


def calls_of_a_client(client: MeshAPI) -> None:
    chat = client.chat.completions
    assert_type(chat.create.build(model="m", messages=[]), Call[ChatCompletionResponse])
    assert_type(client.embeddings.create.build(input="hi"), Call[EmbeddingsResponse])
    assert_type(client.models.list.build(), Call[ResponseList[ModelInfo]])
    asked = chat.parse.build(messages=[], response_format=City)
    assert_type(asked, Call[ParsedChatCompletion[City]])
    other = client.responses.parse.build(input="{text}", response_format=City)
    assert_type(client.map(ROWS, template=other), MapRun[ParsedResponse[City]])


def rows_and_templates(client: MeshAPI) -> None:
    assert_type(client.map(ROWS, template=CHAT), MapRun[ChatCompletionResponse])
    assert_type(client.map(DICTS, template=CHAT), MapRun[ChatCompletionResponse])
    numbers = ({"id": n} for n in range(9))
    assert_type(client.map(numbers, template=EMBED), MapRun[EmbeddingsResponse])
    assert_type(client.map(ROWS, template=of_row), MapRun[EmbeddingsResponse])
    assert_type(client.map(ROWS, template=pair_of_row), MapRun[EmbeddingsResponse])
    run = client.map("ab", template=lambda text: Embeddings.create.build(input=text))
    assert_type(run, MapRun[EmbeddingsResponse])


def calls_of_several_kinds(client: MeshAPI) -> None:
    one = next(client.map([CHAT, EMBED])).result()
    assert isinstance(one, (ChatCompletionResponse, EmbeddingsResponse))
    both: list[Union[Call[ChatCompletionResponse], Call[EmbeddingsResponse]]] = [CHAT, EMBED]
    other = next(client.map(both)).result()
    assert isinstance(other, (ChatCompletionResponse, EmbeddingsResponse))


def lines_of_a_batch_file(client: MeshAPI) -> None:
    with Path("batch.jsonl").open(encoding="utf-8") as lines:
        made: Iterator[Any] = (json.loads(line) for line in lines)
        client.map(made, journal=Path("run.jsonl")).to_jsonl("out.jsonl")


def what_a_run_has(client: MeshAPI) -> None:
    with client.map([CHAT]) as run:
        assert_type(run, MapRun[ChatCompletionResponse])
        for item in run:
            assert_type(item, MapItem[ChatCompletionResponse])
            assert_type(item.value, Optional[ChatCompletionResponse])
            assert_type(item.error, Optional[MeshAPIError])
            assert_type(item.result(), ChatCompletionResponse)
            assert_type(item.cost, Optional[Decimal])
            assert_type(item.id, str)
            assert_type(item.finish_reason, Optional[str])
    assert_type(run.summary(), MapSummary)
    assert_type(run.until_done(), MapSummary)
    assert_type(run.summary().errors, Mapping[str, int])
    assert_type(run.summary().truncated, int)
    assert_type(run.to_jsonl("a.jsonl"), SavedRows)
    assert_type(run.to_parquet(Path("a.parquet"), overwrite=False), SavedRows)


def options(client: MeshAPI) -> None:
    run = client.map(
        [CHAT],
        concurrency="auto",
        rate_limit=PerMinute(requests=500),
        journal=Path("run.jsonl"),
        resume=True,
        retry_failed=False,
        on_error="skip",
        order="input",
        budget=Budget(cost_usd=5, failures=10),
        on_progress=told,
        progress=True,
    )
    assert_type(run, MapRun[ChatCompletionResponse])
    batches = client.map(ROWS, template=CHAT, via="batch", journal=None)
    assert_type(batches, MapRun[ChatCompletionResponse])


def estimates(client: MeshAPI) -> None:
    assert_type(client.estimate([CHAT, EMBED]), Estimate)
    assert_type(client.estimate(pairs(), output_tokens=50, via="batch"), Estimate)
    assert_type(client.estimate(ROWS, template=EMBED, prices=client.models.list()), Estimate)
    assert_type(client.estimate(ROWS, template=pair_of_row), Estimate)


def batches(client: MeshAPI) -> None:
    run = client.batches.run(generated(), resubmit=1)
    assert_type(next(run), BatchItem[ChatCompletionResponse])
    assert_type(run.until_done(), BatchSubmission[ChatCompletionResponse])


def another_process(client: MeshAPI) -> None:
    settings = client.settings()
    assert_type(settings, ClientSettings)
    assert_type(MeshAPI.from_settings(settings), MeshAPI)
    assert_type(AsyncMeshAPI.from_settings(settings), AsyncMeshAPI)
    calls = Calls(CHAT, client=settings, workers=2, rate_limit=PerMinute(requests=500))
    Calls(of_row, client=client, budget=Budget(cost_usd=5), journal=Path("journals"))
    rows: list[dict[str, Any]] = [{"text": "hi"}]
    assert_type(calls(rows), list[dict[str, Any]])


async def on_an_event_loop(client: AsyncMeshAPI) -> None:
    chat = client.chat.completions
    assert_type(chat.create.build(messages=[]), Call[ChatCompletionResponse])
    assert_type(client.models.list.build(), Call[ResponseList[ModelInfo]])
    asked = chat.parse.build(messages=[], response_format=City)
    assert_type(asked, Call[ParsedChatCompletion[City]])
    assert_type(client.map([asked]), AsyncMapRun[ParsedChatCompletion[City]])
    assert_type(client.map([CHAT]), AsyncMapRun[ChatCompletionResponse])
    assert_type(client.map(pairs()), AsyncMapRun[ChatCompletionResponse])
    assert_type(client.map(as_they_come()), AsyncMapRun[ChatCompletionResponse])
    assert_type(client.map(pairs_as_they_come()), AsyncMapRun[ChatCompletionResponse])
    assert_type(client.map(rows_as_they_come(), template=EMBED), AsyncMapRun[EmbeddingsResponse])
    assert_type(client.map(rows_as_they_come(), template=of_row), AsyncMapRun[EmbeddingsResponse])
    assert_type(client.map(ROWS, template=pair_of_row), AsyncMapRun[EmbeddingsResponse])
    async with client.map(as_they_come(), order="input") as run:
        assert_type(run, AsyncMapRun[ChatCompletionResponse])
        async for item in run:
            assert_type(item, MapItem[ChatCompletionResponse])
            assert_type(item.result(), ChatCompletionResponse)
    assert_type(run.summary(), MapSummary)
    assert_type(await run.until_done(), MapSummary)
    assert_type(await run.to_jsonl("a.jsonl"), SavedRows)
    assert_type(await client.estimate(rows_as_they_come(), template=EMBED), Estimate)
    assert_type(await client.estimate(as_they_come()), Estimate)
    async for row in client.batches.run(as_they_come()):
        assert_type(row, BatchItem[ChatCompletionResponse])
