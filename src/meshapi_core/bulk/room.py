"""How many calls the client and the process have room for at once."""

from typing import Final, Literal, Optional, Union

from meshapi_core.config import Limits
from meshapi_core.errors import InvalidParamsError

__all__ = ["most_at_once"]

_MOST: Final = 1000
"""What "auto" grows to, where nothing else sets a limit."""

_OTHER_FILES: Final = 64
"""Files that are left to the program, to its modules and to the journal."""


def most_at_once(
    concurrency: Union[int, Literal["auto"]], connections: Optional[Limits], files: Optional[int]
) -> int:
    """Return the most that "auto" may grow to.

    Args:
        concurrency: as given by the program.
        connections: the limits of the client; None if they are unknown.
        files: how many the process may have open; None if nothing limits them.

    Raises:
        InvalidParamsError: there is no room for the concurrency.
    """
    most = _MOST if connections is None else connections.max_connections
    if connections is not None and concurrency != "auto" and concurrency > most:
        expected = f"at most {most}, as the client has no more connections"
        hint = f"write MeshAPI(limits=Limits(max_connections={concurrency}))"
        raise InvalidParamsError("concurrency", expected, str(concurrency), hint)
    room = most if files is None else max(1, files - _OTHER_FILES)
    if files is not None and concurrency != "auto" and concurrency > room:
        expected = f"at most {room}, as the process may open only {files} files and connections"
        hint = f'run "ulimit -n {concurrency + _OTHER_FILES}" before the program'
        raise InvalidParamsError("concurrency", expected, str(concurrency), hint)
    return min(_MOST, most, room)
