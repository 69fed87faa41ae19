"""Every endpoint of the gateway, declared once; see `_descriptor` for how both clients get it."""

from meshapi_core.endpoints._descriptor import (
    AsyncRunner,
    AsyncStream,
    Resource,
    Runner,
    Stream,
    endpoint,
    stream_endpoint,
)
from meshapi_core.endpoints.chat import Chat, Completions

__all__ = [
    "AsyncRunner",
    "AsyncStream",
    "Chat",
    "Completions",
    "Resource",
    "Runner",
    "Stream",
    "endpoint",
    "stream_endpoint",
]
