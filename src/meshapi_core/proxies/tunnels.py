"""What the machines that open a tunnel have in common: how a host drives them.

    tunnel = route.tunnel()
    while not isinstance(action := tunnel.next_action(), Finished):
        if isinstance(action, Write):
            write(action.data)
        else:
            tunnel.receive_data(read())      # b"" at the end of input
    if tunnel.failure is None:
        ...  # The server is at the other end. `trailing_data` has the first bytes from it.

One time limit is in force for all of it, so the actions have none of their own.
"""

from typing import Optional, Union

from typing_extensions import Protocol

from meshapi_core.machines.actions import Finished, Read, Write
from meshapi_core.messages import Failure

__all__ = ["Tunnel"]


class Tunnel(Protocol):
    """A connection to a proxy that is to become one to a server."""

    @property
    def failure(self) -> Optional[Failure]:
        """Why the proxy did not open it; None if it did, or has not responded yet."""
        ...

    @property
    def trailing_data(self) -> bytes:
        """What was received after the proxy's response: the first bytes of the server."""
        ...

    def next_action(self) -> Union[Write, Read, Finished]:
        """What to do next: write all of some bytes, read some, or stop. Each Write comes once."""
        ...

    def receive_data(self, data: bytes) -> None:
        """Take received bytes, cut anywhere; `b""` is the end of input."""
        ...
