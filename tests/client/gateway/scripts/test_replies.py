"""What a script responds with, and what is wrong with it."""

import re
from typing import Any

import pytest

from meshapi.gateway.scripts import replies
from meshapi.gateway.scripts.replies import cut, error, reply, slow, tool_call
from meshapi.gateway.scripts.values import ErrorReply, Fault, Reply, ScriptedCall


def test_a_reply_is_what_was_given() -> None:
    assert reply("Hi").text == "Hi"
    assert reply(json={"a": "ü"}).text == '{"a": "ü"}'
    assert reply(chunks=["he", "llo"]) == Reply("hello", chunks=("he", "llo"))
    assert reply(usage={"input_tokens": 2, "output_tokens": 3}).usage == {
        "prompt_tokens": 2,
        "completion_tokens": 3,
    }
    assert reply(embedding=[1, 0.5]).embedding == (1.0, 0.5)
    assert reply().says == set()


def test_arguments_of_a_call_are_an_object_or_its_json_or_deliberately_wrong() -> None:
    assert tool_call("f") == ScriptedCall("f", "{}")
    assert tool_call("f", {"a": 1}) == ScriptedCall("f", '{"a": 1}')
    assert tool_call("f", '{"a":1}', call_id="c") == ScriptedCall("f", '{"a":1}', "c")
    assert tool_call("f", raw_arguments='{"a') == ScriptedCall("f", '{"a')


def test_an_error_has_the_usual_code_of_its_status() -> None:
    assert error(429) == ErrorReply(429, "rate_limit_exceeded", "The script responds with a 429.")
    assert error(418).code == "http_error"
    assert error(400, "my_code", "Mine.", retry_after=0.5).retry_after == 0.5


@pytest.mark.parametrize("name", ["broken_stream", "error_in_stream", "stall", "slow"])
def test_a_fault_may_have_what_the_response_would_have_been(name: str) -> None:
    made: Fault = getattr(replies, name)("one two")
    assert (made.kind, made.answer) == (name, reply("one two"))
    assert getattr(replies, name)().answer is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: reply(3), "text: expected a text, got 3"),
        (lambda: reply("a", json={}), "text and json: expected one of them"),
        (lambda: reply("a", chunks=["a"]), "text and chunks: expected one of them"),
        (lambda: reply(chunks="abc"), "chunks: expected a list of texts, got the text 'abc'"),
        (lambda: reply(chunks=["a", ""]), "chunks: expected texts that are not empty"),
        (lambda: reply(chunks=[1]), "chunks: expected a text, got 1"),
        (lambda: reply(json=object()), "json: expected what JSON can express"),
        (lambda: reply(json=float("nan")), "json: expected what JSON can express"),
        (
            lambda: reply("a", finish_reason="done"),
            "finish_reason: expected one of stop, length, tool_calls, content_filter, got 'done'",
        ),
        (lambda: reply("a", finish_reason="tool_calls"), 'finish_reason: "tool_calls" needs'),
        (lambda: reply(tool_calls=tool_call("f", {})), "tool_calls: expected a list, [tool_call("),
        (lambda: reply(tool_calls=[{"name": "f"}]), "tool_calls: expected [tool_call(name, arg"),
        (lambda: reply("a", usage={"total_tokens": 3}), "usage: expected prompt_tokens and comp"),
        (lambda: reply("a", usage={"prompt_tokens": -1}), "usage: expected 0 or more prompt_tok"),
        (lambda: reply(embedding=[]), "embedding: expected at least one number"),
        (lambda: reply(embedding=[float("inf")]), "embedding: expected numbers, got inf"),
        (lambda: reply(delay=-1), "delay: expected 0 or more seconds, got -1"),
        (lambda: reply(delay="1"), "delay: expected seconds, got '1'"),
        (lambda: reply(headers={"a b": "c"}), "headers: expected the name of a header, got 'a b'"),
        (lambda: reply(headers={"a": "c\n"}), "headers: expected a value of one line for a"),
        (lambda: reply(headers={"Content-Length": "3"}), "headers: Content-Length is up to the"),
        (lambda: tool_call("f", "{"), "arguments: expected JSON, got '{'"),
        (lambda: tool_call("f", "[]"), "arguments: expected a JSON object, got '[]'"),
        (lambda: tool_call("f", [1]), "arguments: expected a dict or JSON, got [1]"),
        (lambda: tool_call("f", {"a": {1}}), "arguments: expected what JSON can express"),
        (lambda: tool_call(""), "name: expected the name of a function, got ''"),
        (lambda: tool_call("f", {}, raw_arguments="x"), "arguments and raw_arguments: expected"),
        (lambda: error(200), "status: expected an error, 400 to 599, got 200"),
        (lambda: error("429"), "status: expected a whole number, got '429'"),
        (lambda: error(429, retry_after=-1), "retry_after: expected 0 or more seconds, got -1"),
        (lambda: slow(pause=float("inf")), "pause: expected 0 or more seconds, got inf"),
        (lambda: cut(after_bytes=-1), "after_bytes: expected 0 or more, got -1"),
        (lambda: slow(error(500)), "answer: expected reply(...), a text or a dict"),
    ],
)
def test_a_wrong_value_is_refused_where_it_is_written(make: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        make()
