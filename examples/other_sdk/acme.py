"""A client for Acme, a service that is not MeshAPI: it has OpenAI's chat, and its own `/rerank`.

Everything that Acme has in common with MeshAPI comes from `meshapi_core` and `meshapi_backends`:
chat with its types, streams, retries, time limits, errors, connections. This module adds what is
particular to Acme: where the token goes, and the endpoint that only Acme has. The same classes work
in blocking programs, on asyncio and on trio; `ask.py` uses them.
"""

from typing import Generic, Optional

import msgspec
from typing_extensions import Required, Self, TypedDict, Unpack

from meshapi_backends import (
    AsyncCallRunner,
    CallRunner,
    ConnectionPool,
    PerLoopTransport,
    SocketNetwork,
    current_blocking_network,
    current_network,
)
from meshapi_core import Call, Limits, MeshAPIConfig, Service
from meshapi_core.endpoints import (
    AsyncRunner,
    Chat,
    JSONReader,
    R_co,
    Resource,
    ResponseModel,
    Runner,
    encode_params,
    endpoint,
)

ACME = Service(
    name="Acme",
    base_url="https://api.acme.example/v1",  # OpenAI's convention: the version is part of it
    auth_header="api-key",
    auth_prefix="",
    user_agent="acme-python/1.0",
)


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


class Ranked(msgspec.Struct):
    index: int
    relevance_score: float


class RerankResponse(ResponseModel, kw_only=True):
    results: list[Ranked]


class Rerank(Resource[R_co]):
    @endpoint
    def create(self, **fields: Unpack[RerankFields]) -> Call[RerankResponse]:
        """Return the documents by how well they match the query, the best first."""
        body = encode_params(RerankParams, None, fields)
        reader = JSONReader(RerankResponse)
        return Call(method="POST", path="/v1/rerank", body=body, reader=reader)


class Resources(Generic[R_co]):
    def __init__(self, runner: R_co) -> None:
        self.chat: Chat[R_co] = Chat(runner)
        self.rerank: Rerank[R_co] = Rerank(runner)


def configured(token: str, base_url: Optional[str]) -> MeshAPIConfig:
    if base_url is None:
        return MeshAPIConfig(service=ACME, token=token)
    return MeshAPIConfig(service=ACME, token=token, base_url=base_url)


class Acme(Resources[Runner]):
    def __init__(self, token: str, base_url: Optional[str] = None) -> None:
        self.pool = ConnectionPool(SocketNetwork(), Limits())
        super().__init__(
            CallRunner(configured(token, base_url), self.pool, current_blocking_network)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.pool.close()


class AsyncAcme(Resources[AsyncRunner]):
    def __init__(self, token: str, base_url: Optional[str] = None) -> None:
        self.pool = PerLoopTransport(Limits())
        super().__init__(AsyncCallRunner(configured(token, base_url), self.pool, current_network))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.pool.aclose()
