"""Readers of whole responses: they turn a 2xx response into the result of a call."""

from collections.abc import Callable
from typing import Any, Generic, Optional, TypeVar

import msgspec
from msgspec import UNSET, Struct

from meshapi_core._json_kinds import is_object
from meshapi_core._raw_data import sent_of
from meshapi_core.byte_streams import cut_error, is_document, misplaced
from meshapi_core.envelopes import error_in_response, members_of
from meshapi_core.errors import ResponseDecodeError
from meshapi_core.headers import content_type
from meshapi_core.messages import Response
from meshapi_core.readers.contents import (
    decoder_of,
    events_in,
    only_event,
    parsed,
    raise_error,
    read_response,
    unframed,
)
from meshapi_core.readers.streams import ChunkReader
from meshapi_core.sniffing import KEPT_BYTES, sniff, title_of, unexpected
from meshapi_core.types._base import ResponseList, ResponseModel, attach

__all__ = ["BytesReader", "JSONReader", "ListReader", "EmptyReader", "TextReader"]

T = TypeVar("T")

JSON = "application/json"


class JSONReader(Struct, Generic[T], frozen=True):
    """Reads a JSON body as `kind`.

    Fields:
        kind: the type of the response.
        stream: reads the chunks of a streamed response, where the endpoint has that form: some
            gateways stream although they were not asked to.
    """

    kind: "type[T]"
    stream: Optional[ChunkReader[Any]] = None

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return JSON

    def read(self, response: Response) -> T:
        """Return the typed response. See `Reader.read`."""
        marker = None if self.stream is None else self.stream.marker
        try:
            result, body = read_response(response, decoder_of(self.kind), self.kind, marker)
        except ResponseDecodeError:
            if (
                self.stream is None
                or parsed(response.body) is not UNSET
                or not events_in(response.body)
            ):
                raise
            result = self.stream.assembled(response)
            body = _written(result)
        typed: T = attach(result, body, response.meta)
        return typed


class ListReader(Struct, Generic[T], frozen=True):
    """Reads an array of `kind`, bare or as the `data` of an object; null is an empty array."""

    kind: "type[T]"

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return JSON

    def read(self, response: Response) -> "ResponseList[T]":
        """Return the rows. See `Reader.read`."""
        kind: Any = self.kind
        rows, body = read_response(response, decoder_of(Optional[list[kind]]), list)
        return attach(ResponseList[T](rows or ()), body, response.meta)


class BytesReader(Struct, frozen=True):
    """Reads the body as bytes, unchanged.

    Fields:
        documents: whether the file may itself be JSON or an HTML page. Where audio was asked for,
            these are errors with the wrong status.
    """

    documents: bool = True

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return "*/*"

    def read(self, response: Response) -> bytes:
        """Return the body. See `Reader.read`."""
        body, headers = response.body, response.headers
        if is_document(body, headers, documents=self.documents):
            error = misplaced(body, headers, response.status, documents=self.documents)
            if error is not None:
                raise error
        if response.cut:
            raise cut_error(headers, response.status)
        return body


class EmptyReader(Struct, frozen=True):
    """Reads a response that only says that the work is done; raises if it is an error or a page."""

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return JSON

    def read(self, response: Response) -> None:
        """None. See `Reader.read`."""
        kind = sniff(response.body, ended=True)
        if kind in ("json", "events"):
            only = only_event(response, None)
            error = error_in_response(
                parsed((only or response).body), response.headers, response.status
            )
            if error is not None:
                raise error
        elif kind == "page" and title_of(response.body.decode("utf-8", "replace")):
            # Usually the login page of a captive portal: the gateway has not seen the request.
            raise unexpected("an empty response", response.headers, response.status, response.body)


class TextReader(Struct, Generic[T], frozen=True):
    """Reads a JSON object as `kind`; anything else is text, from which `make` makes the response.

    The content type alone does not decide: gateways send JSON as text and text as JSON. A body that
    is declared as text is read as an object if it has a member that `kind` declares.
    """

    kind: "type[T]"
    make: Callable[[str], T]

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return "application/json, text/*;q=0.9, */*;q=0.8"

    def read(self, response: Response) -> T:
        """Return the typed response. See `Reader.read`."""
        kind = content_type(response.headers)
        declared = kind == JSON or kind.endswith("+json")
        response = unframed(response)
        start = response.body.lstrip()[:1]
        if kind == "text/event-stream" or (
            start in (b"{", b"[") and (declared or self._is_object(response))
        ):
            result, body = read_response(response, decoder_of(self.kind), self.kind)
            typed: T = attach(result, body, response.meta)
            return typed
        if start == b"<" and _is_page(kind, response.body):
            raise unexpected("text", response.headers, response.status, response.body)
        if response.cut:
            raise cut_error(response.headers, response.status)
        text = response.body.decode("utf-8", "replace")
        if declared and start == b'"':
            text, _ = read_response(response, decoder_of(str), str)
        # `attach` takes JSON: this makes the text itself the response's `.raw`.
        return attach(self.make(text), msgspec.json.encode(text), response.meta)

    def _is_object(self, response: Response) -> bool:
        """Return whether a body that is not declared as JSON is a `kind`; raise an error in it."""
        sent = parsed(response.body)
        raise_error(sent, response, self.kind)
        return is_object(sent) and not sent.keys().isdisjoint(members_of(self.kind))


def _written(response: ResponseModel) -> bytes:
    """Return the JSON of a response that was put together from chunks."""
    sent = sent_of(response)
    body = None if sent is None else sent[0]
    return response.model_dump_json(exclude_none=True).encode() if body is None else body


def _is_page(kind: str, body: bytes) -> bool:
    start = body[:KEPT_BYTES].lstrip()[:20].lower()
    return kind == "text/html" or start.startswith((b"<!doctype html", b"<html"))
