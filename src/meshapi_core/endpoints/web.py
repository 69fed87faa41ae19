"""Web search: `POST /v1/web/search`.

Source: https://developers.meshapi.ai/docs (web search)
"""

from typing import Optional

from typing_extensions import Unpack

from meshapi_core.calls import Call
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint
from meshapi_core.params.encoding import encode_params
from meshapi_core.readers import JSONReader
from meshapi_core.types.web import WebSearchFields, WebSearchParams, WebSearchResponse

__all__ = ["Web"]


class Web(Resource[R_co]):
    """What the web knows."""

    @endpoint
    def search(
        self, params: Optional[WebSearchParams] = None, **fields: Unpack[WebSearchFields]
    ) -> Call[WebSearchResponse]:
        """Return pages that fit a query.

        Args:
            params: the parameters as one object, or
            fields: the same by keyword: `search(query="weather in Rome", max_results=3)`.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or of the wrong kind; nothing was
                sent.
            PermissionDeniedError, NotFoundError: the gateway does not search for this token.
        """
        body = encode_params(WebSearchParams, params, fields)
        return Call(
            method="POST", path="/v1/web/search", body=body, reader=JSONReader(WebSearchResponse)
        )
