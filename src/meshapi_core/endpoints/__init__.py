"""Every endpoint of the gateway, declared once, and what you declare endpoints of your own with.

An endpoint is a function that checks its parameters and builds a `Call`: it does no I/O and never
sees a client. Under `@endpoint`, in a class derived from `Resource`, it becomes a method of
blocking clients and of async ones, exactly typed:

    class RerankParams(msgspec.Struct, kw_only=True, omit_defaults=True):
        model: str
        query: str
        documents: list[str]
        top_n: Optional[int] = None

    class RerankFields(TypedDict, total=False):
        model: Required[str]
        query: Required[str]
        documents: Required[list[str]]
        top_n: Optional[int]

    class RerankResponse(Answer, kw_only=True):
        results: list[dict[str, Any]]

    class Rerank(Resource[R_co]):
        @endpoint
        def create(
            self, params: Optional[RerankParams] = None, **fields: Unpack[RerankFields]
        ) -> Call[RerankResponse]:
            body = encode_params(RerankParams, params, fields)
            reader = JSONReader(RerankResponse)
            return Call(method="POST", path="/v1/rerank", body=body, reader=reader)

        @endpoint
        def get(self, rerank_id: str) -> Call[RerankResponse]:
            path = f"/v1/rerank/{path_segment('rerank_id', rerank_id)}"
            return Call(method="GET", path=path, reader=JSONReader(RerankResponse))

All of these names are in `meshapi_core`, `msgspec` and `typing_extensions`. What a program gets
depends on the runner that the resource was made with:

    Rerank(runner).create(...)             RerankResponse, where the runner is a `Runner`
    await Rerank(runner).create(...)       RerankResponse, where it is an `AsyncRunner`
    Rerank.create.build(...)               Call[RerankResponse], for a test or an `Exchange`

The parts:

- Parameters: `encode_params` checks them all the way down against a Struct and makes a JSON body;
  `build_params` gives plain values instead, and `encode_query` the `query` of a `Call`. What is
  missing, unknown or of the wrong kind is an `InvalidParamsError` that names the field. Structs
  want `omit_defaults=True`: without it a None in one is sent as null.
- Paths begin with `/v1`, wherever a service has that (`Service.path_prefix`). Ids from elsewhere
  go in by `path_segment`, or `model_path` where slashes in them are part of the path.
- Readers: `JSONReader` reads any type that msgspec knows; one derived from `Answer` keeps all that
  was sent in `.raw`. `ListReader`, `TextReader`, `BytesReader` and `NothingReader` read the rest.
- `starts_job=True` of a `Call` is for what goes on, and is billed, after the answer.

`@stream_endpoint` is for a function that returns a `StreamCall`, and gives a `Stream` or an
`AsyncStream`. Its reader is a `ChunkReader`: the type of a chunk, and a function that makes an
`Accumulator`, which is told each chunk and knows when the stream is complete. `ByteStreamReader`
is for files.

`@flow_endpoint` is for what takes several calls: a generator function that yields a `Call`, is
sent its answer (or thrown its error), yields the next, and returns the result (`Flow`). Where it
yields a `FileSource`, the file is looked at: a missing one shall be noticed before the calls that
lead up to its upload. It is written once, and each runner drives it in its way.
"""

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
