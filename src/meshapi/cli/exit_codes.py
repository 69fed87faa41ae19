"""The exit status of every command, and which error gives which.

`docs/command-line.md` has this table, too. 130 and 141 are what shells report for a command that
SIGINT or SIGPIPE has ended: 128 and the number of the signal.
"""

from typing import Final

DONE: Final = 0
FAILED: Final = 1
UNUSABLE: Final = 2
NO_TOKEN: Final = 3
NO_CONNECTION: Final = 4
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141

EXIT_CODES: Final = {
    DONE: "everything was done",
    FAILED: (
        "the gateway or the model refused, an answer is not whole, or something else went wrong;"
        " the error says what"
    ),
    UNUSABLE: "the command line, the input or a setting cannot be used; nothing was sent",
    NO_TOKEN: "the token is missing, or the gateway refused it",
    NO_CONNECTION: "the gateway was not reached, did not respond in time, or broke off",
    INTERRUPTED: "Ctrl-C",
    BROKEN_PIPE: "the reader of the output has closed it, such as `head`",
}
