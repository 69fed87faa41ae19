"""Every endpoint of the gateway, declared once, and the tools to declare your own.

An endpoint is a function that checks its parameters and builds a `Call`. It does no I/O and never
sees a client. Under `@endpoint`, in a class derived from `Resource`, it becomes a method of
blocking clients and of async ones, exactly typed:

    class RerankParams(msgspec.Struct, kw_only=True, omit_defaults=True):
        model: str
        query: str
        documents: list[str]
        top_n: Optional[int] = None

    class RerankFields(TypedDict, total=False):
        model: str
        query: str
        documents: list[str]
        top_n: Optional[int]

    class RerankResponse(ResponseModel, kw_only=True):
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

All of these names are in this package, `msgspec` and `typing_extensions`. What a program gets
depends on the runner that the resource was made with:

    Rerank(runner).create(...)             RerankResponse, where the runner is a `Runner`
    await Rerank(runner).create(...)       RerankResponse, where it is an `AsyncRunner`
    Rerank(runner).create(...)             RawResponse[RerankResponse], where it is a `RawRunner`
    Rerank.create.build(...)               Call[RerankResponse], for a test or an `Exchange`

The parts:

- Parameters: `encode_params` checks them at every depth against a Struct, and returns a JSON body.
  `build_params` returns plain values instead, and `encode_query` the `query` of a `Call`. A
  missing, unknown or invalid parameter raises an `InvalidParamsError` that names the field. Derive
  Structs with `omit_defaults=True`: without it a None in one is sent as null. Make no keyword
  `Required`: the parameters could not be given as one object then.
- Paths begin with `/v1`, which `Service.path_prefix` replaces. Put an ID into a path with
  `path_segment`, or with `model_path` if the slashes in it are part of the path.
- Readers: `JSONReader` reads any type that msgspec knows; a type derived from `ResponseModel` keeps
  everything that was sent in `.raw`. `ListReader`, `TextReader`, `BytesReader` and `EmptyReader`
  read the rest.
- `starts_job=True` marks a `Call` that starts work which goes on, and is billed, after the
  response. Such a call is not retried when it is unknown whether the work has begun.

`@list_endpoint` is for a list; on an event loop, a program awaits one page, or iterates over all.

`@stream_endpoint` is for a function that returns a `StreamCall`; the method returns a `Stream` or
an `AsyncStream`. Under `@stream_endpoint_as(lambda: Words, lambda: AsyncWords)` it returns one of
two classes of yours, which are made from that stream. Its reader is a `ChunkReader`: the type of a
chunk, and a function that makes an `Accumulator`, which is given each chunk and knows when the
stream is complete. `ByteStreamReader` is for files.

`@flow_endpoint` is for a method that makes several calls: a generator function that yields a
`Call`, is sent its response (or thrown its error), yields the next, and returns the result
(`Flow`). It may yield other steps, such as a pause, or a `FileSource` to have the file
checked, so that a missing file is noticed before the calls that lead up to its upload:
`meshapi_core.flows` has them all. Under `@item_flow_endpoint`, the function also yields
everything that the program gets while it goes on; the method returns an `ItemStream` or an
`AsyncItemStream`, or what `@item_flow_endpoint_as(lambda: ..., lambda: ...)` makes of them.
Either function is written once, and runs in every flavour.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi_core._async.conversation import AsyncConversation as AsyncConversation
    from meshapi_core._async.conversation import AsyncConversationStream as AsyncConversationStream
    from meshapi_core._async.streams import AsyncAccumulatingStream as AsyncAccumulatingStream
    from meshapi_core._async.streams_chat import (
        AsyncChatCompletionStream as AsyncChatCompletionStream,
    )
    from meshapi_core._async.streams_compare import AsyncCompareStream as AsyncCompareStream
    from meshapi_core._async.streams_images import AsyncImagesStream as AsyncImagesStream
    from meshapi_core._async.streams_parsed import (
        AsyncParsedChatCompletionStream as AsyncParsedChatCompletionStream,
    )
    from meshapi_core._async.streams_parsed import (
        AsyncParsedResponsesStream as AsyncParsedResponsesStream,
    )
    from meshapi_core._async.streams_responses import AsyncResponsesStream as AsyncResponsesStream
    from meshapi_core._closing import AsyncCloses as AsyncCloses
    from meshapi_core._closing import AsyncClosesWithCode as AsyncClosesWithCode
    from meshapi_core._closing import Closes as Closes
    from meshapi_core._closing import ClosesWithCode as ClosesWithCode
    from meshapi_core._sync.conversation import Conversation as Conversation
    from meshapi_core._sync.conversation import ConversationStream as ConversationStream
    from meshapi_core._sync.streams import AccumulatingStream as AccumulatingStream
    from meshapi_core._sync.streams_chat import ChatCompletionStream as ChatCompletionStream
    from meshapi_core._sync.streams_compare import CompareStream as CompareStream
    from meshapi_core._sync.streams_images import ImagesStream as ImagesStream
    from meshapi_core._sync.streams_parsed import (
        ParsedChatCompletionStream as ParsedChatCompletionStream,
    )
    from meshapi_core._sync.streams_parsed import ParsedResponsesStream as ParsedResponsesStream
    from meshapi_core._sync.streams_responses import ResponsesStream as ResponsesStream
    from meshapi_core.accumulators import Accumulator as Accumulator
    from meshapi_core.batching.items import BatchItem as BatchItem
    from meshapi_core.batching.submission import BatchSubmission as BatchSubmission
    from meshapi_core.bodies import FileSource as FileSource
    from meshapi_core.bodies import file_source as file_source
    from meshapi_core.calls import Call as Call
    from meshapi_core.calls import SignedPut as SignedPut
    from meshapi_core.calls import StreamCall as StreamCall
    from meshapi_core.endpoints._descriptor import R_co as R_co
    from meshapi_core.endpoints._descriptor import Resource as Resource
    from meshapi_core.endpoints._descriptor import endpoint as endpoint
    from meshapi_core.endpoints._descriptor import flow_endpoint as flow_endpoint
    from meshapi_core.endpoints._descriptor import item_flow_endpoint as item_flow_endpoint
    from meshapi_core.endpoints._descriptor import item_flow_endpoint_as as item_flow_endpoint_as
    from meshapi_core.endpoints._descriptor import stream_endpoint as stream_endpoint
    from meshapi_core.endpoints._descriptor import stream_endpoint_as as stream_endpoint_as
    from meshapi_core.endpoints._lists import list_endpoint as list_endpoint
    from meshapi_core.endpoints._signatures import explains_arguments as explains_arguments
    from meshapi_core.endpoints._signatures import lists_keywords as lists_keywords
    from meshapi_core.endpoints.account import APIVersions as APIVersions
    from meshapi_core.endpoints.account import Balance as Balance
    from meshapi_core.endpoints.account import Usage as Usage
    from meshapi_core.endpoints.audio import Audio as Audio
    from meshapi_core.endpoints.batches import Batches as Batches
    from meshapi_core.endpoints.chat import Chat as Chat
    from meshapi_core.endpoints.chat import Completions as Completions
    from meshapi_core.endpoints.compare import Compare as Compare
    from meshapi_core.endpoints.documents import Documents as Documents
    from meshapi_core.endpoints.downloads import Downloads as Downloads
    from meshapi_core.endpoints.embeddings import Embeddings as Embeddings
    from meshapi_core.endpoints.files import Files as Files
    from meshapi_core.endpoints.images import Images as Images
    from meshapi_core.endpoints.models import Models as Models
    from meshapi_core.endpoints.moderations import Moderations as Moderations
    from meshapi_core.endpoints.rag import Rag as Rag
    from meshapi_core.endpoints.responses import Responses as Responses
    from meshapi_core.endpoints.router import Router as Router
    from meshapi_core.endpoints.templates import Templates as Templates
    from meshapi_core.endpoints.videos import Videos as Videos
    from meshapi_core.endpoints.web import Web as Web
    from meshapi_core.errors import InvalidParamsError as InvalidParamsError
    from meshapi_core.flows.steps import Flow as Flow
    from meshapi_core.flows.steps import ItemFlow as ItemFlow
    from meshapi_core.multipart import FilePart as FilePart
    from meshapi_core.multipart import Multipart as Multipart
    from meshapi_core.params.encoding import build_params as build_params
    from meshapi_core.params.encoding import encode_params as encode_params
    from meshapi_core.paths import model_path as model_path
    from meshapi_core.paths import path_segment as path_segment
    from meshapi_core.protocols import AsyncItemStream as AsyncItemStream
    from meshapi_core.protocols import AsyncRawRunner as AsyncRawRunner
    from meshapi_core.protocols import AsyncRunner as AsyncRunner
    from meshapi_core.protocols import AsyncStream as AsyncStream
    from meshapi_core.protocols import ItemStream as ItemStream
    from meshapi_core.protocols import RawRunner as RawRunner
    from meshapi_core.protocols import Runner as Runner
    from meshapi_core.protocols import Stream as Stream
    from meshapi_core.queries import encode_query as encode_query
    from meshapi_core.readers import BytesReader as BytesReader
    from meshapi_core.readers import ByteStreamReader as ByteStreamReader
    from meshapi_core.readers import ChunkReader as ChunkReader
    from meshapi_core.readers import EmptyReader as EmptyReader
    from meshapi_core.readers import JSONReader as JSONReader
    from meshapi_core.readers import ListReader as ListReader
    from meshapi_core.readers import Reader as Reader
    from meshapi_core.readers import StreamReader as StreamReader
    from meshapi_core.readers import TextReader as TextReader
    from meshapi_core.types._base import ResponseModel as ResponseModel
else:
    from meshapi_core.endpoints._face import EXPORTED as __all__
    from meshapi_core.endpoints._face import __dir__, __getattr__
