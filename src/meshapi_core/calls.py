"""A call as a value: what to send, and how to read the response.

It holds no client, so a call can be stored, compared, logged, tested, or written to a batch file.
An `Exchange` decides on its attempts.
"""

from collections.abc import Callable
from typing import Any, Generic, Optional, TypeVar, Union

from msgspec import Struct
from msgspec.structs import force_setattr
from typing_extensions import Protocol

from meshapi_core._json_kinds import value_name
from meshapi_core._secret import Secret, SecretURL
from meshapi_core.bodies import FileSource, StreamedBody, joined
from meshapi_core.config import MeshAPIConfig
from meshapi_core.content_codings import decoded, decoded_in_part, opened
from meshapi_core.destinations import check_destination
from meshapi_core.envelopes import error_from_response, refused_upload
from meshapi_core.errors import APIStatusError, InvalidParamsError, ResponseDecodeError
from meshapi_core.headers import Headers, find_request_id
from meshapi_core.media_types import checked_media_type
from meshapi_core.messages import Request, Response
from meshapi_core.multipart import Multipart, draw_id
from meshapi_core.queries import percent_encoded
from meshapi_core.readers import BodyDecoder, EmptyReader, Reader, StreamReader
from meshapi_core.redaction import secrets_in_query
from meshapi_core.service import VERSION_PATH
from meshapi_core.targets import check_query, check_target
from meshapi_core.urls import parse_url

R_co = TypeVar("R_co", covariant=True)

MAX_BODY_SIZE = 256 * 1024 * 1024
"""Bytes of one whole response that are kept: ten 4K images in base64 fit, and a faulty peer that
sends for ever cannot use up the memory."""

MAX_ERROR_SIZE = 64 * 1024
"""Bytes of an error response that are read: more than any error body has, and little memory."""

_JSON = "application/json"


def too_large(status: int, headers: Headers) -> ResponseDecodeError:
    """Return the error for a response that is larger than `MAX_BODY_SIZE`."""
    return ResponseDecodeError(
        f"the response is larger than {MAX_BODY_SIZE} bytes",
        status=status,
        error_code="response_too_large",
        request_id=find_request_id(headers),
        headers=headers,
    )


class AnyCall(Protocol[R_co]):
    """What an `Exchange` needs of a call. `Call`, `StreamCall` and `SignedPut` implement it.

    It may also have `needs_token`, which is True by default, `answer_within`, None by default, and
    `is_download`, False by default: a stream that is retried like any GET until its body begins.
    """

    @property
    def method(self) -> str: ...
    @property
    def streaming(self) -> bool: ...
    @property
    def starts_job(self) -> bool: ...
    @property
    def upgrades(self) -> bool: ...
    def request(
        self, config: MeshAPIConfig, random_bytes: Optional[Callable[[int], bytes]] = None
    ) -> Request:
        """Return the HTTP request for this call at this gateway.

        Args:
            config: names the gateway, and has the token and the extras.
            random_bytes: returns as many random bytes as it is asked for, as `os.urandom` does: for
                the boundary of a form and for the idempotency key. Without it the boundary is
                fixed, so that a file must not contain it, and there is no key.
        """
        ...

    def read(self, response: Response) -> R_co:
        """Return the result from a 2xx response."""
        ...

    def refusal(self, response: Response) -> APIStatusError:
        """Return the error from any other response."""
        ...


class _HasAccept(Protocol):
    """What a request needs of the reader of its response."""

    @property
    def accept(self) -> str: ...


ReaderT_co = TypeVar("ReaderT_co", bound=_HasAccept, covariant=True)


class _BaseCall(Struct, Generic[ReaderT_co], frozen=True, kw_only=True):
    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: Union[bytes, Multipart] = b""
    reader: ReaderT_co
    starts_job: bool = False
    answer_within: Optional[float] = None
    idempotency_key: Optional[str] = None

    def __post_init__(self) -> None:
        check_target(self.method, self.path)
        if self.query != ():
            check_query(self.query)
        # For callers without a type checker.
        if type(self.body) is not bytes and not isinstance(self.body, Multipart):
            hint = "encode_params() makes JSON of any parameters"
            raise InvalidParamsError("body", "bytes or a Multipart", value_name(self.body), hint)
        if self.idempotency_key is not None:
            MeshAPIConfig.check_idempotency_key(self.idempotency_key)

    def __repr__(self) -> str:
        # Neither the query nor the body: prompts do not belong in a log.
        size = f"{len(self.body)} bytes" if isinstance(self.body, bytes) else repr(self.body)
        path = self.path.partition("?")[0]
        return f"<{type(self).__name__} {self.method} {path} ({size})>"

    @property
    def upgrades(self) -> bool:
        """Always False: the request asks for no other protocol."""
        return False

    @property
    def needs_token(self) -> bool:
        """Always True: the request carries the token."""
        return True

    def refusal(self, response: Response) -> APIStatusError:
        """Return the error from a response other than a 2xx."""
        return error_from_response(
            response.status,
            response.headers,
            response.body,
            received_at=response.received_at,
            proxy=response.proxy,
        )

    def request(
        self, config: MeshAPIConfig, random_bytes: Optional[Callable[[int], bytes]] = None
    ) -> Request:
        """Return the HTTP request for this call at this gateway. See `AnyCall.request`."""
        location, extras, service = config.location, config.extras, config.service
        content_type = _JSON
        body: Union[bytes, StreamedBody]
        if isinstance(self.body, Multipart):
            boundary = f"meshapi-{draw_id(random_bytes or bytes)}"
            content_type = f"multipart/form-data; boundary={boundary}"
            body = extras.form_of(self.body).encode(boundary)
        else:
            body = extras.json_of(self.body) if self.body and extras.body else self.body
        query = extras.query_of(self.query) if extras.query else self.query
        # MeshAPI's paths need no change, and no function call.
        is_placed = service.path_prefix == VERSION_PATH
        target = location.prefix + (self.path if is_placed else service.placed(self.path))
        if query:
            target = f"{target}{'&' if '?' in target else '?'}{percent_encoded(query)}"
        if extras.query:
            target = Secret(target)
        own: tuple[tuple[str, str], ...] = (("content-type", content_type),) if body else ()
        key = service.idempotency_header
        if key is not None and random_bytes is not None and self.method == "POST":
            # The same for every attempt, so that a service that supports the header does the work
            # once.
            value = self.idempotency_key or config.idempotency_key or draw_id(random_bytes)
            own += ((key, value),)
        headers = (
            config.auth_field,
            *own,
            ("accept", self.reader.accept),
            *config.further_fields,
        )
        if extras.headers:
            headers = extras.headers_of(headers)
        return Request(self.method, location.origin, target, headers, body)


class Call(_BaseCall[Reader[R_co]], Generic[R_co], frozen=True, kw_only=True):
    """A call whose response is read whole.

    Fields:
        method: in capitals.
        path: of the endpoint, percent-encoded; begins with `/v1`, which a `Service` may replace
            (`Service.path_prefix`).
        query: names and values, not encoded.
        body: JSON, a form, or empty.
        reader: reads the response.
        starts_job: whether the request starts work that goes on, and is billed, after the response.
            Such a call is not retried where the work may have begun.
        answer_within: seconds in which the gateway has promised to respond; None if it has not.
            Each attempt waits a little longer than that at most, whatever the client's own limits
            allow: see `Send.answer_within`.

    Raises:
        InvalidParamsError: a request cannot have this method, path, query or body. For example, the
            path leads to another server, has dot segments, or is not percent-encoded.
    """

    @property
    def streaming(self) -> bool:
        """Always False: the `Response` has the whole body."""
        return False

    def read(self, response: Response) -> R_co:
        """Return the typed form of a 2xx response.

        Raises:
            APIStatusError: the body is an error, in spite of the status.
            ResponseDecodeError: the body is not what was expected, or cannot be decoded.
            APIConnectionError: the body ended in the middle of its content coding (`truncated`).
        """
        reader: object = self.reader
        if isinstance(reader, EmptyReader):
            # The status says that the work is done: a body that cannot be decoded changes nothing.
            response, _ = decoded_in_part(response)
        else:
            if len(response.body) > MAX_BODY_SIZE:
                raise too_large(response.status, response.headers)
            response = decoded(response, MAX_BODY_SIZE)
        return self.reader.read(response)


class StreamCall(_BaseCall[StreamReader[R_co]], Generic[R_co], frozen=True, kw_only=True):
    """A call whose response is a stream.

    Fields:
        method, path, query, body: as in `Call`.
        reader: makes the decoder of the response's body.
        starts_job, answer_within, idempotency_key: as in `Call`.

    Raises:
        InvalidParamsError: as for `Call`.
    """

    @property
    def streaming(self) -> bool:
        """Always True: the body of a 2xx response goes to the decoder that `read` returns."""
        return True

    def read(self, response: Response) -> BodyDecoder[R_co]:
        """Return the decoder that receives the body of this 2xx response, compressed or not.

        Raises:
            ResponseDecodeError: the body has a content coding that cannot be decoded.
        """
        return opened(self.reader.open(response), response.headers, response.status)


class PlainCall(Struct, frozen=True, kw_only=True):
    """The base of calls that start no work: an upload, and the upgrade of a session.

    Both may be retried like any GET: an upload that is made twice stores the same content, and an
    upgrade costs nothing, as a session is billed by what is said in it.
    """

    @property
    def streaming(self) -> bool:
        """Always False: the response is read whole."""
        return False

    @property
    def starts_job(self) -> bool:
        """Always False."""
        return False

    @property
    def upgrades(self) -> bool:
        """Whether the request asks for another protocol, so that a 101 is the response."""
        return False

    @property
    def needs_token(self) -> bool:
        """Whether the request carries the token."""
        return True

    @property
    def answer_within(self) -> Optional[float]:
        """Always None: the gateway has promised nothing."""
        return None


class SignedPut(PlainCall, frozen=True, kw_only=True):
    """An upload to a signed URL. It carries neither the token nor the client's own headers.

    Fields:
        url: absolute; its query is a secret, which no repr and no error shows.
        content_type: the media type that the URL was signed for.
        source: the content.

    Raises:
        ResponseDecodeError: by `request`, if the URL is not valid, or if the gateway must not send
            this client there (`unsafe_url`; see `destinations`).
        InvalidParamsError: by `request`, if no header can carry the content type.
    """

    url: str
    content_type: str
    source: FileSource

    def __post_init__(self) -> None:
        force_setattr(self, "url", SecretURL(self.url))

    @property
    def method(self) -> str:
        """Always PUT."""
        return "PUT"

    @property
    def needs_token(self) -> bool:
        """Always False: the URL has a signature of its own."""
        return False

    def __repr__(self) -> str:
        return f"<SignedPut {SecretURL(self.url).place}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("url", self.url), ("content_type", self.content_type)]

    def request(
        self, config: MeshAPIConfig, random_bytes: Optional[Callable[[int], bytes]] = None
    ) -> Request:
        """Return the HTTP request: the content type is its only header."""
        content_type = checked_media_type("content_type", self.content_type)
        origin, target = parse_url(self.url)
        gateway = config.location.origin
        check_destination(origin, gateway)
        return Request(
            "PUT",
            origin,
            target,
            (("content-type", content_type),),
            joined((self.source,)),
            secrets=secrets_in_query(target),
            named_by=None if origin == gateway else gateway,
        )

    def read(self, response: Response) -> None:
        """None: any 2xx means that the content has been stored."""

    def refusal(self, response: Response) -> APIStatusError:
        """Return the storage service's error, without its text, which may quote the signature."""
        return refused_upload(
            response.status, response.headers, response.body, received_at=response.received_at
        )
