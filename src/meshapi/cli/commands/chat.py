"""`meshapi chat`: one question and its answer as it arrives, or a conversation."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Optional, Union

from meshapi.cli.command import Command
from meshapi.cli.connecting import connect
from meshapi.cli.inputs import question_in, text_of
from meshapi.cli.options import add_connection, add_model, given
from meshapi.cli.output import Output
from meshapi.cli.problems import UsageError

if TYPE_CHECKING:
    from meshapi import ChatCompletionChunk, Stream
    from meshapi.cli.schemas import Schema


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "question",
        nargs="*",
        help="one or more words; @NAME is a file, - is standard input; what is piped in follows"
        " the words; without any of these, a conversation begins",
    )
    add_model(parser)
    parser.add_argument("-s", "--system", help="a system message, such as 'Be brief.', or @NAME")
    parser.add_argument(
        "-i",
        "--image",
        metavar="FILE",
        action="append",
        default=[],
        help="a picture to ask about: a file or a URL; may be repeated",
    )
    parser.add_argument("--template", metavar="NAME", help="a stored prompt of the gateway")
    parser.add_argument(
        "--var",
        metavar="NAME=TEXT",
        action="append",
        default=[],
        help="a variable of the template; may be repeated",
    )
    parser.add_argument(
        "--schema", metavar="FILE", help="a JSON schema that the answer, as JSON, must match"
    )
    add_connection(parser)


def _run(arguments: Namespace, output: Output) -> int:
    with connect(arguments) as client:
        options = _options(arguments)
        system = None if arguments.system is None else text_of(arguments.system)
        if not arguments.question and sys.stdin.isatty():
            if arguments.image or arguments.schema:
                raise UsageError("no question: write it after the command, beside --image/--schema")
            from meshapi.cli.dialogue import talk

            talk(client.chat.conversation(system=system, **options), output)
            return 0
        wanted: Optional[Schema] = None
        messages: list[dict[str, Any]] = [{"role": "user", "content": _content(arguments)}]
        if system is not None:
            messages.insert(0, {"role": "system", "content": system})
        if arguments.schema is not None:
            from meshapi.cli.schemas import response_format, schema_in

            wanted = schema_in(arguments.schema)
            options["response_format"] = response_format(wanted)
        with client.chat.completions.stream(messages=messages, **options) as stream:
            output.show(_words(stream))
            response = stream.get_final_completion()
    output.record(response)
    # After the answer, as a part of it may be of use.
    if wanted is not None:
        from meshapi.cli.schemas import check

        check(response, wanted)
    from meshapi.cli.wholeness import check_whole

    check_whole(response)
    return 0


def _options(arguments: Namespace) -> dict[str, Any]:
    variables: dict[str, str] = {}
    for pair in arguments.var:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"--var: expected NAME=TEXT, got {pair!r}")
        variables[name] = text_of(value)
    if variables and arguments.template is None:
        raise UsageError("--var: expected --template beside it, whose variables these are")
    return given(model=arguments.model, template=arguments.template, variables=variables or None)


def _content(arguments: Namespace) -> Union[str, list[dict[str, Any]]]:
    question = question_in(arguments.question)
    if not arguments.image:
        return question
    from meshapi.cli.images import image_url

    pictures = [
        {"type": "image_url", "image_url": {"url": image_url(word)}} for word in arguments.image
    ]
    return [{"type": "text", "text": question}, *pictures]


def _words(stream: "Stream[ChatCompletionChunk]") -> Iterator[str]:
    for chunk in stream:
        for choice in chunk.choices:
            yield choice.delta.content or choice.delta.refusal or ""


CHAT = Command(
    "chat",
    "ask a question, or hold a conversation",
    _run,
    _add_arguments,
    "Ask a question, and see the answer as it arrives. Without a question, on a terminal, hold a"
    " conversation. Needs the API key in MESHAPI_TOKEN.",
)
