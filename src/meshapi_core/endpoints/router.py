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
    """The router, which chooses a model for a conversation."""

    @endpoint
    def select(
        self, params: Optional[RouterSelectParams] = None, **fields: Unpack[RouterSelectFields]
    ) -> Call[RouterSelectResponse]:
        """Return the model that the router would choose for a conversation, without calling it.

        For example, `router.select(messages=[{"role": "user", "content": "..."}])`.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `RouterSelectParams`.

        Returns:
            The response; the ID of the model is in `.model`.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid; nothing was sent.
            PermissionDeniedError, NotFoundError: the router is not available to this token.
            MeshAPIError: as for `chat.completions.create`.
        """
        body = encode_params(RouterSelectParams, params, fields)
        return Call(
            method="POST",
            path="/v1/router/select",
            body=body,
            reader=JSONReader(RouterSelectResponse),
        )
