import base64
import html
import json
import pickle
import traceback
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core._secret import Secret
from meshapi_core.errors import (
    APIConnectionError,
    BadRequestError,
    MeshAPIError,
    RealtimeConnectionClosed,
    RealtimeError,
    RedirectError,
    StreamInterruptedError,
)
from meshapi_core.headers import Headers
from meshapi_core.redaction import LEAST, conceal, concealed

TOKEN = "rsk_test_0123456789abcdef"
ODD = 'rsk_test_"quoted"/and\\more&<x>+%~'

tokens = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=LEAST, max_size=40)
texts = st.text(max_size=20)


def told(error: BaseException) -> str:
    """All that can be seen of an error and its causes."""
    seen = []
    each = error
    while each is not None:
        seen.append(f"{each!r} {each} {each.args} {vars(each)} {pickle.dumps(each, 0)!r}")
        each = each.__cause__ or each.__context__
    stack = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join([*seen, *stack.format()])


WAYS = [
    str,
    str.upper,
    lambda token: json.dumps(token),
    lambda token: json.dumps(token).replace("/", "\\/"),
    lambda token: json.dumps(token).replace("&", "\\u0026").replace("<", "\\u003C"),
    repr,
    lambda token: repr(token.encode()),
    lambda token: quote(token, safe=""),
    lambda token: quote(token, safe="").lower(),
    quote,
    quote_plus,
    html.escape,
    lambda token: base64.b64encode(token.encode()).decode(),
    lambda token: base64.urlsafe_b64encode(token.encode()).decode(),
    lambda token: f"Bearer {token}",
    lambda token: f"https://h/v1?api_key={quote(token, safe='')}&x=1",
]


@pytest.mark.parametrize("write", WAYS)
@given(token=tokens, before=texts, after=texts)
def test_a_secret_is_hidden_however_it_is_written(write, token, before, after):
    quoted = write(token)
    shown = concealed(f"{before} {quoted} {after}", [Secret(token)])
    assert "***" in shown
    assert token not in shown or token in before + after or token in "***"


@pytest.mark.parametrize("write", WAYS)
def test_what_stands_around_it_stays(write):
    shown = concealed(f"the key {write(ODD)} is wrong", [Secret(ODD)])
    assert shown.startswith("the key ")
    assert shown.endswith("is wrong")
    assert "quoted" not in shown.lower()


@pytest.mark.parametrize("end", ["", "...", "…", "'", '"...', "')", " "])
@pytest.mark.parametrize("size", [6, 10, len(TOKEN) - 1])
def test_the_beginning_of_one_is_hidden_where_a_text_was_cut_off(size, end):
    assert concealed(f"wrong key: {TOKEN[:size]}{end}", [TOKEN]) == f"wrong key: ***{end}"
    whole = f"keys begin with {TOKEN[:4]}{end}"
    assert concealed(whole, [TOKEN]) == whole


@given(tokens, st.integers(12, 39), st.sampled_from(["'", '"', "...", "…", '\\"']), texts)
def test_the_beginning_of_one_is_hidden_at_the_end_of_an_excerpt(token, size, end, after):
    begun = token[:size]
    shown = concealed(f"got {begun!r} and {begun}{end} ({after} and more)", [token])
    assert len(begun) < 12 or begun not in shown.replace(after, "")


def test_words_that_are_no_excerpt_stay():
    for text in ("the default-header-name is", "'default-he'", "a default-header-n of"):
        assert concealed(text + " wrong", ["default-header-0123456789"]) == text + " wrong"


@given(st.text(max_size=LEAST - 1), st.text())
def test_short_secrets_turn_no_message_into_asterisks(secret, text):
    text = text.replace("=", "").replace("%", "")
    assert concealed(text, [secret]) == text


def test_the_parts_of_a_header_are_secrets_too():
    secrets = [Secret("Bearer " + TOKEN), Secret("session=abcdefgh12345; theme=x")]
    assert concealed(f"{TOKEN} abcdefgh12345 theme Bearer", secrets) == "*** *** theme Bearer"


@pytest.mark.parametrize(
    "parameter",
    "X-Amz-Signature X-Goog-Signature sig signature X-Amz-Credential X-Amz-Security-Token api_key"
    " access_token AWSAccessKeyId".split(),
)
def test_a_signature_in_a_url_is_hidden_though_nobody_knows_it(parameter):
    text = f"see https://storage.example/f?a=1&{parameter}=s3cret&b=2 for more"
    expected = f"see https://storage.example/f?a=1&{parameter}=***&b=2 for more"
    assert concealed(text, []) == expected
    assert concealed(expected, []) == expected


def test_other_parameters_stay():
    text = "GET /v1/models?limit=10&after=model-7 failed: tokens=5, key=value, monkey=1, policy=a"
    assert concealed(text, []) == text


def test_every_part_of_an_error_is_cleaned():
    text = f"bad key {TOKEN}"
    nested = {"error": {"message": text, text: [text, {"a": (text,)}, 7, None]}}
    error = BadRequestError(
        text,
        status=400,
        error_code=TOKEN,
        request_id=TOKEN,
        details=[nested],
        provider_error=nested,
        provider_code=TOKEN,
        headers=Headers([(b"x-echo", text.encode()), (b"x-request-id", b"req_1")]),
        raw=nested,
    )
    error.raw_body = text.encode()
    del nested["error"][text][1]
    assert conceal(error, [Secret(TOKEN)]) is error
    assert TOKEN not in told(error)
    assert error.message == "bad key ***"
    assert error.raw["error"]["message"] == "bad key ***"
    assert error.raw["error"]["bad key ***"][1:] == [7, None]
    assert error.headers["X-Echo"] == "bad key ***"
    assert error.headers["x-request-id"] == "req_1"
    assert error.raw_body == b"bad key ***"
    assert error.status == 400


def test_what_a_response_brought_stays_as_it_is():
    error = StreamInterruptedError("cut off", partial={"text": TOKEN})
    assert conceal(error, [TOKEN]).partial == {"text": TOKEN}


def test_errors_of_sessions_are_cleaned():
    closed = conceal(RealtimeConnectionClosed(1008, f"bad key {TOKEN}"), [TOKEN])
    assert closed.reason == "bad key ***"
    event = conceal(RealtimeError("x", TOKEN, TOKEN, TOKEN, TOKEN), [TOKEN])
    assert TOKEN not in told(closed) + told(event)


def test_the_causes_of_an_error_are_cleaned_too():
    try:
        try:
            raise APIConnectionError(f"illegal header line: {TOKEN!r}")
        except MeshAPIError as exc:
            raise StreamInterruptedError(f"interrupted: {exc}") from exc
    except MeshAPIError as exc:
        error = conceal(exc, [TOKEN])
    assert isinstance(error.__cause__, APIConnectionError)
    assert TOKEN not in told(error)


@pytest.mark.parametrize("suppressed", [True, False])
@pytest.mark.parametrize(
    "cause",
    [
        ValueError(f"illegal header line: {TOKEN!r}"),
        UnicodeDecodeError("utf-8", TOKEN.encode(), 0, 1, "no"),
        json.JSONDecodeError("no", TOKEN, 0),
    ],
)
def test_causes_that_are_not_ours_and_quote_a_secret_are_left_behind(cause, suppressed):
    try:
        try:
            raise cause
        except ValueError as exc:
            raise MeshAPIError("no") from (exc if suppressed else None)
    except MeshAPIError as exc:
        error = conceal(exc, [TOKEN])
    assert error.__cause__ is None
    assert error.__context__ is None
    assert TOKEN not in told(error)


def test_other_causes_stay_with_their_frames():
    try:
        try:
            raise OSError("broken")
        except OSError as exc:
            raise APIConnectionError("the connection broke") from exc
    except MeshAPIError as exc:
        error = conceal(exc, [TOKEN])
    assert isinstance(error.__cause__, OSError)
    assert error.__cause__.__traceback__ is not None


@pytest.mark.parametrize("name", ["Location", "content-location", "Refresh", "LINK"])
def test_the_query_of_a_place_is_hidden(name):
    fields = [(name, "<https://storage.example/f?X-Sig=s3cret&a=b#top>; rel=next"), ("x", "a?b=c")]
    error = conceal(RedirectError("moved", headers=Headers(fields)), [])
    assert error.headers[name] == "<https://storage.example/f?***#top>; rel=next"
    assert error.headers["x"] == "a?b=c"


def test_what_is_clean_stays_the_same_object():
    headers = Headers([("a", "b")])
    error = BadRequestError("no", headers=headers, raw={"a": 1})
    assert conceal(conceal(error, [TOKEN]), [TOKEN]).headers is headers
    assert str(error) == "no"
