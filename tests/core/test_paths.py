from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core.errors import InvalidParamsError
from meshapi_core.paths import model_path, path_segment

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
names = ids.map(lambda text: text.replace("/", "-")).filter(lambda text: text not in (".", ".."))
UNRESERVED = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@given(ids)
@example("a/../b")
@example("a?b#c")
@example("%2e%2e")
@example("a\\b")
@example("..%2f")
def test_any_id_is_one_segment_that_says_the_same(text):
    if text in (".", ".."):
        return
    path = path_segment("id", text)
    assert set(path) <= UNRESERVED | {"%"}
    assert unquote(path, errors="strict") == text
    assert urlsplit(f"https://x.example/v1/a/{path}/b").path == f"/v1/a/{path}/b"


@given(st.lists(names, min_size=1, max_size=4))
def test_a_model_id_keeps_its_slashes_and_nothing_else(parts):
    path = model_path("model", "/".join(parts))
    assert [unquote(part, errors="strict") for part in path.split("/")] == parts
    assert set(path) <= UNRESERVED | {"%", "/"}


@pytest.mark.parametrize("encode", [path_segment, model_path])
@pytest.mark.parametrize("value", ["", ".", "..", None, 7, b"id", ["id"], True, "\ud800"])
def test_what_no_encoding_makes_safe_is_refused(encode, value):
    with pytest.raises(InvalidParamsError) as caught:
        encode("file_id", value)
    assert caught.value.field == "file_id"


def test_no_code_of_a_wrong_value_runs():
    class Row:
        @property
        def id(self):
            raise RuntimeError("the row is detached from its database")

    with pytest.raises(InvalidParamsError, match=r"file_id: expected str, got .*Row; write x\.id"):
        path_segment("file_id", Row())


def test_a_subclass_of_str_is_its_text():
    class Id(str):
        def __str__(self) -> str:
            return "../other"

        def split(self, *args, **kwargs):
            return [".."]

    assert path_segment("id", Id("a")) == model_path("id", Id("a")) == "a"
