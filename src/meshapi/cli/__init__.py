"""The command `meshapi`.

`docs/command-line.md` shows each command, and has the table of exit codes.

    command_line   parses a command line, runs its command, returns the exit status
    commands       the commands: their arguments, and what they do
    command        the type of a command
    parsing        command lines, with mistakes in one line and the nearest word
    options        options that several commands have, and the types of their values
    inputs         what a command reads: words, files by `@name`, standard input
    rows, many     the rows of a file, and the calls that are made of them
    paths          files that a command makes
    schemas        the JSON schema that an answer must match
    wholeness      answers that are cut off, filtered or refused
    progress       a line that says how far a command has come
    connecting     the client of a command
    output         what a command writes: for people, or with `--json` for programs; errors
    exit_codes     the exit status of all commands
    problems       what ends a command, in one line with what to do
    terminal       text on a terminal, in a pipe, or in a log file
    tables         tables on a terminal, with rich and without
    dialogue       a conversation in text, a turn for each line
    images         pictures for a question
    comparison     answers side by side, or one after another
    diagnosis      what `meshapi doctor` checks
    conversation   a conversation in a realtime session, by text or audio
    demonstration  what `meshapi demo` shows
    wav            WAV files of the audio that sessions take
"""

from meshapi.cli.command_line import main

__all__ = ["main"]
