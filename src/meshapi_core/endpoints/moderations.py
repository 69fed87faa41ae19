"""Moderations: `POST /v1/moderations`.

Source: https://developers.meshapi.ai/docs (moderations)
"""

from typing import Optional

from typing_extensions import Unpack

from meshapi_core.calls import Call
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint
from meshapi_core.params.encoding import encode_params
from meshapi_core.readers import JSONReader
from meshapi_core.types.moderations import ModerationFields, ModerationParams, ModerationResponse

__all__ = ["Moderations"]


class Moderations(Resource[R_co]):
    """Whether something is harmful."""

    @endpoint
    def create(
        self, params: Optional[ModerationParams] = None, **fields: Unpack[ModerationFields]
    ) -> Call[ModerationResponse]:
        """Return for each input whether it is harmful, and in which way.

        Args:
            params: the parameters as one object, or
            fields: the same by keyword: `create(input=["one text", "another"])`.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or of the wrong kind; nothing was
                sent.
        """
        body = encode_params(ModerationParams, params, fields)
        return Call(
            method="POST", path="/v1/moderations", body=body, reader=JSONReader(ModerationResponse)
        )
