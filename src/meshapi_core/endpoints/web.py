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
    """Web search."""

    @endpoint
    def search(
        self, params: Optional[WebSearchParams] = None, **fields: Unpack[WebSearchFields]
    ) -> Call[WebSearchResponse]:
        """Return web pages that match a query.

        For example, `web.search(query="weather in Rome", max_results=3)`.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `WebSearchParams`.

        Returns:
            The response; the pages are in `.results`, each with `.title`, `.url` and `.content`.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid; nothing was sent.
            PermissionDeniedError, NotFoundError: web search is not available to this token.
            MeshAPIError: as for `chat.completions.create`.
        """
        body = encode_params(WebSearchParams, params, fields)
        return Call(
            method="POST", path="/v1/web/search", body=body, reader=JSONReader(WebSearchResponse)
        )
