"""The errors of HTTP responses with an error status, from the gateway or from file storage.

`meshapi_core/statuses.py` has the class and the error code for each status.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Optional

from meshapi_core.codec.parsing import parse
from meshapi_core.envelopes.error_fields import code_in, objects_in, unwrapped
from meshapi_core.envelopes.error_message import message_in, shown
from meshapi_core.envelopes.loose_json import first_json
from meshapi_core.envelopes.typed_errors import kept, typed_error, wait_asked
from meshapi_core.errors import APIStatusError, ResponseDecodeError
from meshapi_core.headers import find_request_id
from meshapi_core.proxies.refusals import own_response
from meshapi_core.redaction import conceal
from meshapi_core.retry_after import wait_in_headers
from meshapi_core.sniffing import KEPT_BYTES
from meshapi_core.statuses import code_of_status, error_class

__all__ = ["error_from_response", "refused_upload"]


def error_from_response(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    received_at: Optional[float] = None,
    proxy: str = "",
) -> APIStatusError:
    """Return the error for an HTTP response, whatever the response looks like. Never raises.

    The body decides how it is read, not its Content-Type, which proxies get wrong.
    `retry_after_seconds` is the larger of the values in the headers and in the body.

    Args:
        status: decides the class; any number.
        headers: with lower-case names.
        body: whole and decompressed.
        received_at: Unix time in seconds. A date in Retry-After is relative to this if the response
            has no Date header.
        proxy: what the proxy is called that forwarded the request; "" if there is none.
    """
    content = _read(body)
    objects = objects_in(content)
    code = code_in(objects) or code_of_status(status)
    message = message_in(content, objects)
    if isinstance(unwrapped(content), str) and message:
        # A proxy's text makes little sense without the status.
        message = _with_status(status, headers, message, proxy)
    elif not message and not body.strip():
        message = _with_status(status, headers, "", proxy)
    return typed_error(
        error_class(status),
        _redirection(status, headers)
        or (message or shown(f"HTTP {status}", content, told=code)) + _hint(status, headers, body),
        objects,
        headers,
        raw=kept(content, whole=len(body) <= KEPT_BYTES),
        code=code,
        wait=wait_asked(status, headers, received_at, objects),
        status=status,
    )


# The titles of most pages begin with it.
_ANY_STATUS = re.compile(
    r"(?:http(?:/[0-9.]{1,3})? )?(?:(?:status|error)(?: code)? )?"
    r"([0-9]{3})(?: ?[:.,\u2013\u2014-]? |$)",
    re.IGNORECASE,
)


# What a proxy responds with if it could not reach the server, and gateways respond with, too.
_OF_PROXIES: Final = (502, 503, 504)


def _with_status(status: int, headers: Mapping[str, str], text: str, proxy: str) -> str:
    """Return a text that is not of the gateway, after the status and who says it."""
    own, said = own_response(headers), f"HTTP {status}"
    begins = _ANY_STATUS.match(text)
    if begins is not None and begins[1] == str(status):
        text = text[begins.end() :]
    code = ""
    if own is not None:
        said += f" from {'a proxy' if own.passed_on else proxy or 'a proxy'}"
        text = own.reason or text
        code = f" ({own.code})" if own.code else ""
    said = f"{said}: {text}{code}" if text else f"{said}{code}"
    if own is None and proxy and status in _OF_PROXIES and "via" not in headers:
        # The proxy's or the server's: nothing says whose it is. With a Via, a proxy passed it on
        # (RFC 9110, section 7.6.3).
        said = f"{said.rstrip('. ')}; the request went through {proxy}"
    return said


# Up to the data of the first event, or up to bare JSON.
_EVENT = re.compile(r"\s*(?:event:[^\n]*\r?\n)?(?:(?:data|error): *)?([{\[].*)", re.DOTALL)


def _read(body: bytes) -> Any:
    """Return the JSON in a body, or the body as text if it is not JSON.

    A server that fails before a stream has begun may still write its error as an event, or append
    the end of the stream to it.
    """
    try:
        return parse(body)
    except ResponseDecodeError:
        text = body[:KEPT_BYTES].decode("utf-8", "replace")
        event = _EVENT.match(text)
        return text if event is None else first_json(event[1], text)


def _redirection(status: int, headers: Mapping[str, str]) -> str:
    # Without its query, which contains the signature of a signed URL.
    place = re.split("[?#]", headers.get("location", ""), maxsplit=1)[0]
    if not 300 <= status <= 399 or not place:
        return ""
    return f"HTTP {status}: redirected to {place}, which is not followed"


# How nginx, Go, Apache and Tomcat respond to a plain request on a TLS port.
_WANTS_TLS = (
    b"plain HTTP request was sent to HTTPS port",
    b"sent an HTTP request to an HTTPS server",
    b"speaking plain HTTP to an SSL-enabled server port",
    b"This combination of host and port requires TLS",
)

# How nginx responds to a request without a client certificate, or with one that it does not trust.
_WANTS_CERTIFICATE = b"No required SSL certificate was sent"
_REFUSES_CERTIFICATE = b"The SSL certificate error"


def _hint(status: int, headers: Mapping[str, str], body: bytes) -> str:
    if status == 400:
        if any(words in body for words in _WANTS_TLS):
            return ": use https:// in base_url"
        if _WANTS_CERTIFICATE in body:
            return ": pass a client certificate, tls=(certificate, key)"
        if _REFUSES_CERTIFICATE in body:
            return ": it does not accept the client certificate"
    if status == 426 and "websocket" in headers.get("upgrade", "").lower():
        # We did ask: the header is for the next hop only, and not every proxy passes it on.
        return " A proxy on the way may have removed the Upgrade header."
    return ""


_STORAGE_CODE = re.compile(rb"<Code>([A-Za-z][A-Za-z0-9.]{0,63})</Code>")


def refused_upload(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    received_at: Optional[float] = None,
    what: str = "upload",
) -> APIStatusError:
    """Return the error for a refused upload to a signed URL, or a download from one.

    Of the body, only the code is shown: a storage explains a wrong signature by quoting what was
    signed.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    """
    found = _STORAGE_CODE.search(body[:KEPT_BYTES])
    code = found[1].decode() if found else None
    reason = f" ({code})" if code else ""
    error = error_class(status)(
        f"the storage refused the {what}: HTTP {status}{reason}",
        status=status,
        error_code=code_of_status(status),
        request_id=find_request_id(headers),
        provider_code=code,
        retry_after_seconds=wait_in_headers(headers, received_at),
        headers=headers,
    )
    # A Location repeats the URL.
    return conceal(error, ())
