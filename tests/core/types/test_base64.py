"""types._base64: decoding gives the bytes, or an error that does not quote the text."""

import base64
import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.errors import ResponseDecodeError
from meshapi_core.types._base64 import from_base64


@given(st.binary())
def test_what_was_encoded_comes_back(data):
    encoded = base64.b64encode(data)
    assert from_base64("it", encoded) == from_base64("it", encoded.decode()) == data


@given(st.lists(st.binary(), max_size=3), st.data())
def test_other_forms_of_base64_are_the_same_bytes(pieces, data):
    encode = data.draw(st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]))
    encoded = "".join(encode(piece).decode() for piece in pieces)
    if len(pieces) < 2 and data.draw(st.booleans(), label="unpadded"):
        encoded = encoded.rstrip("=")
    for blank in data.draw(st.lists(st.sampled_from(["\n", "\r\n", " ", "\t"]), max_size=3)):
        at = data.draw(st.integers(0, len(encoded)))
        encoded = encoded[:at] + blank + encoded[at:]
    head = data.draw(st.sampled_from(["", "data:audio/wav;base64,", "DATA:;rate=24000;Base64, "]))
    assert from_base64("it", head + encoded) == b"".join(pieces)


@given(st.text(), st.sampled_from(["\u00e4", "\0", "%", "\ud800", ",", "data:x,"]), st.text())
def test_other_characters_are_refused_and_not_skipped(before, odd, after):
    with pytest.raises(ValueError, match=r"^it is not base64 \(\d+ characters\): "):
        from_base64("it", before + odd + after)


@pytest.mark.parametrize("text", ["A", "AAAAA", "AA=A", "A===", "AAAA=A"])
def test_text_that_was_cut_is_refused(text):
    with pytest.raises(ResponseDecodeError, match="its end is missing") as caught:
        from_base64("it", text)
    # Programs that catch ValueError still catch it.
    assert isinstance(caught.value, ValueError)
    assert pickle.loads(pickle.dumps(caught.value)).message == caught.value.message
    assert copy.copy(caught.value).error_code == "parse_error"


def test_the_text_is_not_in_the_error():
    with pytest.raises(ValueError, match="base64") as caught:
        from_base64("it", "c2VjcmV0!" * 1000)
    assert "c2V" not in str(caught.value)
    assert len(str(caught.value)) < 100
