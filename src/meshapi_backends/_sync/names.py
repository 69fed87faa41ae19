# Generated from _async/names.py by `python tools/mirror.py --write`: edit that file.
"""Waiting for the addresses of a name, which a thread of its own looks up."""

from typing import Optional

from meshapi_backends._addresses import Address
from meshapi_backends._sync.transports import Waiter
from meshapi_backends._resolving import start_look_up
from meshapi_backends._scopes import check_ended, waiting


def addresses_of(
    host: str, port: int, timeout: Optional[float], waiter: Waiter
) -> list[Address]:
    """Every address of a name, in the system's order.

    Args:
        host, port: the name, which is no number, and what is asked for there.
        timeout: seconds; a look-up that takes longer is given up.
        waiter: a new one.

    Raises:
        OSError: there is none.
        TimeoutError: the time is over; it says what was waited for.
        Ended: the scope that runs was ended.
    """
    with waiting(waiter.set):
        look_up = start_look_up(host, port, waiter.set_from_thread)
        try:
            in_time = waiter.wait(timeout)
            check_ended()
        except BaseException:
            look_up.given_up = True
            raise
    if not in_time:
        raise look_up.late()
    return look_up.addresses()
