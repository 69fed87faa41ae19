"""`meshapi image`: pictures for a prompt."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

from meshapi.cli import exit_codes
from meshapi.cli.command import Command
from meshapi.cli.connecting import connect
from meshapi.cli.inputs import question_in
from meshapi.cli.options import add_connection, add_model, between, given
from meshapi.cli.output import Output
from meshapi.cli.paths import STDOUT, check_new, check_pipe
from meshapi.cli.problems import CommandError, UsageError

# What the gateway makes at once. Source: https://developers.meshapi.ai/docs (images)
_MOST = 10


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "prompt", nargs="*", help="what to show: words, @NAME for a file, or standard input"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default="image.png",
        help="where to save it (default: %(default)s); several are numbered; - is standard output",
    )
    add_model(parser)
    parser.add_argument("--size", metavar="WxH", help="such as 1024x1024")
    parser.add_argument(
        "-n", type=between(1, _MOST), metavar="N", default=1, help=f"how many, up to {_MOST}"
    )
    parser.add_argument("--force", action="store_true", help="replace files that exist")
    add_connection(parser)


def _run(arguments: Namespace, output: Output) -> int:
    prompt = question_in(arguments.prompt, "prompt", "A fox in the snow")
    is_piped = arguments.output == STDOUT
    paths = _paths(arguments.output, arguments.n)
    if is_piped:
        if arguments.n > 1:
            raise UsageError("--output: - is standard output, which takes one picture; name a file")
        check_pipe(output)
    for path in () if is_piped else paths:
        check_new(path, arguments.force)
    options = given(model=arguments.model, size=arguments.size, n=arguments.n)
    with connect(arguments) as client:
        response = client.images.generate(prompt=prompt, **options)
        if is_piped:
            for image in response.data[:1]:
                with TemporaryDirectory() as folder:
                    saved = client.images.save(image, Path(folder, "image"))
                    output.write_bytes(Path(saved.path).read_bytes())
        for image, path in () if is_piped else zip(response.data, paths):
            saved = client.images.save(image, path, overwrite=arguments.force)
            output.record({"path": str(path), "bytes": saved.size})
            output.line(str(path))
    missing = arguments.n - len(response.data)
    if missing > 0:
        raise CommandError(
            f"the gateway returned {len(response.data)} of {arguments.n} pictures; not every model"
            " makes several at once: ask again for the others"
        )
    return exit_codes.DONE


def _paths(name: str, count: int) -> list[Path]:
    path = Path(name)
    if count == 1:
        return [path]
    return [path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(1, count + 1)]


IMAGE = Command(
    "image",
    "make a picture and save it",
    _run,
    _add_arguments,
    "Make a picture for a prompt, and save it. Files are not replaced without --force.",
)
