"""What engines do with `Calls`, without an engine: batches in, batches out."""

import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from house.fresh import SRC
from hypothesis import given
from hypothesis import strategies as st

from meshapi import AsyncMeshAPI, Budget, InvalidParamsError, JournalError, MeshAPI, PerMinute
from meshapi.engines import Calls
from meshapi.engines._results import COLUMNS
from meshapi_core import Call
from meshapi_core.endpoints import Completions
from meshapi_core.types import ModelInfo, ModelPricing
from support.commands import complaints
from support.scripted_server import Peer, ScriptedServer
from support.wire import failed, good

TOKEN = "rsk_test_of_engines_0123"
ASK = Completions.create.build(model="auto", messages=[{"role": "user", "content": "{text}"}])
ROWS = [{"id": f"row-{number}", "text": f"text {number}"} for number in range(30)]


def ask(row: dict[str, Any]) -> Call[Any]:
    content = row["text"]
    return Completions.create.build(model="auto", messages=[{"role": "user", "content": content}])


def answer(peer: Peer) -> None:
    """Responds to each text with itself in capitals; one is refused, and one breaks off."""
    for request in peer.requests():
        if not request.body:
            peer.send(failed(404, "not_found"))
            continue
        text = request.json()["messages"][0]["content"]
        peer.send(failed(400, "bad_text") if text == "bad" else good(text.upper()))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    with ScriptedServer(answer) as server:
        monkeypatch.setenv("MESHAPI_TOKEN", TOKEN)
        monkeypatch.setenv("MESHAPI_BASE_URL", server.url)
        yield server


def asked(server: ScriptedServer) -> list[str]:
    return [r.json()["messages"][0]["content"] for r in server.requests if r.body]


def texts(batch: Any) -> list[Any]:
    return [row["result"]["text"] for row in batch]


# Batches


@pytest.mark.parametrize("template", [ASK, ask], ids=["call", "function"])
@pytest.mark.parametrize("kind", [list, iter])
def test_rows_get_their_results_in_order(template: Any, kind: Any, server: ScriptedServer) -> None:
    calls = pickle.loads(pickle.dumps(Calls(template)))
    answers = calls(kind(ROWS))
    assert [row["id"] for row in answers] == [row["id"] for row in ROWS]
    assert texts(answers) == [row["text"].upper() for row in ROWS]
    assert sorted(asked(server)) == sorted(row["text"] for row in ROWS)


def test_a_result_has_the_same_types_whatever_became_of_its_call(server: ScriptedServer) -> None:
    rows = [{"id": 1, "text": "good"}, {"id": 2, "text": "bad"}]
    kinds = {"text": str, "int": int, "float": float}
    for row in Calls(ASK)(rows):
        result = row["result"]
        assert list(result) == list(COLUMNS)
        for name, value in result.items():
            assert value is None or type(value) is kinds[COLUMNS[name]], name
    assert row["result"]["error_code"] == "bad_text"
    assert json.loads(row["result"]["error"])["status"] == 400
    assert row["result"]["text"] is row["result"]["output"] is None


def test_a_mapping_of_columns_and_tables_of_pyarrow_and_pandas_get_a_column(
    server: ScriptedServer,
) -> None:
    arrow = pytest.importorskip("pyarrow")
    numpy = pytest.importorskip("numpy")
    pandas = pytest.importorskip("pandas")
    calls = Calls(ASK)
    columns = {
        "id": numpy.array([1, 2]),
        "text": numpy.array(["good", "bad"], dtype=object),
    }
    table = arrow.table(columns)
    wanted = arrow.array(
        [row["result"] for row in calls([{"text": "good"}, {"text": "bad"}])],
    )
    for found in (calls(columns)["result"], calls(table)["result"].combine_chunks()):
        assert found.type.field("cost").type == arrow.float64()
        assert found.field("text").to_pylist() == wanted.field("text").to_pylist()
        assert found.field("error_code").to_pylist() == [None, "bad_text"]
    frame = calls(pandas.DataFrame(columns))
    assert texts(frame.to_dict("records")) == ["GOOD", None]
    # The type is the same if all values are None.
    assert calls(table.slice(1))["result"].type == calls(table.slice(0, 1))["result"].type


@pytest.mark.parametrize("batch", [7, "text", b"text", [7], ["text"], None])
def test_what_is_no_batch_is_refused(batch: Any, server: ScriptedServer) -> None:
    with pytest.raises(InvalidParamsError, match=r"^batch.*: expected .*(rows|mapping)"):
        Calls(ASK)(batch)


# Arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"template": "Summarise {text}"}, "template: expected a Call"),
        ({"client": TOKEN}, "client: expected a client, or the settings of one, got str"),
        ({"client": MeshAPI}, "client: "),
        ({"workers": 0}, "workers: expected a whole number, at least 1, got 0"),
        ({"workers": 1.5}, "workers: "),
        ({"workers": True}, "workers: "),
        ({"concurrency": 0}, "concurrency: "),
        ({"rate_limit": 500}, r"rate_limit: .*write PerMinute\(requests=500\)"),
        ({"rate_limit": PerMinute(requests=2), "workers": 3}, "workers: expected at most 2"),
        ({"budget": 5}, "budget: expected Budget"),
        ({"journal": 7}, "journal: expected the path of a folder, got int"),
        ({"journal": ""}, "journal: "),
        ({"journal": __file__}, "journal: .*got the path of a file"),
        ({"into": 7}, "into: expected str"),
    ],
)
def test_a_wrong_argument_is_refused_at_once(
    arguments: dict[str, Any], message: str, server: ScriptedServer
) -> None:
    with pytest.raises((InvalidParamsError, TypeError), match=f"^{message}"):
        Calls(**{"template": ASK, **arguments})


@pytest.mark.parametrize("kind", [MeshAPI, AsyncMeshAPI])
def test_a_client_with_a_token_as_text_is_refused(kind: Any, server: ScriptedServer) -> None:
    with pytest.raises(InvalidParamsError, match=r"^token: .*set MESHAPI_TOKEN"):
        Calls(ASK, client=kind(token="rsk_test_of_another_account"))


@pytest.mark.parametrize("kind", [MeshAPI, AsyncMeshAPI])
def test_any_client_or_settings_can_be_given_and_the_token_is_not_in_the_pickle(
    kind: Any, server: ScriptedServer
) -> None:
    client = kind(max_retries=7)
    for given_client in (client, client.settings(), None):
        calls = Calls(ASK, client=given_client)
        data = pickle.dumps(calls)
        assert TOKEN.encode() not in data
        assert texts(pickle.loads(data)([{"text": "good"}])) == ["GOOD"]


# Journals


def test_a_batch_that_is_run_again_sends_nothing(server: ScriptedServer, tmp_path: Path) -> None:
    calls = Calls(ASK, journal=tmp_path / "journals")
    first = calls(ROWS)
    sent = len(asked(server))
    # In another process, and in a program that is run again.
    again = pickle.loads(pickle.dumps(calls))(ROWS)
    once_more = Calls(ASK, journal=str(tmp_path / "journals"))(ROWS)
    assert texts(again) == texts(once_more) == texts(first)
    assert len(asked(server)) == sent == len(ROWS)


@given(
    st.lists(
        st.tuples(st.text(min_size=1, max_size=3), st.text(max_size=3)), min_size=2, max_size=2
    )
)
def test_batches_share_a_journal_if_they_make_the_same_calls_and_not_otherwise(
    rows: list[tuple[str, str]],
) -> None:
    one, other = ([{"id": name, "text": text}] for name, text in rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESHAPI_TOKEN", TOKEN)
        calls = Calls(ask, journal="journals")

        def journal(batch: list[dict[str, Any]]) -> str:
            return calls._journal_of(calls._entries(batch))

        assert journal(one) == journal([*one])
        assert (journal(one) == journal(other)) == (one == other)
        assert journal([*one, *other]) != journal(one)


def test_with_a_journal_each_row_needs_an_id(server: ScriptedServer, tmp_path: Path) -> None:
    with pytest.raises(InvalidParamsError, match=r'^batch\[1\]: expected an "id"'):
        Calls(ASK, journal=tmp_path)([{"id": 1, "text": "one"}, {"text": "two"}])
    assert asked(server) == []


def test_a_batch_waits_for_another_process_that_has_it(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls(ASK, journal=tmp_path)
    path = calls._journal_of(calls._entries(ROWS))
    release, locked = threading.Event(), threading.Event()

    def hold() -> None:
        # Another run, which has the journal open while it waits for its program.
        with MeshAPI() as client, client.map([("x", ASK)], journal=path) as run:
            next(iter(run))
            locked.set()
            release.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert locked.wait(20)
    monkeypatch.setattr("meshapi.engines._worker._LOCKED", 0.0)
    with pytest.raises(JournalError) as caught:
        calls(ROWS)
    assert caught.value.error_code == "journal_locked"
    release.set()
    holder.join(20)


# Limits


def test_workers_share_the_budget_and_the_rate_limit(server: ScriptedServer) -> None:
    limit = PerMinute(requests=600, tokens=90_000)
    calls = Calls(ASK, workers=3, budget=Budget(requests=9), rate_limit=limit)
    assert calls._options["rate_limit"] == PerMinute(requests=200, tokens=30_000)
    answers = [*calls(ROWS[:2]), *calls(ROWS[2:20])]
    sent = [row for row in answers if row["result"]["error"] is None]
    assert len(sent) == len(asked(server)) == 3
    for row in answers:
        if row["result"]["error"] is not None:
            assert row["result"]["error_code"] == "budget_exceeded"
            assert json.loads(row["result"]["error"])["code"] == "budget_exceeded"
            assert row["result"]["attempts"] == 0


def test_a_budget_keeps_its_prices_in_other_processes(server: ScriptedServer) -> None:
    # The responses name no cost: without the prices, the calls would count as free.
    each = ModelPricing(request_usd="0.25", prompt_usd_per_1m="0", completion_usd_per_1m="0")
    prices = [ModelInfo(id="openai/gpt-4o-mini", pricing=each)]
    calls = Calls(ASK, workers=2, budget=Budget(cost_usd=2, prices=prices), concurrency=1)
    answers = pickle.loads(pickle.dumps(calls))(ROWS)
    assert len(asked(server)) == 4
    assert answers[-1]["result"]["error_code"] == "budget_exceeded"


# Processes


def test_one_client_makes_the_calls_of_all_batches_and_threads(server: ScriptedServer) -> None:
    calls = Calls(ASK, concurrency=1)
    for _ in range(3):
        pickle.loads(pickle.dumps(calls))(ROWS[:5])
    assert len({request.connection for request in server.requests}) == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_has_a_client_of_its_own(server: ScriptedServer) -> None:
    calls = Calls(ASK)
    assert texts(calls(ROWS[:2])) == ["TEXT 0", "TEXT 1"]
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert texts(pool.apply_async(calls, (ROWS[:2],)).get(30)) == ["TEXT 0", "TEXT 1"]


@pytest.mark.slow
def test_the_engines_are_not_imported_and_the_process_ends_cleanly(server: ScriptedServer) -> None:
    program = """import sys
from meshapi.engines import Calls
from meshapi_core.endpoints import Completions
ask = Completions.create.build(model="auto", messages=[{"role": "user", "content": "{text}"}])
print(Calls(ask)([{"text": "good"}])[0]["result"]["text"])
print({"ray", "dask", "daft", "pyarrow", "pandas", "numpy"} & {*sys.modules})"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "GOOD\nset()\n"
    assert complaints(done.stderr) == []
