"""Finds the text that an event of the Responses API adds."""

from typing import Any

from meshapi_core._json_kinds import is_object
from meshapi_core.accumulators.responses import ENDS
from meshapi_core.codec.decoding import fit
from meshapi_core.types.response_events import ResponseTextDeltaEvent, ResponseTextDoneEvent
from meshapi_core.types.responses import ResponsesResponse, ResponsesStreamEvent

__all__ = ["ResponsesTexts"]


class ResponsesTexts:
    """Returns the text that each event of the Responses API adds.

    Some gateways send a text whole, without deltas, or only the last event. So a whole text that
    has not arrived in deltas is text, too.

    Args:
        told: whether some of the text may have been read elsewhere: then the last event adds none.
    """

    def __init__(self, *, told: bool = False) -> None:
        self._told = told
        self._parts: set[tuple[int, int]] = set()

    def text(self, event: ResponsesStreamEvent) -> str:
        """Return the text that an event adds; "" if it adds none."""
        text = ""
        if isinstance(event, ResponseTextDeltaEvent):
            self._parts.add((event.output_index, event.content_index))
            text = event.delta
        elif isinstance(event, ResponseTextDoneEvent):
            place = event.output_index, event.content_index
            if not self._told and place not in self._parts:
                self._parts.add(place)
                text = event.text
        elif type(event) in ENDS and not self._told and not self._parts:
            response: Any = event.response
            text = fit(response, ResponsesResponse).output_text if is_object(response) else ""
        return text
