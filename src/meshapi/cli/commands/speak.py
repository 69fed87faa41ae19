"""`meshapi speak`: a text as speech, in a file."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

from meshapi.cli import exit_codes
from meshapi.cli.command import Command
from meshapi.cli.connecting import connect
from meshapi.cli.inputs import question_in
from meshapi.cli.options import Words, add_connection, add_model, given
from meshapi.cli.output import Output
from meshapi.cli.paths import STDOUT, check_new, check_pipe
from meshapi.cli.problems import UsageError

_FORMATS = ("mp3", "wav", "pcm", "opus", "aac", "flac")


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "text", nargs="*", help="what to say: words, @NAME for a file, or standard input"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        default="speech.mp3",
        help="where to save it, in the format of its suffix; - is standard output"
        " (default: %(default)s)",
    )
    add_model(parser)
    parser.add_argument("--voice", help="the voice (default: that of the model)")
    parser.add_argument(
        "--format",
        type=Words(_FORMATS),
        choices=_FORMATS,
        metavar="FORMAT",
        help=f"{', '.join(_FORMATS)} (default: the suffix of the file, or mp3)",
    )
    parser.add_argument("--force", action="store_true", help="replace a file that exists")
    add_connection(parser)


def _run(arguments: Namespace, output: Output) -> int:
    text, path = question_in(arguments.text, "text", "Good morning"), Path(arguments.output)
    is_piped = arguments.output == STDOUT
    if is_piped:
        check_pipe(output)
    else:
        check_new(path, arguments.force)
    form = arguments.format or path.suffix[1:].lower() or "mp3"
    if form not in _FORMATS:
        expected = ", ".join(f".{each}" for each in _FORMATS)
        raise UsageError(
            f"--output: expected a name that ends with {expected}, got {path}; --format names the"
            " format of other files"
        )
    options = given(model=arguments.model, voice=arguments.voice, response_format=form)
    if is_piped:
        with connect(arguments) as client, TemporaryDirectory() as folder:
            saved = client.audio.synthesize_to(Path(folder, "speech"), input=text, **options)
            output.write_bytes(Path(saved.path).read_bytes())
        return exit_codes.DONE
    with connect(arguments) as client:
        saved = client.audio.synthesize_to(path, input=text, overwrite=arguments.force, **options)
    output.record({"path": str(path), "bytes": saved.size})
    output.line(str(path))
    return exit_codes.DONE


SPEAK = Command(
    "speak",
    "turn text into speech",
    _run,
    _add_arguments,
    "Speak a text, and save it. A file is not replaced without --force.",
)
