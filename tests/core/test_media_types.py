"""media_types: the media type of a file by its name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import media_types
from meshapi_core.errors import InvalidParamsError
from meshapi_core.media_types import UNKNOWN, checked_media_type, media_type
from support.structs import texts

BY_ENDING = vars(media_types)["_BY_ENDING"]


@pytest.mark.parametrize("ending", sorted(BY_ENDING))
def test_each_known_ending_has_a_type_that_a_header_can_hold(ending):
    kind = BY_ENDING[ending]
    assert checked_media_type("content_type", kind) == kind
    assert ending == ending.lower()
    assert media_type(f"a b.{ending}") == media_type(f"x.y.{ending.upper()}") == kind


@given(texts, st.sampled_from(sorted(BY_ENDING)))
def test_only_what_follows_the_last_dot_of_a_name_counts(text, ending):
    assert media_type(f"x{text}.{ending}") == BY_ENDING[ending]
    assert media_type(f"x.{ending}.") == UNKNOWN


@pytest.mark.parametrize("name", ["", ".", "pdf", ".pdf", "a.", "a.unheard-of", "a.pdf "])
def test_a_name_that_says_nothing_could_be_anything(name):
    assert media_type(name) == UNKNOWN


def test_the_first_name_that_says_something_counts():
    assert media_type("notes", "a.pdf", "b.png") == "application/pdf"
    assert media_type() == UNKNOWN


@pytest.mark.parametrize("bad", ["", " ", "a\r\nb: c", "a/b\n", "ä/b", None, 5, b"a/b"])
def test_a_type_that_no_header_can_hold_is_refused(bad):
    with pytest.raises(InvalidParamsError, match=r"^kind: expected "):
        checked_media_type("kind", bad)
