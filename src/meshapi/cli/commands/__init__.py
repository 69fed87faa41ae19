"""The commands, a module for each, in the order of `meshapi --help`.

chat        a question and its answer as it arrives, or a conversation
compare     the answers of several models, side by side
batch       batch jobs: submitted, waited for, cancelled
map         the same question for every row of a file
embed       vectors of texts
image       a picture for a prompt, in a file
speak       a text as speech, in a file
transcribe  what is said in an audio file
rag         documents that can be searched
models      the models, with their prices
realtime    a realtime session, with questions by text or audio
usage       the balance, what was used, and the rate limits
doctor      what is wrong between this machine and the gateway
gateway     a local gateway that serves until Ctrl-C
demo        what the library does, shown live
completion  a script for shells
"""

from meshapi.cli.commands.batch import BATCH
from meshapi.cli.commands.chat import CHAT
from meshapi.cli.commands.compare import COMPARE
from meshapi.cli.commands.completion import COMPLETION
from meshapi.cli.commands.demo import DEMO
from meshapi.cli.commands.doctor import DOCTOR
from meshapi.cli.commands.embed import EMBED
from meshapi.cli.commands.gateway import GATEWAY
from meshapi.cli.commands.image import IMAGE
from meshapi.cli.commands.map import MAP
from meshapi.cli.commands.models import MODELS
from meshapi.cli.commands.rag import RAG
from meshapi.cli.commands.realtime import REALTIME
from meshapi.cli.commands.speak import SPEAK
from meshapi.cli.commands.transcribe import TRANSCRIBE
from meshapi.cli.commands.usage import USAGE

COMMANDS = (
    CHAT,
    COMPARE,
    MAP,
    BATCH,
    EMBED,
    IMAGE,
    SPEAK,
    TRANSCRIBE,
    RAG,
    MODELS,
    REALTIME,
    USAGE,
    DOCTOR,
    GATEWAY,
    DEMO,
    COMPLETION,
)
