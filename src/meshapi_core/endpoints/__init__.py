"""Every endpoint of the gateway, declared once; see `_descriptor` for how both clients get it."""

from meshapi_core.endpoints._descriptor import (
    AsyncRunner,
    AsyncStream,
    Flow,
    R_co,
    Resource,
    Runner,
    Stream,
    endpoint,
    flow_endpoint,
    stream_endpoint,
)
from meshapi_core.endpoints.chat import Chat, Completions

__all__ = [
    "AsyncRunner",
    "AsyncStream",
    "Chat",
    "Completions",
    "Flow",
    "R_co",
    "Resource",
    "Runner",
    "Stream",
    "endpoint",
    "flow_endpoint",
    "stream_endpoint",
]
