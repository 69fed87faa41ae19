"""What a run is given becomes its entries, and what is no call is refused with its place."""

import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Optional

import msgspec
import pytest

from meshapi_core import Call, InvalidParamsError
from meshapi_core.bulk.inputs import Entry, Inputs, call_of_line
from meshapi_core.endpoints import Audio, Completions, Embeddings, Responses
from meshapi_core.types import ChatCompletionResponse, EmbeddingsResponse


def chat(text: str = "x", model: Optional[str] = "m") -> Call[Any]:
    return Completions.create.build(model=model, messages=[{"role": "user", "content": text}])


def entries_of(inputs: Inputs) -> list[Entry]:
    entries: list[Entry] = []
    while (entry := inputs.next()) is not None:
        entries.append(entry)
    return entries


def of_rows(rows: Any, make: Callable[[Any], Any]) -> list[Entry]:
    return entries_of(Inputs(rows, make))


def refusal(calls: Any, template: Any = None) -> InvalidParamsError:
    with pytest.raises(InvalidParamsError) as caught:
        entries_of(Inputs(calls, template))
    return caught.value


def test_calls_are_numbered_and_named() -> None:
    calls = [chat("a"), ("mine", chat("b")), chat("c")]
    inputs = Inputs(calls)
    assert inputs.total == 3
    assert entries_of(inputs) == [
        Entry(0, "call-0", None, chat("a")),
        Entry(1, "mine", "mine", chat("b")),
        Entry(2, "call-2", None, chat("c")),
    ]
    assert inputs.count == 3


def test_an_iterator_is_read_one_by_one() -> None:
    read: list[int] = []

    def calls() -> Any:
        for number in range(3):
            read.append(number)
            yield chat(str(number))

    inputs = Inputs(calls())
    assert (inputs.total, read) == (None, [])
    assert inputs.next() is not None
    assert read == [0]


def test_rows_fill_a_template_and_may_have_ids() -> None:
    rows = [{"text": "a", "id": "one"}, {"text": "b", "custom_id": 7}, {"text": "c", "id": None}]
    assert entries_of(Inputs(rows, chat("Say {text}"))) == [
        Entry(0, "one", "one", chat("Say a")),
        Entry(1, "7", "7", chat("Say b")),
        Entry(2, "call-2", None, chat("Say c")),
    ]


def test_a_function_makes_calls_of_any_rows() -> None:
    assert of_rows([1, 2], lambda row: chat(str(row)))[1].call == chat("2")
    pairs = of_rows([1], lambda row: (f"row-{row}", chat()))
    assert pairs == [Entry(0, "row-1", "row-1", chat())]
    assert of_rows([{"id": "a"}], lambda row: chat())[0].id == "a"
    assert of_rows([{"id": "a"}], lambda row: ("b", chat()))[0].id == "b"


async def _calls() -> AsyncIterator[Call[Any]]:
    yield chat()


def test_the_items_of_an_async_iterable_come_from_the_host() -> None:
    inputs = Inputs(_calls())
    assert inputs.total is None
    assert inputs.source is not None
    assert inputs.next() is None
    assert inputs.entry(chat("a")) == Entry(0, "call-0", None, chat("a"))
    assert Inputs([]).source is None


def test_a_blocking_client_takes_no_async_iterable() -> None:
    with pytest.raises(InvalidParamsError, match="AsyncMeshAPI takes it"):
        Inputs(_calls(), takes_async=False)


def test_an_error_of_the_programs_iterable_is_its_own() -> None:
    def calls() -> Any:
        yield chat()
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        entries_of(Inputs(calls()))


class _Table:
    columns = ("a", "b")

    def __iter__(self) -> Any:
        return iter(self.columns)


@pytest.mark.parametrize(
    ("calls", "text"),
    [
        (chat(), "calls: expected an iterable of calls, or of rows with template=, got one call"),
        ({"a": chat()}, "got dict; write calls.items()"),
        ("abc", "got str"),
        (b"abc", "got bytes"),
        (None, "got None"),
        (5, "got int"),
        (list, "call it"),
        (_Table(), 'to_dict("records")'),
        ([5], "calls[0]: expected a Call or (id, Call), got int; Completions.create.build"),
        ([chat(), None], "calls[1]: expected a Call or (id, Call), got None"),
        ([{"text": "a"}], "calls[0]: expected a Call or (id, Call), got dict; give template="),
        ([("a", chat(), 1)], "calls[0]: expected a Call or (id, Call), got tuple"),
        ([("a", "b")], "calls[0]: expected a Call or (id, Call), got str"),
        ([("", chat())], "calls[0][0]: expected an ID: text or an integer, got an empty string"),
        ([(1.5, chat())], "calls[0][0]: expected an ID: text or an integer, got float"),
        ([(True, chat())], "calls[0][0]: expected an ID: text or an integer, got bool"),
        (
            [Completions.stream.build(model="m", messages=[{"role": "user", "content": "x"}])],
            "calls[0]: expected a call with a whole response, got a stream",
        ),
    ],
)
def test_what_is_no_call_is_refused(calls: Any, text: str) -> None:
    assert text in str(refusal(calls))


async def _make(row: Any) -> Call[Any]:
    return chat()


def _forget(row: Any) -> None:
    chat(str(row))


TEMPLATES: list[tuple[Any, str]] = [
    ("Say {text}", "template: expected a Call with placeholders, or a function from a row"),
    (5, "got int"),
    (Call, "write .build(...) in place of the call"),
    (_forget, "calls[0]: expected a Call from the template, got None; return it"),
    (_make, "calls[0]: expected a Call or (id, Call), got an awaitable; the template must be"),
    (chat("no"), "template: expected a placeholder such as {text}, got none"),
]


@pytest.mark.parametrize(("template", "text"), TEMPLATES)
def test_what_is_no_template_is_refused(template: Any, text: str) -> None:
    assert text in str(refusal([{"text": "a"}], template))


def test_a_row_with_a_wrong_id_is_refused() -> None:
    error = refusal([{"x": "a"}, {"x": "a", "id": 1.5}], chat("{x}"))
    assert str(error).startswith("calls[1]['id']: expected an ID: text or an integer, got float")


def test_lines_of_batch_files_are_calls() -> None:
    build: dict[str, Call[Any]] = {
        "/v1/chat/completions": chat(),
        "/v1/embeddings": Embeddings.create.build(model="m", input="x"),
        "/v1/responses": Responses.create.build(model="m", input="x"),
    }
    for path, call in build.items():
        assert isinstance(call.body, bytes)
        body = msgspec.json.decode(call.body)
        line = {"custom_id": "a", "method": "POST", "url": path, "body": body}
        name, found = call_of_line(line)
        assert (name, found.path, found.body) == ("a", path, call.body)
        assert call_of_line(msgspec.json.encode(line)) == (name, found)
        assert entries_of(Inputs([line])) == [Entry(0, "a", "a", found)]
    _, embeddings = call_of_line({"url": "/v1/embeddings", "body": {}})
    assert getattr(embeddings.reader, "kind", None) is EmbeddingsResponse
    _, completions = call_of_line({"url": "https://x.example/v1/chat/completions", "body": {}})
    assert getattr(completions.reader, "kind", None) is ChatCompletionResponse


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ({"url": "/v1/files", "body": {}}, "calls[0]: expected a POST to /v1/chat/completions"),
        ({"url": "/v1/embeddings", "method": "GET", "body": {}}, "got GET /v1/embeddings"),
        ({"url": "/v1/embeddings", "body": []}, "calls[0].body: expected an object, got list"),
        ({"url": "/v1/embeddings", "body": {"a": {1}}}, "calls[0].body.a: expected a JSON value"),
        ({"url": 5, "body": {}}, "calls[0]: expected custom_id, method, url and body, got"),
        ({"url": "/v1/embeddings", "body": {}, "custom_id": 1.5}, "calls[0].custom_id: expected"),
        (
            {"url": "/v1/chat/completions", "body": {"stream": True}},
            "calls[0].body: expected a call with a whole response, got a stream; leave stream out",
        ),
    ],
)
def test_other_lines_are_refused(line: Any, text: str) -> None:
    assert text in str(refusal([line]))


def upload(content: Any) -> Any:
    return Audio.transcribe.build(model="m", file=("a.wav", content))


def test_a_file_in_memory_is_the_same_in_each_attempt() -> None:
    content = io.BytesIO(b"not this, but this")
    content.seek(10)
    entry = Inputs([upload(content)]).next()
    assert entry is not None
    (part,) = entry.call.body.files
    assert (part.source.content, part.filename) == (b"but this", "a.wav")


def test_a_file_that_can_be_read_only_once_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    with path.open("rb") as file:
        for content, hint in ((file, "give the path"), (iter([b"RIFF"]), "read all of it")):
            error = refusal([upload(content)])
            assert (error.field, hint in str(error)) == ("calls[0].file", True)
    assert len(entries_of(Inputs([upload(path), upload([b"RI", b"FF"])]))) == 2
