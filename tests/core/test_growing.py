"""growing: a text is the sum of its pieces, whatever they are, and takes little more memory."""

from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.growing import PIECES, GrowingText


@given(st.lists(st.text(max_size=5), max_size=300))
def test_the_text_is_that_of_its_pieces(pieces):
    text = GrowingText()
    for piece in pieces:
        text.add(piece)
    assert text.value() == ("".join(pieces) or None)
    assert len(text.pieces) < PIECES


def test_many_pieces_are_kept_as_few():
    text = GrowingText()
    for _ in range(100_000):
        text.add("a")
    assert len(text.pieces) + len(text.blocks) < 2 * PIECES
    assert text.value() == "a" * 100_000


def test_a_text_can_begin_again():
    text = GrowingText()
    for _ in range(PIECES + 1):
        text.add("a")
    text.clear()
    assert text.value() is None
    text.add("b")
    assert text.value() == "b"
