"""A request and its response, as they stand in a cassette."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Optional, Union
from urllib.parse import parse_qsl, unquote

import msgspec
from msgspec import Struct

from meshapi.testing.cassettes.bodies import (
    form_as_value,
    pieces_as_value,
    pieces_of,
    whole_as_value,
)
from meshapi.testing.cassettes.scrubbing import (
    DROPPED,
    scrubbed,
    scrubbed_pieces,
    scrubbed_query,
)
from meshapi_core import CassetteError, Request, concealed

__all__ = [
    "VERSION",
    "Asked",
    "End",
    "Exchange",
    "Message",
    "Responded",
    "decoded",
    "encoded",
    "secrets_of",
    "text_of",
]

VERSION = 1

_BOUNDARY = re.compile(r'(?i)multipart/[^;]*;.*\bboundary="?([^";]+)')


class Asked(Struct, frozen=True, omit_defaults=True):
    """A request, without what differs each time, and without secrets.

    Fields:
        method, path: as they were sent; the path is not percent-encoded.
        query: pairs of names and values, sorted.
        body: see `bodies`.
    """

    method: str
    path: str
    query: list[tuple[str, str]] = []
    body: dict[str, Any] = {}

    @staticmethod
    def of(request: Request, secrets: Sequence[str]) -> "Asked":
        """Return what a cassette has of a request, without secrets."""
        path, _, query = request.plain_target.partition("?")
        body = request.body
        data = body if isinstance(body, bytes) else b"".join(_pieces(body))
        return Asked(
            request.method,
            concealed(unquote(path), secrets),
            sorted(scrubbed_query(parse_qsl(query, keep_blank_values=True), secrets)),
            _body(scrubbed(data, secrets), request.header("content-type") or ""),
        )


def secrets_of(request: Request) -> list[str]:
    """The secrets of a request, as plain text: the token, and what the program has added."""
    found = [str.__str__(each) for each in request.secrets]
    for name, value in request.headers:
        if name.lower() in ("authorization", "x-api-key", "cookie", "proxy-authorization"):
            plain = str.__str__(value)
            # Without its scheme, too: a body may have the token alone.
            found += [plain, plain.partition(" ")[2].strip()]
    return [each for each in found if each]


def _pieces(body: Any) -> Iterable[bytes]:
    pieces: Iterable[bytes] = body.pieces()
    return pieces


def _body(data: bytes, content_type: str) -> dict[str, Any]:
    found = _BOUNDARY.match(content_type)
    return whole_as_value(data) if found is None else form_as_value(data, found.group(1))


class Responded(Struct, frozen=True, omit_defaults=True):
    """A response, without what differs each time, and without secrets.

    Fields:
        status: the status.
        headers: in lower case; several values of one name are a list.
        body: see `bodies`.
        end: "whole"; "broken" if the connection was lost before the end; "incomplete" if the
            program read no further.
    """

    status: int
    headers: dict[str, Union[str, list[str]]] = {}
    body: dict[str, Any] = {}
    end: Literal["whole", "broken", "incomplete"] = "whole"

    @staticmethod
    def of(
        status: int,
        headers: Iterable[tuple[Any, Any]],
        pieces: Sequence[bytes],
        end: Literal["whole", "broken", "incomplete"],
        secrets: Sequence[str],
    ) -> "Responded":
        """Return what a cassette has of a response."""
        values: dict[str, list[str]] = {}
        for name, value in ((text_of(n).lower(), text_of(v)) for n, v in headers):
            if name not in DROPPED:
                values.setdefault(name, []).append(concealed(value, secrets))
        kept = {name: _one_or_several(each) for name, each in values.items()}
        kind = values.get("content-type", [""])[0].partition(";")[0].strip()
        is_json = kind == "application/json" and end == "whole"
        whole = [b"".join(pieces)] if is_json else pieces
        return Responded(status, kept, pieces_as_value(scrubbed_pieces(whole, secrets)), end)

    def pairs(self) -> list[tuple[str, str]]:
        """The headers."""
        return [
            (name, each)
            for name, value in self.headers.items()
            for each in ([value] if isinstance(value, str) else value)
        ]

    def pieces(self) -> list[bytes]:
        """The pieces of the body."""
        return pieces_of(self.body)


def _one_or_several(values: list[str]) -> Union[str, list[str]]:
    return values[0] if len(values) == 1 else values


def text_of(value: Any) -> str:
    """Return the name or the value of a header as text."""
    return value.decode("latin-1") if isinstance(value, bytes) else str.__str__(value)


class Message(Struct, frozen=True, omit_defaults=True):
    """One message of a realtime session: exactly one of `sent` and `received`.

    Fields:
        sent: what the program sent; see `bodies`.
        received: what the gateway sent.
        binary: whether it was a binary message; otherwise it was text.
    """

    sent: Optional[dict[str, Any]] = None
    received: Optional[dict[str, Any]] = None
    binary: bool = False

    def data(self) -> bytes:
        """The message as it was; for one in both directions or none, ValueError."""
        if (self.sent is None) == (self.received is None):
            raise ValueError("expected either sent or received")
        value = self.received if self.sent is None else self.sent
        return b"".join(pieces_of(value or {}))


class End(Struct, frozen=True, omit_defaults=True):
    """How a realtime session ended.

    Fields:
        by: who sent the close; "nobody" if the connection was lost, or broke a rule.
        code, reason: of the close.
        error_code: of an end without a close.
    """

    by: Literal["gateway", "program", "nobody"]
    code: int
    reason: str = ""
    error_code: str = ""


class Exchange(Struct, frozen=True, omit_defaults=True):
    """A request and its response.

    Fields:
        messages: of a realtime session, in both directions; None if the response is no 101.
        end: of that session; None if the program left it without a close.
    """

    request: Asked
    response: Responded
    messages: Optional[list[Message]] = None
    end: Optional[End] = None

    def check(self) -> None:
        """Raise unless it can be played.

        Raises:
            ValueError: something is none of the values that a cassette has; the message says where.
        """
        where = "response.body"
        try:
            self.response.pieces()
            for number, message in enumerate(self.messages or ()):
                where = f"messages[{number}]"
                if not message.binary:
                    message.data().decode("utf-8")
        except ValueError as exc:
            raise ValueError(f"{where}: {exc}") from None


class _Cassette(Struct, frozen=True):
    meshapi_cassette: int
    exchanges: list[Exchange] = []


def encoded(exchanges: Sequence[Exchange], secrets: Iterable[str] = ()) -> bytes:
    """Return the file of a cassette.

    Args:
        exchanges: in order.
        secrets: none of which is in the file, wherever it may have come from.
    """
    # Not msgspec's JSON, which has no NaN and no large numbers.
    values = msgspec.to_builtins(_Cassette(VERSION, list(exchanges)))
    file = (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
    for secret in secrets:
        plain = secret.encode("utf-8", "surrogatepass")
        if len(plain) >= 8 and plain in file:
            file = file.replace(plain, b"***")
    return file


def decoded(file: bytes, name: str) -> list[Exchange]:
    """Return the exchanges of a file.

    Raises:
        CassetteError: it is not a cassette, or one of a later version.
    """
    fault: Optional[str] = None
    try:
        found = msgspec.convert(json.loads(file.decode("utf-8")), _Cassette)
        if found.meshapi_cassette > VERSION:
            fault = f"it has version {found.meshapi_cassette}, and this release reads {VERSION}"
        for number, each in enumerate(found.exchanges):
            try:
                each.check()
            except ValueError as exc:
                fault = f"exchanges[{number}].{exc}"
    except (msgspec.ValidationError, ValueError, RecursionError) as exc:
        fault = str(exc)
        found = _Cassette(VERSION)
    if fault is not None:
        raise CassetteError(
            f"{name} is not a cassette that can be played: {fault}; delete it to record it again",
            error_code="cassette_damaged",
        )
    return found.exchanges
