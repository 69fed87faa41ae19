"""The command `meshapi`: a demonstration, a local gateway, a chat, and a realtime session.

The exit status is 0 on success, 1 after an error (one line on stderr), 2 for a wrong command line,
130 after Ctrl-C, and 141 if the reader of the output has gone.

    command_line   parses a command line, runs its command, returns the exit status
    command        the type of a command
    commands       the commands: their arguments, and what they do
    conversation   a conversation in a realtime session, by text or audio
    demonstration  what `meshapi demo` shows
    output         the standard streams: output, and errors in one line
    terminal       text on a terminal, in a pipe, or in a log file
    wav            WAV files of the audio that sessions take
"""

from meshapi.cli.command_line import main

__all__ = ["main"]
