"""The commands, a module for each, in the order of `meshapi --help`.

demo        what the library does, shown live
gateway     a local gateway that serves until Ctrl-C
chat        one question, and its answer as it arrives
realtime    a realtime session, with questions by text or audio
completion  a script for shells
"""

from meshapi.cli.commands.chat import CHAT
from meshapi.cli.commands.completion import COMPLETION
from meshapi.cli.commands.demo import DEMO
from meshapi.cli.commands.gateway import GATEWAY
from meshapi.cli.commands.realtime import REALTIME

COMMANDS = (DEMO, GATEWAY, CHAT, REALTIME, COMPLETION)
