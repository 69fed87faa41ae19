"""`meshapi map` and `meshapi batch`: the rows of a file, and what becomes of them."""

import io
import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from meshapi.cli import main
from meshapi.testing import LocalGateway
from support.commands import environment, start

MODEL = ("--model", "openai/gpt-4o-mini")
ASK = ("--prompt", "What is {n}+1?", *MODEL)


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "in.jsonl"
    path.write_text("".join(f'{{"id": "row-{n}", "n": {n}}}\n' for n in range(5)), "utf-8")
    return path


def lines(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]


def said(row: dict[str, Any]) -> str:
    text: str = row["output"]["choices"][0]["message"]["content"]
    return text


def calls(gateway: LocalGateway) -> int:
    return sum(request.path == "/v1/chat/completions" for request in gateway.requests)


@pytest.mark.slow
def test_results_are_in_the_order_of_the_rows(gateway: LocalGateway, rows: Path) -> None:
    assert main(["map", "in.jsonl", "-o", "out.jsonl", *ASK]) == 0
    found = lines("out.jsonl")
    assert [row["id"] for row in found] == [f"row-{n}" for n in range(5)]
    assert [said(row) for row in found] == [f"{n} + 1 = {n + 1}." for n in range(5)]


def test_the_same_command_sends_nothing_again(gateway: LocalGateway, rows: Path) -> None:
    assert main(["map", "in.jsonl", "-o", "out.jsonl", *ASK]) == 0
    before = Path("out.jsonl").read_bytes()
    assert main(["map", "in.jsonl", "-o", "out.jsonl", *ASK]) == 0
    assert calls(gateway) == 5
    assert Path("out.jsonl").read_bytes() == before


def test_rows_may_be_a_table(gateway: LocalGateway, rows: Path, capfd: Any) -> None:
    Path("in.csv").write_text('\ufeffid,n\r\na,1\r\n"b ""quoted""",2\r\n', "utf-8")
    assert main(["map", "in.csv", *ASK]) == 0
    found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [(row["id"], said(row)) for row in found] == [
        ("a", "1 + 1 = 2."),
        ('b "quoted"', "2 + 1 = 3."),
    ]


def test_rows_may_be_the_lines_of_a_batch(gateway: LocalGateway, rows: Path, capfd: Any) -> None:
    body = {"model": MODEL[1], "messages": [{"role": "user", "content": "What is 2+2?"}]}
    line = {"custom_id": "x", "method": "POST", "url": "/v1/chat/completions", "body": body}
    Path("lines.jsonl").write_text(json.dumps(line), "utf-8")
    assert main(["map", "lines.jsonl"]) == 0
    (row,) = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert (row["id"], said(row)) == ("x", "2 + 2 = 4.")


def test_rows_may_be_piped_in(
    gateway: LocalGateway, rows: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"n": 4}\n\n{"n": 5}\n'))
    assert main(["map", "-", *ASK]) == 0
    found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [said(row) for row in found] == ["4 + 1 = 5.", "5 + 1 = 6."]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_rows_of_a_named_pipe_are_read_once(gateway: LocalGateway, rows: Path, capfd: Any) -> None:
    reader, writer = os.pipe()
    os.write(writer, rows.read_bytes())
    os.close(writer)
    try:
        # What `<(...)` of a shell stands for.
        assert main(["map", f"/dev/fd/{reader}", *ASK]) == 0
    finally:
        os.close(reader)
    assert len(capfd.readouterr().out.splitlines()) == 5


@pytest.mark.slow
def test_piped_rows_may_begin_with_a_mark(gateway: LocalGateway) -> None:
    with start("map", "-", *ASK, env=environment(gateway), stdin=subprocess.PIPE) as process:
        out, error = process.communicate('\ufeff{"n": 1}\r\n{"n": 2}')
    assert (process.returncode, error) == (0, "")
    assert [said(json.loads(row)) for row in out.splitlines()] == ["1 + 1 = 2.", "2 + 1 = 3."]


def test_with_json_the_totals_of_a_file_are_told(
    gateway: LocalGateway, rows: Path, capfd: Any
) -> None:
    assert main(["map", "in.jsonl", "-o", "out.jsonl", "--json", *ASK]) == 0
    (total,) = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert (total["calls"], total["stopped"]) == (5, "completed")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in.jsonl", "--journal", "in.jsonl"], "--journal: expected another file than the rows"),
        (["in.jsonl", "--journal", "no/j"], "--journal: there is no folder no"),
        (["in.jsonl", "--journal", "."], "--journal: expected a file, got the folder ."),
        (["in.jsonl", "-o", "no/out.jsonl"], "--output: there is no folder no"),
        (["in.jsonl", "-o", "in.jsonl"], "--output: expected another file than the rows"),
        (["in.jsonl", "-o", "link"], "--output: link is a symbolic link, which would be replaced"),
        (["twice.csv"], "twice.csv: two columns have the name 'n'; rename one"),
        (["empty.jsonl"], "empty.jsonl has no rows"),
        (["empty.csv"], "empty.csv is empty: expected the names of the columns first"),
        (["."], "cannot read .: "),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="messages of POSIX")
def test_a_file_that_cannot_be_used_is_told_before_anything_is_sent(
    gateway: LocalGateway, rows: Path, capfd: Any, arguments: list[str], message: str
) -> None:
    Path("link").symlink_to("elsewhere")
    Path("twice.csv").write_text("n,n\n1,2\n", "utf-8")
    Path("empty.jsonl").write_bytes(b"")
    Path("empty.csv").write_bytes(b"")
    assert main(["map", *arguments, *ASK]) == 2
    error = capfd.readouterr().err
    assert error.startswith(f"meshapi: {message}")
    assert error.count("\n") == 1
    assert gateway.requests == []


@pytest.mark.skipif(find_spec("pyarrow") is not None, reason="pyarrow is installed")
def test_a_table_without_pyarrow_is_refused_before_anything_is_sent(
    gateway: LocalGateway, rows: Path, capfd: Any
) -> None:
    assert main(["map", "in.jsonl", "-o", "out.parquet", *ASK]) == 2
    assert capfd.readouterr().err.startswith("meshapi: --output: out.parquet needs pyarrow: pip")
    assert gateway.requests == []


def test_answers_may_have_a_schema(gateway: LocalGateway, rows: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"sum": {"type": "integer"}},
        "required": ["sum"],
        "additionalProperties": False,
    }
    Path("s.json").write_text(json.dumps(schema), "utf-8")
    assert main(["map", "in.jsonl", "-o", "out.jsonl", "--schema", "s.json", *ASK]) == 0
    assert all(type(json.loads(said(row))["sum"]) is int for row in lines("out.jsonl"))


@pytest.mark.parametrize("as_json", [False, True])
def test_a_dry_run_asks_nothing(
    gateway: LocalGateway, rows: Path, capfd: Any, as_json: bool
) -> None:
    more = ["--json"] if as_json else []
    assert main(["map", "in.jsonl", "-o", "out.jsonl", "--dry-run", *ASK, *more]) == 0
    out = capfd.readouterr().out
    assert calls(gateway) == 0
    assert not Path("out.jsonl").exists()
    assert json.loads(out)["calls"] == 5 if as_json else out.startswith("5 calls")


def test_failed_calls_are_told_and_made_again(
    gateway: LocalGateway, rows: Path, capfd: Any
) -> None:
    Path("in.jsonl").write_text('{"n": 1, "m": "auto"}\n{"n": 2, "m": "no/such"}\n', "utf-8")
    body = '{"messages": [{"role": "user", "content": "hi"}], "model": "%s"}'
    line = '{"custom_id": "%s", "url": "/v1/chat/completions", "body": %s}\n'
    text = line % ("a", body % "auto") + line % ("b", body % "no/such")
    Path("in.jsonl").write_text(text, "utf-8")
    for count in (2, 3):
        assert main(["map", "in.jsonl", "-o", "out.jsonl"]) == 1
        message = "1 of 2 calls failed: model_not_found 1; the same command makes them again"
        assert capfd.readouterr().err == f"meshapi: {message}\n"
        assert calls(gateway) == count
    assert lines("out.jsonl")[1]["error"]["code"] == "model_not_found"


@pytest.mark.parametrize(("most", "least"), [(0.00001, 1), (0.000001, 0)])
def test_no_call_begins_beyond_a_budget(
    most: float, least: int, gateway: LocalGateway, rows: Path, capfd: Any
) -> None:
    options = ["--max-cost", f"{most:f}", "--max-tokens", "10", "--concurrency", "5"]
    assert main(["map", "in.jsonl", "-o", "out.jsonl", *ASK, *options]) == 1
    made = calls(gateway)
    assert least <= made < 5
    assert sum(row["cost"] for row in lines("out.jsonl")) <= most
    expected = f"meshapi: stopped at --max-cost after {made} calls; the same command goes on from"
    assert capfd.readouterr().err == f"{expected} there (out.jsonl.journal)\n"
    assert main(["map", "in.jsonl", "-o", "out.jsonl", *ASK, "--max-tokens", "10"]) == 0
    assert calls(gateway) == 5


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_after_ctrl_c_the_same_command_goes_on(gateway: LocalGateway, rows: Path) -> None:
    command = ["map", "in.jsonl", "-o", "out.jsonl", "--concurrency", "1"]
    prompts = ["--prompt", "What is {n}+1?"]
    process = start(*command, *prompts, "--model", "mesh/slow", env=environment(gateway))
    with process:
        while not calls(gateway):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.startswith("meshapi: interrupted after ")
    assert "the same command goes on from there (out.jsonl.journal)" in errors
    assert not Path("out.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"n": 1}\n[1]\n', "in.jsonl:2: expected a JSON object in each line, got a list"),
        ('{"n": 1}\n{"n"\n', "in.jsonl:2: not JSON: "),
        ('{"n": 1}\n{"m": 1}\n', f"in.jsonl, row {2}: expected a field 'n', got only m"),
        ("", "in.jsonl has no rows"),
    ],
)
def test_a_wrong_row_is_found_before_anything_is_sent(
    gateway: LocalGateway, rows: Path, capfd: Any, text: str, message: str
) -> None:
    rows.write_text(text, "utf-8")
    assert main(["map", "in.jsonl", *ASK]) == 2
    assert capfd.readouterr().err.startswith(f"meshapi: {message}")
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["in.jsonl"], "expected the lines of a batch file"),
        (["in.jsonl", "--model", "m"], "--model: expected --prompt beside it"),
        (["no.jsonl", *ASK], "cannot read no.jsonl: No such file"),
        (["in.jsonl", "-o", "in.jsonl", *ASK], "--output: expected another file than the rows"),
        (["in.jsonl", "-o", "no/out.jsonl", *ASK], "--output: there is no folder"),
        (["in.jsonl", "-o", ".", *ASK], "--output: expected a file, got the folder"),
        (["in.jsonl", "--tpm", "none", *ASK], "--tpm: expected a whole number from 1 to"),
        (["in.jsonl", "--batch", "--rpm", "5", *ASK], "--batch: batch jobs have no --rpm"),
        (["in.jsonl", "--schema", "in.jsonl", *ASK], "in.jsonl is not JSON"),
        (["in.jsonl", "--prompt", "@no.txt"], "cannot read no.txt"),
    ],
)
def test_wrong_arguments_get_one_line(
    gateway: LocalGateway, rows: Path, capfd: Any, arguments: list[str], message: str
) -> None:
    assert main(["map", *arguments]) == 2
    error = capfd.readouterr().err
    assert error.startswith("meshapi: ")
    assert message in error
    assert error.count("\n") == 1
    assert gateway.requests == []


def test_a_table_with_a_short_line_is_refused(
    gateway: LocalGateway, rows: Path, capfd: Any
) -> None:
    Path("in.csv").write_text("n,m\n1,2\n3\n", "utf-8")
    assert main(["map", "in.csv", *ASK]) == 2
    expected = "meshapi: in.csv:3: expected 2 cells, as in the first line\n"
    assert capfd.readouterr().err == expected


@pytest.mark.slow
def test_batches_are_submitted_waited_for_and_read(
    gateway: LocalGateway, rows: Path, capfd: Any
) -> None:
    assert main(["batch", "submit", "in.jsonl", *ASK]) == 0
    name = capfd.readouterr().out.strip()
    assert main(["batch", "wait", name]) == 0
    assert capfd.readouterr().out == f"{name} completed 5/5\n"
    assert main(["batch", "results", name, "-o", "out.jsonl"]) == 0
    assert {row["id"]: said(row) for row in lines("out.jsonl")} == {
        f"row-{n}": f"{n} + 1 = {n + 1}." for n in range(5)
    }
    capfd.readouterr()
    assert main(["batch", "list", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["id"] == name
    assert main(["batch", "cancel", name]) == 1
    assert "can't be cancelled" in capfd.readouterr().err


def test_a_batch_that_goes_on_has_no_results_yet(
    gateway: LocalGateway, rows: Path, capfd: Any
) -> None:
    assert main(["batch", "submit", "in.jsonl", "-p", "{n}", "-m", "mesh/stall"]) == 0
    name = capfd.readouterr().out.strip()
    assert main(["batch", "results", name, "-o", "out.jsonl"]) == 1
    assert f"; `meshapi batch wait {name}` waits for them\n" in capfd.readouterr().err
    assert not Path("out.jsonl").exists()
    assert main(["batch", "wait", name, "--limit", "0.01"]) == 1
    assert capfd.readouterr().err == (
        f"meshapi: {name} did not end within --limit 0.01; it goes on at the gateway:"
        f" `meshapi batch wait {name}` waits again\n"
    )
    sent = len(gateway.requests)
    for place in (".", "no/out.jsonl"):
        assert main(["batch", "results", name, "-o", place]) == 2
    assert len(gateway.requests) == sent


def test_a_batch_has_one_model(gateway: LocalGateway, rows: Path, capfd: Any) -> None:
    body = '{"messages": [{"role": "user", "content": "hi"}], "model": "%s"}'
    line = '{"custom_id": "%s", "url": "/v1/chat/completions", "body": %s}\n'
    models = ["openai/gpt-4o-mini", "auto", "openai/gpt-4o-mini"]
    text = "".join(line % (number, body % model) for number, model in enumerate(models))
    Path("in.jsonl").write_text(text, "utf-8")
    assert main(["batch", "submit", "in.jsonl", "--json"]) == 0
    found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert len(found) == 2


def test_the_results_may_be_a_table(gateway: LocalGateway, rows: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert main(["map", "in.jsonl", "-o", "out.parquet", *ASK]) == 0
    assert parquet.read_table("out.parquet").num_rows == 5
    assert os.path.exists("out.parquet.journal")


def test_results_of_a_batch_that_there_is_not_leave_the_file(
    gateway: LocalGateway, rows: Path
) -> None:
    before = rows.read_text("utf-8")
    assert main(["batch", "results", "batch_none", "-o", "in.jsonl"]) == 1
    assert rows.read_text("utf-8") == before


@pytest.mark.parametrize("more", [[], ["--batch"]])
def test_an_answer_that_does_not_match_the_schema_is_a_failed_call(
    more: list[str], gateway: LocalGateway, rows: Path, capfd: Any
) -> None:
    Path("s.json").write_text('{"required": ["sum"]}', "utf-8")
    command = ["map", "in.jsonl", "-o", "out.jsonl", "--prompt", "{n}", "--schema", "s.json", *more]
    assert main([*command, "--model", "mesh/wrong-json"]) == 1
    assert "5 of 5 calls failed: output_invalid 5; " in capfd.readouterr().err
    assert {row["error"]["code"] for row in lines("out.jsonl")} == {"output_invalid"}


def test_answers_that_are_not_whole_are_an_error(
    gateway: LocalGateway, rows: Path, capfd: Any
) -> None:
    assert main(["map", "in.jsonl", "-o", "out.jsonl", *ASK[:2], "--model", "mesh/length"]) == 1
    assert capfd.readouterr().err == (
        "meshapi: 5 of 5 answers are not whole: truncated 5; finish_reason in the results says"
        " which\n"
    )
    assert {row["finish_reason"] for row in lines("out.jsonl")} == {"length"}


def test_results_of_a_batch_that_are_not_whole_are_an_error(
    gateway: LocalGateway, rows: Path, capfd: Any
) -> None:
    asked = [*ASK[:2], "--model", "mesh/length"]
    assert main(["batch", "submit", "in.jsonl", *asked]) == 0
    name = capfd.readouterr().out.strip()
    assert main(["batch", "wait", name]) == 0
    assert main(["batch", "results", name, "-o", "out.jsonl"]) == 1
    assert "5 of 5 answers are not whole: truncated 5; " in capfd.readouterr().err


def test_a_dash_is_standard_output(gateway: LocalGateway, rows: Path, capfd: Any) -> None:
    assert main(["map", "in.jsonl", "-o", "-", *ASK]) == 0
    assert capfd.readouterr().out.count("\n") == 5
    assert os.listdir() == ["in.jsonl"]


@pytest.mark.parametrize("command", [["map", "in.jsonl", *ASK], ["batch", "results", "one"]])
def test_a_file_is_what_its_ending_says(
    command: list[str], gateway: LocalGateway, rows: Path, capfd: Any
) -> None:
    assert main([*command, "-o", "out.csv"]) == 2
    expected = "meshapi: --output: expected a name that ends with .jsonl or .ndjson"
    assert capfd.readouterr().err.startswith(expected)
    assert gateway.requests == []
