"""The catalogue of models: `/v1/models`.

Source: https://developers.meshapi.ai/docs (models)
"""

from typing import Optional

from typing_extensions import Unpack

from meshapi_core.calls import Call
from meshapi_core.endpoints._any_shape import AnyShapeReader
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint
from meshapi_core.endpoints._lists import list_endpoint
from meshapi_core.paths import model_path
from meshapi_core.queries import encode_query
from meshapi_core.readers import JSONReader, ListReader
from meshapi_core.types._base import ResponseList
from meshapi_core.types._open import Open
from meshapi_core.types.models import (
    ListModelsParams,
    ModelInfo,
    ModelProviders,
    ModelSearchFields,
    ModelSearchParams,
    ModelsPage,
    ModelType,
)

__all__ = ["Models"]

_PATH = "/v1/models"


class Models(Resource[R_co]):
    """The catalogue of models: what they can do, and what they cost."""

    @list_endpoint
    def list(
        self,
        params: Optional[ListModelsParams] = None,
        *,
        free: Optional[bool] = None,
        type: Optional[Open[ModelType]] = None,  # noqa: A002 - the gateway's name
        provider: Optional[str] = None,
    ) -> Call[ResponseList[ModelInfo]]:
        """Return the models that the token may use.

        Args:
            params: the filters as one object, instead of keywords.
            free: True for free models, False for the others, None for all.
            type: "text", "embedding", "image", "audio" or "video".
            provider: the provider that serves them, such as "openai".

        Returns:
            A list; `[0].id` is the first ID, for the `model` of a request.

        Raises:
            InvalidParamsError: a parameter is invalid; nothing was sent.
        """
        named = {"free": free, "type": type, "provider": provider}
        given = {name: value for name, value in named.items() if value is not None}
        query = encode_query(ListModelsParams, params, given)
        return Call(method="GET", path=_PATH, query=query, reader=ListReader(ModelInfo))

    @list_endpoint
    def free(self) -> Call[ResponseList[ModelInfo]]:
        """Return the models that cost nothing."""
        return Call(method="GET", path=f"{_PATH}/free", reader=ListReader(ModelInfo))

    @list_endpoint
    def paid(self) -> Call[ResponseList[ModelInfo]]:
        """Return the models that cost something."""
        return Call(method="GET", path=f"{_PATH}/paid", reader=ListReader(ModelInfo))

    @list_endpoint
    def search(
        self, params: Optional[ModelSearchParams] = None, **fields: Unpack[ModelSearchFields]
    ) -> Call[ModelsPage]:
        """Return one page of the models that match.

        For example, `models.search(q="claude", free=False, sort="price")`.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `ModelSearchParams`.

        Returns:
            The page; the models are in `.items`, and `.total` counts those on all pages.
            Iterate over it for all of them.

        Raises:
            InvalidParamsError: a parameter is unknown or invalid; nothing was sent.
        """
        query = encode_query(ModelSearchParams, params, fields)
        return Call(
            method="GET", path=f"{_PATH}/search", query=query, reader=JSONReader(ModelsPage)
        )

    @endpoint
    def get(self, model_id: str) -> Call[ModelInfo]:
        """Return one model; its price is in `.pricing`.

        Raises:
            InvalidParamsError: the ID is empty, or one of its parts between slashes is empty, `.`
                or `..`.
            NotFoundError: there is no model with this ID.
        """
        path = f"{_PATH}/{model_path('model_id', model_id)}"
        return Call(method="GET", path=path, reader=JSONReader(ModelInfo))

    @endpoint
    def providers(self, model_id: str) -> Call[ModelProviders]:
        """Return the providers of a model; the form of the response is not documented: see `.raw`.

        Raises:
            InvalidParamsError, NotFoundError: as for `get`.
        """
        path = f"{_PATH}/{model_path('model_id', model_id)}/providers"
        return Call(method="GET", path=path, reader=AnyShapeReader(ModelProviders))
