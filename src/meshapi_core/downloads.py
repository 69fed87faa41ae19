"""Downloads: the calls that get a file or the rest of one, and what has arrived of it. No I/O.

A `FileDownload` gets a file of the gateway's, and a `URLDownload` one from another server. Both ask
for all of it, or for the rest from a byte on. A `PartialDownload` is told of the responses, one
after the other, and says what to ask for next:

- A response breaks off: ask for the rest, if the file has a strong validator, and else for all of
  it again. With If-Range, a server whose file has changed sends all of the new one.
- A 206 has the rest: it must begin where the last response ended, and be of the same file.
- Any other 2xx has all of it: what arrived before is worthless.
- A length that does not match what the server said is never taken for the end.

Offsets count bytes as they are sent, so a download asks for no content coding. If there is one
nevertheless, it is decoded, and the download can only begin again.

Source: https://www.rfc-editor.org/rfc/rfc9110#section-14 (ranges),
    https://www.rfc-editor.org/rfc/rfc9110#section-13.1.5 (If-Range),
    https://www.rfc-editor.org/rfc/rfc9110#section-8.8.2.2 (when a date is a strong validator)
"""

import re
from collections.abc import Callable
from typing import Any, Optional

from msgspec import Struct
from msgspec.structs import force_setattr, replace

from meshapi_core._json_kinds import value_name
from meshapi_core._secret import SecretURL
from meshapi_core.calls import PlainCall, StreamCall
from meshapi_core.config import MeshAPIConfig
from meshapi_core.content_codings import opened
from meshapi_core.destinations import check_destination
from meshapi_core.envelopes import refused_upload
from meshapi_core.errors import (
    APIStatusError,
    InvalidParamsError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from meshapi_core.headers import Headers, find_request_id
from meshapi_core.http_dates import parse_http_date
from meshapi_core.messages import Request, Response
from meshapi_core.readers import BodyDecoder, ByteStreamReader
from meshapi_core.redaction import secrets_in_query
from meshapi_core.urls import parse_url

__all__ = ["FileDownload", "PartialDownload", "URLDownload", "checked_url"]

Fields = tuple[tuple[str, str], ...]

_PARTIAL = 206
_WITHOUT_CONTENT = frozenset({204, 205})

# As many digits as a size has on any system. A range of more would be an int without a limit.
_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", re.IGNORECASE)
_UNSATISFIED = re.compile(r"bytes \*/([0-9]{1,18})", re.IGNORECASE)
_LENGTH = re.compile(r"[0-9]{1,18}")
_STRONG_TAG = re.compile(r'"[!#-~]*"')


class FileDownload(StreamCall[bytes], frozen=True, kw_only=True):
    """Gets a file of the gateway's as a stream of bytes.

    Fields:
        start: the first byte to get.
        validator: of the file whose first bytes have arrived; for `If-Range`.
        others: as in `StreamCall`.
    """

    start: int = 0
    validator: str = ""

    @property
    def is_download(self) -> bool:
        """Always True: see `AnyCall`."""
        return True

    def request(
        self, config: MeshAPIConfig, random_bytes: Optional[Callable[[int], bytes]] = None
    ) -> Request:
        """Return the HTTP request. See `AnyCall.request`."""
        request = super().request(config, random_bytes)
        ours = _fields_of(self.start, self.validator)
        names = {"accept-encoding", "range", "if-range"}
        kept = tuple(pair for pair in request.headers if pair[0].lower() not in names)
        return replace(request, headers=(*kept, *ours))


class URLDownload(PlainCall, frozen=True, kw_only=True):
    """Gets a file from a URL as a stream of bytes, without the token and the client's own headers.

    Fields:
        url: absolute; its query is a secret, which no repr and no error shows.
        start, validator: as in `FileDownload`.

    Raises:
        ResponseDecodeError: by `request`, if the URL is not valid, or if a response must not send
            this client there (`unsafe_url`; see `destinations`).
    """

    url: str
    start: int = 0
    validator: str = ""

    def __post_init__(self) -> None:
        force_setattr(self, "url", SecretURL(self.url))

    @property
    def method(self) -> str:
        """Always GET."""
        return "GET"

    @property
    def streaming(self) -> bool:
        """Always True: the body of a 2xx response goes to the decoder that `read` returns."""
        return True

    @property
    def is_download(self) -> bool:
        """Always True: see `AnyCall`."""
        return True

    @property
    def needs_token(self) -> bool:
        """Always False: a URL that grants access has a signature in it."""
        return False

    def __repr__(self) -> str:
        return f"<URLDownload {SecretURL(self.url).place}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("url", self.url)]

    def request(
        self, config: MeshAPIConfig, random_bytes: Optional[Callable[[int], bytes]] = None
    ) -> Request:
        """Return the HTTP request."""
        origin, target = parse_url(self.url)
        gateway = config.location.origin
        check_destination(origin, gateway)
        return Request(
            "GET",
            origin,
            target,
            (
                ("accept", "*/*"),
                # Some servers refuse requests without it.
                ("user-agent", config.service.user_agent),
                *_fields_of(self.start, self.validator),
            ),
            secrets=secrets_in_query(target),
            named_by=None if origin == gateway else gateway,
        )

    def read(self, response: Response) -> BodyDecoder[bytes]:
        """Return the decoder that receives the body of this 2xx response."""
        decoder = ByteStreamReader().open(response)
        return opened(decoder, response.headers, response.status)

    def refusal(self, response: Response) -> APIStatusError:
        """Return the server's error, without its text, which may quote the signature."""
        return refused_upload(
            response.status,
            response.headers,
            response.body,
            received_at=response.received_at,
            what="download",
        )


def _fields_of(start: int, validator: str) -> Fields:
    plain: Fields = (("accept-encoding", "identity"),)
    if not start:
        return plain
    return (*plain, ("range", f"bytes={start}-"), ("if-range", validator))


_EXPECTED_URL = "the URL of a file, which begins with https://"


def checked_url(url: object) -> SecretURL:
    """Return the URL that a caller passed for a download; no error shows it.

    Raises:
        InvalidParamsError: it is not an absolute http(s) URL.
    """
    # This comes first: where a later line raises, error trackers show the locals.
    url = SecretURL(url) if isinstance(url, str) else value_name(url)
    if not isinstance(url, SecretURL):
        hint = "pass a URL of the response, such as video.url"
        if url == "None":
            hint = "look whether the job has ended, and has not failed"
        raise InvalidParamsError("url", _EXPECTED_URL, url, hint)
    if url[:5].lower() == "data:":
        hint = "to write an image to a file, use client.images.save(image, path)"
        raise InvalidParamsError("url", _EXPECTED_URL, "a data URL", hint)
    try:
        parse_url(url)
    except ResponseDecodeError:
        pass
    else:
        return url
    # Outside the handler: that error is about a response.
    hint = "begin it with https://" if "://" not in url else ""
    raise InvalidParamsError("url", _EXPECTED_URL, "another str", hint)


class _Head(Struct, frozen=True):
    """What the head of a response says.

    Fields:
        start, end: the first byte of the file in it, and the byte after the last; None is unknown.
        total: the size of the file; None if it is unknown.
        tag, changed: ETag and Last-Modified, as received.
        validator: for If-Range; "" if there is no strong one.
    """

    start: int
    end: Optional[int]
    total: Optional[int]
    tag: str
    changed: str
    validator: str


class PartialDownload:
    """What has arrived of one file, over all responses.

    Tell it of each response: `begin` with its head, `receive` with the size of each piece, and then
    either `end` or nothing, if it broke off. `start` and `validator` are for the next request.
    """

    def __init__(self) -> None:
        self.received = 0
        """Bytes that have arrived and are of use."""
        self._head: Optional[_Head] = None

    @property
    def start(self) -> int:
        """The byte from which to ask next; 0 for the whole file."""
        return self.received if self.validator else 0

    @property
    def validator(self) -> str:
        """What says that it is still the same file; "" where nothing does."""
        return self._head.validator if self._head is not None else ""

    @property
    def total(self) -> Optional[int]:
        """The size of the file; None until a response has said it."""
        return self._head.total if self._head is not None else None

    def begin(self, status: int, headers: Headers) -> bool:
        """Take the head of a response; return whether what was written must be removed first.

        Raises:
            ResponseDecodeError: it has not the bytes that were asked for (`wrong_range`).
        """
        if status in _WITHOUT_CONTENT:
            raise _wrong(f"the response has no file: HTTP {status}", status, headers)
        if status != _PARTIAL:
            size = _size_of(headers)
            self._head = _head_of(headers, 0, size, size)
            stale, self.received = self.received > 0, 0
            return stale
        stale = self.received > self.start
        if stale:
            # All of the file was asked for.
            self.received, self._head = 0, None
        self._continue(headers)
        return stale

    def _continue(self, headers: Headers) -> None:
        text = headers.get("content-range", "")
        found = _RANGE.fullmatch(text.strip())
        if found is None or _is_coded(headers):
            why = "it does not say which bytes it has"
            raise _wrong(f"the rest of the file cannot be used: {why}", _PARTIAL, headers)
        first, last, total = map(int, found.groups())
        if not first <= last < total:
            raise _wrong(f"the range {text[:80]!r} is impossible", _PARTIAL, headers)
        if first != self.received:
            raise _wrong(
                f"the response begins at byte {first}, expected byte {self.received}",
                _PARTIAL,
                headers,
            )
        before, head = self._head, _head_of(headers, first, last + 1, total)
        if before is not None:
            same_size = before.total in (None, total)
            same_tag = head.tag in ("", before.tag)
            if not (same_size and same_tag and head.changed in ("", before.changed)):
                why = "the server sends the rest of another one"
                raise _wrong(f"the file has changed, and {why}", _PARTIAL, headers)
            # A 206 may leave out what the client knows.
            head = replace(head, tag=before.tag, changed=before.changed, validator=before.validator)
        self._head = head

    def receive(self, size: int) -> None:
        """Take the size of a piece, before it is written.

        Raises:
            ResponseDecodeError: there is more than the server said (`wrong_length`).
        """
        self.received += size
        head = self._head
        if head is not None and head.end is not None and self.received > head.end:
            raise ResponseDecodeError(
                f"the response is longer than the {head.end - head.start} bytes that it announced",
                error_code="wrong_length",
            )

    def end(self) -> None:
        """Take the end of a response.

        Raises:
            StreamInterruptedError: the file is not complete.
        """
        if self.total is not None and self.received < self.total:
            raise StreamInterruptedError(
                f"the response ended after {self.received} of {self.total} bytes"
            )

    def is_all(self, refusal: APIStatusError) -> bool:
        """Return whether an error says that there is no byte after those that have arrived.

        A body without a length can break off between its last byte and its end. If the server has
        announced more, or names another tag, the file has changed meanwhile.
        """
        if refusal.status != 416 or not self.start or self.total not in (None, self.received):
            return False
        if refusal.headers.get("etag", "").strip() not in ("", self.validator):
            return False
        found = _UNSATISFIED.fullmatch(refusal.headers.get("content-range", "").strip())
        return found is not None and int(found[1]) == self.received


def _head_of(headers: Headers, start: int, end: Optional[int], total: Optional[int]) -> _Head:
    tag, changed = headers.get("etag", "").strip(), headers.get("last-modified", "").strip()
    validator = ""
    if not _is_coded(headers) and headers.get("accept-ranges", "").strip().lower() != "none":
        if _STRONG_TAG.fullmatch(tag):
            validator = tag
        elif not tag and _is_strong_date(changed, headers.get("date", "").strip()):
            validator = changed
    return _Head(start, end, total, tag, changed, validator)


def _is_strong_date(changed: str, date: str) -> bool:
    """Whether the file was not changed in the second in which it was sent."""
    then, now = parse_http_date(changed), parse_http_date(date)
    return then is not None and now is not None and now - then >= 1


def _is_coded(headers: Headers) -> bool:
    return headers.get("content-encoding", "").strip().lower() not in ("", "identity")


def _size_of(headers: Headers) -> Optional[int]:
    if _is_coded(headers) or "transfer-encoding" in headers:
        return None
    found = _LENGTH.fullmatch(headers.get("content-length", "").strip())
    return None if found is None else int(found[0])


def _wrong(message: str, status: int, headers: Headers) -> ResponseDecodeError:
    return ResponseDecodeError(
        message,
        error_code="wrong_range",
        status=status,
        headers=headers,
        request_id=find_request_id(headers),
    )
