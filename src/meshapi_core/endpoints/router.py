"""The router: `POST /v1/router/select`.

Source: https://developers.meshapi.ai/docs (router)
"""

from typing import Optional

from typing_extensions import Unpack

from meshapi_core.calls import Call
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint
from meshapi_core.params.encoding import encode_params
from meshapi_core.readers import JSONReader
from meshapi_core.types.router import RouterSelectFields, RouterSelectParams, RouterSelectResponse

__all__ = ["Router"]


class Router(Resource[R_co]):
    """Which model is best for a conversation."""

    @endpoint
    def select(
        self, params: Optional[RouterSelectParams] = None, **fields: Unpack[RouterSelectFields]
    ) -> Call[RouterSelectResponse]:
        """Return the model that is best for a conversation; it is not asked.

        Args:
            params: the parameters as one object, or
            fields: the same by keyword: `select(messages=[{"role": "user", "content": "..."}])`.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or of the wrong kind; nothing was
                sent.
            PermissionDeniedError, NotFoundError: the gateway does not choose for this token.
        """
        body = encode_params(RouterSelectParams, params, fields)
        return Call(
            method="POST",
            path="/v1/router/select",
            body=body,
            reader=JSONReader(RouterSelectResponse),
        )
