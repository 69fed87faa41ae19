"""What the chunks of a stream mean to a program that wants more than chunks. No I/O.

- `events`: the events of a streamed chat completion, as values.
- `chat`: the machine that turns the chunks of a chat completion into events.
- `responses`: finds the text that an event of the Responses API adds.
- `whole`: the response at the end of a stream.

The streams that programs hold, which use these, are in `_async` and `_sync`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi_core.streams.chat import ChatEvents as ChatEvents
    from meshapi_core.streams.events import *
    from meshapi_core.streams.responses import ResponsesTexts as ResponsesTexts
else:
    from meshapi_core.streams._face import EXPORTED as __all__
    from meshapi_core.streams._face import __dir__, __getattr__
