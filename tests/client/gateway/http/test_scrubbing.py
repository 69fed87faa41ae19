"""Tokens in what the page shows."""

import json
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from meshapi.gateway.http.scrubbing import MASK, Scrubber, tokens_in

TOKEN = "rsk_test_0123456789"


@given(
    before=st.binary(max_size=20),
    after=st.binary(max_size=20),
    cuts=st.lists(st.integers(0, 70), max_size=8),
)
def test_a_token_is_masked_wherever_the_pieces_end(
    before: bytes, after: bytes, cuts: list[int]
) -> None:
    whole = before + TOKEN.encode() + after
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    pieces = [whole[start:end] for start, end in zip(places, places[1:])]
    masked = Scrubber([TOKEN]).pieces(pieces)
    assert len(masked) == len(pieces)
    joined = b"".join(masked)
    assert TOKEN.encode() not in joined
    assert joined.startswith(before + MASK.encode())


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_what_has_no_token_stays_as_it_is(data: bytes, cuts: list[int]) -> None:
    data = data.replace(TOKEN[:4].encode(), b"")
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in zip(places, places[1:])]
    assert Scrubber([TOKEN]).pieces(pieces) == pieces


def test_the_beginning_of_a_token_at_a_cut_end_is_masked() -> None:
    scrubber = Scrubber([TOKEN])
    assert scrubber.pieces([b"key: rsk_test_01", b"2345"]) == [b"key: " + MASK.encode(), b""]
    assert scrubber.pieces([b"for rsk"]) == [b"for rsk"]


def test_it_is_masked_in_every_form() -> None:
    odd = 'rsk_test_"%/\\'
    scrubber = Scrubber([odd, ""])
    for form in (odd, 'rsk_test_\\"%/\\\\', "rsk_test_%22%25%2F%5C"):
        assert scrubber.text(f"a {form} b") == f"a {MASK} b"


def test_headers_and_parameters_that_are_named_like_a_secret_are_masked() -> None:
    scrubber = Scrubber([])
    headers = [(b"authorization", b"Bearer other"), (b"x-api-key", b"k"), (b"accept", b"*/*")]
    assert scrubber.headers(headers) == [
        ("authorization", MASK),
        ("x-api-key", MASK),
        ("accept", "*/*"),
    ]
    assert scrubber.text("api_key=abc&model=m&sig=x%20y") == f"api_key={MASK}&model=m&sig={MASK}"
    assert (
        scrubber.text('{"url": "http://h/p?token=abc"}') == f'{{"url": "http://h/p?token={MASK}"}}'
    )


# What a header can carry.
CHARACTERS = st.characters(min_codepoint=33, max_codepoint=255, exclude_categories=("Cc", "Zs"))


@given(token=st.text(CHARACTERS, min_size=6, max_size=20), data=st.data())
def test_a_token_is_masked_however_its_characters_are_written(
    token: str, data: st.DataObject
) -> None:
    ways = (
        str,
        lambda one: "".join(f"%{byte:02X}" for byte in one.encode()),
        lambda one: quote(one, safe=""),
        lambda one: json.dumps(one)[1:-1],
        lambda one: one.encode("utf-16-be").hex("|", 2).replace("|", "\\u").join(("\\u", "")),
    )
    written = "".join(data.draw(st.sampled_from(ways))(one) for one in token)
    scrubber = Scrubber([token])
    assert scrubber.text(f"<{written}>") == f"<{MASK}>"
    at = data.draw(st.integers(0, len(written)))
    pieces = [written[:at].encode(), written[at:].encode() + b"."]
    assert b"".join(scrubber.pieces(pieces)) == f"{MASK}.".encode()


def test_what_a_request_says_in_the_places_of_tokens_is_found() -> None:
    headers = [
        (b"authorization", b"Bearer rsk_test_one"),
        (b"proxy-authorization", b"Basic cnNrOnRlc3Q="),
        (b"x-api-key", b"rsk_test_two"),
        (b"cookie", b'a=rsk_test_three; b="rsk_test_four"; c'),
        (b"sec-websocket-protocol", b"realtime, openai-insecure-api-key.rsk_test_five"),
        (b"sec-websocket-protocol", b"Bearer rsk_test_six, realtime"),
        (b"x-secret", b"short"),
        (b"accept", b"application/json"),
    ]
    assert list(tokens_in(headers, "api_key=rsk%5Ftest_seven&model=acme/model")) == [
        "rsk_test_one",
        "cnNrOnRlc3Q=",
        "rsk_test_two",
        "rsk_test_three",
        "rsk_test_four",
        "rsk_test_five",
        "rsk_test_six",
        "rsk_test_seven",
    ]
