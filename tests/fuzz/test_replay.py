"""The fuzz targets without a fuzzer: their corpus is replayed, and they must find known bugs."""

import inspect
import random
import sys
import types

import pytest
import run
from mutants import mutated

from meshapi_core import sse
from meshapi_core.machines import (
    client_attempts,
    client_call,
    common_steps,
    lifecycle,
    pipe_attempts,
)
from meshapi_core.websocket import frames
from meshapi_core.websocket.connection import WebSocketConnection
from meshapi_core.websocket.handshake import Handshake

SEEDS = [(name, path) for name in run.target_names() for path in run.seed_paths(name)]


def first_by_default(bugs):
    """The first of the bugs; the others, which are alike, are exhaustive."""
    first, *others = bugs
    return [first, *(pytest.param(bug, marks=pytest.mark.exhaustive) for bug in others)]


@pytest.mark.parametrize(("name", "path"), SEEDS, ids=[f"{n}/{p.name}" for n, p in SEEDS])
def test_no_seed_breaks_its_target(name, path):
    target = run.load(name)
    try:
        target.one(path.read_bytes())
    except target.accepted:
        pass


@pytest.mark.parametrize("name", run.target_names())
def test_every_target_has_a_corpus_of_small_files(name):
    sizes = [path.stat().st_size for path in run.seed_paths(name)]
    assert sizes
    assert len(sizes) <= 200
    assert max(sizes) <= run.MAX_INPUT_SIZE


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", run.target_names())
def test_no_mutated_seed_breaks_its_target(name):
    seeds = [path.read_bytes() for path in run.seed_paths(name)]
    summary = run.run_random(run.load(name), seeds, seed=1, executions=1000)
    assert summary.executions == 1000
    assert summary.findings == []


# The decoder with one bug each, by what the bug does. Those of the official SDK are among them.
SSE_BUGS = {
    "a CR does not end a line": ("data.splitlines()", r'data.replace(b"\r", b"").splitlines()'),
    "the LF of a cut CRLF is a blank line": ('if data.startswith(b"\\n")', "if False"),
    "an LF is swallowed wherever a piece starts": ("if self._after_cr:", "if True:"),
    "a CR at the end of a piece waits for more": ('if data.endswith(b"\\r")', "if False"),
    "lines are split as str is": (
        "data.splitlines()",
        '[x.encode("latin-1") for x in data.decode("latin-1").splitlines()]',
    ),
    "pieces are decoded one by one": (
        "self._received.append(data)",
        'self._received.append(data.decode("utf-8", "replace").encode())',
    ),
    "a byte order mark is not removed": ("rest.startswith(_BOM)", "False"),
    "a byte order mark is removed from other lines": ("self.at_start = False", "pass"),
    "a byte order mark counts once its line is whole only": (
        "self._size += self.lines.cut(data)",
        "self.lines.cut(data)",
    ),
    "the space after the colon is needed": (
        'value.startswith(b" "):',
        'not value.startswith(b" "):\n            return\n        else:',
    ),
    "all spaces after the colon are removed": ("value = value[1:]", "value = value.lstrip()"),
    "a field needs a colon": (
        "if value.startswith",
        "if not _:\n            return\n        if value.startswith",
    ),
    "an id with NUL is taken": (r'if b"\0" not in value', "if True"),
    "an id without an event is forgotten": (
        "if not self._data:\n            if",
        "if not self._data:\n            self._id = b''\n            if",
    ),
    "an id is in force before its blank line": (
        "self._id = value",
        "self._id = self.last_event_id = value",
    ),
    "an id is not taken from an event of one line": (
        "self.last_event_id = self._id\n                return event",
        "return event",
    ),
    "a retry may have white space": ("value.isdigit()", "value.strip().isdigit()"),
    "a retry may have any length": ("_MAX_RETRY_DIGITS: Final = 18", "_MAX_RETRY_DIGITS = 99"),
    "a type outlives its event": (
        'self._event_type, b""\n        self._size = len(self.bare_lines',
        "self._event_type, self._event_type\n        self._size = len(self.bare_lines",
    ),
    "a type outlives its event of one line": (
        'self._event_type = b""\n                self._size',
        "self._size",
    ),
    "an event with empty data is not dispatched": (
        "if not self._data:",
        r'if self._data in (b"", b"\n"):',
    ),
    "data lines are joined without LF": (
        'name == b"data":\n            self._data += value\n            self._data += b"\\n"',
        'name == b"data":\n            self._data += value\n            self._data += b" "',
    ),
    "the second of two data lines is the event": ("and not self._data\n", "\n"),
    "an event of the limit's size is too large": ("if size >", "if size >="),
    "each line has the limit of its own": ("self._size = size", "pass"),
    "all events together have one limit": (
        "self._size = 0\n                self.last_event_id",
        "self.last_event_id",
    ),
    "an unfinished line has no limit": ("if cutter.unfinished and self._size +", "if False and"),
    "after an error the next event is returned": ("self._failed = self._closed = True", "pass"),
    "an unfinished line is not flushed": (
        "if line and self._read_field(line):",
        "if False:",
    ),
    "an unfinished event is not marked": ("self.unfinished = True", "pass"),
    "a plain event is read before the pending one is over": (
        "return not (self._size or self.lines.unfinished)",
        "return not self.lines.unfinished",
    ),
    "a plain event is read in the middle of a line": (
        "return not (self._size or self.lines.unfinished)",
        "return not self._size",
    ),
    "a plain event is read before an id is in force": (
        " and self._id == self.last_event_id\n",
        "\n",
    ),
    "a plain event overtakes those before it": ("and not self.plain and", "and"),
    "the events of a piece come in reverse": ("    values.reverse()\n", ""),
    "a plain event has two lines": ("_LF in value or (has_cr", "(has_cr"),
    "a CR in a plain event ends no line": (" or (has_cr and _CR in value)]", "]"),
    "a CR in a single event ends no line": (
        "        and _CR not in value\n",
        "",
    ),
    "plain events have no limit": ("max(map(len, values)) + len(_START) > max_event_size", "False"),
    "a single event has no limit": ("        and len(piece) - 2 <= max_event_size\n", ""),
    "what follows plain events is lost": (
        "        if rest:\n            self._unread.append(rest)\n",
        "",
    ),
    "what follows plain events is read twice": (
        "                data = rest\n",
        "",
    ),
}


SSE_STAGES = (sse.decoder, sse.events, sse.lines, sse.plain, sse.bare_lines)


@pytest.mark.parametrize("bug", first_by_default(SSE_BUGS))
def test_a_bug_in_the_decoder_is_found(bug, monkeypatch):
    original, wrong = SSE_BUGS[bug]
    (stage,) = [each for each in SSE_STAGES if original in inspect.getsource(each)]
    mutant = types.ModuleType("mutant_stage")
    exec(mutated(inspect.getsource(stage), original, wrong), mutant.__dict__)
    for name in stage.__all__:
        # Where it is used, too, as others import it by its name.
        for module in (sse, *SSE_STAGES):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, getattr(mutant, name))
    assert _is_found(run.load("sse"))


# The WebSocket with one bug each; all of them are found by the corpus.
WEBSOCKET_BUGS = {
    "a ping gets a pong after our Close": (
        frames.FrameReader,
        "Opcode.PING and not self._ignores_messages:",
        "Opcode.PING:",
    ),
    "a message is given out after our Close": (
        frames.FrameReader,
        "not self._ignores_messages or isinstance(message, Closed)",
        "True",
    ),
    "a Close gets no response": (
        frames.FrameWriter,
        "self._waiting = pongs + self.close(None if end.code == NO_CODE else end.code)",
        "pass",
    ),
    "the peer is not told its fault": (
        frames.FrameWriter,
        "self._waiting = self.close(end.code, end.reason)",
        "pass",
    ),
    "the reason of a fault depends on the cut": (
        frames._fault,
        'Fault(1007, "text that is not UTF-8", "bad_text")',
        'Fault(1007, str(failed), "bad_text")',
    ),
    "a message that is too large is noticed when it is there": (
        frames.FrameReader,
        "size += header.payload_len - self._decoder.payload_consumed",
        "pass",
    ),
    "pieces are given out again": (
        frames.FrameReader,
        "bytes(self._binary), bytearray()",
        "bytes(self._binary), self._binary",
    ),
    "what came behind the 101 is lost": (
        Handshake,
        "Upgraded(chosen, event.headers, self._http.trailing_data)",
        "Upgraded(chosen, event.headers)",
    ),
    "a refusal that breaks off is a lost connection": (
        Handshake,
        "if self._refusal is None:",
        "if True:",
    ),
    "a failed upgrade fails once": (
        WebSocketConnection,
        "self._error = conceal(error, self._secrets)",
        "pass",
    ),
    "what was received is kept after the end": (
        WebSocketConnection,
        "self.reader.drop()",
        "pass",
    ),
}


@pytest.mark.parametrize("bug", first_by_default(WEBSOCKET_BUGS))
def test_a_bug_in_the_websocket_is_found(bug, monkeypatch):
    part, original, wrong = WEBSOCKET_BUGS[bug]
    module = sys.modules[part.__module__]
    namespace = dict(vars(module))
    exec(mutated(inspect.getsource(part), original, wrong), namespace)
    if inspect.isclass(part):
        for name, value in vars(namespace[part.__name__]).items():
            if inspect.isfunction(value):
                monkeypatch.setattr(part, name, value)
    else:
        monkeypatch.setattr(module, part.__name__, namespace[part.__name__])
    target = run.load("realtime")
    assert any(target.check(path.read_bytes()) for path in run.seed_paths("realtime"))


# The call machines with one bug each; all of them are found by the corpus.
CALL_BUGS = {
    "what was closed is read to its end": (
        common_steps,
        "is_read = response.ended or life.state is _ITEMS",
        "is_read = response.ended",
    ),
    "an error is raised before the connection was given up": (
        lifecycle,
        "        self.give_up()\n        if isinstance(exc, MeshAPIError):",
        "        if isinstance(exc, MeshAPIError):",
    ),
    "a failed response keeps its connection": (
        pipe_attempts,
        """        hint_at_tls(failure.error)
    life.fail_attempt(failure, now)""",
        """        hint_at_tls(failure.error)
    life.exchange.receive(failure, now)
    life.state = CallState.READY""",
    ),
    "a connection is given back twice": (
        lifecycle,
        "self.attempt.give_back() or self.parting\n        self.attempt = self.rules.begin()",
        "self.attempt.give_back() or self.parting",
    ),
    "opening files costs no time": (
        pipe_attempts,
        "if send.deadline is not None and now >= send.deadline:",
        "if False:",
    ),
    "what a file raises leaves a connection": (
        pipe_attempts,
        "if not isinstance(exc, Exception):",
        "if not isinstance(exc, APIConnectionError):",
    ),
    "a request that failed is given up": (
        client_attempts,
        "self.under_way = self.answered and self.under_way",
        "pass",
    ),
    "a request on its way is left": (
        client_attempts,
        "attempt.under_way = True",
        "pass",
    ),
    "a response that has ended is given up": (
        client_attempts,
        " or (self.answered and self.ended)",
        "",
    ),
    "an odd response is left": (
        client_call,
        "        attempt.answered = True\n",
        "        attempt.answered = attempt.under_way = status != 407\n",
    ),
}


def functions_of(module):
    """The functions and methods of a module, by their names."""
    owners = [module, *(kind for kind in vars(module).values() if inspect.isclass(kind))]
    return {
        value.__qualname__: value
        for owner in owners
        for value in vars(owner).values()
        if inspect.isfunction(value)
    }


@pytest.mark.parametrize("bug", first_by_default(CALL_BUGS))
def test_a_bug_in_the_machines_is_found(bug, monkeypatch):
    module, original, wrong = CALL_BUGS[bug]
    mutant = types.ModuleType(module.__name__)
    exec(mutated(inspect.getsource(module), original, wrong), mutant.__dict__)
    # In place: the tables of the machines hold the functions themselves.
    functions = functions_of(module)
    for name, function in functions_of(mutant).items():
        if function.__module__ == module.__name__:
            monkeypatch.setattr(functions[name], "__code__", function.__code__)
    target = run.load("calls")
    assert any(target.check(path.read_bytes()) for path in run.seed_paths("calls"))


def _is_found(target):
    seeds = [path.read_bytes() for path in run.seed_paths(target.name)]
    if any(target.check(seed) for seed in seeds):
        return True
    return bool(run.run_random(target, seeds, seed=1, executions=5000).findings)


def test_a_finding_is_reduced_to_what_it_needs():
    def one(data):
        assert b"ab" not in data

    target = run.Target("none", one, (), (b"ab",))
    summary = run.run_random(target, [b"seed"], seed=1, executions=1000)
    assert [finding.data for finding in summary.findings] == [b"ab"]
    assert summary.findings[0].kind == "AssertionError"
    assert "assert b" in summary.findings[0].report


def test_accepted_errors_are_not_findings():
    def one(data):
        raise ValueError(data)

    assert run.Target("none", one, (ValueError,), ()).check(b"") is None
    assert isinstance(run.Target("none", one, (KeyError,), ()).check(b""), ValueError)


def test_the_same_seed_gives_the_same_inputs():
    def inputs(seed):
        generator = random.Random(seed)
        return [run.mutate(generator, [b"one", b"two"], [b"word"]) for _ in range(50)]

    assert inputs(1) == inputs(1)
    assert inputs(1) != inputs(2)
