"""`meshapi models`: the models of the gateway, with their prices."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Optional

from meshapi.cli.command import Command
from meshapi.cli.connecting import connect
from meshapi.cli.options import Words, add_connection, positive
from meshapi.cli.output import Output
from meshapi.cli.problems import CommandError

if TYPE_CHECKING:
    from meshapi import MeshAPI, ModelInfo

_KINDS = ("text", "embedding", "image", "audio", "video")
_SORTS = ("brand", "name", "id", "context_length", "price")


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "words", nargs="*", help="text to find in names and IDs; without any, all models"
    )
    parser.add_argument("--free", action="store_true", help="only models that cost nothing")
    parser.add_argument(
        "--kind",
        type=Words(_KINDS),
        choices=_KINDS,
        metavar="KIND",
        help="only models of one kind: text, embedding, image, audio or video",
    )
    parser.add_argument("--provider", help="only models of one provider, such as openai")
    parser.add_argument(
        "--sort",
        type=Words(_SORTS),
        choices=_SORTS,
        metavar="FIELD",
        help="the order: brand, name, id, context_length or price",
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="at most N models")
    add_connection(parser)


def _run(arguments: Namespace, output: Output) -> int:
    with connect(arguments) as client:
        found = list(islice(_found(client, arguments), arguments.limit))
    if not found:
        raise CommandError("no model matches; `meshapi models` lists all of them")
    for model in found:
        output.record(model)
    output.table(
        ("MODEL", "KIND", "CONTEXT", "INPUT", "OUTPUT"),
        map(_row, found),
        right=("CONTEXT", "INPUT", "OUTPUT"),
    )
    output.note("Prices are in US dollars: per million model tokens, or as they say.")
    return 0


def _found(client: "MeshAPI", arguments: Namespace) -> "Iterator[ModelInfo]":
    free = arguments.free or None
    models: Iterable[ModelInfo]
    if arguments.words or arguments.sort:
        models = client.models.search(
            q=" ".join(arguments.words) or None, free=free, sort=arguments.sort
        )
    else:
        models = client.models.list(free=free, type=arguments.kind, provider=arguments.provider)
    for model in models:
        if arguments.kind in (None, model.model_type) and arguments.provider in (
            None,
            model.provider,
        ):
            yield model


def _row(model: "ModelInfo") -> tuple[object, ...]:
    context = model.context_length or model.context_window
    prices = model.pricing.amounts if model.pricing is not None else {}
    into = prices.get("prompt_usd_per_1m")
    out = prices.get("completion_usd_per_1m")
    image = prices.get("image_output_usd_per_image")
    written = f"{image:f}/image" if image is not None else None if out is None else f"{out:f}"
    if model.is_free:
        return (model.id, model.model_type, _shown(context), "free", "free")
    return (
        model.id,
        model.model_type,
        _shown(context),
        None if into is None else f"{into:f}",
        written,
    )


def _shown(count: Optional[int]) -> str:
    return f"{count:,}" if count else ""


MODELS = Command(
    "models",
    "list or search the models, with their prices",
    _run,
    _add_arguments,
    "List the models of the gateway, or search them by words.",
)
