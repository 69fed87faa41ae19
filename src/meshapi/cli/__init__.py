"""The command `meshapi`: a demonstration, a local gateway, a chat, and a realtime session.

Exit status: 0 if all went well, 1 after an error that is told in one line on stderr, 2 for a wrong
command line, 130 after Ctrl-C, 141 when the reader of the output has gone.

    command_line   reads a command line, runs its command, gives the exit status
    command        what a command is
    commands       each command: its arguments, and what it does
    conversation   a conversation in a realtime session, by text or audio
    demonstration  what `meshapi demo` shows
    output         what is said to people, and errors in one line
    terminal       text on a terminal, in a pipe, or in a log file
    wav            WAV files of the audio that sessions take
"""

from meshapi.cli.command_line import main

__all__ = ["main"]
