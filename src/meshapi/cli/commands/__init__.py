"""The commands, a module for each, in the order of `meshapi --help`."""

from meshapi.cli.commands.chat import CHAT
from meshapi.cli.commands.demo import DEMO
from meshapi.cli.commands.gateway import GATEWAY
from meshapi.cli.commands.realtime import REALTIME

COMMANDS = (DEMO, GATEWAY, CHAT, REALTIME)
