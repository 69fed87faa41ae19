"""Files that flows write: a temporary file beside the target, which replaces it at the end.

The folder of the target is the only one from which a file can be moved there at once. So a reader
of the target sees all of the old file or all of the new one, even if the system fails in between.

On an event loop, pieces are written in the task that has received them: in nearly all cases, that
only copies to the page cache. To sync and to rename takes long, and is done in a thread. `discard`
may come meanwhile, when that task is cancelled.
"""

import errno
import os
import stat
import threading
from io import FileIO
from typing import Any, Optional, Union

_PRIVATE = 0o600
"""Only its owner may read it: what was generated may be private. As with `tempfile`."""


def most_files() -> Optional[int]:
    """Return how many files and sockets this process may have open; None if nothing limits them."""
    try:
        import resource
    except ModuleNotFoundError:
        # Windows has no such limit for sockets.
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


class PartFile:
    """A file that is not complete yet.

    Args:
        path: where it is to be; relative to the present folder, even if that changes.
    """

    def __init__(self, path: Union[str, "os.PathLike[str]"]) -> None:
        self._shown = os.fspath(path)
        self._target = os.path.abspath(self._shown)
        self._name = ""
        self._file: Optional[FileIO] = None
        # An interrupt within a locked block must not keep `discard` from the lock.
        self._lock = threading.RLock()
        self._overwrite = True
        self._is_over = False
        self._syncing: Optional[int] = None  # the thread that does

    def open(self, *, overwrite: bool) -> None:
        """Check the target, and make the temporary file.

        Raises:
            OSError: the target is a folder, a symbolic link or a device; it exists, and must not be
                replaced; or its folder does not exist or cannot be written to.
        """
        self._overwrite = overwrite
        self._check_target()
        folder = os.path.dirname(self._target)
        while self._file is None:
            # No part of the target's name, which may already be as long as the system allows.
            self._name = os.path.join(folder, f".meshapi-{os.urandom(8).hex()}.part")
            try:
                self._file = FileIO(self._name, "x", opener=_open_privately)
            except FileExistsError:
                continue
            except OSError as exc:
                self._name = ""
                raise self._explained(exc) from None

    def write(self, piece: bytes) -> None:
        """Write at the end.

        Raises:
            OSError: the disk is full, the file is too large, and the like.
        """
        file = self._opened()
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError as exc:
            raise self._explained(exc) from None

    def empty(self) -> None:
        """Remove what was written."""
        file = self._opened()
        file.truncate(0)
        file.seek(0)

    def keep(self) -> None:
        """Sync the file, and move it to the target. Does nothing if it has been discarded.

        Raises:
            OSError: it could not be written to the disk, or not be moved.
        """
        if self._sync() and self._move():
            _sync_folder(os.path.dirname(self._target))

    def _sync(self) -> bool:
        """Sync and close the file; False if it has been discarded, before that or meanwhile."""
        with self._lock:
            if self._is_over:
                return False
            file = self._opened()
            self._syncing = threading.get_ident()
        try:
            os.fsync(file.fileno())
        except OSError as exc:
            raise self._explained(exc) from None
        finally:
            with self._lock:
                # From here on, `discard` no longer leaves this to us.
                self._syncing = None
                file.close()
        return True

    def _move(self) -> bool:
        """Move the file to the target, and return True; False if it has been discarded."""
        with self._lock:
            if self._is_over:
                # Where an open file cannot be removed, it is still there.
                self._remove()
                return False
            try:
                # Another program may have made something there meanwhile.
                self._check_target()
                if self._overwrite or not self._link():
                    os.replace(self._name, self._target)
            except OSError as exc:
                raise self._explained(exc) from None
            self._is_over = True
            return True

    def _link(self) -> bool:
        """Move the file by a link, which replaces nothing; False where the system cannot."""
        try:
            os.link(self._name, self._target)
        except FileExistsError:
            self._check_target()
            raise
        except (OSError, NotImplementedError):
            return False
        self._remove()
        return True

    def discard(self) -> None:
        """Remove the file, unless it has been moved to the target. Harmless twice."""
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
            if self._file is not None and self._syncing in (None, threading.get_ident()):
                self._file.close()
            self._remove()

    def _opened(self) -> FileIO:
        if self._file is None:
            raise ValueError("this file is not open")
        return self._file

    def _remove(self) -> None:
        name = self._name
        try:
            if name:
                os.unlink(name)
        except OSError:
            # It is gone, or (on Windows) still open; then `keep` removes it.
            pass

    def _check_target(self) -> None:
        try:
            found = os.lstat(self._target)
        except FileNotFoundError:
            self._check_name()
            return
        except OSError as exc:
            raise self._explained(exc) from None
        kind = found.st_mode
        if stat.S_ISDIR(kind):
            why = "it is a folder; add the name of the file"
            raise IsADirectoryError(errno.EISDIR, why, self._shown)
        if stat.S_ISLNK(kind):
            why = "it is a symbolic link, which would be replaced; give the path that it leads to"
            raise FileExistsError(errno.EEXIST, why, self._shown)
        if not stat.S_ISREG(kind):
            why = "it is a device, a pipe or the like, which would be replaced"
            raise FileExistsError(errno.EEXIST, why, self._shown)
        if not self._overwrite:
            why = "the file exists, and overwrite is False"
            raise FileExistsError(errno.EEXIST, why, self._shown)

    def _check_name(self) -> None:
        folder = os.path.dirname(self._target)
        if os.path.isdir(folder):
            return
        home = "; write Path(...).expanduser()" if self._shown.startswith("~") else ""
        if os.path.lexists(folder):
            raise NotADirectoryError(errno.ENOTDIR, f"{folder} is not a folder", self._shown)
        why = f"the folder {folder} does not exist{home}; make it first"
        raise FileNotFoundError(errno.ENOENT, why, self._shown)

    def _explained(self, exc: OSError) -> OSError:
        """Return an error that names the target, and not the temporary file."""
        if exc.filename == self._shown:
            return exc
        why = exc.strerror or str(exc)
        full = exc.errno in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", None))
        if full:
            why = f"there is no room for the file, and nothing was changed: {why}"
        made: Any = OSError(exc.errno, why, self._shown)
        error: OSError = made
        return error


def _open_privately(name: str, flags: int) -> int:
    return os.open(name, flags, _PRIVATE)


def _sync_folder(folder: str) -> None:
    """Write a folder's new entry to the disk, on systems that can."""
    try:
        file = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(file)
    except OSError:
        # The file is in its place already.
        pass
    finally:
        os.close(file)
