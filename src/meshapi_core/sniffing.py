"""What kind of body a response has, whatever its content type, and the error for the wrong kind.

Gateways label event streams as text, proxies label pages as anything, and both send JSON where
there should be none. So the first bytes after any white space decide; callers use the content type
only where these leave the kind open.
"""

import re
from collections.abc import Mapping
from typing import Optional

from typing_extensions import Literal

from meshapi_core.errors import ResponseDecodeError
from meshapi_core.headers import find_request_id

__all__ = [
    "KEPT_BYTES",
    "SNIFFED",
    "BodyKind",
    "readable",
    "sniff",
    "title_of",
    "unexpected",
]

BodyKind = Literal["events", "json", "page", "text"]

KEPT_BYTES = 64 * 1024
"""Bytes of a body that an error keeps: any usual error response fits whole."""

SNIFFED = 1024
"""Bytes that are examined; a body that begins with more white space is a text."""

# Characters of a body in a message: what fits into a line of a log, with the rest of the message.
_EXCERPT = 400

_BOM = b"\xef\xbb\xbf"
_FIELDS = (b"data", b"event", b"id", b"retry", b"error")
# A field of an event stream needs a colon or a line end after its name: "data center" is a text.
_FIELD = re.compile(rb"(?:data|event|id|retry|error)?:|(?:data|event|id|retry)[\r\n]")
_LONGEST_FIELD = max(map(len, _FIELDS))

# No part of these patterns can match in two ways, so that any page takes linear time.
_TITLE = re.compile(r"<title(?:\s[^<>]*)?>([^<]*)", re.IGNORECASE)
_SAID = re.compile(
    r"<(?:[a-z0-9]{1,32}:)?(?:message|faultstring|errormessage)(?:\s[^<>]*)?>"
    r"(?:<!\[CDATA\[)?([^<]*)",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[^<>]*>")
_ENTITIES = (
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", '"'),
    ("&#39;", "'"),
    ("&apos;", "'"),
    ("&nbsp;", " "),
    ("&amp;", "&"),
)


def sniff(start: bytes, *, ended: bool = False) -> Optional[BodyKind]:
    """Return the kind of a body by its first bytes; None where more are needed to decide.

    The result does not depend on where the bytes are cut. A body that is blank, or begins with too
    much white space, is a text.

    Args:
        start: the body from its first byte on, as far as it has arrived.
        ended: whether that is all of it.
    """
    text = start[:SNIFFED].lstrip()
    if text.startswith(_BOM):
        text = text[len(_BOM) :].lstrip()
    if text[:1] in (b"{", b"["):
        return "json"
    if text[:1] == b"<":
        return "page"
    if _FIELD.match(text):
        return "events"
    open_ended = len(text) <= _LONGEST_FIELD and any(
        name.startswith(text) for name in (*_FIELDS, _BOM)
    )
    return None if open_ended and not ended and len(start) < SNIFFED else "text"


def title_of(text: str) -> str:
    """Return the title of a page; "" where it has none."""
    found = _TITLE.search(text)
    return _plain(found[1]) if found else ""


def readable(text: str) -> str:
    """Return the part of a text that people read: of a page its title, of XML its message.

    A page without a title becomes its text without the tags; any other text is returned whole.
    """
    if not text.lstrip().startswith("<"):
        return " ".join(text.split())
    said = _SAID.search(text)
    title = title_of(text) or (_plain(said[1]).removesuffix("]]>") if said else "")
    if title:
        return title
    for name in ("script", "style"):
        text = _without(text, f"<{name}", f"</{name}>")
    return _plain(_TAG.sub(" ", _without(text, "<!--", "-->"))) or " ".join(text.split())


def unexpected(
    expected: str,
    headers: Mapping[str, str],
    status: int,
    body: bytes,
    *,
    whole: bool = True,
    reason: str = "",
    instead: str = "",
) -> ResponseDecodeError:
    """Return the error for a 2xx response whose body is not what was expected; it shows the body.

    Args:
        expected: what was expected, with its article.
        headers, status: of the response.
        body: as far as it was read.
        whole: whether it was read to its end, so that its size is known.
        reason: what is wrong with it, where that is not obvious.
        instead: a message that already says what was expected and what arrived.
    """
    size = f"{len(body)} byte{'s' * (len(body) != 1)}, " if whole else ""
    got = headers.get("content-type", "").strip() or "a response without a content type"
    if body.strip():
        if expected == "an event stream" and got.startswith("text/event-stream"):
            got = "no event"
        elif expected == "JSON" and "json" in got and not instead:
            got = f"{got} that is not valid"
        got = f"{got} ({size}HTTP {status}): {_excerpt(body)}"
    else:
        got = f"{got} with an empty body (HTTP {status})"
    message = f"{instead}; it is {got}" if instead else f"expected {expected}, got {got}"
    return ResponseDecodeError(
        f"{message} ({reason})" if reason else message,
        status=status,
        error_code="parse_error",
        request_id=find_request_id(headers),
        headers=headers,
        raw_body=body[:KEPT_BYTES],
    )


def _excerpt(body: bytes) -> str:
    text = body[:KEPT_BYTES].decode("utf-8", "replace").strip()
    start = text[:_EXCERPT]
    title = title_of(text) if text.startswith("<") else ""
    return repr(start) if title in start else f"{title!r}, {start!r}"


def _plain(text: str) -> str:
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return " ".join(text.split())


def _without(text: str, start: str, end: str) -> str:
    """Return a text without everything from a start mark to the next end mark."""
    opening, closing = (re.compile(re.escape(mark), re.IGNORECASE) for mark in (start, end))
    kept: list[str] = []
    place = 0
    # Where an end mark is missing, the rest of the text is dropped. The loop stops there: to search
    # to the end of the text again for each start mark would take quadratic time.
    while (first := opening.search(text, place)) and (last := closing.search(text, first.end())):
        kept.append(text[place : first.start()])
        place = last.end()
    return " ".join([*kept, text[place : first.start() if first else None]])
