"""The rows of batches become items: all of them, in order, each with a response or an error."""

import json
import tracemalloc
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import (
    InvalidParamsError,
    JobFailedError,
    JobStatusError,
    JobTimeoutError,
    MeshAPIError,
    NotFoundError,
    ResponseDecodeError,
)
from meshapi_core.batching.submission import BatchSubmission
from meshapi_core.endpoints import Batches
from meshapi_core.types import (
    BatchObject,
    BatchRequestItem,
    ChatCompletionResponse,
    EmbeddingsResponse,
)
from support.driving import Driven

CHAT = "/v1/chat/completions"


def completion(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {"id": "c", "choices": [{"index": 0, "message": message}], "odd_field": 1}


def good(name: str, body: Optional[dict[str, Any]] = None) -> dict[str, Any]:
    response = {"status_code": 200, "request_id": f"req_{name}", "body": body or completion(name)}
    return {"custom_id": name, "response": response, "error": None}


def refused(name: str, status: int = 404) -> dict[str, Any]:
    error = {"code": "model_not_found", "message": "no such model"}
    response = {"status_code": status, "request_id": f"req_{name}", "body": {"error": error}}
    return {"custom_id": name, "response": response, "error": error}


def expired(name: str) -> dict[str, Any]:
    error = {"code": "batch_expired", "message": "too late"}
    return {"custom_id": name, "response": None, "error": error}


def batch(*rows: Any, status: str = "completed", **fields: Any) -> BatchObject:
    return BatchObject(id="b0", status=status, results=list(rows), **fields)


def collected(source: Any, *looks: Any, **options: Any) -> Driven:
    def respond(driven: Driven, call: Any) -> Any:
        return looks[min(len(driven.calls), len(looks)) - 1]

    driven = Driven(respond)
    driven.result = driven.run(Batches.results.build(source, **options))  # type: ignore[attr-defined]
    return driven


NAMES = st.lists(st.text(min_size=1, max_size=5), unique=True, max_size=8)


@given(names=NAMES, data=st.data())
def test_results_come_in_the_order_asked_for(names: list[str], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(names))
    forms = [
        data.draw(
            st.sampled_from(
                [name, {"custom_id": name, "body": {}}, BatchRequestItem(custom_id=name, body={})]
            )
        )
        for name in names
    ]
    done = batch(*map(good, shuffled))
    items = collected("b0", done, requests=forms).items
    assert [item.id for item in items] == names
    assert [item.result().text for item in items] == names
    assert [item.id for item in collected(done, done).items] == shuffled


def test_each_row_is_a_response_or_the_error_that_the_call_would_raise() -> None:
    done = batch(good("a"), errors_detail=[refused("b"), expired("c")])
    ok, missing, late = collected("b0", done).items
    assert isinstance(ok.value, ChatCompletionResponse)
    assert ok.value.text == "a"
    assert ok.value.raw["odd_field"] == 1
    assert ok.value.meta.request_id == "req_a"
    assert ok.error is None
    assert isinstance(missing.error, NotFoundError)
    assert (missing.error.error_code, missing.error.request_id) == ("model_not_found", "req_b")
    assert isinstance(late.error, JobFailedError)
    assert (late.error.error_code, late.error.message) == ("batch_expired", "too late")
    for item in (missing, late):
        assert item.value is None
        with pytest.raises(type(item.error)):
            item.result()


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"custom_id": "a"}, "job_failed"),
        ({"custom_id": "a", "response": None, "error": "because"}, "job_failed"),
        ({"custom_id": "a", "response": {"status_code": 200, "body": 5}}, "parse_error"),
        ({"custom_id": "a", "response": {"body": None}}, "parse_error"),
        ({"custom_id": "a", "response": {"status_code": "x"}, "error": {"code": 1}}, "upstream"),
    ],
)
def test_an_odd_row_is_an_error_and_ends_nothing(row: Any, code: str) -> None:
    items = collected("b0", batch(row, good("b"))).items
    assert [item.id for item in items] == ["a", "b"]
    assert code in items[0].error.error_code
    assert items[1].value is not None


@given(rows=st.lists(st.dictionaries(st.text(), st.integers())))
def test_what_is_no_row_is_passed_over(rows: list[Any]) -> None:
    done = batch(good("a"))
    done.results = [*rows, *(done.results or ())]
    assert [item.id for item in collected("b0", done).items] == ["a"]


def test_a_row_that_comes_twice_counts_once() -> None:
    items = collected("b0", batch(good("a"), good("a", completion("again")))).items
    assert [item.result().text for item in items] == ["a"]


def test_a_missing_row_is_an_error() -> None:
    (item,) = collected("b0", batch(good("x")), requests=["a"]).items
    assert isinstance(item.error, ResponseDecodeError)
    assert (item.error.error_code, item.id) == ("missing_result", "a")


@pytest.mark.parametrize("status", ["failed", "expired", "cancelled"])
def test_a_batch_that_ends_badly_gives_what_it_has(status: str) -> None:
    done = batch(good("a"), status=status)
    ok, lost = collected("b0", done, requests=["a", "b"]).items
    assert ok.value is not None
    assert isinstance(lost.error, JobFailedError)
    assert lost.error.partial is done


@pytest.mark.parametrize("status", ["failed", "expired", "cancelled"])
@pytest.mark.parametrize("rows", [(), (good("a"),)])
def test_a_bad_end_is_an_error_where_nobody_named_the_requests(status: str, rows: Any) -> None:
    done = batch(*rows, status=status, request_counts={"total": 2})
    items, error = until_error(done)
    assert [item.id for item in items] == ["a"] * len(rows)
    assert isinstance(error, JobFailedError)
    assert error.partial is done


def test_a_bad_end_with_a_row_for_each_request_is_in_these() -> None:
    done = batch(good("a"), expired("b"), status="expired", request_counts={"total": 2})
    items, error = until_error(done)
    assert [item.error is None for item in items] == [True, False]
    assert error is None


@pytest.mark.parametrize("rows", [(), (good("a"),), (good("a"), good("a"))])
def test_results_that_are_missing_are_not_passed_over(rows: Any) -> None:
    done = batch(*rows, request_counts={"total": 2})
    items, error = until_error(done)
    assert len(items) == min(len(rows), 1)
    assert error.error_code == "missing_result"
    assert f"batch b0 has results for {len(items)} of its 2 requests" in str(error)


def until_error(done: BatchObject) -> tuple[list[Any], Any]:
    driven = Driven(lambda driven, call: done)
    try:
        driven.run(Batches.results.build("b0"))
    except MeshAPIError as exc:
        return driven.items, exc
    return driven.items, None


def test_it_waits_until_the_batch_has_ended() -> None:
    going = BatchObject(id="b0", status="in_progress")
    driven = collected(going, going, going, batch(good("a")))
    assert len(driven.calls) == 3
    assert [each.id for each in driven.items] == ["a"]


def test_the_end_gives_the_batches() -> None:
    done = batch(good("a"))
    assert collected("b0", done).result == [done]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("look", "error"),
    [
        (BatchObject(id="b0", status="paused"), JobStatusError),
        (BatchObject(id="b0", status="in_progress"), JobTimeoutError),
        (NotFoundError("no", status=404), NotFoundError),
    ],
)
def test_only_these_end_the_loop(look: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        collected("b0", look, timeout=30)


def test_results_in_files_are_read() -> None:
    def respond(driven: Driven, call: Any) -> Any:
        if call.path.endswith("/batches/b0"):
            return BatchObject(id="b0", status="completed", output_file_id="f1", error_file_id="f2")
        rows = [good("b"), good("a")] if "f1" in call.path else [refused("c")]
        return b"\n".join(json.dumps(row).encode() for row in rows) + b"\n\n"

    driven = Driven(respond)
    driven.run(Batches.results.build("b0", requests=["a", "b", "c"]))
    assert [item.id for item in driven.items] == ["a", "b", "c"]
    assert [item.error is None for item in driven.items] == [True, True, False]


def in_file(content: bytes) -> Driven:
    def respond(driven: Driven, call: Any) -> Any:
        if call.path.endswith("/batches/b0"):
            return BatchObject(id="b0", status="completed", output_file_id="f1")
        return content

    return Driven(respond)


def test_a_row_of_a_file_that_cannot_be_read_is_an_error_and_ends_nothing() -> None:
    whole = json.dumps(good("b")).encode()
    driven = in_file(b'{"custom_id": "a", "response": "\xff"}\n\r\n5\n[]\n' + whole)
    driven.run(Batches.results.build("b0"))
    odd, fine = driven.items
    assert isinstance(odd.error, ResponseDecodeError)
    assert str(odd.error).startswith("the result for 'a' is not JSON: ")
    assert fine.result().text == "b"


def test_the_rows_of_a_file_take_little_more_memory_than_the_file() -> None:
    rows = (good(f"{number}", completion("x" * 500)) for number in range(2000))
    content = b"\n".join(json.dumps(row).encode() for row in rows)
    driven = in_file(content)
    driven.items = Forgetful()
    tracemalloc.start()
    try:
        driven.run(Batches.results.build("b0"))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1.6 * len(content)


class Forgetful(list[Any]):
    def append(self, item: Any) -> None:
        """Keep nothing."""


def test_a_file_that_cannot_be_read_is_named() -> None:
    def respond(driven: Driven, call: Any) -> Any:
        if call.path.endswith("/batches/b0"):
            return BatchObject(id="b0", status="completed", output_file_id="f1")
        return b"<html>"

    with pytest.raises(ResponseDecodeError, match="f1"):
        Driven(respond).run(Batches.results.build("b0"))


PLACES = st.lists(st.integers(-1, 3), max_size=12)


@given(places=PLACES, data=st.data())
def test_a_submission_is_put_back_in_order(places: list[int], data: st.DataObject) -> None:
    made = BatchSubmission[Any](
        ("b0", "b1", "b2", "b3"), (CHAT, CHAT, "/v1/embeddings", CHAT), tuple(places)
    )

    def respond(driven: Driven, call: Any) -> Any:
        number = int(call.path[-1])
        names = [f"call-{at}" for at, place in enumerate(places) if place == number]
        body = {"data": [{"index": 0, "embedding": [1.0]}]} if number == 2 else None
        return batch(*(good(name, body) for name in data.draw(st.permutations(names))))

    driven = Driven(respond)
    driven.run(Batches.results.build(made))
    assert [item.id for item in driven.items] == [f"call-{at}" for at in range(len(places))]
    assert len(driven.calls) == len(set(places) - {-1})
    for place, item in zip(places, driven.items):
        if place == -1:
            assert item.error.error_code == "not_submitted"
        elif place == 2:
            assert isinstance(item.value, EmbeddingsResponse)
        else:
            assert item.value.text == item.id


def test_the_time_limit_is_for_all_batches() -> None:
    made = BatchSubmission[Any](("b0", "b1"), (CHAT, CHAT), (0, 1))

    def respond(driven: Driven, call: Any) -> Any:
        is_done = call.path.endswith("b0") and driven.now > 50
        return batch(good("call-0")) if is_done else BatchObject(id="b", status="in_progress")

    driven = Driven(respond)
    with pytest.raises(JobTimeoutError):
        driven.run(Batches.results.build(made, timeout=100))
    assert [item.id for item in driven.items] == ["call-0"]
    assert driven.now <= 110


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (5, {}, "batch: expected the ID of a batch, or an object with .id, got int"),
        ("", {}, "batch: expected an ID, got an empty one"),
        ("b", {"requests": "a"}, "requests: expected requests as for batches.create, or their IDs"),
        ("b", {"requests": [{}]}, "requests[0]: expected a request or its custom_id, got dict"),
        ("b", {"timeout": "1"}, "timeout: expected seconds or None, got str"),
        (
            {"batch_ids": ["b"], "endpoints": [CHAT], "places": [0]},
            {},
            "batch: expected a batch, its ID or a submission, got dict; write msgspec.convert(x,",
        ),
        (
            BatchSubmission[Any](("b",), (CHAT,), (0, 1)),
            {},
            "batch: expected what batches.submit()",
        ),
        (BatchSubmission[Any](("b",), (), (0,)), {}, "batch: expected what batches.submit()"),
        (BatchSubmission[Any](("b",), (CHAT,), (-2,)), {}, "batch: expected what batches.submit()"),
        (
            BatchSubmission[Any]((), (), ()),
            {"requests": []},
            "requests: given together with a submission; a submission knows the order of its calls",
        ),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(
    source: Any, options: dict[str, Any], message: str
) -> None:
    driven = Driven(lambda driven, call: pytest.fail("sent"))
    with pytest.raises(InvalidParamsError) as caught:
        driven.run(Batches.results.build(source, **options))
    assert str(caught.value).startswith(message)
