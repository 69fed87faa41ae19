import copy
import logging
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core._secret import Secret, SecretBytes

TOKEN = "rsk_test_0123456789abcdef"


@given(st.text())
def test_a_secret_is_the_string_that_it_hides(text):
    secret = Secret(text)
    assert secret == text
    assert hash(secret) == hash(text)
    assert len(secret) == len(text)
    assert type(secret.reveal()) is str
    assert secret.reveal() == text
    assert "Bearer " + secret == "Bearer " + text


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_an_encoded_secret_stays_one(text):
    encoded = Secret(text).encode()
    assert isinstance(encoded, SecretBytes)
    assert encoded == text.encode()
    assert Secret("é").encode("latin-1") == b"\xe9"


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        ascii,
        format,
        lambda secret: f"{secret}",
        lambda secret: f"{secret!r:>50}",
        lambda secret: "%s" % secret,  # noqa: UP031 - what log handlers do
        lambda secret: "%r" % (secret,),  # noqa: UP031
        lambda secret: "{}".format(secret),  # noqa: UP032
        lambda secret: repr({"authorization": [secret]}),
        lambda secret: str(ValueError(secret)),
        lambda secret: logging.LogRecord("n", 20, "f", 1, "%s", (secret,), None).getMessage(),
    ],
)
def test_nothing_that_shows_a_value_shows_a_secret(show):
    for secret in (Secret(TOKEN), SecretBytes(TOKEN.encode())):
        shown = show(secret)
        assert TOKEN not in shown
        assert len(shown) > 5, "but something stands in its place"


def test_a_format_applies_to_what_stands_in_its_place():
    assert f"{Secret(TOKEN):>12}" == "  **********"


def test_a_traceback_with_locals_does_not_show_a_secret():
    def fails(token: Secret) -> None:
        head = token.encode()
        raise ValueError(len(head))

    try:
        fails(Secret(TOKEN))
    except ValueError as exc:
        stack = traceback.TracebackException.from_exception(exc, capture_locals=True)
    assert TOKEN not in "".join(stack.format())


@pytest.mark.parametrize("secret", [Secret(TOKEN), SecretBytes(TOKEN.encode())], ids=repr)
def test_copies_are_secret_too(secret):
    copies = [copy.copy(secret), copy.deepcopy(secret)]
    copies += [pickle.loads(pickle.dumps(secret, n)) for n in range(pickle.HIGHEST_PROTOCOL + 1)]
    for copied in copies:
        assert type(copied) is type(secret)
        assert copied == secret


def test_bytes_tell_their_length_alone():
    assert repr(SecretBytes(b"abc")) == str(SecretBytes(b"abc")) == "SecretBytes(<3 bytes>)"
