"""The types of every request and response, one module for each group of endpoints.

Requests have two forms with the same fields: `...Params` are Structs, and `...Fields` are the
keyword arguments as type checkers see them. Responses are Structs, and their `.raw` is all that the
server sent. The `__all__` of each module names what is exported here, and so from `meshapi`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi_core.types._base import ResponseList as ResponseList
    from meshapi_core.types.account import *
    from meshapi_core.types.audio import *
    from meshapi_core.types.batches import *
    from meshapi_core.types.chat import *
    from meshapi_core.types.compare import *
    from meshapi_core.types.documents import *
    from meshapi_core.types.embeddings import *
    from meshapi_core.types.errors import *
    from meshapi_core.types.files import *
    from meshapi_core.types.images import *
    from meshapi_core.types.models import *
    from meshapi_core.types.moderations import *
    from meshapi_core.types.parsed import *
    from meshapi_core.types.rag import *
    from meshapi_core.types.realtime import *
    from meshapi_core.types.realtime_client import *
    from meshapi_core.types.realtime_server import *
    from meshapi_core.types.response_events import *
    from meshapi_core.types.responses import *
    from meshapi_core.types.router import *
    from meshapi_core.types.templates import *
    from meshapi_core.types.videos import *
    from meshapi_core.types.web import *
else:
    from meshapi_core.types._face import EXPORTED as __all__
    from meshapi_core.types._face import __dir__, __getattr__
