"""The head of a request, put together without h11 if nothing about it is out of the ordinary.

The text is made first and then checked as a whole: names are tokens, everything else is visible
ASCII with blanks between, and there are as many lines as there should be. A head that fails
this goes to h11, which says what is wrong, if anything is. So does a head that changes how the
connection continues, such as one with Upgrade.

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
# Headers about the connection or the framing of the message, which h11 must know of.
_MEANINGFUL = frozenset(
    {"connection", "content-length", "expect", "host", "transfer-encoding", "upgrade"}
)
_name_of = itemgetter(0)


def plain_head(request: Request, length: int) -> Optional[bytes]:
    """Return the head of a request in bytes that do not show the token; None if it is h11's.

    Args:
        request: the request.
        length: how many bytes its body has.
    """
    fields, target = request.headers, request.target
    # A method such as HEAD or CONNECT decides how the response is read: h11 must know of it.
    if request.method not in _METHODS or not _are_plain(
        "\n".join(map(_name_of, fields)), len(fields)
    ):
        return None
    # Joined, not formatted: a formatted `Secret` is asterisks. Host is required (RFC 9112, section
    # 3.2), and should be the first header (RFC 9110, section 7.2).
    start = (request.method, " ", target, " HTTP/1.1\r\nhost: ", request.origin.authority)
    ends = (f"content-length: {length}", "", "") if has_length(request, length) else ("", "")
    head = Secret("\r\n".join(("".join(start), *map(": ".join, fields), *ends)))
    if not head.isascii():
        return None
    data, lines = head.encode("ascii"), 1 + len(fields) + len(ends)
    is_plain = (
        not data.translate(None, _TEXT)
        # RFC 9110, section 5.5: a CR or LF in a value would be a line end, and begin a header that
        # nobody asked for. So there are no more of them than we put there.
        and data.count(b"\r\n") == data.count(b"\r") == data.count(b"\n") == lines
        # RFC 9112, section 3.2.1: the origin-form. A blank in it would end the target.
        and target[:1] == "/"
        and " " not in target
        # RFC 9112, section 5.1: blanks around a value are not part of it, so that it would arrive
        # as another one. An empty value is not plain either.
        and data.find(b":  ") < 0
        and data.find(b" \r") < 0
    )
    return data if is_plain else None


def has_length(request: Request, length: int) -> bool:
    """Whether a request has a Content-Length: if it has a body, or its method suggests one."""
    # RFC 9110, section 8.6: an empty POST has a length of 0. Some servers insist on one.
    return length > 0 or request.method in _WITH_BODY


# Nearly all calls of a client have the same names, and names are not secret.
@lru_cache(maxsize=256)
def _are_plain(lines: str, count: int) -> bool:
    names = lines.split("\n") if lines else []
    return len(names) == count and all(
        _NAME.fullmatch(name) and name.lower() not in _MEANINGFUL for name in names
    )
