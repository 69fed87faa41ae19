"""The head of a request, put together without h11 where nothing about it is out of the ordinary.

The text is made first and then looked at as a whole: names are tokens, all else is visible ASCII
with blanks between, and there are as many lines as there should be. What is not so (and what
changes how the connection goes on, such as Upgrade) is h11's, which says what is wrong, if
anything is.

Source: https://www.rfc-editor.org/rfc/rfc9112 (sections 3 and 5),
    https://www.rfc-editor.org/rfc/rfc9110#section-5.5
"""

import re
from functools import lru_cache
from operator import itemgetter
from typing import Optional

from meshapi_core._secret import Secret
from meshapi_core.messages import Request

__all__ = ["has_length", "plain_head"]

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TEXT = bytes((*b"\r\n", *range(0x20, 0x7F)))
# These mean more than a field does: h11 is to know of them.
_MEANINGFUL = frozenset(
    {"connection", "content-length", "expect", "host", "transfer-encoding", "upgrade"}
)
_name_of = itemgetter(0)


def plain_head(request: Request, length: int) -> Optional[bytes]:
    """Return the head of a request in bytes that do not show the token; None: it is h11's.

    Args:
        request: what is sent.
        length: of its body.
    """
    fields, target = request.headers, request.target
    if request.method not in _METHODS or not _are_plain(
        "\n".join(map(_name_of, fields)), len(fields)
    ):
        return None
    # Joined, and not formatted: a secret shows asterisks to whoever formats it.
    start = (request.method, " ", target, " HTTP/1.1\r\nhost: ", request.origin.authority)
    ends = (f"content-length: {length}", "", "") if has_length(request, length) else ("", "")
    head = Secret("\r\n".join(("".join(start), *map(": ".join, fields), *ends)))
    if not head.isascii():
        return None
    data, lines = head.encode("ascii"), 1 + len(fields) + len(ends)
    is_plain = (
        not data.translate(None, _TEXT)
        # Nothing brings a line along, or half of its end.
        and data.count(b"\r\n") == data.count(b"\r") == data.count(b"\n") == lines
        and target[:1] == "/"
        and " " not in target
        # A value begins and ends with something visible.
        and data.find(b":  ") < 0
        and data.find(b" \r") < 0
    )
    return data if is_plain else None


def has_length(request: Request, length: int) -> bool:
    """Whether a request says how long its body is: where it has one, or its method suggests one."""
    return length > 0 or request.method in _WITH_BODY


# Nearly all calls of a client have the same names. They are no secrets.
@lru_cache(maxsize=256)
def _are_plain(lines: str, count: int) -> bool:
    names = lines.split("\n") if lines else []
    return len(names) == count and all(
        _NAME.fullmatch(name) and name.lower() not in _MEANINGFUL for name in names
    )
