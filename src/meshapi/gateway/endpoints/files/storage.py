"""PUT /storage/{id}: the target of signed URLs, with the errors of a storage service."""

import hashlib
import hmac
from typing import Optional
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway import clock
from meshapi.gateway.endpoints.files.rag_files import SEARCHED_BYTES, RagFile, RagFiles
from meshapi.gateway.http.auth import public
from meshapi.gateway.state import GatewayState

_WRONG_SIGNATURE = ("SignatureDoesNotMatch", "The signature of the URL does not match.")


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoint."""

    async def upload(request: Request) -> Response:
        return await _put(state, request)

    return [public("/storage/{id}", ["PUT"], upload)]


async def _put(state: GatewayState, request: Request) -> Response:
    """The response to an upload; its errors are XML, not the service's envelope.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    """
    files = state.store(RagFiles)
    file = files.find(request.path_params["id"])
    fault = _signature_fault(files, file, request)
    if file is None or fault:
        return _xml(403, *(fault or _WRONG_SIGNATURE))
    declared = request.headers.get("content-type", "")
    if declared != file.mime_type:
        message = f"The signed Content-Type is {file.mime_type!r}, not {declared!r}."
        return _xml(400, "InvalidArgument", message)
    beginning, size, digest = bytearray(), 0, hashlib.sha256()
    async for data in request.stream():
        beginning += data[: SEARCHED_BYTES - len(beginning)]
        size += len(data)
        digest.update(data)
    file.take(bytes(beginning), size, digest.hexdigest())
    files.changed(file.id)
    return Response(headers={"ETag": f'"{file.sha256}"'})


def _signature_fault(
    files: RagFiles, file: Optional[RagFile], request: Request
) -> Optional[tuple[str, str]]:
    query = request.query_params
    if file is None or query.get("expires") != str(file.expires):
        return _WRONG_SIGNATURE
    right = files.signature(file.id, file.expires)
    if not hmac.compare_digest(query.get("signature", "").encode(), right.encode()):
        return _WRONG_SIGNATURE
    if file.expires < clock.time():
        return ("AccessDenied", "The signed URL has expired.")
    return None


def _xml(status: int, code: str, message: str) -> Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    )
    return Response(body, status, media_type="application/xml")
