"""`meshapi compare`: the answers of several models, side by side as they arrive."""

from argparse import ArgumentParser, Namespace
from typing import Any

from meshapi.cli.command import Command
from meshapi.cli.connecting import connect
from meshapi.cli.inputs import question_in, text_of
from meshapi.cli.options import add_connection, given
from meshapi.cli.output import Output
from meshapi.cli.problems import CommandError, UsageError

_MOST = 10


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("question", nargs="*", help="as for `meshapi chat`")
    parser.add_argument(
        "-m",
        "--models",
        metavar="A,B",
        required=True,
        help="the models to ask, with commas between",
    )
    parser.add_argument("-s", "--system", help="a system message, such as 'Be brief.', or @NAME")
    parser.add_argument(
        "--judge", action="store_true", help="have a model say how the answers differ"
    )
    parser.add_argument("--judge-model", metavar="MODEL", help="the model that does so")
    parser.add_argument("--judge-by", metavar="TEXT", help="what it is to look at, such as 'style'")
    add_connection(parser)


def _run(arguments: Namespace, output: Output) -> int:
    named: str = arguments.models
    models = list(dict.fromkeys(name.strip() for name in named.split(",") if name.strip()))
    if not 2 <= len(models) <= _MOST:
        raise UsageError(f"--models: expected 2 to {_MOST} models, got {len(models)}")
    with connect(arguments) as client:
        messages = [{"role": "user", "content": question_in(arguments.question)}]
        if arguments.system is not None:
            messages.insert(0, {"role": "system", "content": text_of(arguments.system)})
        from meshapi.cli.comparison import follow

        with client.compare.stream(models=models, messages=messages, **_judge(arguments)) as stream:
            follow(stream, models, output)
            response = stream.get_final_response()
    for result in response.results:
        output.record(
            {
                "model": result.model,
                "answer": result.content,
                "error": result.error,
                "error_code": result.error_code,
                "usage": result.usage,
            }
        )
    if response.comparison is not None:
        output.record({"comparison": response.comparison, "model": response.comparison_model})
    failed = [result.model for result in response.results if result.error]
    if failed:
        raise CommandError(
            f"{len(failed)} of {len(models)} models have no answer: {', '.join(failed)}"
        )
    return 0


def _judge(arguments: Namespace) -> dict[str, Any]:
    judged = arguments.judge or arguments.judge_model or arguments.judge_by
    return given(
        comparison_model=arguments.judge_model,
        comparison_instructions=arguments.judge_by and text_of(arguments.judge_by),
        skip_comparison=not judged,
    )


COMPARE = Command(
    "compare",
    "ask several models, and see their answers side by side",
    _run,
    _add_arguments,
    "Ask several models the same question, and see their answers side by side as they arrive. The"
    " exit status is 1 if one of them has no answer.",
)
