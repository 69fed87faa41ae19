"""How often a job is looked at, and how a wait ends: with a clock that is an argument."""

from typing import Any, NamedTuple, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import (
    APIConnectionError,
    AuthenticationError,
    InternalServerError,
    InvalidParamsError,
    JobFailedError,
    JobStatusError,
    JobTimeoutError,
    MeshAPIError,
    NotFoundError,
    RateLimitError,
)
from meshapi_core.batching.submission import BatchSubmission
from meshapi_core.endpoints import Batches, Rag, Videos
from meshapi_core.flows import Progress
from meshapi_core.flows.polling import FIRST, LONGEST, TOLERANCE, Polling
from meshapi_core.types import BatchObject, InitUploadResponse, RagFileStatus, VideoTaskResponse
from support.driving import Driven, Outcome

# Hours, and parts of a second.
SECONDS = st.floats(0, 20_000)
UNIT = st.floats(0, 1, exclude_max=True)


class Turn(NamedTuple):
    """One look: how long it takes, what it asks for, and the random number after it."""

    takes: float
    asked: Optional[float]
    random: float


TURNS = st.lists(
    st.builds(Turn, st.floats(0, 90), st.none() | st.floats(0, 600), UNIT), min_size=1, max_size=60
)


@given(
    turns=TURNS,
    timeout=st.none() | SECONDS,
    interval=st.none() | st.floats(0.01, 600),
    start=SECONDS,
)
def test_no_look_comes_too_early_and_the_wait_ends_in_time(
    turns: list[Turn], timeout: Optional[float], interval: Optional[float], start: float
) -> None:
    now = start
    polling = Polling(now, timeout=timeout, poll_interval=interval)
    for number, turn in enumerate(turns):
        now += turn.takes
        left = polling.left(now)
        pause = polling.pause(now, turn.random, turn.asked)
        if pause is None:
            assert left is not None
            assert left == 0 or (turn.asked or 0) > left
            break
        assert pause >= (turn.asked or 0)
        usual = min(LONGEST, FIRST * 1.5**number)
        least, most = (usual / 2, usual) if interval is None else (interval, interval)
        # Only the time limit makes a pause shorter.
        assert pause >= least or pause == left
        assert pause <= max(most, (turn.asked or 0) + most / 2)
        now += pause
        if timeout is not None:
            # Rounding, of numbers of this size.
            assert now <= start + timeout + 1e-6


@given(timeout=st.floats(0, 4000), takes=st.floats(0.001, 10), random=UNIT)
def test_a_limited_wait_ends_whatever_happens(timeout: float, takes: float, random: float) -> None:
    polling = Polling(0.0, timeout=timeout)
    now, looks = 0.0, 0
    while True:
        now += takes
        looks += 1
        pause = polling.pause(now, random)
        if pause is None:
            break
        now += pause
    assert timeout <= now <= timeout + takes + 1e-6
    # The pauses grow: an hour takes some 240 looks at most.
    assert looks <= 20 + timeout / (LONGEST / 2)


@given(gaps=st.lists(st.floats(0, 120), max_size=30))
def test_failures_are_tolerated_for_a_while_and_counted_anew_after_a_success(
    gaps: list[float],
) -> None:
    polling, now, since = Polling(0.0), 0.0, 0.0
    error = APIConnectionError("reset")
    assert polling.tolerates(error, now)
    for gap in gaps:
        now += gap
        assert polling.tolerates(error, now) == (now - since < TOLERANCE)
    polling.succeeded()
    assert polling.tolerates(error, now)


@pytest.mark.parametrize(
    ("error", "tolerated"),
    [
        (APIConnectionError("x", error_code="dns"), True),
        (InternalServerError("x", status=502), True),
        (RateLimitError("x", status=429), True),
        (APIConnectionError("x", error_code="client_closed"), False),
        (APIConnectionError("x", error_code="tls_verify"), False),
        (AuthenticationError("x", status=401), False),
        (NotFoundError("x", status=404), False),
    ],
)
def test_only_failures_that_may_pass_are_tolerated(error: MeshAPIError, tolerated: bool) -> None:
    assert Polling(0.0).tolerates(error, 0.0) is tolerated


def _batch(status: str, **fields: Any) -> BatchObject:
    return BatchObject(id="b1", status=status, **fields)


def _in_turn(*outcomes: Outcome) -> Driven:
    """The last outcome is repeated."""
    return Driven(lambda driven, _: outcomes[min(len(driven.calls), len(outcomes)) - 1])


def test_a_job_is_looked_at_until_it_has_ended() -> None:
    told: list[Progress] = []
    counts = {"total": 3, "completed": 1, "failed": 1}
    driven = _in_turn(
        _batch("validating"), _batch("in_progress", request_counts=counts), _batch("completed")
    )
    batch = driven.run(Batches.wait.build("b1", on_progress=told.append))
    assert batch.status == "completed"
    assert [call.path for call in driven.calls] == ["/v1/batches/b1"] * 3
    assert driven.pauses == [0.75, 1.125]
    assert told == [
        Progress(0, None, "validating", "b1"),
        Progress(2, 3, "in_progress", "b1"),
        Progress(0, None, "completed", "b1"),
    ]


@pytest.mark.parametrize("status", ["queued", "in_progress", "cancelling", "RUNNING"])
def test_a_job_that_never_ends_is_given_up_with_its_state(status: str) -> None:
    driven = _in_turn(_batch(status))
    with pytest.raises(JobTimeoutError) as caught:
        driven.run(Batches.wait.build("b1", timeout=600))
    error = caught.value
    assert 600 <= driven.now <= 601
    assert error.partial.status == status
    assert error.error_code == "job_timeout"
    assert str(error).startswith(
        f"batch b1 was still {status!r} after 600 seconds; it goes on at the gateway: call"
        " batches.wait('b1') to wait again"
    )


@pytest.mark.parametrize("status", ["paused", "", "état", None])
def test_an_unknown_status_ends_the_wait_at_once(status: Any) -> None:
    driven = _in_turn(_batch(status))
    with pytest.raises(JobStatusError) as caught:
        driven.run(Batches.wait.build("b1"))
    assert len(driven.calls) == 1
    assert caught.value.partial.id == "b1"


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        ("failed", "job_failed", "batch b1 failed"),
        ("expired", "job_expired", "batch b1 expired"),
        ("cancelled", "job_cancelled", "batch b1 was cancelled"),
        ("canceled", "job_cancelled", "batch b1 was cancelled"),
    ],
)
def test_a_bad_end_is_an_error_with_the_job(status: str, code: str, message: str) -> None:
    with pytest.raises(JobFailedError) as caught:
        _in_turn(_batch(status)).run(Batches.wait.build(_batch("validating")))
    assert (caught.value.message, caught.value.error_code) == (message, code)
    assert caught.value.partial.status == status


def test_odd_progress_can_be_shown_on_a_terminal() -> None:
    told: list[Progress] = []
    counts = {"total": -5, "completed": -3, "failed": 0}
    odd = BatchObject(id="b", status="\x1b[2J" + "x" * 999, request_counts=counts)
    with pytest.raises(JobStatusError):
        Driven(lambda driven, call: odd).run(Batches.wait.build("b", on_progress=told.append))
    assert told == [Progress(0, None, "\\x1b[2J" + "x" * 50 + "...", "b")]


def test_what_the_gateway_says_of_a_failure_is_in_the_error() -> None:
    rows = [{"code": "bad_row", "message": "A row is empty."}, {"code": "x"}]
    with pytest.raises(JobFailedError) as caught:
        _in_turn(_batch("failed", errors_detail=rows)).run(Batches.wait.build("b1"))
    error = caught.value
    assert (error.message, error.error_code) == ("batch b1 failed: A row is empty.", "bad_row")
    assert error.details == rows


def test_an_outage_does_not_end_a_wait() -> None:
    down = InternalServerError("restarting", status=503)
    driven = _in_turn(_batch("in_progress"), *[down] * 5, _batch("completed"))
    assert driven.run(Batches.wait.build("b1")).status == "completed"


def test_an_outage_that_lasts_ends_it_with_the_state_that_was_seen() -> None:
    down = APIConnectionError("refused", error_code="connect_refused")
    driven = _in_turn(_batch("in_progress"), down)
    with pytest.raises(APIConnectionError) as caught:
        driven.run(Batches.wait.build("b1"))
    assert caught.value is down
    assert caught.value.partial.status == "in_progress"
    assert TOLERANCE <= driven.now <= TOLERANCE + 2 * LONGEST + 10


def test_a_gateway_that_was_never_reached_ends_a_wait_at_once() -> None:
    driven = _in_turn(APIConnectionError("refused", error_code="connect_refused"))
    with pytest.raises(APIConnectionError):
        driven.run(Batches.wait.build("b1"))
    assert (len(driven.calls), driven.pauses) == (1, [])


def test_a_refusal_ends_a_wait_at_once() -> None:
    driven = _in_turn(NotFoundError("no such batch", status=404))
    with pytest.raises(NotFoundError):
        driven.run(Batches.wait.build("b1"))
    assert len(driven.calls) == 1


def test_a_wait_that_a_busy_gateway_asks_for_is_kept_or_the_wait_is_over() -> None:
    busy = RateLimitError("busy", status=429, retry_after_seconds=90)
    driven = _in_turn(busy, _batch("completed"))
    driven.run(Batches.wait.build("b1", timeout=200))
    assert driven.pauses == [90.25]
    driven = _in_turn(busy, _batch("completed"))
    with pytest.raises(JobTimeoutError, match="asks for a pause of 90 seconds") as caught:
        driven.run(Batches.wait.build("b1", timeout=60))
    assert caught.value.__cause__ is busy
    assert driven.pauses == []


def test_no_look_lasts_longer_than_the_wait() -> None:
    driven = _in_turn(_batch("in_progress"))
    with pytest.raises(JobTimeoutError):
        driven.run(Batches.wait.build("b1", timeout=5))
    assert [call.answer_within for call in driven.calls][:2] == [5, 3.25]
    assert min(call.answer_within for call in driven.calls) >= FIRST


def test_no_time_is_one_look() -> None:
    driven = _in_turn(_batch("in_progress"))
    with pytest.raises(JobTimeoutError):
        driven.run(Batches.wait.build("b1", timeout=0))
    assert (len(driven.calls), driven.pauses) == (1, [])


def test_a_new_task_is_looked_at_after_a_pause_and_its_id_is_told_before() -> None:
    told: list[Progress] = []
    started, done = VideoTaskResponse(id="v1"), VideoTaskResponse(id="v1", status="succeeded")
    flow = Videos.generate_and_wait.build(
        model="m", content=[{"type": "text", "text": "a cat"}], on_progress=told.append
    )
    driven = _in_turn(started, done)
    assert driven.run(flow).status == "succeeded"
    assert [call.method for call in driven.calls] == ["POST", "GET"]
    assert driven.pauses == [0.75]
    assert told[0] == Progress(0, None, "created", "v1")


def test_a_new_task_that_cannot_be_looked_at_is_in_the_error() -> None:
    started = VideoTaskResponse(id="v1")
    driven = _in_turn(started, AuthenticationError("revoked", status=401))
    flow = Videos.generate_and_wait.build(model="m", content=[])
    with pytest.raises(AuthenticationError) as caught:
        driven.run(flow)
    assert caught.value.partial.id == "v1"


@pytest.mark.parametrize(
    ("upload", "embedding", "advice"),
    [
        ("ready", "pending", "call rag.embed(file_ids=['f1'])"),
        ("pending", "pending", "upload_file"),
    ],
)
def test_a_document_with_which_nobody_begins_ends_the_wait(
    upload: str, embedding: str, advice: str
) -> None:
    idle = RagFileStatus(file_id="f1", upload_status=upload, embedding_status=embedding)
    driven = _in_turn(idle)
    with pytest.raises(JobStatusError) as caught:
        driven.run(Rag.wait.build(InitUploadResponse(file_id="f1")))
    assert advice in caught.value.message
    assert caught.value.error_code == "not_begun"
    assert driven.now <= 15 * 60 + 2 * LONGEST


def test_a_document_that_could_not_be_uploaded_has_failed() -> None:
    lost = RagFileStatus(
        file_id="f1", upload_status="failed", embedding_status="pending", last_error_code="too_big"
    )
    with pytest.raises(JobFailedError, match=r"file f1 failed: too_big") as caught:
        _in_turn(lost).run(Rag.wait.build("f1"))
    assert caught.value.error_code == "too_big"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch": ""}, "batch: expected an ID, got an empty one"),
        ({"batch": _batch("x").model_copy(update={"id": ""})}, "the gateway sent none"),
        ({"batch": 3}, "batch: expected the ID of a batch, or an object with .id, got int"),
        ({"batch": ["b1"]}, "got list"),
        (
            {"batch": BatchSubmission(batch_ids=("b1",), endpoints=("/",), places=(0,))},
            "got BatchSubmission; results() waits for all that submit() made",
        ),
        ({"timeout": -1}, "timeout: expected 0 to 2000000 seconds, got -1"),
        ({"timeout": float("nan")}, "timeout: expected 0 to 2000000 seconds"),
        ({"timeout": float("inf")}, "None means no limit"),
        ({"timeout": "60"}, "timeout: expected seconds or None, got str"),
        ({"timeout": True}, "timeout: expected seconds or None, got bool"),
        ({"poll_interval": 0}, "poll_interval: expected 0.001 to 2000000 seconds, got 0"),
        ({"on_progress": "x"}, "on_progress: expected a function"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(arguments: Any, message: str) -> None:
    driven = _in_turn(_batch("completed"))
    with pytest.raises(InvalidParamsError) as caught:
        driven.run(Batches.wait.build(**{"batch": "b1", **arguments}))
    assert message in str(caught.value)
    assert driven.calls == []


def test_wrong_arguments_start_no_job() -> None:
    driven = _in_turn(VideoTaskResponse(id="v1"))
    with pytest.raises(InvalidParamsError, match=r"^timeout"):
        driven.run(Videos.generate_and_wait.build(model="m", content=[], timeout="x"))
    with pytest.raises(InvalidParamsError, match=r"did you mean timeout"):
        driven.run(Videos.generate_and_wait.build(model="m", content=[], timout=3))
    assert driven.calls == []
