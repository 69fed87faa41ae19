"""Calls are split by endpoint, model and the limits of a batch, and none is lost or changed."""

import json
import pickle
from typing import Any, NamedTuple, Optional
from unittest import mock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import (
    APIConnectionError,
    Call,
    InternalServerError,
    InvalidParamsError,
    JobTimeoutError,
    RateLimitError,
)
from meshapi_core.batching import submission
from meshapi_core.batching.submission import BatchSubmission
from meshapi_core.endpoints import Batches, Completions, Embeddings, Models, Responses
from meshapi_core.flows import Pause, Progress
from meshapi_core.types import BatchObject
from support.driving import Driven

FULL = RateLimitError("10 are open", status=429, error_code="batch_limit_exceeded")


def chat(model: Optional[str] = "m", text: str = "x") -> Call[Any]:
    return Completions.create.build(model=model, messages=[{"role": "user", "content": text}])


def embedding(model: Optional[str] = "m", text: str = "x") -> Call[Any]:
    return Embeddings.create.build(model=model, input=text)


def response(model: Optional[str] = "m", text: str = "x") -> Call[Any]:
    return Responses.create.build(model=model, input=text)


class Batch(NamedTuple):
    """One batch that was sent."""

    body: dict[str, Any]
    size: int

    @property
    def rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.body["requests"]
        return rows


def taking(*before: Exception) -> Driven:
    """A gateway that takes every batch, after so many errors."""
    errors = list(before)

    def respond(driven: Driven, call: Any) -> Any:
        if errors:
            driven.calls.pop()
            return errors.pop(0)
        return BatchObject(id=f"b{len(driven.calls) - 1}", status="validating")

    return Driven(respond)


def sent(driven: Driven) -> list[Batch]:
    assert {(call.method, call.path) for call in driven.calls} <= {("POST", "/v1/batches")}
    assert all(call.starts_job for call in driven.calls)
    return [Batch(json.loads(call.body), len(call.body)) for call in driven.calls]


CALLS = st.lists(
    st.builds(
        lambda make, model, text: make(model, text),
        st.sampled_from([chat, embedding, response]),
        st.sampled_from(["a", "b", None]),
        st.text(max_size=60),
    ),
    max_size=30,
)


@given(calls=CALLS, most=st.integers(1, 5), size=st.integers(600, 1500))
def test_each_call_is_in_one_batch_of_its_endpoint_and_model(
    calls: list[Call[Any]], most: int, size: int
) -> None:
    driven = taking()
    with (
        mock.patch.object(submission, "MOST_BATCH_REQUESTS", most),
        mock.patch.object(submission, "MOST_BATCH_BYTES", size),
    ):
        made = driven.run(Batches.submit.build(iter(calls)))
    batches = sent(driven)
    found: dict[str, tuple[int, Any]] = {}
    for number, batch in enumerate(batches):
        kinds = {(row["url"], row["body"].get("model")) for row in batch.rows}
        assert len(kinds) == 1
        assert len(batch.rows) <= most
        assert len(json.dumps(batch.rows, separators=(",", ":"), ensure_ascii=False).encode()) <= (
            size + 2
        )
        assert {row["method"] for row in batch.rows} == {"POST"}
        assert made.endpoints[number] == batch.rows[0]["url"]
        found.update({row["custom_id"]: (number, row["body"]) for row in batch.rows})
    assert sum(len(batch.rows) for batch in batches) == len(calls)
    assert [found[f"call-{number}"] for number in range(len(calls))] == [
        (place, json.loads(call.body)) for place, call in zip(made.places, calls)
    ]
    assert made.batch_ids == tuple(f"b{number}" for number in range(len(batches)))


@pytest.mark.slow
def test_a_batch_is_as_large_as_the_gateway_takes() -> None:
    call = chat()
    driven = taking()
    made = driven.run(Batches.submit.build([call] * 50_001))
    assert [len(batch.rows) for batch in sent(driven)] == [50_000, 1]
    assert made.places[-1] == 1
    large = chat(text="x" * (10 * 1024 * 1024))
    driven = taking()
    driven.run(Batches.submit.build([large] * 7))
    assert [len(batch.rows) for batch in sent(driven)] == [3, 3, 1]
    assert max(batch.size for batch in sent(driven)) < 32 * 1024 * 1024


def test_options_go_along_with_every_batch() -> None:
    driven = taking()
    options: dict[str, Any] = {"completion_window": "24h", "metadata": {"run": "7"}}
    driven.run(Batches.submit.build([chat("a"), chat("b")], **options))
    for batch in sent(driven):
        assert {name: batch.body[name] for name in options} == options


def test_nothing_is_made_of_nothing() -> None:
    driven = taking()
    assert driven.run(Batches.submit.build([])) == BatchSubmission((), (), ())
    assert driven.calls == []


@given(
    calls=CALLS,
    full=st.integers(0, 6),
)
def test_it_waits_while_too_many_are_open(calls: list[Call[Any]], full: int) -> None:
    driven = taking(*[FULL] * full)
    made = driven.run(Batches.submit.build(calls))
    assert len(driven.calls) == len(made.batch_ids)
    assert len(driven.pauses) == (full if calls else 0)
    assert all(pause >= 0.5 for pause in driven.pauses)


def test_a_retry_after_is_honoured() -> None:
    error = RateLimitError(
        "10 are open", status=429, error_code="batch_limit_exceeded", retry_after_seconds=90.0
    )
    driven = taking(error)
    driven.run(Batches.submit.build([chat()]))
    assert driven.pauses[0] >= 90


def test_the_time_limit_ends_it_with_what_was_submitted() -> None:
    def respond(driven: Driven, call: Any) -> Any:
        return BatchObject(id="b0", status="x") if len(driven.calls) == 1 else FULL

    driven = Driven(respond)
    with pytest.raises(JobTimeoutError, match="2 batches were not submitted within 60") as caught:
        driven.run(Batches.submit.build([chat("a"), chat("b"), chat("c"), chat("a")], timeout=60))
    assert caught.value.partial.places == (0, -1, -1, 0)
    assert driven.now <= 62


@pytest.mark.parametrize(
    "error", [InternalServerError("no", status=500), RateLimitError("slower", status=429)]
)
def test_another_error_says_what_was_submitted(error: Any) -> None:
    def respond(driven: Driven, call: Any) -> Any:
        return BatchObject(id="b0", status="x") if len(driven.calls) == 1 else error

    with pytest.raises(type(error)) as caught:
        Driven(respond).run(Batches.submit.build([chat("a"), chat("b")]))
    assert caught.value.partial == BatchSubmission(("b0",), ("/v1/chat/completions",), (0, -1))


def test_a_client_that_is_closed_in_a_pause_says_what_was_submitted() -> None:
    class Closing(Driven):
        def _do(self, step: Any) -> Any:
            if isinstance(step, Pause):
                return APIConnectionError("closed", error_code="client_closed")
            return super()._do(step)

    driven = Closing(lambda driven, call: FULL if driven.calls[1:] else BatchObject(id="b0"))
    with pytest.raises(APIConnectionError) as caught:
        driven.run(Batches.submit.build([chat("a"), chat("b")]))
    assert caught.value.partial == BatchSubmission(("b0",), ("/v1/chat/completions",), (0, -1))


def test_each_batch_is_told_of_as_soon_as_it_is_made() -> None:
    """So that its ID is known if the program is interrupted afterwards."""
    told: list[Progress] = []
    taking().run(Batches.submit.build([chat("a"), chat("b"), chat("a")], on_progress=told.append))
    assert [(each.done, each.total, each.job_id) for each in told] == [
        (0, 3, ""),
        (2, 3, "b0"),
        (3, 3, "b1"),
    ]


def test_a_submission_can_be_stored() -> None:
    made = taking().run(Batches.submit.build([chat("a"), embedding("b")]))
    assert pickle.loads(pickle.dumps(made)) == made
    stored = msgspec.json.encode(made)
    assert msgspec.json.decode(stored, type=BatchSubmission[Any]) == made


@pytest.mark.parametrize(
    ("calls", "message"),
    [
        (chat(), "calls: expected an iterable of calls, got one call; write [call]"),
        (None, "calls: expected an iterable of calls, got None"),
        ("text", "calls: expected an iterable of calls, got str"),
        ({"requests": []}, "calls: expected an iterable of calls, got dict"),
        (
            [chat(), {"custom_id": "1"}],
            "calls[1]: expected a Call, got dict; batches.create(requests=[...]) takes dicts",
        ),
        (
            ["What is 2+2?"],
            (
                "calls[0]: expected a Call, got str; make it with"
                " Completions.create.build(...), from meshapi_core.endpoints"
            ),
        ),
        (
            [Completions.stream.build(model="m", messages=[])],
            (
                "calls[0]: expected a call with a whole response, got a stream; a batch has no"
                " streams; write create.build(...)"
            ),
        ),
        (
            [Models.list.build()],
            (
                "calls[0]: expected a POST to /v1/chat/completions, /v1/embeddings,"
                " /v1/responses, got GET /v1/models"
            ),
        ),
        (
            [Responses.create.build(input="x", background=True)],
            (
                "calls[0]: expected a call that is answered at once, got a job; leave"
                " background=True out: a batch runs in the background"
            ),
        ),
    ],
)
def test_what_cannot_be_in_a_batch_is_refused_before_anything_is_sent(
    calls: Any, message: str
) -> None:
    driven = taking()
    with pytest.raises(InvalidParamsError) as caught:
        driven.run(Batches.submit.build(calls))
    assert str(caught.value) == message
    assert driven.calls == []


@pytest.mark.slow
def test_a_call_that_no_batch_can_take_is_refused() -> None:
    driven = taking()
    with pytest.raises(InvalidParamsError, match="no batch can take it"):
        driven.run(Batches.submit.build([chat(), chat(text="x" * (33 * 1024 * 1024))]))
    assert driven.calls == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": -1}, "timeout: expected 0 to 2000000 seconds, got -1"),
        ({"metadata": 5}, "metadata: expected dict, got int"),
        ({"completion_window": 24}, "completion_window: expected str, got int; write str(x)"),
        ({"progress": 1}, "progress: expected True or False, got 1"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    driven = taking()
    with pytest.raises(InvalidParamsError) as caught:
        driven.run(Batches.submit.build([chat()], **options))
    assert str(caught.value) == message
    assert driven.calls == []
