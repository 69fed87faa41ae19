"""The addresses of a name, and the order in which to try them."""

from typing import NamedTuple, Union

from meshapi_core import is_public

SockAddr = Union[tuple[str, int], tuple[str, int, int, int], str]


class Address(NamedTuple):
    """One address of a server, as the system returned it; or the path of a Unix socket."""

    family: int
    sockaddr: SockAddr

    @property
    def is_public(self) -> bool:
        """Whether the address is public, and not of a private network or this machine."""
        return is_public(self.sockaddr[0])


def interleaved(addresses: list[Address]) -> list[Address]:
    """The addresses with their families alternating, so that a dead family costs one try at most.

    Source: https://www.rfc-editor.org/rfc/rfc8305#section-4
    """
    families: dict[int, list[Address]] = {}
    for address in dict.fromkeys(addresses):
        families.setdefault(address.family, []).append(address)
    queues = list(families.values())
    longest = max(map(len, queues), default=0)
    return [queue[i] for i in range(longest) for queue in queues if i < len(queue)]
