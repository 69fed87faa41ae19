"""`client.realtime`: opens realtime sessions on the client's own connections."""

from collections.abc import Callable, Coroutine, Generator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, Optional, TypeVar

from typing_extensions import TypedDict, Unpack

from meshapi_backends import (
    AsyncRealtimeSession,
    ConnectionPool,
    PerLoopTransport,
    RealtimeSession,
    TransportError,
    current_blocking_network,
    current_network,
)
from meshapi_core import (
    MeshAPIConfig,
    RealtimeAuth,
    RealtimeCall,
    RealtimeOptions,
    Reconnect,
    StreamUsageError,
    no_such_parameter,
)
from meshapi_core.endpoints import lists_keywords

__all__ = [
    "AsyncRealtimeManager",
    "AsyncRealtimeResource",
    "AsyncRealtimeSession",
    "RealtimeResource",
    "RealtimeSession",
]


S = TypeVar("S")

_OPTIONS: Final = frozenset(RealtimeOptions.__struct_fields__)


class RealtimeOptionFields(TypedDict, total=False):
    """The keyword arguments of `connect`; see `RealtimeResource.connect`."""

    raise_errors: bool
    reconnect: Optional[Reconnect]
    max_message_size: int
    ping_interval: Optional[float]
    ping_timeout: Optional[float]
    close_timeout: float


# Settings of a session, which a program changes once it has begun.
_OF_SESSIONS: Final = (
    "audio instructions modalities outputmodalities temperature toolchoice voice".split()
)
_INSTEAD: Final = {
    **dict.fromkeys(_OF_SESSIONS, 'call session.update({"...": ...})'),
    "timeout": "use client.with_options(timeout=...)",
    "tools": "call session.turns(tools=[...])",
}


def _checked(
    model: str, auth: RealtimeAuth, options: RealtimeOptionFields
) -> tuple[RealtimeCall, RealtimeOptions]:
    for name in options:
        if name not in _OPTIONS:
            known = {"model", "auth", *_OPTIONS}
            raise no_such_parameter(name, known, instead=_INSTEAD)
    return RealtimeCall(model=model, auth=auth), RealtimeOptions(**options)


class _Resource(Generic[S]):
    def __init__(
        self,
        config: MeshAPIConfig,
        sockets: S,
        watches: Sequence[Any] = (),
        network: Optional[Callable[[], Any]] = None,
    ) -> None:
        self._config = config
        # Finds the network of the connections; None is that of the running program.
        self._network = network
        self._sockets = sockets
        # Looked at when a session begins: trackers of usage come and go.
        self._watches = watches

    @property
    def _watch(self) -> Any:
        return next(iter(self._watches), None)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce__(self) -> Any:
        raise TypeError("a resource cannot be copied or pickled: its client holds connections")


class RealtimeResource(_Resource[ConnectionPool]):
    """Speech and text in both directions at once, over a WebSocket."""

    @lists_keywords
    def connect(
        self, *, model: str, auth: RealtimeAuth = "query", **options: Unpack[RealtimeOptionFields]
    ) -> RealtimeSession:
        """Return a connected session; use it in a `with` block.

        The client's retry policy decides whether a refused or failed upgrade is sent again. The
        client's `timeout` limits connecting, the wait for the response to the upgrade, and each
        `send`. An injected transport or httpx client does not carry sessions: they run on the
        client's own connections, with its `tls`, `sockets` and proxies.

        Args:
            model: the model that listens, such as "openai/gpt-realtime".
            auth: where the token goes. "query" is the only way that all versions of MeshAPI
                accept. It puts the token into the URL, where access logs record it; this client
                redacts it in errors, reprs and logs. OpenAI and LiteLLM also accept two ways
                that keep the token out of the URL: "header" and "subprotocol". The latter sends
                `openai-insecure-api-key.` and the token, as browsers do; the token may then have
                only characters that a subprotocol may have.
            raise_errors: whether error events raise `RealtimeError` (the default); with False,
                they arrive as messages.
            reconnect: a `Reconnect`, to connect again when the connection is lost, which a
                `Reconnected` message announces; by default, the session ends.
            max_message_size: the most bytes of one message (default 64 MiB); a larger one ends
                the session with the close code 1009.
            ping_interval: seconds of silence after which a session in use sends a ping (default
                20); None sends none.
            ping_timeout: seconds to wait for the pong (default 20); None waits for ever.
            close_timeout: seconds to wait for the gateway's close frame (default 5).

        Raises:
            TypeError, ValueError: an argument is wrong.
            APIStatusError: the gateway refuses the session: AuthenticationError,
                PaymentRequiredError, NotFoundError, RateLimitError, ...
            APIConnectionError: the gateway can't be reached, or does not speak WebSocket.

        Source: https://developers.meshapi.ai (realtime)
        """
        call, how = _checked(model, auth, options)
        call.check(self._config)
        network = (self._network or current_blocking_network)()
        return RealtimeSession.connect(self._config, self._sockets, network, call, how, self._watch)


class AsyncRealtimeResource(_Resource[PerLoopTransport]):
    """Speech and text in both directions at once, over a WebSocket."""

    @lists_keywords
    def connect(
        self, *, model: str, auth: RealtimeAuth = "query", **options: Unpack[RealtimeOptionFields]
    ) -> "AsyncRealtimeManager":
        """Return a manager that connects a session: use it in `async with`, or `await` it.

        The parameters and errors are those of `RealtimeResource.connect`. What goes wrong while
        connecting is raised when the manager is entered or awaited.
        """
        call, how = _checked(model, auth, options)
        call.check(self._config)

        async def connect() -> AsyncRealtimeSession:
            try:
                pool = self._sockets.connections()
            except TransportError as exc:
                raise exc.failure.error from None
            network = (self._network or current_network)()
            return await AsyncRealtimeSession.connect(
                self._config, pool, network, call, how, self._watch
            )

        return AsyncRealtimeManager(connect)


class AsyncRealtimeManager:
    """Connects a session: in `async with`, which also closes it, or with `await`.

    Each use connects a new session.
    """

    def __init__(self, connect: Callable[[], Coroutine[Any, Any, AsyncRealtimeSession]]) -> None:
        self._connect = connect
        self._session: Optional[AsyncRealtimeSession] = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: await it, or use it in async with>"

    if not TYPE_CHECKING:
        # Type checkers know that these are mistakes without them.

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            raise AttributeError(
                f"{name}: the session is not connected yet; use `async with ...connect(...) as"
                " session`, or await connect()"
            )

        def __enter__(self) -> NoReturn:
            raise TypeError("use `async with` instead of `with`: the session is asynchronous")

        def __exit__(self, *exc_info: object) -> None:
            """Never called: without it, `with` would not look for `__enter__`."""

    def __await__(self) -> Generator[Any, Any, AsyncRealtimeSession]:
        return self._connect().__await__()

    async def __aenter__(self) -> AsyncRealtimeSession:
        if self._session is not None:
            raise StreamUsageError(
                "this session has been entered already; call connect() again for a new one"
            )
        self._session = await self._connect()
        return self._session

    async def __aexit__(
        self,
        exc_type: Optional[type[BaseException]],
        exc: Optional[BaseException],
        traceback: Optional[TracebackType],
        /,
    ) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.__aexit__(exc_type, exc, traceback)
