"""The gateway's standard form of an error, for programs that parse error bodies themselves.

Calls raise a `MeshAPIError` instead, which has all of this and also understands other forms.

Source: MeshAPI errors, https://developers.meshapi.ai/docs
"""

from typing import Any, Optional, Union

import msgspec

from meshapi_core.types._base import Record, ResponseModel

__all__ = ["ApiErrorBody", "ApiErrorEnvelope"]


class ApiErrorBody(Record, kw_only=True):
    """What went wrong.

    Fields:
        code: the error code, such as "rate_limit_exceeded"; stable, for programs to branch on.
        details: what is wrong with the request, one item for each fault.
        provider_error: the provider's own error.
        provider_code: the gateway's word for the provider's error.
        retry_after_seconds: seconds to wait before the next request.
    """

    code: str = ""
    message: str = ""
    details: Optional[list[Any]] = None
    provider_error: Optional[dict[str, Any]] = None
    provider_code: Optional[str] = None
    retry_after_seconds: Optional[Union[int, float]] = None


class ApiErrorEnvelope(ResponseModel, kw_only=True, dict=True):
    """The body of an error response.

    Fields:
        request_id: the request ID, which support asks for.
    """

    error: ApiErrorBody = msgspec.field(default_factory=ApiErrorBody)
    request_id: str = ""
