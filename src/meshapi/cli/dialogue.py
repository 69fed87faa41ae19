"""A conversation in text on a terminal, one turn for each line that is typed."""

from contextlib import suppress
from typing import TYPE_CHECKING, Optional

from meshapi import MeshAPIError
from meshapi.cli.output import Output
from meshapi.cli.problems import told

if TYPE_CHECKING:
    from meshapi import Conversation

_HELP = """\
/new   forget what was said, and begin again
/help  show this
/exit  leave, as Ctrl-D does
Ctrl-C ends an answer; the arrow keys bring back earlier questions."""


def talk(conversation: "Conversation", output: Output) -> None:
    """Take turns until Ctrl-D; an answer that fails, or is interrupted, ends its turn only."""
    _load_history()
    beginning = conversation.fork()
    output.note("Type a question. /help shows what else there is; Ctrl-D leaves.")
    while True:
        line = _line(output)
        if line is None or line in ("/exit", "/quit"):
            return
        if line == "/new":
            conversation = beginning.fork()
        elif line == "/help":
            output.say(_HELP)
        elif line:
            _turn(conversation, line, output)


def _turn(conversation: "Conversation", question: str, output: Output) -> None:
    try:
        with conversation.stream(question) as stream:
            answer = output.show(stream.text_stream)
        output.record({"answer": answer})
    except KeyboardInterrupt:
        output.note("Interrupted; this turn is forgotten.")
    except MeshAPIError as error:
        output.complain(told(error))
    except ValueError as error:
        output.complain(str(error))


def _line(output: Output) -> Optional[str]:
    """The next line; None at the end of input."""
    while True:
        try:
            return input("> " if output.interactive else "").strip()
        except EOFError:
            _end_prompt(output)
            return None
        except KeyboardInterrupt:
            # A line that is given up, as in a shell.
            _end_prompt(output)


def _end_prompt(output: Output) -> None:
    if output.interactive:
        output.say()


def _load_history() -> None:
    """Let the arrow keys bring back earlier lines, where Python has readline."""
    # `input` uses it once it is loaded.
    with suppress(ImportError):
        import readline  # noqa: F401  # pyright: ignore[reportUnusedImport]
