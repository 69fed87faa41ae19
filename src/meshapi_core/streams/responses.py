"""Finds the text that an event of the Responses API adds."""

from typing import Any, Optional

from meshapi_core._json_kinds import is_object
from meshapi_core.accumulators.responses import ENDS
from meshapi_core.codec.decoding import fit
from meshapi_core.types.response_events import ResponseTextDeltaEvent, ResponseTextDoneEvent
from meshapi_core.types.responses import ResponsesResponse, ResponsesStreamEvent

__all__ = ["ResponsesTexts"]


class ResponsesTexts:
    """Returns the text that each event of the Responses API adds.

    Some gateways send a text whole, without deltas, or only the last event. So a whole text that
    has not arrived before is text, too.

    Args:
        so_far: the response as far as it has arrived; its text is not returned again.
    """

    def __init__(self, so_far: Optional[ResponsesResponse] = None) -> None:
        items: list[Any] = [] if so_far is None else so_far.output or []
        self._parts = {
            (item_at, part_at)
            for item_at, item in enumerate(items)
            for part_at, part in enumerate(item.get("content") or ())
            if is_object(part) and part.get("text")
        }

    def text(self, event: ResponsesStreamEvent) -> str:
        """Return the text that an event adds; "" if it adds none."""
        text = ""
        if isinstance(event, ResponseTextDeltaEvent):
            self._parts.add((event.output_index, event.content_index))
            text = event.delta
        elif isinstance(event, ResponseTextDoneEvent):
            place = event.output_index, event.content_index
            if place not in self._parts:
                self._parts.add(place)
                text = event.text
        elif type(event) in ENDS and not self._parts:
            # Once, if the end comes twice.
            self._parts.add((0, 0))
            response: Any = event.response
            text = fit(response, ResponsesResponse).output_text if is_object(response) else ""
        return text
