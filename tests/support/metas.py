"""What is known about a response, for tests that attach it."""

from meshapi_core import Headers
from meshapi_core.response_meta import ResponseMeta


def meta_with(request_id: str) -> ResponseMeta:
    """The meta of a 200 with this request ID; without one if that is empty."""
    headers = Headers({"x-request-id": request_id} if request_id else {})
    return ResponseMeta(200, headers, 1, 0.5)
