"""Requests to the local gateway that are not JSON: forms, and public URLs."""

import http.client
from collections.abc import Sequence
from typing import Any, Optional
from urllib.parse import urlsplit

from meshapi.testing import LocalGateway
from support.gateway_calls import Response, call

_BOUNDARY = "test-boundary"

Files = Sequence[tuple[str, str, bytes]]


def post_form(
    gateway: LocalGateway, path: str, fields: Sequence[tuple[str, str]], files: Files = ()
) -> Response:
    """Send a form: fields as names and values, files as names, file names and bytes."""
    parts = [_part(f'name="{name}"', value.encode()) for name, value in fields]
    for name, file_name, data in files:
        parts.append(_part(f'name="{name}"; filename="{file_name}"', data))
    body = b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()
    content_type = f"multipart/form-data; boundary={_BOUNDARY}"
    return call(gateway, "POST", path, body, content_type=content_type)


def open_url(url: str, method: str = "GET", body: Any = None, **headers: Optional[str]) -> Response:
    """Request a public URL, without a token."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        sent = {name.replace("_", "-"): value for name, value in headers.items() if value}
        connection.request(method, target, body, sent)
        response = connection.getresponse()
        return Response(response.status, response.headers, response.read())
    finally:
        connection.close()


def _part(disposition: str, data: bytes) -> bytes:
    head = f"--{_BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
    return head.encode() + data + b"\r\n"
