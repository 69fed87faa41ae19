import sys

import pytest

from meshapi_core.causes import Link, causes_of, links_of, may_be_quoted, text_of


def chained(exc, cause=None, context=None, **held):
    exc.__cause__ = cause
    exc.__context__ = context
    for name, value in held.items():
        setattr(exc, name, value)
    return exc


def test_the_nearest_come_first_and_implied_ones_last():
    implied, deep, held = ValueError("implied"), OSError("deep"), OSError("held")
    cause = chained(OSError("cause"), cause=deep)
    top = chained(OSError("top"), cause=cause, context=implied, reason=held)
    assert list(links_of(top)) == [
        Link(top, implied=False),
        Link(cause, implied=False),
        Link(held, implied=False),
        Link(deep, implied=False),
        Link(implied, implied=True),
    ]


def test_the_causes_of_an_implied_exception_are_implied():
    deep = OSError("deep")
    top = chained(OSError("top"), context=chained(OSError("context"), cause=deep))
    assert [link.implied for link in links_of(top)] == [False, True, True]


def test_a_circle_is_walked_once():
    one, two = OSError("one"), OSError("two")
    chained(one, cause=two, context=one)
    chained(two, cause=one, reasons=[one, two])
    assert [link.exc for link in links_of(one)] == [one, two]
    assert causes_of(one) == [one, two]


def test_an_attribute_that_makes_a_new_exception_each_time_has_an_end():
    class Endless(Exception):
        @property
        def reason(self):
            return Endless()

    assert len(list(links_of(Endless()))) == 10_000
    assert len(causes_of(Endless())) == 1


def test_an_attribute_that_raises_holds_nothing():
    class Odd(Exception):
        @property
        def reason(self):
            raise RuntimeError("no")

    assert len(list(links_of(Odd("x")))) == 1


def test_exceptions_in_attributes_of_libraries_are_not_causes():
    held = OSError("held")
    top = chained(OSError("top", held), cause=OSError("cause"), reason=held)
    assert [str(each) for each in causes_of(top)] == [str(top), "cause"]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups are new in Python 3.11")
def test_causes_are_also_the_members_of_a_group():
    one, two = OSError("one"), OSError("two")
    group = ExceptionGroup("g", [one, ExceptionGroup("h", [two])])  # noqa: F821
    assert causes_of(chained(OSError("top"), cause=group))[2:] == [one, group.exceptions[1], two]


def test_a_number_and_a_text_are_read_as_the_text():
    assert text_of(Exception(7, "gone")) == "gone"


def test_what_python_says_about_an_argument_is_not_quoted():
    assert may_be_quoted(OSError("reset"))
    assert not may_be_quoted(ValueError("Invalid header value b'secret'"))
    assert not may_be_quoted(OSError(ValueError("Invalid header value b'secret'")))
