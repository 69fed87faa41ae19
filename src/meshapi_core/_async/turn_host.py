"""What turns need of a session."""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Optional, Protocol

from meshapi_core.errors import MeshAPIError
from meshapi_core.realtime import RealtimeMessage

__all__ = ["AsyncTurnHost"]


class AsyncTurnHost(Protocol):
    """What turns need of a session."""

    @property
    def closed(self) -> bool:
        """Whether the session is over."""
        ...

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that errors must not show: `Request.secrets`."""
        ...

    def end_of(self, timeout: Optional[float]) -> Optional[float]:
        """Return the time at which a wait that begins now is over, on the host's clock."""
        ...

    async def receive_message(self, end: Optional[float]) -> RealtimeMessage:
        """Return the next message, or raise its error, as `receive` of a session does.

        Raises:
            TimeoutError: the time is over.
        """
        ...

    async def send_events(
        self,
        events: Sequence[Mapping[str, Any]],
        queued: Callable[[], object],
        *,
        in_conversation: bool,
    ) -> bool:
        """Send events one right after the other, all or none of them.

        Args:
            events: plain dicts.
            queued: is called when they are sure to be sent, unless the connection breaks.
            in_conversation: whether they make sense only on the connection of the last message that
                `receive_message` returned.

        Returns:
            False if they were not sent, as there is a new connection; its `Reconnected` has not
            been received yet.
        """
        ...

    async def run_flow(self, flow: Generator[Any, Any, object]) -> None:
        """Do the steps of a flow, which makes no calls, and pass over its items.

        Raises:
            MeshAPIError: the session was closed meanwhile; then `closed` is True.
            Exception: what the flow raises.
        """
        ...

    def is_end(self, error: MeshAPIError) -> bool:
        """Return whether an error is the normal end of the session."""
        ...
