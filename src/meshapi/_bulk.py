"""What the clients do with many calls. What a method needs is imported when it is used."""

from collections.abc import AsyncIterable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, Optional, Union

from meshapi._client import Client
from meshapi_core.endpoints import AsyncRunner, Runner

if TYPE_CHECKING:
    from meshapi_core import Call
    from meshapi_core.bulk import Estimate
    from meshapi_core.types import ModelInfo


class BulkClient(Client[Runner]):
    """A blocking client for many calls."""

    def estimate(
        self,
        calls: Iterable[object],
        *,
        template: "Union[None, Call[Any], Callable[[Any], object]]" = None,
        prices: "Optional[Iterable[ModelInfo]]" = None,
        output_tokens: Optional[int] = None,
        via: Literal["live", "batch"] = "live",
    ) -> "Estimate":
        """Return what calls will use and cost, at the gateway's prices; none of them is made.

            estimate = client.estimate(calls, output_tokens=200)
            print(estimate, estimate.cost_usd, estimate.by_model)

        The input is estimated from the size of the texts: four bytes a model token, 1,000 model
        tokens for a picture. Expect the sum to be wrong by a fifth for English, and by more for
        other languages, for code and for many pictures.

        Args:
            calls, template: as for `map`. An iterator is used up; give a list to keep the calls.
            prices: what `client.models.list()` returns. By default it is called once.
            output_tokens: model tokens that you expect of each answer. By default it is the limit
                in the call (`max_tokens`), and 300 in calls that have none.
            via: "batch" for the prices of batches, where the gateway names them.

        Raises:
            InvalidParamsError: an argument is wrong, or an item is no call, or no row for the
                template.
            MeshAPIError: the prices could not be had.
        """
        from meshapi_core.bulk import estimate_calls

        return self._runner.run_flow(
            estimate_calls(calls, template, prices, output_tokens, via, takes_async=False)
        )


class AsyncBulkClient(Client[AsyncRunner]):
    """A client for many calls on an event loop."""

    async def estimate(
        self,
        calls: Union[Iterable[object], AsyncIterable[object]],
        *,
        template: "Union[None, Call[Any], Callable[[Any], object]]" = None,
        prices: "Optional[Iterable[ModelInfo]]" = None,
        output_tokens: Optional[int] = None,
        via: Literal["live", "batch"] = "live",
    ) -> "Estimate":
        """Return what calls will use and cost, at the gateway's prices; none of them is made.

        See `MeshAPI.estimate`. Here, `calls` may also be an async iterable.
        """
        from meshapi_core.bulk import estimate_calls

        return await self._runner.run_flow(
            estimate_calls(calls, template, prices, output_tokens, via, takes_async=True)
        )
