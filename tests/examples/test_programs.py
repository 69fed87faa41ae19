"""The programs of `examples/` do what they say, run as a user runs them, on the local gateway."""

import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from house.fresh import ROOT, SRC

from meshapi.testing import LocalGateway
from support.commands import complaints
from support.watched_port import WatchedPort
from support.wav_files import wav_file

pytestmark = pytest.mark.slow

FOLDER = ROOT / "examples"
PROGRAMS = sorted(FOLDER.glob("*.py"))
README = (FOLDER / "README.md").read_text("utf-8")

MOST_LINES = 75
"""Of code and docstrings; a program to copy is read first."""


class Run(NamedTuple):
    """One run of a program: its arguments, its input, and what it prints, line by line.

    An outcome is a pattern. A program that fails says why in the last line on stderr.
    """

    program: str
    arguments: "tuple[str, ...]" = ()
    typed: str = ""
    printed: "tuple[str, ...]" = ()
    failure: str = ""

    def __str__(self) -> str:
        return " ".join((self.program, *self.arguments))


CAPITALS = (
    r"France: The capital of France is Paris\.",
    r"Japan: The capital of Japan is Tokyo\.",
    r"Kenya: The capital of Kenya is Nairobi\.",
    r"Brazil: The capital of Brazil is Brasília\.",
    r"Egypt: The capital of Egypt is Cairo\.",
    r"Spain: The capital of Spain is Madrid\.",
    r"Canada: The capital of Canada is Ottawa\.",
    r"India: The capital of India is New Delhi\.",
)
MODELS = (
    *(r"anthropic/claude-\S+",) * 3,
    r"10 of \d+ models are on the first page",
    *(rf"page {number} begins with \S+/\S+" for number in (1, 2, 3, 4)),
)
FOX = "The quick brown fox jumps over the lazy dog."
SPOKEN = r"The tool answered: 18 degrees and sunny in audio \(1\.0 seconds\)"

RUNS = (
    Run(
        "repl.py",
        typed="Hello!\nWhat is 2+2?\n",
        printed=(r"> Hello! How can I help you today\?", r"> 2 \+ 2 = 4\.", "> "),
    ),
    Run(
        "conversation.py",
        ("history.json",),
        printed=(r".*18 degrees and sunny in Paris", r"5 and \d+ messages", r"Berlin: 7"),
    ),
    Run(
        "conversation_async.py",
        printed=(
            r"\[get_weather: 18 degrees and sunny in Tokyo\]",
            r".*18 degrees and sunny in Tokyo",
            r".*order_umbrella: approved",
        ),
    ),
    Run(
        "conversation_trio.py",
        printed=(
            r"\[get_weather: 18 degrees and sunny in Tokyo\]",
            r".*18 degrees and sunny in Tokyo",
            r".*order_umbrella: approved",
        ),
    ),
    Run(
        "stream_events.py",
        ("What is the weather in Paris?",),
        printed=(r"get_weather in Paris", r"\d+ tokens", r"1 tool call\(s\), tool_calls"),
    ),
    Run(
        "stream_text_async.py",
        ("Count to 5.", "What is 2+2?"),
        printed=(r"1 2 3 4 5", r"\(9 characters\)", r"2 \+ 2 = 4\. \(stop\)"),
    ),
    Run(
        "tool_loop.py",
        ("What is the weather in Paris?",),
        printed=(
            r'\[get_weather\(\{"city":"Paris"\}\) -> 18 degrees and sunny in Paris\]',
            r".*18 degrees and sunny in Paris",
        ),
    ),
    Run(
        "tool_loop.py",
        ("Compare get_weather and get_time in Tokyo.",),
        printed=(
            r'\[get_weather\(\{"city":"Tokyo"\}\) -> 18 degrees and sunny in Tokyo\]',
            r'\[get_time\(\{"city":"Tokyo"\}\) -> half past nine in Tokyo\]',
            r".*18 degrees and sunny in Tokyo.*half past nine in Tokyo",
        ),
    ),
    Run(
        "tool_loop_async.py",
        ("Compare get_weather and get_time in Tokyo.",),
        printed=(
            r'\[get_weather\(\{"city":"Tokyo"\}\) -> 18 degrees and sunny in Tokyo\]',
            r'\[get_time\(\{"city":"Tokyo"\}\) -> half past nine in Tokyo\]',
            r".*18 degrees and sunny in Tokyo.*half past nine in Tokyo",
        ),
    ),
    Run(
        "tool_approval.py",
        ("ask", "Please refund order 17.", "run.json"),
        printed=(r'waits for approval: refund\(\{"order":17\}\)',),
    ),
    Run(
        "structured_output.py",
        ("Please send 12 boxes to Anna.",),
        printed=(r"12 boxes for Anna, express",),
    ),
    Run(
        "structured_output_stream.py",
        ("This week, Anna wrote 3 letters.",),
        printed=(r'\{"value":\[\{"name":"Anna","letters":3\}\]\}', r"Anna: 3"),
    ),
    Run("speech.py", ("Good morning!", "morning.wav"), printed=(r"morning\.wav: \d{4,} bytes",)),
    Run(
        "images.py",
        ("a fox in the snow", "fox.png"),
        printed=(r"fox\.png: \d{3,} bytes, image/png",),
    ),
    Run("downloads_async.py", ("asyncio", "a fox in the snow"), printed=(r"1\.png: \d{3,} bytes",)),
    Run("downloads_async.py", ("trio", "a fox in the snow"), printed=(r"1\.png: \d{3,} bytes",)),
    Run(
        "realtime_voice.py",
        ("question.wav", "answer.wav"),
        printed=(r".*1\.00 seconds of audio.*", r"answer\.wav: 1\.0 seconds"),
    ),
    Run("realtime_voice.py", ("wide.wav", "no.wav"), failure=r"wide\.wav: expected one channel"),
    Run(
        "realtime_tools.py",
        typed="Compare get_weather and get_time in Tokyo.\nAnd get_weather in Rome?\n",
        printed=(
            r'> \[get_weather\(\{"city":"Tokyo"\}\)\]',
            r'\[get_time\(\{"city":"Tokyo"\}\)\]',
            r".*18 degrees and sunny in Tokyo.*half past nine in Tokyo",
            r'> \[get_weather\(\{"city":"Rome"\}\)\]',
            r".*18 degrees and sunny in Rome",
            "> ",
        ),
    ),
    Run("realtime_asyncio.py", ("question.wav",), printed=(SPOKEN,)),
    Run("realtime_trio.py", ("question.wav",), printed=(SPOKEN,)),
    Run(
        "many_calls.py",
        ("rows.jsonl", "results.jsonl"),
        printed=(
            r"2 calls, about \d+ model tokens of input and 100 of output: .* US dollars",
            "2 results, 0 failed, 0 were recorded",
        ),
    ),
    Run("many_calls_async.py", ("asyncio",), printed=CAPITALS),
    Run("many_calls_async.py", ("trio",), printed=CAPITALS),
    Run(
        "batch.py",
        ("0.01",),
        printed=(
            r"batch_\w+: in_progress",
            r"batch_\w+: completed",
            r"sum: 2 \+ 2 = 4\.",
            r"capital: The capital of France is Paris\.",
            r"haiku: Whitespace draws the path,",
            r"small loops hum until they rest:",
            r"one clear line returns\.",
        ),
    ),
    Run(
        "batch_async.py",
        ("0.01",),
        printed=(
            r"call-0 2 \+ 2 = 4\.",
            r"call-1 2 \+ 2 = 4\.",
            "anthropic/claude-sonnet-4 completed",
            "openai/gpt-4o-mini completed",
        ),
    ),
    Run(
        "video.py",
        ("a fox in the snow", "fox.mp4", "0.01"),
        printed=(
            r"vid_\w+: created",
            r"vid_\w+: queued",
            r"vid_\w+: running",
            r"vid_\w+: succeeded",
            r"fox\.mp4: \d{4,} bytes",
        ),
    ),
    Run("lists.py", ("claude",), printed=MODELS),
    Run("lists_async.py", ("asyncio", "claude"), printed=MODELS),
    Run("lists_async.py", ("trio", "claude"), printed=MODELS),
    Run(
        "rag.py",
        ("notes.txt", "Which fox jumps?"),
        printed=(rf"0\.67 notes\.txt: {re.escape(FOX)}", r".*Which fox jumps.*"),
    ),
    Run(
        "rag.py",
        ("empty.txt", "Which fox jumps?"),
        failure=r"empty\.txt cannot be searched: empty_file",
    ),
    Run("asyncio_fan_out.py", printed=CAPITALS),
    Run("trio_fan_out.py", printed=CAPITALS),
    Run(
        "cost.py",
        printed=(
            *(r"The capital of (France|Japan|Kenya|Brazil) is \w+\.",) * 8,
            r"model +requests +input.* US dollars",
            *(r"(openai|anthropic)/\S+ +4 .* 0\.\d+",) * 2,
            r"total +8 .* 0\.\d+",
        ),
    ),
    Run(
        "cost.py",
        ("0",),
        printed=(*("not asked: cost_usd is used up",) * 8, "model.*", r"total +0 .* 0"),
    ),
    Run(
        "cost_async.py",
        printed=(
            *(r"The capital of \w+ is \w+\.",) * 4,
            r"model +requests +input.* US dollars",
            r"openai/gpt-4o-mini +4 .* 0\.\d+",
        ),
    ),
    Run("errors.py", ("whole", "mesh/flaky"), printed=("1 2 3 4 5 6",)),
    Run("errors.py", ("stream", "openai/gpt-4o-mini"), printed=("1 2 3 4 5 6",)),
    Run(
        "errors.py",
        ("whole", "mesh/rate-limited"),
        failure=r"Too many requests\. Come back in 1\.0 seconds\.",
    ),
    Run("errors.py", ("whole", "no-such/model"), failure="There is no such model: .*no-such/model"),
    Run("errors.py", ("whole", "mesh/broken-stream"), failure="No usable response: .*"),
    Run(
        "errors.py",
        ("stream", "mesh/broken-stream"),
        printed=("1 2 3", "This much came: 1 2 3"),
        failure="The stream broke off: .*",
    ),
    Run(
        "errors.py",
        ("stream", "mesh/error-in-stream"),
        printed=("1 2 3",),
        failure=r"The gateway failed with gateway_timeout \(req_\w+\): .*",
    ),
    Run(
        "extra_fields.py",
        printed=(r"2 \+ 2 = 4\.", r"fields of the response: choices, cost, created, .*usage"),
    ),
)


@pytest.fixture(scope="module")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(words_per_second=0) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with the files that programs need."""
    (tmp_path / "notes.txt").write_text(FOX, "utf-8")
    (tmp_path / "empty.txt").touch()
    rows = [{"id": "fr", "country": "France"}, {"id": "jp", "country": "Japan"}]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    wav_file(tmp_path / "question.wav", seconds=1.0)
    wav_file(tmp_path / "wide.wav", channels=2)
    return tmp_path


def environment(gateway: LocalGateway, url: str = "") -> "dict[str, str]":
    return {
        **os.environ,
        "MESHAPI_BASE_URL": url or gateway.url,
        "MESHAPI_TOKEN": gateway.token,
        "PYTHONPATH": str(SRC),
        "PYTHONIOENCODING": "utf-8",
    }


def command(program: str, *arguments: str) -> "list[str]":
    # A connection that is left open is a ResourceWarning.
    return [sys.executable, "-X", "dev", "-W", "error", str(FOLDER / program), *arguments]


@pytest.mark.parametrize("run", RUNS, ids=str)
def test_a_program_prints_what_it_should(run: Run, gateway: LocalGateway, folder: Path) -> None:
    done = subprocess.run(
        command(run.program, *run.arguments),
        input=run.typed,
        capture_output=True,
        encoding="utf-8",
        env=environment(gateway),
        cwd=folder,
        timeout=60,
        check=False,
    )
    lines, errors = done.stdout.splitlines(), complaints(done.stderr)
    assert len(errors) == bool(run.failure), done.stderr
    assert len(lines) == len(run.printed), done.stdout
    for pattern, line in zip(run.printed, lines):
        assert re.fullmatch(pattern, line), done.stdout
    if run.failure:
        assert re.match(run.failure, errors[0]), done.stderr
    assert done.returncode == bool(run.failure)


def test_many_calls_go_on_where_they_were(gateway: LocalGateway, folder: Path) -> None:
    for recorded in (0, 2):
        done = subprocess.run(
            command("many_calls.py", "rows.jsonl", "results.jsonl"),
            capture_output=True,
            encoding="utf-8",
            env=environment(gateway),
            cwd=folder,
            timeout=60,
            check=True,
        )
        last = done.stdout.splitlines()[-1]
        assert last == f"2 results, 0 failed, {recorded} were recorded"
    results = map(json.loads, (folder / "results.jsonl").read_text("utf-8").splitlines())
    assert sorted(row["id"] for row in results) == ["fr", "jp"]


def test_every_program_is_run() -> None:
    by_themselves = {"fastapi_relay.py", "test_with_local_gateway.py"}
    assert {run.program for run in RUNS} | by_themselves == {path.name for path in PROGRAMS}


def test_speech_and_spoken_answers_are_audio_files(gateway: LocalGateway, folder: Path) -> None:
    for arguments in (
        ("speech.py", "Good morning!", "morning.wav"),
        ("realtime_voice.py", "question.wav", "answer.wav"),
    ):
        subprocess.run(
            command(*arguments), env=environment(gateway), cwd=folder, timeout=60, check=True
        )
        with wave.open(str(folder / arguments[-1]), "rb") as file:
            assert file.getnframes() > 0


def test_a_stored_tool_run_goes_on(gateway: LocalGateway, folder: Path) -> None:
    for arguments, printed in (
        (("ask", "Please refund order 17."), "waits for approval"),
        (("answer", "approved"), "The tool answered: approved"),
    ):
        done = subprocess.run(
            command("tool_approval.py", *arguments, "run.json"),
            capture_output=True,
            encoding="utf-8",
            env=environment(gateway),
            cwd=folder,
            timeout=60,
            check=True,
        )
        assert printed in done.stdout
    assert gateway.token not in (folder / "run.json").read_text("utf-8")


def test_what_the_client_does_not_know_is_sent(gateway: LocalGateway, folder: Path) -> None:
    gateway.reset()
    subprocess.run(command("extra_fields.py"), env=environment(gateway), timeout=60, check=True)
    [request] = gateway.requests
    assert request.json()["thinking_budget"] == 1024
    assert request.headers["x-mesh-version"] == "2026-09"


@pytest.mark.parametrize("program", ["asyncio_fan_out.py", "trio_fan_out.py"])
def test_no_more_calls_are_made_at_once_than_it_says(program: str, gateway: LocalGateway) -> None:
    with WatchedPort(gateway.url) as port:
        subprocess.run(command(program), env=environment(gateway, port.url), timeout=60, check=True)
        # A connection has one call at a time, and there are only as many as were needed at once.
        assert 0 < len(port.connections) <= 3


def asked(gateway: LocalGateway) -> "list[str]":
    """What the last request asked, without the instructions."""
    return [message["content"] for message in gateway.requests[-1].json()["messages"][1:]]


def test_a_conversation_goes_on_after_an_error(gateway: LocalGateway, folder: Path) -> None:
    gateway.reset()
    done = subprocess.run(
        command("repl.py", "no-such/model"),
        input="Hello!\nHello again!\n",
        capture_output=True,
        text=True,
        env=environment(gateway),
        timeout=60,
        check=True,
    )
    assert done.stderr.count("no-such/model") == 2
    assert asked(gateway) == ["Hello again!"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
def test_ctrl_c_ends_what_the_model_says_and_not_the_conversation() -> None:
    with LocalGateway(words_per_second=50) as gateway:
        repl = subprocess.Popen(
            command("repl.py"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(gateway),
            # A shell that runs the tests in the background has them, and their children, ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        with repl:
            assert repl.stdin is not None
            assert repl.stdout is not None
            repl.stdin.write(b"Count to 1000.\n")
            repl.stdin.flush()
            while b" 3" not in repl.stdout.read1():
                pass
            repl.send_signal(signal.SIGINT)
            rest, _ = repl.communicate(b"Hello!\n", 60)
            assert rest.endswith(b"> Hello! How can I help you today?\n> ")
            assert repl.returncode == 0
        first, said, second = asked(gateway)
        assert (first, second) == ("Count to 1000.", "Hello!")
        assert said.startswith("1 2 3")
        assert "1000" not in said


def test_the_tests_of_a_program_of_ones_own_pass(tmp_path: Path) -> None:
    name = "test_with_local_gateway.py"
    (tmp_path / name).write_text((FOLDER / name).read_text("utf-8"), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:anyio", "-W", "error", name],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SRC)},
        cwd=tmp_path,
        timeout=60,
        check=False,
    )
    assert re.search(r"\b3 passed", done.stdout), done.stdout


@contextmanager
def relay(url: str, gateway: LocalGateway) -> "Iterator[str]":
    """`fastapi_relay.py`, served as its docstring says."""
    if importlib.util.find_spec("fastapi") is None:
        pytest.skip("fastapi is not installed here: pip install '.[hosts]'")
    server = socket.create_server(("127.0.0.1", 0))
    served = [sys.executable, "-m", "uvicorn", "--app-dir", str(FOLDER), "fastapi_relay:app"]
    process = subprocess.Popen(
        [*served, "--fd", str(server.fileno()), "--log-level", "warning"],
        env=environment(gateway, url),
        pass_fds=[server.fileno()],
    )
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        process.terminate()
        process.wait(60)
        server.close()


def post(url: str, **content: Any) -> Any:
    data = json.dumps(content).encode()
    request = Request(f"{url}/chat", data, {"content-type": "application/json"})
    return urlopen(request, timeout=60)


def events(body: str) -> "list[str]":
    return body.removesuffix("\n\n").split("\n\n")


def test_a_relay_streams_to_its_browsers(gateway: LocalGateway) -> None:
    with relay(gateway.url, gateway) as url:
        with urlopen(url, timeout=60) as page:
            assert b"<form>" in page.read()
        with post(url, text="Count to 5.") as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            *chunks, last = events(response.read().decode())
    deltas = [json.loads(chunk[len("data: ") :])["choices"] for chunk in chunks]
    text = "".join(choices[0]["delta"].get("content") or "" for choices in deltas if choices)
    assert (text, last) == ("1 2 3 4 5", "data: [DONE]")


def test_a_relay_passes_errors_on(gateway: LocalGateway) -> None:
    with relay(gateway.url, gateway) as url:
        with pytest.raises(HTTPError) as caught:
            post(url, text="Hello!", model="no-such/model")
        with caught.value as refused:
            assert refused.code == 404
            assert json.load(refused)["error"]["code"] == "model_not_found"
        with post(url, text="Count to 6.", model="mesh/broken-stream") as response:
            kind, data = events(response.read().decode())[-1].split("\n")
    assert kind == "event: error"
    assert json.loads(data[len("data: ") :])["error"]["code"] == "stream_interrupted"


def test_a_browser_that_leaves_a_relay_ends_the_call() -> None:
    with (
        LocalGateway(words_per_second=50) as gateway,
        WatchedPort(gateway.url) as port,
        relay(port.url, gateway) as url,
    ):
        with post(url, text="Count to 10000.") as response:
            assert response.readline().startswith(b"data: ")
            [upstream] = port.connections
            assert not upstream.is_left
        end = time.monotonic() + 60
        while not upstream.is_left and time.monotonic() < end:
            time.sleep(0.02)
        assert upstream.is_left
        assert b"[DONE]" not in upstream.answered


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_a_program_is_short_and_says_how_to_run_it(path: Path) -> None:
    text = path.read_text("utf-8")
    says = text.split('"""')[1]
    assert re.search(rf"^    \w+ {path.stem}", says, re.MULTILINE)
    program = text.partition('\nPAGE = """')[0]
    assert len([line for line in program.splitlines() if line.strip()]) <= MOST_LINES


def test_the_readme_of_the_examples_lists_them_all() -> None:
    linked = set(re.findall(r"\]\((\w[\w/.]*\.\w+)\)", README))
    there = {
        path.relative_to(FOLDER).as_posix()
        for suffix in ("py", "mjs")
        for path in FOLDER.rglob(f"*.{suffix}")
    }
    assert linked == there
