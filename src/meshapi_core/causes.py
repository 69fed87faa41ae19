"""The chain of an exception: its causes, and the exceptions that it holds.

This is the only place that walks over exceptions: `links_of` for finding out what happened,
`causes_of` for removing something from all of them. Exceptions from other libraries need care: an
attribute may be a property that raises, and a chain may be circular.
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
        implied: whether it, or an exception that holds it, was merely being handled when another
            one was raised.
    """

    exc: BaseException
    implied: bool


# Far more than any library wraps. A bound, as an attribute may make a new exception on each access.
_LONGEST = 10_000

# Where libraries keep the exceptions that they wrap: urllib and urllib3; aiohttp (two); tornado;
# groups; Twisted (two), whose Failures are exceptions with another as their value; requests.
_HOLDERS = "reason os_error certificate_error real_error exceptions reasons value args".split()


def links_of(exc: BaseException, holders: Sequence[str] = _HOLDERS) -> Iterator[Link]:
    """Yield the exception, its causes and the exceptions that it holds, implied ones last.

    The nearest come first. Each comes once, however many links lead to it.

    Args:
        holders: names of the attributes to look into, in addition to cause and context.
    """
    # The values keep the exceptions alive, so that no `id()` is used again.
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
    """Return the exception with all causes and contexts, and the members of groups."""
    return [link.exc for link in links_of(exc, ("exceptions",))]


def _held(exc: BaseException, holders: Sequence[str]) -> Iterator[BaseException]:
    for name in ("__cause__", *holders):
        for each in members_of(attribute(exc, name)):
            if isinstance(each, BaseException):
                yield each


def members_of(value: Any) -> list[Any]:
    """Return the members of a list or tuple; for anything else, a list of it alone."""
    return list(cast(Iterable[Any], value)) if isinstance(value, (tuple, list)) else [value]


def attribute(thing: object, name: str) -> Any:
    """Return an attribute; None if there is none, or reading it raises."""
    try:
        return getattr(thing, name, None)
    except Exception:
        # A property of another library's exception.
        return None


def word(thing: object, name: str) -> str:
    """Return an attribute that is a str, else ""."""
    value = attribute(thing, name)
    return value if isinstance(value, str) else ""


def number(thing: object, name: str) -> int:
    """Return an attribute that is an int, else 0."""
    value = attribute(thing, name)
    return value if isinstance(value, int) else 0


# More than a message keeps.
_MOST_TEXT = 2000


def text_of(exc: BaseException) -> str:
    """Return the text of an exception; "" if it cannot be had."""
    try:
        text = str(exc)
        if len(exc.args) > 1 and text == str(exc.args):
            # Python shows several arguments as a tuple: keep the texts.
            text = " ".join(each for each in exc.args if isinstance(each, str))
    except Exception:
        # The `__str__` of another library's exception.
        return ""
    return text[:_MOST_TEXT]


def may_be_quoted(exc: BaseException) -> bool:
    """Return whether an exception's text is about the network, and may be shown.

    Python's own exceptions for wrong arguments may quote a header's value. And urllib3's may only
    repeat another exception, with the URL before it.
    """
    held = (*members_of(attribute(exc, "args")), attribute(exc, "reason"))
    if any(isinstance(each, BaseException) for each in held):
        return False
    return isinstance(exc, (OSError, EOFError)) or type(exc).__module__ != "builtins"
