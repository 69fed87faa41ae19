"""`FakeGateway`: the local gateway as a transport."""

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional

from typing_extensions import Self

from meshapi.gateway.rate_limits import Kind, RateLimits
from meshapi.gateway.scripts.engine import Scripts
from meshapi.gateway.scripts.scripted import Scripted
from meshapi.gateway.scripts.values import ErrorReply, Fault, Reply
from meshapi.gateway.state import GatewayState
from meshapi.testing.fake.clock import VirtualClock
from meshapi.testing.fake.faults import ByteFault
from meshapi.testing.fake.server.host import Host
from meshapi_backends import current_blocking_network, current_network
from meshapi_core import InvalidParamsError

try:
    from meshapi.gateway.app import build
except ModuleNotFoundError as missing:
    message = f"FakeGateway needs {missing.name}: in a checkout, pip install '.[gateway]'"
    raise ModuleNotFoundError(message, name=missing.name) from missing

if TYPE_CHECKING:
    from meshapi import AsyncMeshAPI, MeshAPI

_URL = "http://gateway.test"


class FakeNetworks:
    """A transport whose connections lead to an ASGI application in this program.

    Args:
        app: the application; see `Host`.
        clock: its clock, and that of the clients.
        cut: the most bytes that a client reads at once.
    """

    def __init__(self, app: Any, clock: VirtualClock, cut: Optional[int] = None) -> None:
        self.clock = clock
        self._host = Host(app, clock, cut)
        self._networks: dict[Any, Any] = {}

    def network(self) -> Any:
        """The network of blocking clients. See `meshapi.transports.Transport`."""
        from meshapi.testing.fake._sync.network import FakeNetwork

        return self._on(current_blocking_network(), FakeNetwork)

    def async_network(self) -> Any:
        """The network of the running event loop. See `meshapi.transports.AsyncTransport`."""
        from meshapi.testing.fake._async.network import AsyncFakeNetwork

        return self._on(current_network(), AsyncFakeNetwork)

    def _on(self, base: Any, kind: Callable[[Host, Any], Any]) -> Any:
        found = self._networks.get(base)
        if found is None:
            found = self._networks[base] = kind(self._host, base)
        return found

    def advance(self, seconds: float) -> None:
        """Move the clock forward, past all that is due by then.

        Raises:
            InvalidParamsError: `seconds` is negative, infinite or not a number.
        """
        _check_seconds(seconds)
        self.clock.go_to(self.clock.now + seconds)

    def next_fault(self, fault: ByteFault, *, count: int = 1) -> None:
        """Damage the bytes of the next response.

        Args:
            fault: what happens to them.
            count: how many responses it happens to, one after another.

        Raises:
            TypeError: it is not a fault.
            ValueError: `count` is less than 1.
        """
        _check_fault(fault)
        _check_count("count", count)
        for _ in range(count):
            self._host.add_fault(fault)

    def close(self) -> None:
        """End all connections; later ones are refused. Harmless twice."""
        self._host.close()

    async def aclose(self) -> None:
        """The same as `close`."""
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.close()


def _check_seconds(value: object) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise InvalidParamsError("seconds", "a number of seconds", repr(value))
    if not 0 <= value < float("inf"):
        raise InvalidParamsError("seconds", "0 or more", str(value))


def _check_count(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidParamsError(name, "a whole number", repr(value))
    if value < 1:
        raise InvalidParamsError(name, "1 or more", str(value))


def _check_fault(fault: object) -> None:
    if not isinstance(fault, ByteFault):
        is_response = isinstance(fault, (ErrorReply, Fault, Reply))
        hint = "; pass it to next_response" if is_response else ""
        raise TypeError(f"fault: expected a ByteFault, got {type(fault).__name__}{hint}")


class FakeGateway(FakeNetworks, Scripted):
    """The gateway of `LocalGateway`, without sockets, threads and waits.

        with FakeGateway() as gateway, gateway.client() as client:
            client.chat.completions.create(...)

    It is a transport for `MeshAPI` and for `AsyncMeshAPI`, on asyncio and trio. Its clients have
    its clock: they wait for retries and run into time limits without any real wait.
    """

    url = _URL

    def __init__(
        self,
        token: str = "rsk_demo",
        words_per_second: float = 0.0,
        *,
        requests_per_minute: Optional[int] = None,
        tokens_per_minute: Optional[int] = None,
        window: Kind = "sliding",
        strict: bool = False,
        runs: bool = True,
        cut: Optional[int] = None,
    ) -> None:
        """Make a gateway.

        Args:
            token: the only Bearer token that it accepts.
            words_per_second: the pace of streams on its clock; 0 is all at once.
            requests_per_minute, tokens_per_minute, window: its rate limits, as of `LocalGateway`.
            strict: whether a request that no script matches gets an error.
            runs: whether its clock jumps when everything waits. Otherwise only `advance` moves it,
                and waits are real until then.
            cut: the most bytes that a client reads at once; None for as many as there are.

        Raises:
            ValueError: `cut` or a limit is less than 1.
        """
        if cut is not None:
            _check_count("cut", cut)
        self.token = token
        clock = VirtualClock(runs=runs)
        limits = RateLimits(requests_per_minute, tokens_per_minute, window, clock=lambda: clock.now)
        self._state = GatewayState(token, words_per_second, limits, Scripts(strict=strict))
        super().__init__(build(self._state, None), clock, cut)

    def reset(self) -> None:
        """Forget what `LocalGateway.reset` forgets, and the faults, and the waits of the clock."""
        super().reset()
        self._host.reset()
        self.clock.waits.clear()

    def client(self, **options: Any) -> "MeshAPI":
        """Return a blocking client of this gateway; the options are the arguments of `MeshAPI`."""
        from meshapi import MeshAPI

        return MeshAPI(**self._with_defaults(options))

    def async_client(self, **options: Any) -> "AsyncMeshAPI":
        """Return an async client; the options are the arguments of `AsyncMeshAPI`."""
        from meshapi import AsyncMeshAPI

        return AsyncMeshAPI(**self._with_defaults(options))

    def _with_defaults(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"token": self.token, "base_url": self.url, "transport": self, **options}
