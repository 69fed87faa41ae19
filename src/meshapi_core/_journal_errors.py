"""The error of journals, in which runs of many calls record what they have done."""

from meshapi_core._base_error import MeshAPIError

__all__ = ["JournalError"]


class JournalError(MeshAPIError):
    """The journal of a run cannot be used; nothing that it has recorded was changed.

    `error_code` says why: "journal_locked" (another run has it open), "journal_mismatch" (it is the
    journal of another run, or no journal), "journal_exists" (it has records, and the run was not to
    resume), "journal_damaged" (a line in it is not as it was written), "journal_not_written" (the
    disk is full, the path is not that of a file, and the like).
    """

    default_error_code = "journal_not_written"
