# Generated from _async/filing.py by `python tools/mirror.py --write`: edit that file.
"""Does the steps of flows that have files: saved files, tables and journals."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Optional

from meshapi_backends._sync.networks import Network
from meshapi_core.flows import (
    AppendJournal,
    CloseJournal,
    CutJournal,
    DiscardFile,
    EmptyFile,
    FileSize,
    KeepFile,
    OpenFile,
    OpenJournal,
    OpenTable,
    ReadJournal,
    ReadRecord,
    WritePiece,
    WriteRows,
)


class FileSteps:
    """Does the steps of one flow that are about files.

    Args:
        network: returns the network of the running program, for what takes long.
    """

    def __init__(self, network: Callable[[], Network]) -> None:
        self._network = network
        self._files: list[Any] = []
        self._journals: list[Any] = []

    def do(self, step: Any) -> Any:
        """Do a step."""
        return self._acts[type(step)](self, step)

    def leave(self) -> None:
        """Discard the files that are not kept, and close the journals. Harmless twice."""
        for file in self._files:
            file.discard()
        for journal in self._journals:
            journal.close()

    def _open_file(self, step: OpenFile) -> Any:
        from meshapi_backends._files import PartFile

        # Known before it exists, so that no interruption leaves it behind.
        self._files.append(PartFile(step.path))
        self._files[-1].open(overwrite=step.overwrite)
        return self._files[-1]

    def _write_piece(self, step: WritePiece) -> None:
        step.file.write(step.piece)

    def _empty_file(self, step: EmptyFile) -> None:
        step.file.empty()

    def _keep_file(self, step: KeepFile) -> None:
        # To sync a large file takes long.
        self._network().in_thread(step.file.keep, None)

    def _discard_file(self, step: DiscardFile) -> None:
        step.file.discard()

    def _open_journal(self, step: OpenJournal) -> Any:
        from meshapi_backends._journals import JournalFile

        self._journals.append(JournalFile(step.path))
        self._journals[-1].open()
        return self._journals[-1]

    def _read_journal(self, step: ReadJournal) -> Any:
        return step.file.read(step.size)

    def _read_record(self, step: ReadRecord) -> Any:
        return step.file.line_at(step.offset)

    def _append_journal(self, step: AppendJournal) -> None:
        step.file.append(step.lines)

    def _cut_journal(self, step: CutJournal) -> None:
        step.file.cut(step.size)

    def _close_journal(self, step: CloseJournal) -> None:
        step.file.close()

    def _file_size(self, step: FileSize) -> Optional[int]:
        from meshapi_backends._journals import size_of

        return size_of(step.source)

    def _open_table(self, step: OpenTable) -> Any:
        from meshapi_backends._tables import PartTable, load_pyarrow

        # To import it takes long.
        self._network().in_thread(load_pyarrow, None)
        self._files.append(PartTable(step.path, step.columns))
        self._files[-1].open(overwrite=step.overwrite)
        return self._files[-1]

    def _write_rows(self, step: WriteRows) -> None:
        # To compress a group of rows takes long.
        self._network().in_thread(partial(step.table.write_rows, step.columns), None)

    _acts: ClassVar[dict[type, Callable[[Any, Any], Any]]] = {
        AppendJournal: _append_journal,
        CloseJournal: _close_journal,
        CutJournal: _cut_journal,
        DiscardFile: _discard_file,
        EmptyFile: _empty_file,
        FileSize: _file_size,
        KeepFile: _keep_file,
        OpenFile: _open_file,
        OpenJournal: _open_journal,
        OpenTable: _open_table,
        ReadJournal: _read_journal,
        ReadRecord: _read_record,
        WritePiece: _write_piece,
        WriteRows: _write_rows,
    }
