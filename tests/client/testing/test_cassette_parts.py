"""What stands in a cassette, and which request gets it: values only."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi.testing.cassettes.bodies import (
    form_as_value,
    pieces_as_value,
    pieces_of,
    same_json,
    whole_as_value,
)
from meshapi.testing.cassettes.exchanges import Asked, Exchange, Responded, decoded, encoded
from meshapi.testing.cassettes.matching import differences, is_same, nearest
from meshapi.testing.cassettes.recordings import Recording
from meshapi.testing.cassettes.scrubbing import scrubbed, scrubbed_pieces, scrubbed_query
from meshapi.testing.cassettes.tape import Mode, Tape
from meshapi_core import CassetteError, Origin, Request

texts = st.text(max_size=6)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
documents = st.lists(json_values, max_size=3) | st.dictionaries(texts, json_values, max_size=3)
layouts = st.sampled_from([(",", ":"), (", ", ": "), (" , ", " :")])
json_bodies = st.builds(
    lambda value, layout, plain: json.dumps(value, separators=layout, ensure_ascii=plain).encode(
        "utf-8", "replace"
    ),
    documents,
    layouts,
    st.booleans(),
)
bodies = st.binary(max_size=20) | texts.map(lambda t: t.encode("utf-8", "replace")) | json_bodies
pieces = st.lists(bodies.filter(bool) | st.just(b"data: 1\n\ndata: 2\n\n"), max_size=4)
asked = st.builds(
    Asked,
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["/v1/models", "/v1/chat/completions"]),
    st.lists(st.tuples(texts, texts), max_size=2).map(sorted),
    bodies.map(whole_as_value),
)
exchanges = st.builds(
    Exchange, asked, st.builds(Responded, st.just(200), body=pieces.map(pieces_as_value))
)


def write_and_read(value: Any) -> Any:
    return json.loads(json.dumps(value))


@given(pieces)
def test_a_body_comes_back_in_the_same_pieces(given_pieces):
    assert pieces_of(write_and_read(pieces_as_value(given_pieces))) == given_pieces


@given(bodies)
def test_a_whole_body_comes_back_byte_for_byte(body):
    assert b"".join(pieces_of(write_and_read(whole_as_value(body)))) == body


def test_json_is_kept_as_json_and_half_a_character_as_base64():
    assert whole_as_value(b'{"a":1}') == {"json": {"a": 1}}
    assert whole_as_value(b'{"a": 1}') == {"json": {"a": 1}, "layout": "spaced"}
    assert whole_as_value(b'{"a" :1}') == {"text": '{"a" :1}'}
    assert whole_as_value(b'{"a":"\\ud800"}') == {"text": '{"a":"\\ud800"}'}
    assert pieces_as_value([b"\xc3", b"\xa4"]) == {
        "pieces": [{"base64": "ww=="}, {"base64": "pA=="}]
    }
    assert pieces_as_value([b"data: 1\n\ndata: 2\n\n", b"data"]) == {
        "pieces": [["data: 1\n\n", "data: 2\n\n"], "data"]
    }


@given(st.lists(exchanges, max_size=3))
def test_a_file_has_what_was_written(given_exchanges):
    file = encoded(given_exchanges)
    assert decoded(file, "a.json") == given_exchanges
    assert encoded(given_exchanges) == file


WRONG_BODY = (
    b'{"meshapi_cassette":1,"exchanges":[{"request":{"method":"GET","path":"/"},'
    b'"response":{"status":200,"body":{"bas64":""}}}]}'
)


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        (b"", "Expecting value"),
        (b"\xff", "can't decode"),
        (b"[1]", "Expected `object`, got `array`"),
        (b"{}", "missing required field `meshapi_cassette`"),
        (b'{"interactions":[]}', "missing required field `meshapi_cassette`"),
        (b'{"meshapi_cassette":2}', "it has version 2, and this release reads 1"),
        (b'{"meshapi_cassette":1,"exchanges":[{}]}', "missing required field `request`"),
        (
            WRONG_BODY,
            r"exchanges\[0\].response.body: expected json, text, base64 or pieces, got bas64",
        ),
        (b"[" * 100_000, "is not a cassette"),
    ],
)
def test_a_file_that_is_no_cassette_is_refused(file, fault):
    with pytest.raises(CassetteError, match=fault) as caught:
        decoded(file, "a.json")
    assert caught.value.error_code == "cassette_damaged"
    assert "delete it to record it again" in caught.value.message


# Secrets

token_letters = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
tokens = st.text(token_letters, min_size=12, max_size=24).map(lambda t: f"rsk_test_{t}")


def request(target: str = "/v1/models", body: bytes = b"", token: str = "rsk_test_1234567890"):
    headers = (("authorization", f"Bearer {token}"), ("content-type", "application/json"))
    return Request("POST", Origin("https", "a.test", 443), target, headers, body, (token,))


@given(tokens, st.integers(0, 40), st.booleans())
def test_no_file_has_the_token(token, cut, in_text):
    from urllib.parse import quote

    body = json.dumps({"a": token, "b": f"it was {token}!"}).encode()
    asked_for = request(f"/v1/models/{quote(token)}?x={quote(token)}", body, token)
    recording = Recording(Asked.of(asked_for, [token]), [token])
    sent = f"data: {token}\n\n".encode() if in_text else body
    recording.begin(401, [("Content-Type", "text/plain"), ("x-quoted", token)])
    for piece in (sent[:cut], sent[cut:]):
        if piece:
            recording.add(piece)
    recording.add(b"")
    exchange = recording.exchange()
    assert exchange is not None
    file = encoded([exchange], [token]).decode()
    assert token not in file
    assert json.dumps(token)[1:-1] not in file
    whole = b"".join(exchange.response.pieces()).decode()
    assert token not in whole


def test_a_token_in_two_pieces_makes_one_of_them():
    assert scrubbed_pieces([b"a rsk_test_12", b"34567890 b"], ["rsk_test_1234567890"]) == [
        b"a *** b"
    ]
    assert scrubbed_pieces([b"a rsk_test_1234567890", b" b"], ["rsk_test_1234567890"]) == [
        b"a ***",
        b" b",
    ]


@pytest.mark.parametrize(
    ("body", "clean"),
    [
        (b'{"api_key": "abc\\"d"}', b'{"api_key": "***"}'),
        (b'{"client_secret":"abc","token":"Hello"}', b'{"client_secret":"***","token":"Hello"}'),
        (b'"https://s.test/f?sig=abc&x=1"', b'"https://s.test/f?sig=***&x=1"'),
        (b"a\xff rsk_test_1234567890", b"a\xff ***"),
        (b'{"max_tokens":3}', b'{"max_tokens":3}'),
    ],
)
def test_bodies_have_no_keys_and_signatures(body, clean):
    assert scrubbed(body, ["rsk_test_1234567890"]) == clean
    assert scrubbed(clean, ["rsk_test_1234567890"]) == clean


def test_queries_have_no_keys_and_signatures():
    given_pairs = [("api_key", "a"), ("X-Amz-Signature", "b"), ("page", "2"), ("sig", "c")]
    assert scrubbed_query(given_pairs, []) == [
        ("api_key", "***"),
        ("X-Amz-Signature", "***"),
        ("page", "2"),
        ("sig", "***"),
    ]


# Requests


def test_forms_are_compared_without_their_boundary():
    def form(boundary: str) -> bytes:
        lines = f"--{boundary}", 'content-disposition: form-data; name="a"', "", "1"
        more = f"--{boundary}", 'content-disposition: form-data; name="f"', "", "\xff"
        return "\r\n".join((*lines, *more, f"--{boundary}--", "")).encode("latin-1")

    first, second = (form_as_value(form(each), each) for each in ("abc", "xyz"))
    assert first == second
    assert first["multipart"][0] == {"content-disposition": 'form-data; name="a"', "text": "1"}
    assert first["multipart"][1]["base64"] == "/w=="
    assert form_as_value(b"abc", "xyz") == {"text": "abc"}


@given(json_values, json_values)
def test_json_is_the_same_if_its_values_are(one, other):
    assert same_json(one) == same_json(write_and_read(one))
    assert (same_json(one) == same_json(other)) == (same_json(other) == same_json(one))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(1, 1.0, True), (1, True, False), (0, False, False), ({"a": [1.0]}, {"a": [1]}, True)],
)
def test_numbers_are_the_same_but_booleans_are_no_numbers(one, other, same):
    assert (same_json(one) == same_json(other)) is same


@given(asked, asked)
def test_requests_differ_in_something_or_are_the_same(one, other):
    assert is_same(one, one)
    assert is_same(one, other) == (differences(one, other) == [])


@given(st.lists(exchanges, min_size=1, max_size=4), st.data())
def test_the_nearest_request_to_a_recorded_one_is_the_same(given_exchanges, data):
    wanted = data.draw(st.sampled_from(given_exchanges)).request
    place = nearest([each.request for each in given_exchanges], wanted)
    assert place is not None
    assert is_same(given_exchanges[place].request, wanted)


def test_the_difference_is_named_by_its_place():
    def asked_with(**body: Any) -> Asked:
        return Asked("POST", "/v1/x", [], {"json": body})

    one = asked_with(messages=[{"content": "a" * 60 + "b" * 60}], model="m", n=1)
    other = asked_with(messages=[{"content": "a" * 60 + "c" * 60}], model="m", seed=2)
    first, *others = differences(one, other)
    assert re.fullmatch(
        r"body\.messages\[0\]\.content: recorded '\.\.\.a{10}b+\.\.\., got '\.\.\.a{10}c+\.\.\.",
        first,
    )
    assert others == [
        "body.n: recorded 1, got nothing",
        "body.seed: recorded nothing, got 2",
    ]


# Tapes


def exchange(path: str, text: str) -> Exchange:
    return Exchange(Asked("POST", path), Responded(200, body={"text": text}))


def played(tape: Tape, path: str) -> str:
    step = tape.begin(request(path))
    assert isinstance(step, Responded)
    return str(step.body["text"])


def test_each_exchange_is_played_once_in_order():
    recorded = [exchange("/a", "1"), exchange("/b", "2"), exchange("/a", "3")]
    tape = Tape("a.json", "once", recorded)
    assert [played(tape, path) for path in ("/a", "/a", "/b")] == ["1", "3", "2"]
    assert (tape.played, tape.unplayed, tape.recorded) == (3, 0, 0)
    with pytest.raises(CassetteError, match="it was recorded 2x, and all of it was played"):
        tape.begin(request("/a"))
    assert tape.file() is None


@pytest.mark.parametrize(
    ("mode", "is_there", "old", "new"),
    [
        ("none", True, "played", "refused"),
        ("once", False, "", "recorded"),
        ("once", True, "played", "refused"),
        ("new_episodes", False, "", "recorded"),
        ("new_episodes", True, "played", "recorded"),
        ("all", False, "", "recorded"),
        ("all", True, "recorded", "recorded"),
    ],
)
def test_the_mode_decides(mode: Mode, is_there: bool, old: str, new: str):
    tape = Tape("a.json", mode, [exchange("/old", "1")] if is_there else None)

    def happens(path: str) -> str:
        try:
            return "recorded" if isinstance(tape.begin(request(path)), Recording) else "played"
        except CassetteError:
            return "refused"

    if old:
        assert happens("/old") == old
    assert happens("/new") == new


def test_what_got_no_response_is_not_written():
    tape = Tape("a.json", "once", None)
    tape.begin(request("/a"))
    assert tape.file() is None
