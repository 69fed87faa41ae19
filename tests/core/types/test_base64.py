"""types._base64: exact, or a ValueError that does not quote the text."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.types._base64 import from_base64


@given(st.binary())
def test_what_was_encoded_comes_back(data):
    encoded = base64.b64encode(data)
    assert from_base64("it", encoded) == from_base64("it", encoded.decode()) == data


@given(st.text(), st.sampled_from(["\u00e4", "\n", " ", "-", "_", "\0", "%"]), st.text())
def test_other_characters_are_refused_and_not_passed_over(before, odd, after):
    with pytest.raises(ValueError, match=r"^it is not base64 \(\d+ characters\): "):
        from_base64("it", before + odd + after)


@pytest.mark.parametrize("text", ["A", "AA", "AAA", "AAAAA", "AA=", "AA=A"])
def test_text_that_was_cut_is_refused(text):
    with pytest.raises(ValueError, match=r"^it is not base64"):
        from_base64("it", text)


def test_the_text_is_not_in_the_error():
    with pytest.raises(ValueError, match="base64") as caught:
        from_base64("it", "c2VjcmV0!" * 1000)
    assert "c2V" not in str(caught.value)
    assert len(str(caught.value)) < 100
