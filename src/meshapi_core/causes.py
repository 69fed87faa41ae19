"""An exception and all that it came from or holds, and what each of them says. No I/O.

The one place that walks over exceptions: `links_of` for who wants to know what happened,
`causes_of` for who must take something out of all of them. Exceptions of others are looked at with
care: an attribute may be a property that raises, and a chain may be a circle.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, cast

__all__ = [
    "Link",
    "attribute",
    "causes_of",
    "links_of",
    "may_be_quoted",
    "members_of",
    "number",
    "text_of",
    "word",
]


class Link(NamedTuple):
    """An exception of a chain.

    Fields:
        exc: the exception.
        implied: it, or what holds it, was only being handled when another one was raised.
    """

    exc: BaseException
    implied: bool


# Far more than any library wraps, and a bound for attributes that make a new one each time.
_LONGEST = 10_000

# Where libraries keep what they wrap: urllib and urllib3; aiohttp (two); tornado; groups;
# Twisted, whose Failures are exceptions that have one as their value; requests.
_HOLDERS = "reason os_error certificate_error real_error exceptions reasons value args".split()


def links_of(exc: BaseException, holders: Sequence[str] = _HOLDERS) -> Iterator[Link]:
    """The exception and all that it came from or holds, what is only implied last.

    The nearest come first. However they are linked, each comes once.

    Args:
        holders: names of the attributes that are looked into, beside its cause and context.
    """
    # The exceptions themselves, too: else an id could come again.
    seen: dict[int, BaseException] = {}
    near: deque[BaseException] = deque([exc])
    far: deque[BaseException] = deque()
    while (near or far) and len(seen) < _LONGEST:
        implied = not near
        link = far.popleft() if implied else near.popleft()
        if id(link) in seen:
            continue
        seen[id(link)] = link
        yield Link(link, implied)
        (far if implied else near).extend(_held(link, holders))
        context = attribute(link, "__context__")
        if isinstance(context, BaseException):
            far.append(context)


def causes_of(exc: BaseException) -> list[BaseException]:
    """The exception, what it was raised from or while that was handled, and members of groups."""
    return [link.exc for link in links_of(exc, ("exceptions",))]


def _held(exc: BaseException, holders: Sequence[str]) -> Iterator[BaseException]:
    for name in ("__cause__", *holders):
        for each in members_of(attribute(exc, name)):
            if isinstance(each, BaseException):
                yield each


def members_of(value: Any) -> list[Any]:
    """The members of a list or tuple; anything else is its own."""
    return list(cast(Iterable[Any], value)) if isinstance(value, (tuple, list)) else [value]


def attribute(thing: object, name: str) -> Any:
    """An attribute, None where there is none or it cannot be had."""
    try:
        return getattr(thing, name, None)
    except Exception:
        # A property of somebody else's.
        return None


def word(thing: object, name: str) -> str:
    """An attribute that is a text, else ""."""
    value = attribute(thing, name)
    return value if isinstance(value, str) else ""


def number(thing: object, name: str) -> int:
    """An attribute that is a whole number, else 0."""
    value = attribute(thing, name)
    return value if isinstance(value, int) else 0


# More than a message keeps.
_MOST_TEXT = 2000


def text_of(exc: BaseException) -> str:
    """What an exception says, "" where it cannot."""
    try:
        text = str(exc)
        if len(exc.args) > 1 and text == str(exc.args):
            # Python's way to show a number and a text.
            text = " ".join(each for each in exc.args if isinstance(each, str))
    except Exception:
        # A `__str__` of somebody else's.
        return ""
    return text[:_MOST_TEXT]


def may_be_quoted(exc: BaseException) -> bool:
    """Whether its text is about the network.

    What Python itself says of an argument is not: it may quote a header's value. Neither is what
    only repeats another exception, as urllib3 does, with the URL before it.
    """
    held = (*members_of(attribute(exc, "args")), attribute(exc, "reason"))
    if any(isinstance(each, BaseException) for each in held):
        return False
    return isinstance(exc, (OSError, EOFError)) or type(exc).__module__ != "builtins"
