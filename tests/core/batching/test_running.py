"""Every call of a run has one result, whatever becomes of its batches and of the process."""

from collections.abc import Iterator, Sequence
from typing import Any, Optional
from unittest import mock

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from meshapi_core import (
    APIConnectionError,
    BadRequestError,
    Call,
    InternalServerError,
    InvalidParamsError,
    JobFailedError,
    JobStatusError,
    JobTimeoutError,
    MeshAPIError,
)
from meshapi_core.batching import parts
from meshapi_core.batching.ledgers import BatchIntent, KnownBatch
from meshapi_core.batching.parts import MARK
from meshapi_core.batching.running import BatchOptions, BatchRun
from meshapi_core.batching.sources import GivenCalls
from meshapi_core.batching.submission import BatchSubmission
from meshapi_core.endpoints import Batches, Completions, Models
from meshapi_core.flows import Flow, Progress
from meshapi_core.flows.polling import LONGEST, TOLERANCE
from meshapi_core.readers import BytesReader
from support.batch_gateway import FATES, FAULTS, OUTCOMES, BatchGateway, Fate, is_final

RESUBMIT = 2


def chat(model: str = "m", text: str = "x") -> Call[Any]:
    return Completions.create.build(model=model, messages=[{"role": "user", "content": text}])


def run(calls: Any, **options: Any) -> Any:
    return Batches.run.build(calls, **options)


def ids(items: Sequence[Any]) -> list[str]:
    return sorted((item.id for item in items), key=lambda name: int(name[5:]))


def named(count: int) -> list[str]:
    return [f"call-{number}" for number in range(count)]


MODELS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=14)
PLANS = st.fixed_dictionaries(
    {
        "outcomes": st.dictionaries(
            st.sampled_from(named(14)), st.lists(st.sampled_from(OUTCOMES), max_size=4)
        ),
        "fates": st.lists(FATES, max_size=12),
        "faults": st.lists(st.one_of(st.none(), st.sampled_from(FAULTS)), max_size=6),
    }
)


class Journal:
    """A ledger that outlives a process, as the file of a journal does."""

    def __init__(self) -> None:
        self.batches: list[tuple[BatchIntent, list[str]]] = []
        self.over: set[str] = set()
        self.results: dict[str, Any] = {}
        self._index: dict[str, int] = {}

    def known(self) -> Sequence[KnownBatch]:
        known: list[KnownBatch] = []
        self._index = {}
        for intent, batch_ids in self.batches:
            if self.over.isdisjoint(batch_ids):
                left = [name for name in intent.names if name not in self.results]
                self._index.update(dict.fromkeys(left, len(known)))
                batch_id = batch_ids[0] if batch_ids else ""
                known.append(KnownBatch(mark=intent.mark, batch_id=batch_id, count=len(left)))
        return known

    def find(self, number: int, name: str) -> int:
        return self._index.get(name, -1)

    def intended(self, names: Sequence[str]) -> str:
        return ""

    def submitting(self, intent: BatchIntent) -> Flow[None]:
        assert intent.mark not in {other.mark for other, _ in self.batches}
        self.batches.append((intent, []))
        yield from ()

    def submitted(self, mark: str, batch_id: str) -> Flow[None]:
        (ids_of,) = (batch_ids for intent, batch_ids in self.batches if intent.mark == mark)
        ids_of.append(batch_id)
        yield from ()

    def ended(self, batch_id: str) -> Flow[None]:
        self.over.add(batch_id)
        yield from ()


class Unanswered(GivenCalls):
    """The calls that a journal has no result of."""

    def __init__(self, calls: Sequence[Call[Any]], journal: Journal) -> None:
        super().__init__(calls)
        self._journal = journal

    def next(self) -> Flow[Any]:
        while True:
            found = yield from super().next()
            if found is None or found.name not in self._journal.results:
                return found


@given(models=MODELS, plan=PLANS, most=st.integers(1, 5))
def test_each_call_has_one_result_whatever_happens(models: list[str], plan: Any, most: int) -> None:
    gateway = BatchGateway(**plan)
    with mock.patch.object(parts, "MOST_BATCH_REQUESTS", most):
        items, submission = gateway.drive(run(iter([chat(model) for model in models])))
    assert ids(items) == named(len(models))
    assert gateway.twice == []
    assert all(len(batch.rows) <= most for batch in gateway.batches)
    assert all(len({row["body"]["model"] for row in each.rows}) == 1 for each in gateway.batches)
    for item in items:
        history = gateway.history[item.id]
        outcome, fate = history[-1]
        assert not any(is_final(*each) for each in history[:-1])
        assert is_final(outcome, fate) or len(history) == RESUBMIT + 1
        assert (item.error is None) == (outcome == "ok")
        if outcome == "ok":
            assert item.result().text == item.id
        if outcome == "missing" and fate.status == "completed":
            assert item.error.error_code == "missing_result"
        place = submission.places[int(item.id[5:])]
        (batch,) = (each for each in gateway.batches if each.id == submission.batch_ids[place])
        assert item.id in batch.names


@settings(max_examples=150)
@given(
    models=MODELS,
    plan=PLANS,
    most=st.integers(1, 5),
    ends=st.lists(st.integers(0, 60), max_size=6),
)
def test_a_process_that_ends_anywhere_is_followed_by_one_that_goes_on(
    models: list[str], plan: Any, most: int, ends: list[int]
) -> None:
    """Of what the ledger was told, nothing is submitted a second time."""
    gateway, journal = BatchGateway(**plan), Journal()
    calls = [chat(model) for model in models]
    limits: list[Optional[int]] = [*ends, None]
    with mock.patch.object(parts, "MOST_BATCH_REQUESTS", most):
        for steps in limits:
            flow = BatchRun(Unanswered(calls, journal), journal, BatchOptions()).flow()
            items, _ = gateway.drive(flow, steps)
            for number, item in items:
                assert item.id == f"call-{number}"
                assert item.id not in journal.results
                journal.results[item.id] = item
    assert sorted(journal.results, key=lambda name: int(name[5:])) == named(len(models))
    assert gateway.twice == []
    for name, item in journal.results.items():
        assert (item.error is None) == (gateway.history[name][-1][0] == "ok")


@given(models=MODELS, plan=PLANS, most=st.integers(1, 5), data=st.data())
def test_what_an_error_left_under_way_is_taken_up_by_a_later_run(
    models: list[str], plan: Any, most: int, data: st.DataObject
) -> None:
    """All results come, those that the first run had handed over included, as they are kept."""
    plan = {**plan, "faults": []}
    gateway, calls = BatchGateway(**plan), [chat(model) for model in models]
    allowed = data.draw(st.integers(0, 30))
    respond = gateway._respond

    def failing(call: Any) -> Any:
        nonlocal allowed
        allowed -= 1
        if allowed == 0:
            raise BadRequestError("no", status=400)
        return respond(call)

    partial: Optional[BatchSubmission[Any]] = None
    with mock.patch.object(parts, "MOST_BATCH_REQUESTS", most):
        with mock.patch.object(gateway, "_respond", failing):
            try:
                gateway.drive(run(calls))
            except BadRequestError as exc:
                partial = exc.partial
                assert isinstance(partial, BatchSubmission)
                stored = msgspec.json.encode(partial)
                partial = msgspec.json.decode(stored, type=BatchSubmission)
        items, submission = gateway.drive(run(calls, under_way=partial))
    assert ids(items) == named(len(models))
    assert len(submission.places) == len(models)
    if partial is not None:
        assert gateway.twice == []


def test_a_batch_that_is_taken_up_is_looked_at_for_all_its_calls_at_once() -> None:
    gateway = BatchGateway({})
    calls = [chat(), chat("n"), chat(), chat()]
    _, submission = gateway.drive(run(calls))
    looks: list[str] = []
    original = gateway._look

    def counting(batch_id: str) -> Any:
        looks.append(batch_id)
        return original(batch_id)

    with mock.patch.object(gateway, "_look", counting):
        items, again = gateway.drive(run([*calls, chat()], under_way=submission))
    assert ids(items) == named(5)
    assert sorted(looks) == ["b0", "b1", "b2"]
    assert again.places == (*submission.places, 2)


def test_a_long_input_is_read_as_batches_end() -> None:
    pulled = done = ahead = 0

    def calls() -> Iterator[Call[Any]]:
        nonlocal pulled, ahead
        for number in range(400):
            pulled += 1
            ahead = max(ahead, pulled - done)
            yield chat("ab"[number % 2])

    gateway = BatchGateway({}, [Fate(looks=3)] * 100)
    flow = run(calls())
    with mock.patch.object(parts, "MOST_BATCH_REQUESTS", 5):
        original = gateway._do

        def counting(step: Any) -> Any:
            nonlocal done
            done += type(step).__name__ == "Emit"
            return original(step)

        with mock.patch.object(gateway, "_do", counting):
            items, _ = gateway.drive(flow)
    assert len(items) == 400
    assert gateway.most_open == 10
    # Ten batches, one of each model, and the call that did not fit.
    assert ahead <= 10 * 5 + 2 * 5 + 1


def test_results_come_as_soon_as_a_batch_has_ended() -> None:
    gateway = BatchGateway({}, [Fate(looks=9), Fate(looks=0)])
    items, submission = gateway.drive(run([chat("slow"), chat("fast"), chat("slow")]))
    assert [item.id for item in items] == ["call-1", "call-0", "call-2"]
    assert submission == BatchSubmission(("b0", "b1"), ("/v1/chat/completions",) * 2, (0, 1, 0))


def test_only_what_may_succeed_is_submitted_again() -> None:
    outcomes = {f"call-{n}": [outcome] for n, outcome in enumerate(OUTCOMES)}
    gateway = BatchGateway(outcomes)
    items, _ = gateway.drive(run([chat()] * len(OUTCOMES)))
    assert gateway.batches[1].names == ["call-2", "call-3", "call-4"]
    assert len(gateway.batches) == 2
    errors = {item.id: item.error.error_code for item in items if item.error}
    assert errors == {
        "call-1": "failed",
        "call-5": "missing_result",
        "call-6": "insufficient_credits",
        "call-7": "rejected",
    }


@pytest.mark.parametrize("resubmit", [0, 1, 3])
def test_a_call_is_submitted_again_so_many_times(resubmit: int) -> None:
    gateway = BatchGateway({"call-0": ["500"] * 9})
    (item,), _ = gateway.drive(run([chat()], resubmit=resubmit))
    assert len(gateway.batches) == resubmit + 1
    assert isinstance(item.error, InternalServerError)


def test_a_batch_that_somebody_cancelled_is_not_submitted_again() -> None:
    for is_asked, count in ((True, 1), (False, 2)):
        gateway = BatchGateway({"call-0": ["missing"]}, [Fate(0, "cancelled", is_asked=is_asked)])
        (item,), _ = gateway.drive(run([chat()]))
        assert len(gateway.batches) == count
        assert isinstance(item.error, JobFailedError) == is_asked


def test_what_an_expired_batch_has_rejected_is_not_submitted_again() -> None:
    gateway = BatchGateway({"call-0": ["rejected"]}, [Fate(0, "expired")])
    (item,), _ = gateway.drive(run([chat()]))
    assert item.error.error_code == "rejected"
    assert len(gateway.batches) == 1


def test_failures_count_together_only_without_a_success_between_them() -> None:
    """Both to look at a batch, and to make one."""
    looks = [InternalServerError("busy", status=502), None] * 30
    gateway = BatchGateway({}, [Fate(looks=28)])
    original = gateway._look

    def failing(batch_id: str) -> Any:
        error = looks.pop()
        if error is not None:
            raise error
        return original(batch_id)

    with mock.patch.object(gateway, "_look", failing):
        items, _ = gateway.drive(run([chat()]))
    assert ids(items) == named(1)
    assert gateway.now > 2 * TOLERANCE
    gateway = BatchGateway({}, [], ["refused", *["limit"] * 60, "refused"])
    items, _ = gateway.drive(run([chat()]))
    assert ids(items) == named(1)
    assert gateway.now > 2 * TOLERANCE


@pytest.mark.parametrize("makes", [True, False])
def test_an_outage_that_takes_too_long_ends_the_run(makes: bool) -> None:
    gateway = BatchGateway({}, [], ["refused"] * 999 if makes else [])
    busy = mock.patch.object(gateway, "_look", side_effect=InternalServerError("x", status=502))
    with busy, pytest.raises(InternalServerError) as caught:
        gateway.drive(run([chat()]))
    assert TOLERANCE <= gateway.now < TOLERANCE + 2 * LONGEST
    assert caught.value.partial.places == (() if makes else (0,))


@pytest.mark.parametrize("fault", ["lost", "no id"])
def test_a_batch_whose_id_was_lost_is_found_by_its_mark(fault: str) -> None:
    metadata = {"run": "7"}
    gateway = BatchGateway({}, [], [None, None, None, fault])
    items, _ = gateway.drive(run([chat(model) for model in "abcd"], metadata=metadata))
    assert ids(items) == named(4)
    assert len(gateway.sent) == 4
    marks = [body["metadata"][MARK] for body in gateway.sent]
    assert len(set(marks)) == 4
    assert all(body["metadata"]["run"] == "7" for body in gateway.sent)
    assert metadata == {"run": "7"}


def test_a_gateway_that_was_never_reached_is_not_asked_again() -> None:
    gateway = BatchGateway({}, [], ["unreachable"])
    page = mock.patch.object(gateway, "_page", side_effect=APIConnectionError("still none"))
    with page, pytest.raises(APIConnectionError, match="no connection") as caught:
        gateway.drive(run([chat()]))
    assert caught.value.partial == BatchSubmission((), (), ())
    assert len(gateway.sent) == 1


def test_the_time_limit_is_one_for_all() -> None:
    gateway = BatchGateway({}, [Fate(looks=10**9)] * 20)
    with (
        mock.patch.object(parts, "MOST_BATCH_REQUESTS", 1),
        pytest.raises(JobTimeoutError, match=r"10 batches .* 1 calls .* more calls were to come"),
    ):
        gateway.drive(run([chat()] * 20, timeout=600))
    assert 600 <= gateway.now < 601


def test_the_time_limit_counts_while_the_gateway_takes_no_batch() -> None:
    gateway = BatchGateway({}, [], ["limit"] * 10**4)
    with pytest.raises(JobTimeoutError, match=r"pass \.partial as under_way= to go on") as caught:
        gateway.drive(run([chat()], timeout=600))
    assert caught.value.partial == BatchSubmission((), (), ())
    assert 600 <= gateway.now < 632


def test_an_unknown_status_ends_the_run() -> None:
    gateway = BatchGateway({}, [Fate(0, "paused")])
    with pytest.raises(JobStatusError) as caught:
        gateway.drive(run([chat()]))
    assert caught.value.partial.places == (0,)


def test_a_wrong_call_is_refused_before_anything_is_sent() -> None:
    wrong: list[tuple[Any, str]] = [
        ([chat(), "x"], r"calls\[1\]: expected a Call, got str"),
        ([Models.list.build()], r"calls\[0\]: expected a POST"),
        (chat(), r"calls: expected an iterable of calls, got one call; write \[call\]"),
        ("calls", "calls: expected an iterable of calls, got str"),
        (5, "calls: expected an iterable of calls, got int"),
    ]
    for calls, message in wrong:
        gateway = BatchGateway({})
        with pytest.raises(InvalidParamsError, match=message):
            gateway.drive(run(calls))
        assert gateway.sent == []


def test_after_a_wrong_call_the_ones_before_it_have_their_results() -> None:
    """They are billed; without the error's turn at the end, nobody would know of them."""

    def calls() -> Iterator[Any]:
        yield chat()
        yield chat()
        yield chat()
        yield "x"
        raise AssertionError("nothing is asked for after that")

    gateway = BatchGateway({"call-0": ["429"]})
    with (
        mock.patch.object(parts, "MOST_BATCH_REQUESTS", 2),
        pytest.raises(InvalidParamsError, match=r"calls\[3\]"),
    ):
        gateway.drive(run(calls()))
    assert gateway.history["call-2"][-1][0] == "ok"
    assert gateway.history["call-0"][-1][0] == "ok"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resubmit": -1}, "resubmit: expected an int, 0 or more, got -1"),
        ({"resubmit": None}, "resubmit: .* got None; 0 submits nothing again"),
        ({"resubmit": True}, "resubmit: .* got True"),
        ({"under_way": "b1"}, "under_way: expected the BatchSubmission of an earlier run.* str"),
        ({"under_way": {"batch_ids": []}}, r"msgspec.convert\(x, BatchSubmission\)"),
        ({"under_way": BatchSubmission((), (), (0,))}, "under_way: expected what"),
        ({"metadata": 5}, "metadata"),
        ({"timeout": "60"}, "timeout"),
        ({"poll_interval": 0}, "poll_interval"),
        ({"on_progress": True}, "on_progress"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(options: Any, message: str) -> None:
    gateway = BatchGateway({})
    with pytest.raises(InvalidParamsError, match=message):
        gateway.drive(run([chat()], **options))
    assert gateway.sent == []


def test_progress_counts_the_results_and_names_the_batches() -> None:
    told: list[Progress] = []
    gateway = BatchGateway({"call-0": ["429"]}, [Fate(looks=1)])
    gateway.drive(run([chat(), chat()], on_progress=told.append))
    assert [(each.what, each.job_id) for each in told] == [
        ("submitted", "b0"),
        ("in_progress", "b0"),
        ("completed", "b0"),
        ("submitted", "b1"),
        ("completed", "b1"),
    ]
    assert {each.total for each in told} == {2}
    assert [each.done for each in told[-2:]] == [1, 2]


def test_responses_are_read_as_the_call_reads_them() -> None:
    call: Call[Any] = replace(chat(), reader=BytesReader())
    (item,), _ = BatchGateway({}).drive(run([call]))
    assert b'"content":"call-0"' in item.result()


def test_no_calls_make_no_batch() -> None:
    gateway = BatchGateway({})
    assert gateway.drive(run([])) == ([], BatchSubmission((), (), ()))
    assert gateway.sent == []


def test_a_result_file_that_cannot_be_read_for_a_while_ends_nothing() -> None:
    gateway = BatchGateway({}, [Fate(in_file=True)])
    failures: list[MeshAPIError] = [InternalServerError("busy", status=503)] * 3
    original = gateway._file

    def failing(batch_id: str) -> bytes:
        if failures:
            raise failures.pop()
        return original(batch_id)

    with mock.patch.object(gateway, "_file", failing):
        (item,), _ = gateway.drive(run([chat()]))
    assert item.result().text == "call-0"
