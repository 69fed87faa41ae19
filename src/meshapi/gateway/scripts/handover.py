"""What the middleware leaves with a request for its endpoint to play."""

from typing import Any, Optional

from starlette.requests import Request

from meshapi.gateway.scripts.values import Fault, Reply


def leave(
    state: dict[str, Any], *, reply: Optional[Reply] = None, fault: Optional[Fault] = None
) -> None:
    """Leave what a script says, and how the response goes wrong.

    Args:
        state: of the ASGI scope.
    """
    if reply is not None:
        state["reply"] = reply
    if fault is not None:
        state["fault"] = fault


def reply_to(request: Request) -> Optional[Reply]:
    """Return what a script says; None for the gateway's own response."""
    found: Optional[Reply] = getattr(request.state, "reply", None)
    return found


def scripted_reply(request: Request) -> Optional[Reply]:
    """Return what a script says; if it has a fault only, a reply that says nothing."""
    found = reply_to(request)
    return Reply() if found is None and fault_of(request) is not None else found


def fault_of(request: Request) -> Optional[Fault]:
    """Return how a script makes the response go wrong."""
    found: Optional[Fault] = getattr(request.state, "fault", None)
    return found
