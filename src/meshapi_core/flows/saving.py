"""The steps of a flow that write a file: all of it appears at its path, or nothing does.

    step          what the runner does                                      what the flow is sent
    OpenFile      checks the path, makes a temporary file in its folder     the file
    WritePiece    writes at its end                                         None
    EmptyFile     removes what has been written                             None
    KeepFile      syncs it, and renames it to the path                      None
    DiscardFile   removes it                                                None

The runner discards every file that the flow has neither kept nor discarded, however it ended. Each
step but `DiscardFile` raises the system's OSError.
"""

from typing import Any

from msgspec import Struct

__all__ = ["DiscardFile", "EmptyFile", "KeepFile", "OpenFile", "WritePiece"]


class OpenFile(Struct, frozen=True):
    """Make a temporary file in the folder of a path, and be sent an object for the other steps.

    Only the user may read or write the file. What is at the path stays unchanged until `KeepFile`.
    It must not be a folder, a symbolic link, a device or the like.

    Fields:
        path: where the file is to be, as a str or an object with `__fspath__`.
        overwrite: whether it replaces a file that is there.
    """

    path: Any
    overwrite: bool = True


class WritePiece(Struct, frozen=True):
    """Write bytes at the end of a file.

    Fields:
        file: what `OpenFile` gave.
        piece: the bytes.
    """

    file: Any
    piece: bytes

    def __repr__(self) -> str:
        return f"<WritePiece {len(self.piece)} bytes>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("size", len(self.piece))]


class EmptyFile(Struct, frozen=True):
    """Remove all that was written to a file.

    Fields:
        file: what `OpenFile` gave.
    """

    file: Any


class KeepFile(Struct, frozen=True):
    """Sync a file to the disk, and move it to its path, where it replaces any other file at once.

    Fields:
        file: what `OpenFile` gave.
    """

    file: Any


class DiscardFile(Struct, frozen=True):
    """Remove a file that is not to be kept. Harmless twice.

    Fields:
        file: what `OpenFile` gave.
    """

    file: Any
