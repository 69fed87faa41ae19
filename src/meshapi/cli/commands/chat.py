"""`meshapi chat`: one question, and its answer as it comes."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from meshapi.cli.command import Command, CommandError
from meshapi.cli.output import show

if TYPE_CHECKING:
    from meshapi import ChatCompletionChunk, Stream


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("question")
    parser.add_argument("--model", help="which model answers (the default of the key)")
    parser.add_argument("--system", help="what the model should know beforehand")
    parser.add_argument("--base-url", help="of the gateway (MESHAPI_BASE_URL, else the public one)")


def _run(arguments: Namespace) -> int:
    from meshapi import MeshAPI

    messages = [{"role": "user", "content": arguments.question}]
    if arguments.system is not None:
        messages.insert(0, {"role": "system", "content": arguments.system})
    try:
        client = MeshAPI(base_url=arguments.base_url)
        stream = client.chat.completions.stream(model=arguments.model, messages=messages)
    except ValueError as error:
        raise CommandError(str(error)) from error
    with client, stream:
        show(_words(stream))
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
    "Ask one question and see the answer come. Needs MESHAPI_TOKEN.",
)
