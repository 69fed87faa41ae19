"""Endpoints that other programs declare, with public names alone."""

import json
import pydoc
import re
from collections.abc import Callable
from typing import Any, Optional

import msgspec
import pytest

import meshapi_core
import meshapi_core.endpoints
import meshapi_core.flows
from meshapi_core import (
    END_OF_STREAM,
    Call,
    Headers,
    InvalidParamsError,
    MeshAPIConfig,
    Response,
    StreamCall,
)
from meshapi_core.endpoints import (
    ChunkReader,
    JSONReader,
    Resource,
    Runner,
    build_params,
    encode_params,
    encode_query,
    endpoint,
    path_segment,
    stream_endpoint,
)

CONFIG = MeshAPIConfig(token="rsk_test_1")

PUBLIC = frozenset(vars(meshapi_core.endpoints)["__all__"])


def documented() -> dict[str, Any]:
    """The names that the program in the docstring of the package declares."""
    text = meshapi_core.endpoints.__doc__ or ""
    lines = text.split("async ones, exactly typed:\n\n")[1].split("\nAll of these names")[0]
    names = {name: getattr(meshapi_core.endpoints, name) for name in PUBLIC}
    names.update({"__name__": __name__, "Any": Any, "Optional": Optional, "msgspec": msgspec})
    imports = "from typing_extensions import TypedDict, Unpack\n"
    exec(imports + "\n".join(line[4:] for line in lines.splitlines()), names)
    return names


def test_the_documented_endpoint_is_one():
    names = documented()
    call = names["Rerank"].create.build(model="m", query="q", documents=["d"])
    request = call.request(CONFIG)
    assert request.url == "https://api.meshapi.ai/v1/rerank"
    assert json.loads(request.body) == {"model": "m", "query": "q", "documents": ["d"]}
    response = call.read(Response(200, Headers(), b'{"results":[{"index":0}],"new":1}'))
    assert (response.results, response.raw["new"]) == ([{"index": 0}], 1)
    assert names["Rerank"].get.build("a/b").path == "/v1/rerank/a%2Fb"
    with pytest.raises(InvalidParamsError, match=r"documents\[0\]: expected str, got int"):
        names["Rerank"].create.build(model="m", query="q", documents=[1])


def test_pydoc_says_how_to_write_an_endpoint():
    text = pydoc.plain(pydoc.render_doc("meshapi_core.endpoints"))
    for word in ("@endpoint", "@stream_endpoint", "@flow_endpoint", "encode_params", "JSONReader"):
        assert word in text.split("PACKAGE CONTENTS")[0], word


def test_every_name_that_it_takes_is_public():
    text = meshapi_core.endpoints.__doc__ or ""
    quoted = set(re.findall(r"`(\w+)(?:\.\w+)?`", text))
    assert quoted >= {"build_params", "encode_params", "encode_query", "path_segment", "model_path"}
    libraries = {"Required", "meshapi_core", "msgspec", "typing_extensions"}
    steps = {"Emit", "Pause"}
    assert steps <= {*vars(meshapi_core.flows)["__all__"]}
    assert quoted - {"query", *libraries, *steps} <= PUBLIC.union(meshapi_core.__all__)


# Any Struct will do


class Bare(msgspec.Struct, frozen=True):
    """A Struct that nothing can be attached to."""

    index: int
    text: str = ""


def test_a_reader_reads_any_struct():
    response = Response(200, Headers(), b'{"index":1,"text":"a","new":2}')
    assert JSONReader(Bare).read(response) == Bare(1, "a")
    assert JSONReader(list[Bare]).read(Response(200, Headers(), b'[{"index":1}]')) == [Bare(1)]


class LastOfThree:
    def __init__(self) -> None:
        self.seen: list[Bare] = []

    def add(self, chunk: Bare) -> None:
        self.seen.append(chunk)

    @property
    def complete(self) -> bool:
        return len(self.seen) == 3

    def partial(self) -> Any:
        return list(self.seen) or None


class Steps(Resource[Any]):
    @endpoint
    def create(self, **fields: Any) -> Call[Bare]:
        body = encode_params(Bare, None, fields)
        return Call(method="POST", path="/v1/steps", body=body, reader=JSONReader(Bare))

    @stream_endpoint
    def stream(self, step: str) -> StreamCall[Bare]:
        reader = ChunkReader(Bare, accumulator=LastOfThree)
        return StreamCall(
            method="GET", path=f"/v1/steps/{path_segment('step', step)}", reader=reader
        )


def test_a_stream_of_any_struct_is_read():
    response = Response(200, Headers([("content-type", "text/event-stream")]))
    decoder = Steps.stream.build("a b").read(response)
    decoder.receive_data(b"".join(b'data: {"index":%d}\n\n' % index for index in range(3)))
    decoder.receive_data(b"")
    assert [decoder.next_event() for _ in range(3)] == [Bare(0), Bare(1), Bare(2)]
    assert decoder.next_event() is END_OF_STREAM
    assert decoder.partial() == [Bare(0), Bare(1), Bare(2)]


class Canned:
    """A runner that needs no connection."""

    def run(self, call: Any, /) -> Any:
        return call.read(Response(200, Headers(), b'{"index":7}'))

    def run_flow(self, flow: Any, /) -> Any:
        raise NotImplementedError

    def open(self, call: Any, /) -> Any:
        raise NotImplementedError


def test_a_runner_of_ones_own_runs_it():
    runner: Runner = Canned()
    create: Callable[..., Any] = Steps(runner).create
    assert create(index=7) == Bare(7)


# Parameters


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "index: expected int, got nothing"),
        ({"index": "a"}, "index: expected int, got str"),
        ({"index": 1, "tekst": "a"}, "tekst: no such parameter; the parameters are index and text"),
    ],
)
def test_parameters_are_checked_against_any_struct(fields, message):
    for check in (
        lambda: encode_params(Bare, None, fields),
        lambda: build_params(Bare, None, fields),
        lambda: encode_query(Bare, None, fields),
    ):
        with pytest.raises(InvalidParamsError) as caught:
            check()
        assert str(caught.value).startswith(message)


def test_parameters_may_be_an_object_or_keywords():
    fields = {"index": 1, "text": "a"}
    assert build_params(Bare, Bare(1, "a"), {}) == build_params(Bare, None, fields) == fields
    assert encode_query(Bare, Bare(1, "a b"), {}) == (("index", "1"), ("text", "a b"))
