import copy
import json
import pickle

import pytest

from meshapi_core._secret import Secret
from meshapi_core.bodies import FileSource, OpenBody, StreamedBody
from meshapi_core.errors import APIConnectionError, APITimeoutError
from meshapi_core.headers import Headers
from meshapi_core.messages import Failure, Origin, Request, Response

TOKEN = "rsk_test_0123456789abcdef"


@pytest.mark.parametrize(
    ("origin", "authority"),
    [
        (Origin("http", "example.com", 80), "example.com"),
        (Origin("https", "example.com", 443), "example.com"),
        (Origin("http", "example.com", 443), "example.com:443"),
        (Origin("https", "example.com", 80), "example.com:80"),
        (Origin("http", "127.0.0.1", 8000), "127.0.0.1:8000"),
        (Origin("https", "::1", 443), "[::1]"),
        (Origin("https", "::1", 8443), "[::1]:8443"),
    ],
)
def test_the_host_field_has_a_port_only_where_it_is_unusual(origin, authority):
    assert origin.authority == authority
    assert str(origin) == f"{origin.scheme}://{authority}"


def test_origins_are_values_by_which_connections_are_pooled():
    one, same = Origin("http", "a", 80), Origin("http", "a", 80)
    assert len({one, same, Origin("https", "a", 443), Origin("http", "a", 81)}) == 3


def test_a_request_names_its_url():
    request = Request("GET", Origin("https", "example.com", 443), "/v1/models?free=true")
    assert request.url == "https://example.com/v1/models?free=true"


def test_a_request_shows_no_token_no_query_and_no_body():
    request = Request(
        "POST",
        Origin("https", "example.com", 443),
        "/v1/x?signature=secret",
        (("authorization", Secret(f"Bearer {TOKEN}")),),
        b"a prompt",
    )
    assert repr(request) == str(request) == "<Request POST https://example.com/v1/x (8 bytes)>"
    assert TOKEN not in repr(request.headers)


@pytest.mark.parametrize(
    "message",
    [
        Request("POST", Origin("http", "a", 80), "/", (("a", Secret("b")),), b"{}"),
        Response(200, Headers([("a", "b")]), b"{}", 1.5),
    ],
)
def test_messages_are_values(message):
    for copied in (copy.copy(message), copy.deepcopy(message), pickle.loads(pickle.dumps(message))):
        assert copied == message
    for name in message.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(message, name, None)


def test_a_failure_knows_whether_a_limit_of_ours_ended_it():
    assert Failure(APITimeoutError("too slow", phase="read"), "request").timed_out
    assert not Failure(APIConnectionError("reset"), "request", reused=True).timed_out


def test_a_request_with_files_shows_how_long_it_is_and_nothing_else():
    origin = Origin("https", "example.com", 443)
    streamed = StreamedBody((b"secret", FileSource("/somewhere/secret.mp3")))
    shown = repr(Request("PUT", origin, "/f?sig=secret", (), streamed))
    assert shown == "<Request PUT https://example.com/f (<StreamedBody of 2 parts>)>"
    opened = Request("PUT", origin, "/f?sig=secret", (), OpenBody([b"secret"]))
    assert repr(opened) == "<Request PUT https://example.com/f (<OpenBody of 6 bytes>)>"


# Plain forms, for hosts that format


SECRETS = Request(
    "GET",
    Origin("https", "example.com", 443),
    Secret(f"/v1/realtime?api_key={TOKEN}"),
    (("authorization", Secret(f"Bearer {TOKEN}")), ("x-title", "Caf\xe9")),
)


def test_plain_headers_show_what_is_sent_however_they_are_formatted():
    """A token became asterisks in an f-string, and the gateway responded with 401."""
    for name, value in SECRETS.plain_headers():
        assert type(name) is type(value) is str
    value = dict(SECRETS.plain_headers())["authorization"]
    by_percent = "%s" % value  # noqa: UP031 - as hosts do
    shown = (f"{value}", by_percent, str(value), json.loads(json.dumps(value)))
    assert set(shown) == {f"Bearer {TOKEN}"}
    assert TOKEN not in f"{dict(SECRETS.headers)}"


def test_raw_headers_are_plain_bytes():
    assert SECRETS.raw_headers == [
        (b"authorization", f"Bearer {TOKEN}".encode()),
        (b"x-title", b"Caf\xe9"),
    ]
    assert {type(part) for pair in SECRETS.raw_headers for part in pair} == {bytes}
    assert b"%b: %b" % SECRETS.raw_headers[0] == f"authorization: Bearer {TOKEN}".encode()


def test_a_secret_target_has_a_plain_form_and_a_plain_url():
    assert isinstance(SECRETS.url, Secret)
    assert TOKEN not in f"{SECRETS.url}{SECRETS.target}"
    assert f"{SECRETS.plain_target}" == f"/v1/realtime?api_key={TOKEN}"
    assert f"{SECRETS.plain_url}" == f"https://example.com/v1/realtime?api_key={TOKEN}"
    assert type(SECRETS.plain_url) is type(SECRETS.plain_target) is str


def test_what_is_plain_already_stays_as_it_is():
    request = Request("GET", Origin("http", "a", 80), "/v1/x", (("a", "b"),))
    assert (request.plain_url, request.plain_target) == (request.url, request.target)
    assert tuple(request.plain_headers()) == request.headers
