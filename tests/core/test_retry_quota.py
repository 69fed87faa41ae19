import copy
import pickle
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import APIConnectionError, MeshAPIError, RateLimitError
from meshapi_core.headers import Headers
from meshapi_core.machines.exchange import Done, Exchange, Wait
from meshapi_core.messages import Failure, Response
from meshapi_core.retries import RETRY_QUOTA, Outcome, RetryPolicy
from meshapi_core.retry_quota import RetryQuota, cost_of
from support.machine_calls import POST
from support.randomness import always

CAP = 100
OPENED = Response(200, Headers(), b'{"choices":[]}')
BUSY = Response(503, Headers(), b"{}")
THROTTLED = Response(429, Headers(), b"{}")
DEAD = Failure(APIConnectionError("gone", error_code="reset"), "request", reused=True, silence=0.0)


def quota() -> RetryQuota:
    return RetryQuota(threading.Lock)


steps = st.lists(
    st.tuples(
        st.sampled_from(["take", "put back"]), st.sampled_from(["a", "b"]), st.integers(1, 30)
    )
)


@given(steps)
def test_a_bucket_has_never_less_than_nothing_and_never_more_than_all(steps):
    buckets, model = quota(), {"a": CAP, "b": CAP}
    for what, origin, tokens in steps:
        if what == "take":
            is_paid = buckets.take(origin, tokens, CAP)
            assert is_paid == (tokens <= model[origin])
            model[origin] -= tokens if is_paid else 0
        else:
            buckets.put_back(origin, tokens)
            model[origin] = min(CAP, model[origin] + tokens)
        for name, left in model.items():
            assert buckets.left(name, CAP) == left
            assert 0 <= left <= CAP
        # Where all buckets are full, nothing is kept.
        assert set(buckets.taken) == {name for name, left in model.items() if left < CAP}


def test_only_a_hundred_origins_are_kept_those_that_were_used_last():
    buckets = quota()
    for number in range(1000):
        buckets.take(number, 14, CAP)
    assert list(buckets.taken) == [*range(900, 1000)]


def exchange(config: MeshAPIConfig) -> "Exchange[Any]":
    return Exchange(POST, config, now=0.0, random_bytes=always(0.5))


def configuration(**fields: Any) -> MeshAPIConfig:
    return MeshAPIConfig(
        **{
            "base_url": "http://localhost:8000",
            "token": "rsk_test_1",
            "retry_quota": quota(),
            **fields,
        }
    )


def run(config: MeshAPIConfig, *outcomes: Any) -> tuple[int, Any]:
    """The number of attempts, and the result or error; the last outcome repeats."""
    life, now, attempts = exchange(config), 0.0, 0
    while True:
        try:
            action = life.next_action(now)
        except MeshAPIError as exc:
            return attempts, exc
        if isinstance(action, Done):
            return attempts, action.value
        if isinstance(action, Wait):
            now += action.seconds
            continue
        life.receive(outcomes[min(attempts, len(outcomes) - 1)], now)
        attempts += 1


@pytest.mark.parametrize(("response", "most"), [(BUSY, 35), (THROTTLED, 100)])
def test_a_broken_gateway_gets_few_retries_however_many_calls_there_are(response, most):
    config = configuration()
    runs = [run(config, response) for _ in range(1000)]
    assert sum(attempts - 1 for attempts, _ in runs) == most
    marked = [error.retry_quota_exhausted for _, error in runs]
    assert marked == sorted(marked)
    # The calls that made all their retries, or the last of which was not to be retried anyway.
    assert marked.index(True) == most // 3
    _, last = runs[-1]
    assert "retry quota" in last.message
    assert last.status == response.status


@pytest.mark.slow
def test_it_can_be_turned_off_or_made_larger():
    for policy, most in (
        (RetryPolicy(quota=None), 3000),
        (RetryPolicy(quota=28), 2),
        (RetryPolicy(quota=0), 0),
    ):
        config = configuration(retry=policy)
        assert sum(run(config, BUSY)[0] - 1 for _ in range(1000)) == most
    config = configuration(retry_quota=None)
    assert sum(run(config, BUSY)[0] - 1 for _ in range(1000)) == 3000


def test_a_success_after_a_retry_gives_back_what_the_last_one_cost():
    config = configuration()
    origin = config.location.origin
    buckets: Any = config.retry_quota

    def left() -> int:
        return buckets.left(origin, RETRY_QUOTA)

    assert run(config, BUSY, OPENED)[0] == 2
    assert left() == 500
    assert run(config, BUSY, THROTTLED, OPENED)[0] == 3
    assert left() == 500 - 14
    assert run(config, OPENED)[0] == 1
    assert left() == 500 - 13
    # Neither a refusal nor a failure gives anything back.
    run(config, Response(400, Headers(), b"{}"))
    assert left() == 500 - 13
    for _ in range(20):
        run(config, OPENED)
    assert left() == 500
    assert not buckets.taken


def test_sending_again_after_a_dead_connection_costs_nothing():
    config = configuration(retry=RetryPolicy(quota=0))
    attempts, _ = run(config, DEAD, OPENED)
    assert attempts == 2


def test_each_origin_has_its_own_bucket():
    shared = quota()
    one, two = (
        configuration(base_url=f"http://localhost:{port}", retry_quota=shared) for port in (1, 2)
    )
    for _ in range(100):
        run(one, BUSY)
    assert run(one, BUSY)[0] == 1
    assert run(two, BUSY)[0] == 4


def test_a_retry_after_a_429_is_cheap():
    assert cost_of(Outcome("POST", "complete", status=429)) == 5
    assert cost_of(Outcome("POST", "complete", status=503)) == 14
    assert cost_of(Outcome("GET", "connect")) == 14


def test_ten_threads_take_no_more_than_there_is():
    buckets, taken = quota(), []

    def work() -> None:
        mine = 0
        for _ in range(2000):
            mine += buckets.take("origin", 1, 5000)
        taken.append(mine)

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 5000
    assert buckets.left("origin", 5000) == 0


def test_a_copy_of_a_configuration_has_the_same_bucket():
    config = configuration()
    run(config, BUSY)
    assert copy.deepcopy(config) is config
    assert copy.copy(config).retry_quota is config.retry_quota


def test_a_forked_child_begins_with_a_full_bucket_and_a_free_lock():
    buckets = quota()
    buckets.take("origin", 14, CAP)
    with buckets._lock:
        buckets.forget()
        assert buckets.take("origin", CAP, CAP)


def test_the_mark_survives_pickling_and_copying():
    error = RateLimitError("slow down", status=429)
    assert not error.retry_quota_exhausted
    assert not pickle.loads(pickle.dumps(error)).retry_quota_exhausted
    error.retry_quota_exhausted = True
    assert pickle.loads(pickle.dumps(error)).retry_quota_exhausted
    assert copy.copy(error).retry_quota_exhausted


@pytest.mark.parametrize("value", [-1, 1.5, True, "500"])
def test_a_wrong_quota_is_refused(value):
    with pytest.raises((TypeError, ValueError), match="quota: expected"):
        RetryPolicy(quota=value)
    with pytest.raises(TypeError, match="retry_quota: expected RetryQuota or None"):
        configuration(retry_quota=value)
