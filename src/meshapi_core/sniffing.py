"""What a body is, whatever its label says, and the error of one that is not what was promised.

Gateways send event streams as text, proxies send pages as anything, and both send JSON where
there should be none. So the first bytes that are not blank decide; the label only settles what
they leave open.
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
"""Bytes of a body that stay in memory with an error: every usual error fits whole."""

SNIFFED = 1024
"""Bytes that are looked at; more blanks than that at the start are not looked through."""

# As much as a line of a log can take beside the facts about it.
_EXCERPT = 400

_BOM = b"\xef\xbb\xbf"
_FIELDS = (b"data", b"event", b"id", b"retry", b"error")
# A field of an event stream needs its colon or its line end: "data center" is a text.
_FIELD = re.compile(rb"(?:data|event|id|retry|error)?:|(?:data|event|id|retry)[\r\n]")
_LONGEST_FIELD = max(map(len, _FIELDS))

# No part of these can match in more than one way, so a page of any kind takes linear time.
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
    """Return what a body is by its first bytes; None where more are needed to say it.

    The response is the same wherever the bytes are cut. A body that is blank for too long, or as a
    whole, is a text.

    Args:
        start: the body from its first byte on, as far as it has come.
        ended: there is no more of it.
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
    """Return the title of a page, "" where it has none."""
    found = _TITLE.search(text)
    return _plain(found[1]) if found else ""


def readable(text: str) -> str:
    """Return what a text says to people: all of it; of a page its title; of XML its message.

    A page without a title gives its text without the tags.
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
    """Return the error of a 2xx response whose body is not what was promised; it shows the body.

    Args:
        expected: what was promised, with its article.
        body: as far as it was read.
        whole: whether it was read to its end, so that its size is known.
        reason: what is wrong with it, where that is not obvious.
        instead: a message that says already what was expected and what came.
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
    """Return a text without all that stands between two marks, the marks included."""
    opening, closing = (re.compile(re.escape(mark), re.IGNORECASE) for mark in (start, end))
    kept: list[str] = []
    place = 0
    # Where the end is missing, what follows is all of it. It is not looked for from there on, or
    # it would be from each start.
    while (first := opening.search(text, place)) and (last := closing.search(text, first.end())):
        kept.append(text[place : first.start()])
        place = last.end()
    return " ".join([*kept, text[place : first.start() if first else None]])
