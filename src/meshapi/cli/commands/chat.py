"""`meshapi chat`: one question, and its answer as it arrives."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING

from meshapi.cli.command import Command, CommandError, check_token, question_in
from meshapi.cli.output import show

if TYPE_CHECKING:
    from meshapi import ChatCompletionChunk, Stream


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "question",
        nargs="*",
        help="one or more words; without any, the question is read from standard input",
    )
    parser.add_argument("--model", help="the model to ask (default: that of the API key)")
    parser.add_argument("--system", help="a system message, such as 'Be brief.'")
    parser.add_argument(
        "--base-url", help="URL of the gateway (default: MESHAPI_BASE_URL, or the public gateway)"
    )


def _run(arguments: Namespace) -> int:
    check_token()
    try:
        question = question_in(arguments.question)
    except UnicodeDecodeError as error:
        raise CommandError(f"the question is not text: {error.reason}") from error
    from meshapi import MeshAPI

    messages = [{"role": "user", "content": question}]
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
    "Ask one question, and see the answer as it arrives. Needs the API key in MESHAPI_TOKEN.",
)
