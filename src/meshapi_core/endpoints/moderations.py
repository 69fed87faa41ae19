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
    """Moderation: whether texts and images are harmful."""

    @endpoint
    def create(
        self, params: Optional[ModerationParams] = None, **fields: Unpack[ModerationFields]
    ) -> Call[ModerationResponse]:
        """Return whether each input is harmful, and in which way.

        For example, `moderations.create(input=["one text", "another"])`.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `ModerationParams`.

        Returns:
            The response; `.results[0].flagged` is True if the first input is harmful, and
            `.results[0].categories` says in which way.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid; nothing was sent.
            MeshAPIError: as for `chat.completions.create`.
        """
        body = encode_params(ModerationParams, params, fields)
        return Call(
            method="POST", path="/v1/moderations", body=body, reader=JSONReader(ModerationResponse)
        )
