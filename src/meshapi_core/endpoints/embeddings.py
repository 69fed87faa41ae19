"""Embeddings: `POST /v1/embeddings`.

Source: https://developers.meshapi.ai/docs (embeddings)
"""

from typing import Optional

from typing_extensions import Unpack

from meshapi_core.calls import Call
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint
from meshapi_core.params.encoding import encode_params
from meshapi_core.readers import JSONReader
from meshapi_core.types.embeddings import EmbeddingsFields, EmbeddingsParams, EmbeddingsResponse

__all__ = ["Embeddings"]


class Embeddings(Resource[R_co]):
    """Vectors for texts and images."""

    @endpoint
    def create(
        self, params: Optional[EmbeddingsParams] = None, **fields: Unpack[EmbeddingsFields]
    ) -> Call[EmbeddingsResponse]:
        """Return one vector for each input.

        For example, `embeddings.create(model="...", input=["one text", "another"])`.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `EmbeddingsParams`.

        Returns:
            The response; `.data[0].vector()` is the vector of the first input, whichever encoding
            it was sent in.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid; nothing was sent.
            MeshAPIError: as for `chat.completions.create`.
        """
        body = encode_params(EmbeddingsParams, params, fields)
        return Call(
            method="POST", path="/v1/embeddings", body=body, reader=JSONReader(EmbeddingsResponse)
        )
