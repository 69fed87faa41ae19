"""The journal of a run: which of its calls have ended, and how. Bytes in, decisions out.

A journal is a file of JSON lines, to which the run appends. The first line is its header:

    {"journal": "meshapi", "version": 1, "gateway": "https://api.meshapi.ai", "run": "9be1...",
     "first": "6f1c..."}

`run` is the name of the run, and `first` the key of its first call. Each line with a "key" is the
record of a call that has ended (`records`). Where several have the same key, the last one counts,
unless an earlier one succeeded. Lines of other kinds, such as those about batches, have no "key";
kinds that this version does not know are passed over.

Whoever is interrupted while it appends leaves the beginning of a line, at the very end. It is
dropped. A bad line anywhere else means that something else has changed the file.
"""

from typing import Any, Final, NamedTuple, Optional

import msgspec
from msgspec import Struct

from meshapi_core._journal_errors import JournalError
from meshapi_core.bulk.journals.key_index import KEY_DIGITS, KeyIndex
from meshapi_core.bulk.journals.records import Record, line_of, read_line
from meshapi_core.config import MeshAPIConfig

__all__ = ["Journal", "Place", "gateway_of"]

_NAME: Final = "meshapi"
_VERSION: Final = 1
_START: Final = b'{"journal":"meshapi",'

_NOT_JSON: Final = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)

# What the index has for a key: the offset, how many failures, and whether the call succeeded.
_OFFSET: Final = 16
_FAILURES: Final = 1
_MOST_FAILURES: Final = 2 ** (_OFFSET - _FAILURES) - 1


class Place(NamedTuple):
    """Where a journal has the record of a call.

    Fields:
        offset: of its line, in bytes.
        failures: how many failures of the call it has.
        ok: whether the call succeeded.
    """

    offset: int
    failures: int
    ok: bool


class _Header(Struct):
    journal: str
    version: int
    gateway: str
    run: str
    first: str


class _Anything(Struct):
    pass


class _Line(Struct):
    """What is read of each line. Everything else is only checked to be JSON."""

    key: str = ""
    error: Optional[_Anything] = None


_LINE: Final = msgspec.json.Decoder(_Line)
_HEADER: Final = msgspec.json.Decoder(_Header)


def gateway_of(config: MeshAPIConfig) -> str:
    """Return the gateway as the header names it: its server and the prefix of its paths."""
    return str(config.location)


class Journal:
    """The journal of one run. Feed it the whole file, then ask it.

    Args:
        path: of the file, for errors.
        run: a name for the run, drawn at random, for a file that is new.
    """

    def __init__(self, path: str, run: str) -> None:
        self.path = path
        self.run = run
        self.gateway = self.first = ""
        self.succeeded = self.failed = 0
        """How many calls have succeeded, and how many have failed and not succeeded since."""
        self.notes: list[int] = []
        """The offsets of the lines of other kinds."""
        self.size = 0
        """Bytes of the whole lines that it has been fed or told of."""
        self.needs_line_feed = False
        """Whether the last line is whole, but has no line feed."""
        self.is_new = True
        """Whether it has no header yet."""
        self._index = KeyIndex()
        self._rest = bytearray()
        self._lines = 0

    def __repr__(self) -> str:
        return f"<Journal {self.path!r}: {self.succeeded} succeeded, {self.failed} failed>"

    # Reading.

    def feed(self, data: bytes) -> None:
        """Take the next piece of the file, cut anywhere.

        Raises:
            JournalError: it is no journal (`journal_mismatch`), or a line in it is not as it was
                written (`journal_damaged`).
        """
        if b"\n" not in data:
            self._rest += data
            return
        lines = data.split(b"\n")
        if self._rest:
            lines[0] = bytes(self._rest) + lines[0]
        self._rest[:] = lines.pop()
        for line in lines:
            self._take(line)
            self.size += len(line) + 1

    def end(self) -> int:
        """Take the end of the file.

        Returns:
            The size of the part that is valid. What follows it is the beginning of a line, and must
            be cut off before anything is appended. If `needs_line_feed`, one must be appended, too.

        Raises:
            JournalError: as for `feed`.
        """
        rest = bytes(self._rest)
        self._rest.clear()
        if self.is_new and not _START.startswith(rest[: len(_START)]):
            raise self._no_journal()
        if rest and _is_whole(rest):
            self._take(rest)
            self.size += len(rest)
            self.needs_line_feed = True
        return self.size

    def find(self, key: str) -> Optional[Place]:
        """Return where the record of a call is; None if it has not ended yet."""
        found = self._index.get(key)
        if found is None:
            return None
        return Place(found >> _OFFSET, found >> _FAILURES & _MOST_FAILURES, bool(found & 1))

    def read(self, line: bytes) -> Record:
        """Return the record in a line, which `find` has found.

        Raises:
            JournalError: it is not that of a record (`journal_damaged`).
        """
        try:
            return read_line(line)
        except _NOT_JSON as exc:
            raise self._error("journal_damaged", f"a record cannot be read: {exc}") from None

    def check(self, gateway: str, first: Optional[str], *, resume: bool = True) -> None:
        """Check that this is the journal of a run.

        Args:
            gateway: the one that the run sends its calls to; see `gateway_of`.
            first: the key of the run's first call; None if it has no calls.
            resume: whether the run may go on with what has been recorded.

        Raises:
            JournalError: it is that of another run (`journal_mismatch`), or it has records and must
                not (`journal_exists`).
        """
        if self.is_new:
            return
        recorded = self.succeeded + self.failed
        if gateway != self.gateway:
            raise self._error(
                "journal_mismatch",
                f"it was written for the gateway {self.gateway}, and the client is one of"
                f" {gateway}; give another path",
            )
        if not recorded and not self.notes:
            return
        if not resume:
            raise self._error(
                "journal_exists",
                f"it has {recorded} records, and resume is False; give another path, or resume=True"
                " to go on with it",
            )
        if first is not None and first != self.first and self.find(first) is None:
            raise self._error(
                "journal_mismatch",
                "it is the journal of other calls: the first call of this run is not in it; give"
                " another path",
            )

    def begin_again(self) -> None:
        """Become a new journal of the same name, if nothing is recorded in it."""
        if not self.succeeded + self.failed and not self.notes:
            self.is_new, self.size, self._lines = True, 0, 0
            self.needs_line_feed = False

    # Writing. The caller appends the lines, and then tells that it has.

    def header(self, gateway: str, first: Optional[str]) -> bytes:
        """Return the header of a new journal, as a line.

        Args:
            gateway, first: as for `check`.
        """
        line = msgspec.json.encode(_Header(_NAME, _VERSION, gateway, self.run, first or ""))
        assert line.startswith(_START)
        return line + b"\n"

    def line_of(self, record: Record) -> bytes:
        """Return a record as a line."""
        return line_of(record)

    def note_of(self, fields: dict[str, Any]) -> bytes:
        """Return a line of another kind, such as one about a batch.

        Args:
            fields: values for JSON; the first one should say what kind it is. None is named "key".
        """
        assert "key" not in fields
        return msgspec.json.encode(fields) + b"\n"

    def appended(self, lines: bytes) -> None:
        """Take what was appended: the header, records or notes.

        A run that never asks for what it has itself recorded need not call this, and its memory
        does not grow.
        """
        self.needs_line_feed = False
        self.feed(lines)

    def _take(self, line: bytes) -> None:
        self._lines += 1
        if self.is_new:
            self._take_header(line)
            return
        if not line.strip():
            return
        try:
            fields = _LINE.decode(line)
            if fields.key:
                self._take_record(fields.key, fields.error is None)
            else:
                self.notes.append(self.size)
        except _NOT_JSON as exc:
            raise self._error(
                "journal_damaged",
                f"line {self._lines} is not as it was written: {exc}; remove this line, and its"
                " call is made again",
            ) from None

    def _take_header(self, line: bytes) -> None:
        try:
            header = _HEADER.decode(line)
        except _NOT_JSON:
            raise self._no_journal() from None
        if header.journal != _NAME:
            raise self._no_journal()
        if header.version != _VERSION:
            raise self._error(
                "journal_mismatch",
                f"it has version {header.version} of the format, and this release of the client"
                f" reads version {_VERSION}; use the release that has written it",
            )
        self.gateway, self.run, self.first = header.gateway, header.run, header.first
        self.is_new = False

    def _take_record(self, key: str, ok: bool) -> None:
        if len(key) != KEY_DIGITS:
            raise ValueError(f"its key has not {KEY_DIGITS} digits")
        known = self._index.get(key)
        if known is None:
            failures, done = 0, False
            self.succeeded += ok
            self.failed += not ok
        else:
            failures, done = known >> _FAILURES & _MOST_FAILURES, bool(known & 1)
            self.succeeded += ok and not done
            self.failed -= ok and not done
        if done:
            return
        failures = min(failures + (not ok), _MOST_FAILURES)
        self._index.add(key, self.size << _OFFSET | failures << _FAILURES | ok)

    def _no_journal(self) -> JournalError:
        return self._error(
            "journal_mismatch",
            "it is not a journal: its first line is not the header of one; give another path",
        )

    def _error(self, code: str, reason: str) -> JournalError:
        return JournalError(f"the journal {self.path}: {reason}", error_code=code)


def _is_whole(line: bytes) -> bool:
    # The beginning of a line that is an object never has its last brace.
    try:
        _LINE.decode(line)
    except _NOT_JSON:
        return False
    return True
