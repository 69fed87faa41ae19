"""`meshapi chat`: one question, and its answer as it arrives."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from meshapi.cli.command import Command
from meshapi.cli.connecting import connect
from meshapi.cli.inputs import question_in, text_of
from meshapi.cli.options import add_connection, add_model
from meshapi.cli.output import Output

if TYPE_CHECKING:
    from meshapi import ChatCompletionChunk, Stream


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "question",
        nargs="*",
        help="one or more words; without any, the question is read from standard input",
    )
    add_model(parser)
    parser.add_argument("--system", help="a system message, such as 'Be brief.'")
    add_connection(parser)


def _run(arguments: Namespace, output: Output) -> int:
    client = connect(arguments)
    with client:
        messages = [{"role": "user", "content": question_in(arguments.question)}]
        if arguments.system is not None:
            messages.insert(0, {"role": "system", "content": text_of(arguments.system)})
        with client.chat.completions.stream(model=arguments.model, messages=messages) as stream:
            output.show(_words(stream))
    return 0


def _words(stream: "Stream[ChatCompletionChunk]") -> Iterator[str]:
    for chunk in stream:
        for choice in chunk.choices:
            yield choice.delta.content or ""


CHAT = Command(
    "chat",
    "ask one question",
    _run,
    _add_arguments,
    "Ask one question, and see the answer as it arrives. Needs the API key in MESHAPI_TOKEN.",
)
