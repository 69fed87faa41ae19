"""The command `meshapi`: a demonstration, a local gateway, a chat, and a realtime session.

Exit status: 0 if all went well, 1 after an error that is told in one line on stderr, 2 for a wrong
command line, 130 after Ctrl-C, 141 when the reader of the output has gone.
"""

from meshapi.cli.command_line import main

__all__ = ["main"]
