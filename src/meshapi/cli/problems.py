"""What ends a command: its own errors, and those of the client in the same form."""

from typing import Final

from meshapi import APITimeoutError, JobTimeoutError, MeshAPIError
from meshapi.cli import exit_codes


class CommandError(Exception):
    """A command failed, in one line for the person who typed it.

    Attributes:
        exit_code: the exit status.
    """

    def __init__(self, message: str, exit_code: int = exit_codes.FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class UsageError(CommandError):
    """The command line, the input or a setting cannot be used; nothing was sent."""

    def __init__(self, message: str) -> None:
        super().__init__(message, exit_codes.UNUSABLE)


# By error code or class name, the first that fits: where the exit status and the advice differ.
_KINDS: Final = (
    (
        ("AuthenticationError",),
        exit_codes.NO_TOKEN,
        "set MESHAPI_TOKEN to a valid API key, and try `meshapi doctor`",
    ),
    (("PaymentRequiredError",), exit_codes.FAILED, "`meshapi usage` shows the balance"),
    (("model_not_found",), exit_codes.FAILED, "`meshapi models` lists the models"),
    (("RealtimeConnectionClosed",), exit_codes.NO_CONNECTION, ""),
    (
        ("APITimeoutError",),
        exit_codes.NO_CONNECTION,
        "`meshapi doctor` looks for the reason, and --timeout SECONDS allows more time",
    ),
    (("JobTimeoutError",), exit_codes.FAILED, "it goes on at the gateway"),
    (("journal_mismatch",), exit_codes.UNUSABLE, ""),
    (
        ("APIConnectionError",),
        exit_codes.NO_CONNECTION,
        "`meshapi doctor` looks for the reason",
    ),
    (("StreamInterruptedError",), exit_codes.NO_CONNECTION, ""),
    (("network_blocked",), exit_codes.NO_CONNECTION, ""),
)

# Where the advice begins that only a program can follow, such as the name of a parameter.
_FOR_PROGRAMS: Final = {
    APITimeoutError: "; to allow more time, pass ",
    JobTimeoutError: "; it goes on at the gateway: call ",
}


def exit_code_of(error: MeshAPIError) -> int:
    """Return the exit status for an error of a call."""
    return _kind_of(error)[0]


def told(error: MeshAPIError) -> str:
    """Return an error of a call in one line, with what to do about it."""
    # The base's `__str__`, so that a RealtimeError has the form of all other errors.
    message, advice = MeshAPIError.__str__(error), _kind_of(error)[1]
    for kind, place in _FOR_PROGRAMS.items():
        if isinstance(error, kind) and place in error.message:
            message = message.replace(error.message, error.message.partition(place)[0], 1)
    return f"{message}; {advice}" if advice else message


def _kind_of(error: MeshAPIError) -> tuple[int, str]:
    names = {error.error_code, *(cls.__name__ for cls in type(error).__mro__)}
    for kinds, code, advice in _KINDS:
        if not names.isdisjoint(kinds):
            return code, advice
    return exit_codes.FAILED, ""
