"""`meshapi rag`: documents that can be searched by their meaning."""

from argparse import ArgumentParser, Namespace
from itertools import islice
from pathlib import Path

from meshapi.cli import exit_codes
from meshapi.cli.command import Command
from meshapi.cli.connecting import connect
from meshapi.cli.inputs import check_readable, question_in
from meshapi.cli.options import add_connection, positive
from meshapi.cli.output import Output
from meshapi.cli.problems import CommandError
from meshapi.cli.terminal import printable


def _upload_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="a document")
    parser.add_argument(
        "--no-wait", action="store_true", help="do not wait until they can be searched"
    )
    add_connection(parser)


def _upload(arguments: Namespace, output: Output) -> int:
    paths = [Path(name) for name in arguments.files]
    for path in paths:
        # Before anything is sent, so that all of them are uploaded or none.
        check_readable(path)
    with connect(arguments) as client:
        for path in paths:
            if arguments.no_wait:
                started = client.rag.upload_file(path, embed=True)
                name, status = started.file_id, "uploaded"
            else:
                document = client.rag.upload_and_embed(path)
                name, status = document.file_id, document.embedding_status
            output.record({"file": str(path), "file_id": name, "status": status})
            output.line(name, str(path), status or "")
    return exit_codes.DONE


def _search_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "query", nargs="*", help="what to find: words, @NAME for a file, or standard input"
    )
    parser.add_argument("--top", type=positive, metavar="N", default=5, help="at most N passages")
    add_connection(parser)


def _search(arguments: Namespace, output: Output) -> int:
    query = question_in(arguments.query)
    with connect(arguments) as client:
        found = client.rag.search(query=query, top_k=arguments.top).results
    for passage in found:
        output.record(passage)
        title = printable(passage.file_name or passage.file_id or "")
        output.say(f"{output.paint.bold(f'{passage.score:.3f}')}  {title}")
        output.relay("".join(f"  {line}\n" for line in passage.text.splitlines()))
    if not found:
        raise CommandError("nothing was found; `meshapi rag list` lists the documents")
    return exit_codes.DONE


def _list_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--limit", type=positive, metavar="N", default=50, help="at most N (default: %(default)s)"
    )
    add_connection(parser)


def _list(arguments: Namespace, output: Output) -> int:
    with connect(arguments) as client:
        found = list(islice(client.rag.list(), arguments.limit))
    for document in found:
        output.record(document)
    rows = [(one.file_id, one.file_name, one.size_bytes, one.embedding_status) for one in found]
    output.table(("DOCUMENT", "NAME", "BYTES", "STATUS"), rows, right=("BYTES",))
    return exit_codes.DONE


RAG = Command(
    "rag",
    "upload documents, and search them by meaning",
    None,
    description="Upload documents, and search them by meaning.",
    commands=(
        Command("upload", "upload documents", _upload, _upload_arguments),
        Command("search", "find passages that match a question", _search, _search_arguments),
        Command("list", "list the documents", _list, _list_arguments),
    ),
)
