"""The service's own form of an error, for programs that read one themselves.

Calls raise a `MeshAPIError`, which holds all of this and also what other forms of errors say.

Source: MeshAPI errors, https://developers.meshapi.ai/docs
"""

from typing import Any, Optional, Union

import msgspec

from meshapi_core.types._base import Record, ResponseModel

__all__ = ["ApiErrorBody", "ApiErrorEnvelope"]


class ApiErrorBody(Record, kw_only=True):
    """What went wrong.

    Fields:
        code: a stable word to branch on, such as "rate_limit_exceeded".
        details: what is wrong with a request, one item for each fault.
        provider_error: what the model's provider answered.
        provider_code: the gateway's word for that.
        retry_after_seconds: how long to leave the service alone.
    """

    code: str = ""
    message: str = ""
    details: Optional[list[Any]] = None
    provider_error: Optional[dict[str, Any]] = None
    provider_code: Optional[str] = None
    retry_after_seconds: Optional[Union[int, float]] = None


class ApiErrorEnvelope(ResponseModel, kw_only=True, dict=True):
    """The body of a response that is an error.

    Fields:
        request_id: what support asks for.
    """

    error: ApiErrorBody = msgspec.field(default_factory=ApiErrorBody)
    request_id: str = ""
