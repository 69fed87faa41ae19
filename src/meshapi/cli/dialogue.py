"""A conversation in text on a terminal, one turn for each line that is typed."""

from contextlib import suppress
from typing import TYPE_CHECKING, Optional

from meshapi import MeshAPIError
from meshapi.cli.output import Output
from meshapi.cli.problems import CommandError, told
from meshapi.cli.wholeness import check_whole

if TYPE_CHECKING:
    from meshapi import Conversation

_HELP = """\
/new   forget what was said, and begin again
/help  show this
/exit  leave, as Ctrl-D does
//...  ask what begins with a slash
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
            output.note("What was said is forgotten.")
        elif line == "/help":
            output.say(_HELP)
        elif line.startswith("/") and not line.startswith("//"):
            output.complain(
                f"unknown command {line.split()[0]}: expected /new, /help or /exit; a question"
                " that begins with a slash needs two"
            )
        elif line:
            _turn(conversation, line[line.startswith("//") :], output)


def _turn(conversation: "Conversation", question: str, output: Output) -> None:
    try:
        with conversation.stream(question) as stream:
            output.show(stream.text_stream)
            completion = stream.get_final_completion()
        for choice in completion.choices:
            # A refusal is no text of the answer.
            output.show([choice.message.refusal or ""])
        output.record(completion)
        check_whole(completion)
    except KeyboardInterrupt:
        output.note("Interrupted; this turn is forgotten.")
    except MeshAPIError as error:
        output.complain(told(error))
    except CommandError as error:
        output.complain(str(error))
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
