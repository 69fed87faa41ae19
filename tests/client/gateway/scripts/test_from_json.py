"""Scripts as JSON."""

import re
from pathlib import Path
from typing import Any

import pytest

from meshapi.gateway.scripts.conditions import Conditions, RequestView
from meshapi.gateway.scripts.engine import Scripts
from meshapi.gateway.scripts.from_json import WrongScripts, add_scripts, load_scripts
from meshapi.gateway.scripts.replies import (
    broken_stream,
    cut,
    error,
    error_in_stream,
    reply,
    slow,
    stall,
    tool_call,
)
from meshapi.gateway.scripts.values import Body


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Hi", reply("Hi")),
        ({"reply": {}}, reply()),
        ({"reply": {"json": {"a": 1}, "delay": 1}}, reply(json={"a": 1}, delay=1)),
        (
            {"reply": {"tool_calls": [{"name": "f", "arguments": {"a": 1}, "call_id": "c"}]}},
            reply(tool_calls=[tool_call("f", {"a": 1}, call_id="c")]),
        ),
        ({"error": {"status": 429, "retry_after": 2}}, error(429, retry_after=2)),
        ({"body": {"data": []}}, Body({"data": []})),
        ({"broken_stream": True}, broken_stream()),
        ({"broken_stream": {"answer": "a b"}}, broken_stream("a b")),
        ({"error_in_stream": {"status": 500}}, error_in_stream(status=500)),
        ({"stall": {}}, stall()),
        ({"slow": {"start": 0, "pause": 0.1}}, slow(start=0, pause=0.1)),
        ({"cut": {"after_bytes": 9, "answer": {"body": {}}}}, cut({}, after_bytes=9)),
    ],
)
def test_each_response_has_a_form(written: Any, meant: Any) -> None:
    scripts = Scripts()
    add_scripts(scripts, {"respond": written}, "here")
    assert scripts.action_for(RequestView("POST", "/v1/chat/completions")) == meant


def test_a_script_has_conditions_and_its_place() -> None:
    scripts = Scripts()
    rows = [
        {
            "text": "rain",
            "model": "m",
            "path": "/v1/responses",
            "method": "post",
            "times": 3,
            "respond": "Yes.",
        },
        {"pattern": "^a", "respond": ["one", "two"], "next": True},
    ]
    add_scripts(scripts, {"scripts": rows, "strict": True}, "s.json")
    second, first = scripts.all()
    assert first.conditions == Conditions("rain", "m", "/v1/responses", "POST")
    assert (first.times, first.place) == (3, "s.json: scripts[0]")
    assert second.conditions == Conditions(re.compile("^a"))
    assert (second.times, second.place) == (2, "s.json: scripts[1]")
    assert scripts.strict


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "s: expected a script or a list of scripts, got 3"),
        ([3], "s: [0]: expected an object, got 3"),
        ([{"words": "x"}], "s: [0]: unknown field 'words': expected text, pattern, model, path"),
        ({"scripts": [], "x": 1}, "s: unknown field 'x': expected scripts, strict"),
        ({"scripts": [], "strict": 1}, "s: strict: expected true or false, got 1"),
        ([{"text": "a", "pattern": "b"}], "s: [0]: expected text or pattern, got both"),
        ([{"text": "a"}], "s: [0]: respond is missing"),
        ([{"pattern": "("}], "s: [0].pattern: '(': missing )"),
        ([{"pattern": 3}], "s: [0].pattern: expected a regular expression, got 3"),
        (
            [{"text": 3, "respond": "a"}],
            "s: [0]: text: expected a text or a compiled",
        ),
        ([{"next": 1}], "s: [0].next: expected true or false, got 1"),
        ([{"times": "a", "respond": "b"}], "s: [0]: times: expected 1 or more, got 'a'"),
        ([{"respond": 3}], "s: [0].respond: expected a text or an object with one of reply, error"),
        ([{"respond": [{"reply": {}, "error": {}}]}], "s: [0].respond[0]: expected a text or an"),
        ([{"respond": {"reply": {"texts": ""}}}], "s: [0].respond.reply: unknown field 'texts'"),
        ([{"respond": {"reply": {"delay": -1}}}], "s: [0].respond.reply: delay: expected 0 or"),
        ([{"respond": {"reply": {"usage": 3}}}], "s: [0].respond.reply.usage: expected an object"),
        ([{"respond": {"reply": {"chunks": "a"}}}], "s: [0].respond.reply.chunks: expected a list"),
        (
            [{"respond": {"reply": {"tool_calls": [{"name": "f", "arguments": "{"}]}}}],
            "s: [0].respond.reply.tool_calls[0]: arguments: expected JSON, got '{'",
        ),
        ([{"respond": {"error": {}}}], "s: [0].respond.error: status: expected a whole number"),
        ([{"respond": {"cut": {}}}], "s: [0].respond.cut: after_bytes: expected 0 or more"),
        ([{"respond": {"body": []}}], "s: [0].respond.body: expected an object, got []"),
        ([{"respond": {"stall": 3}}], "s: [0].respond.stall: expected an object, got 3"),
        ([{"path": "/v1/models", "respond": "a"}], "s: [0]: /v1/models can't respond with a"),
    ],
)
def test_what_is_wrong_says_where_and_nothing_is_added(value: Any, message: str) -> None:
    scripts = Scripts()
    if isinstance(value, list):
        value = [{"respond": "right"}, *value]
        message = message.replace("[0]", "[1]", 1)
    with pytest.raises(WrongScripts) as caught:
        add_scripts(scripts, value, "s")
    assert str(caught.value).startswith(message)
    assert scripts.all() == []


def test_a_file_is_what_a_reset_returns_to(tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    file.write_text('{"text": "rain", "respond": "Yes."}', "utf-8-sig")
    scripts = Scripts()
    load_scripts(scripts, file)
    scripts.add(Conditions(), ["a"])
    scripts.reset()
    assert [one.place for one in scripts.all()] == ["s.json: [0]"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"text":\n  x}', "s.json:2:3: Expecting value"),
        (b"", "s.json:1:1: Expecting value"),
        (b"\xff", "s.json: not UTF-8: byte 0"),
        (b"[" * 200_000, "s.json: nested too deeply"),
    ],
)
def test_a_file_that_is_no_json_says_where(tmp_path: Path, data: bytes, message: str) -> None:
    file = tmp_path / "s.json"
    file.write_bytes(data)
    with pytest.raises(WrongScripts, match=re.escape(message)):
        load_scripts(Scripts(), file)
