"""What a program asks of the gateway, written once for the official package and for this one.

`official_driver.py` plays the cases, on the blocking and on the asyncio client, with whichever
`meshapi` the Python that runs it has installed. So they import nothing else but the standard
library.
"""

from interop.cases import (
    chat,
    comparisons,
    keywords,
    media,
    realtime,
    responses,
    services,
    stores,
    vectors,
)
from interop.cases.grammar import CASES, Case, Chunks

__all__ = ["CASES", "GROUPS", "Case", "Chunks"]

GROUPS = (chat, responses, vectors, comparisons, media, stores, services, realtime, keywords)
"""The modules whose import has filled `CASES`."""
