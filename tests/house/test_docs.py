"""The documentation shows everything public, loads nothing from other hosts, and is up to date."""

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from house.fresh import ROOT

import diagrams
import docs
import docs_reference
from meshapi import AsyncMeshAPI, MeshAPI, MeshAPIError
from support.client_host import ClientHost, Head
from support.machine_calls import DONE, POST, STREAM, File, chunk, upload
from support.pipe_host import PipeHost

CONFIG = (ROOT / "mkdocs.yml").read_text("utf-8")


def nav_of(entries: object) -> "list[str]":
    if isinstance(entries, str):
        return [entries]
    inner = entries.values() if isinstance(entries, dict) else entries
    return [page for each in inner for page in nav_of(each)]


def test_each_page_has_one_place_in_the_navigation() -> None:
    pages = [path.relative_to(docs.DOCS).as_posix() for path in docs.DOCS.rglob("*.md")]
    wanted = sorted([*pages, *docs_reference.pages()])
    found = sorted(nav_of(yaml.safe_load(CONFIG)["nav"]))
    missing = [page for page in wanted if page not in found]
    assert not missing, f"add to the nav of mkdocs.yml: {missing}"
    assert found == wanted


def resource_methods(resource: object, name: str) -> "list[str]":
    """The methods of a resource and of the resources in it, as a user writes them."""
    found = []
    for each in dir(type(resource)):
        value = inspect.getattr_static(type(resource), each)
        if not each.startswith("_") and callable(getattr(resource, each)):
            assert hasattr(value, "build")
            found.append(f"{name}.{each}")
    for each, value in vars(resource).items():
        if not each.startswith("_") and hasattr(value, "_runner"):
            found += resource_methods(value, f"{name}.{each}")
    return found


OTHERS = ("realtime", "with_raw_response")
"""Attributes of clients that are no groups of endpoints."""


def test_the_reference_has_each_method_of_a_client() -> None:
    with MeshAPI(base_url="http://127.0.0.1:1", token="rsk_test_docs") as client:
        names = [name for name in dir(client) if not name.startswith("_") and name not in OTHERS]
        found = [
            method
            for name in names
            if hasattr(getattr(client, name), "_runner")
            for method in resource_methods(getattr(client, name), f"client.{name}")
        ]
    assert sorted(found) == sorted(method.call for method in docs_reference.methods())


def test_the_reference_has_each_public_name_once() -> None:
    shown = [path for paths in docs_reference.shown().values() for path in paths]
    names = [path.rpartition(".")[2] for path in shown]
    assert len(names) == len(set(names))
    resources = {method.owner for method in docs_reference.methods()} | {"Audio", "Chat"}
    for face in docs_reference.FACES:
        module = importlib.import_module(face)
        public = {
            name
            for name in module.__all__
            if not name.startswith("__") and not name.endswith("Resource") and name not in resources
        }
        missing = public - set(names)
        assert {name for name in missing if not inspect.ismodule(getattr(module, name))} == set()


def test_a_name_that_several_faces_export_is_one_thing() -> None:
    """Otherwise the reference could not show just one of them."""
    seen: dict[str, object] = {}
    for face in docs_reference.FACES:
        for name in docs_reference.homes(face):
            value = getattr(importlib.import_module(face), name)
            assert seen.setdefault(name, value) is value, f"{face}.{name}"


def test_a_name_without_a_page_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"meshapi exports Thing of meshapi\._things"):
        docs_reference._page_of("meshapi", "Thing", "meshapi._things")


def test_diagrams_are_drawn_from_the_tables_as_they_are(capsys: pytest.CaptureFixture) -> None:
    assert diagrams.main() == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", diagrams.drawings())
def test_a_diagram_shows_each_state_and_loads_nothing(name: str) -> None:
    text = (diagrams.FOLDER / f"{name}.svg").read_text("utf-8")
    drawn = set(re.findall(r"<text [^>]*>([^<]*)</text>", text))
    source = diagrams.drawings()[name]
    states = set(
        re.findall(r'^  "?([\w.]+)"? \[class="(?:plain|good|bad)"\];$', source, re.MULTILINE)
    )
    assert states <= drawn
    assert len(states) >= 4
    assert "prefers-color-scheme: dark" in text
    assert "://" not in text.replace("http://www.w3.org/", "")


def test_a_diagram_of_another_table_is_out_of_date() -> None:
    drawn = diagrams.drawings()["exchange"]
    assert diagrams.digest(drawn) != diagrams.digest(drawn.replace("WAITING", "RESTING"))


def own_moves(host: Any) -> "set[tuple[str, str]]":
    """The moves that a call makes while it is asked for its next action, to its end."""
    moves = set()
    life = host.call._life

    class Watched(type(life)):
        def __setattr__(self, name: str, value: object) -> None:
            if name == "state" and self.state is not value:
                moves.add((self.state.name, value.name))
            super().__setattr__(name, value)

    while True:
        life.__class__ = Watched
        try:
            action = host.call.next_action(host.now)
        except MeshAPIError:
            return moves
        finally:
            life.__class__ = Watched.__base__
        if not host.do(action):
            return moves


def response(body: bytes, status: int = 200, kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


STREAMED = "text/event-stream"
WORDS = chunk("Hel") + chunk("lo", "stop")
BODIES = [
    # A repeated call, an upload, one that is refused; and streams: with [DONE], and without; one
    # whose body goes on after it, and one that breaks off.
    (POST, [(b"{}", 503, ""), (b'{"id":"x"}', 200, "")], []),
    (upload(File(1, [b"x"])), [(b"{}", 200, "")], []),
    (POST, [(b"{}", 400, "")], []),
    (STREAM, [(WORDS + DONE, 200, STREAMED)], []),
    (STREAM, [(WORDS, 200, STREAMED)], []),
    (STREAM, [(WORDS + DONE, 200, STREAMED)], [b":\n\n"]),
    (STREAM, [(WORDS, 200, STREAMED)], [ConnectionResetError("reset")]),
]


def over_a_pipe(call: Any, bodies: Any, more: Any) -> PipeHost:
    scripts: Any = [[response(body, status, kind or "a/b")] for body, status, kind in bodies]
    if more:
        head, _, body = scripts[0][0].partition(b"\r\n\r\n")
        head = re.sub(rb"content-length: \d+", b"connection: close", head)
        scripts[0] = [head + b"\r\n\r\n" + body, *more, b""]
    return PipeHost(call, scripts)


def over_a_client(call: Any, bodies: Any, more: Any) -> ClientHost:
    return ClientHost(
        call,
        [
            [Head(status, {"content-type": kind or "application/json"}), body, *more, b""]
            for body, status, kind in bodies
        ],
    )


@pytest.mark.parametrize(
    ("make", "drawn"),
    [(over_a_pipe, diagrams.PIPE_STEPS), (over_a_client, diagrams.CLIENT_STEPS)],
)
def test_dashed_arrows_are_what_calls_do_by_themselves(make: Any, drawn: Any) -> None:
    seen = set().union(*(own_moves(make(*each)) for each in BODIES))
    assert sorted(seen) == sorted({(before.name, after.name) for before, after, _ in drawn})


SITE = {
    "index.html": '<a href="other.html#there">x</a><a href="https://example.com/">x</a>'
    '<link rel="canonical" href="https://example.com/"><img src="data:image/png;base64,AA==">',
    "other.html": '<h1 id="there">x</h1><a href="index.html"></a><a href="mailto:a@b.c"></a>',
    "style.css": "body { background: url(picture.png) }",
}


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("index.html", "", ""),
        (
            "index.html",
            '<script src="https://cdn.example/x.js"></script>',
            "https://cdn.example/x.js",
        ),
        ("index.html", '<script src="//cdn.example/x.js"></script>', "//cdn.example/x.js"),
        ("index.html", '<link rel="stylesheet" href="https://f.example/a">', "https://f.example/a"),
        (
            "index.html",
            '<img srcset="a.png 1x, https://i.example/b.png 2x">',
            "https://i.example/b.png",
        ),
        ("index.html", '<style>@import "https://f.example/b";</style>', "https://f.example/b"),
        ("index.html", '<p style="background: url(https://i.example/c)">', "https://i.example/c"),
        ("style.css", "@font-face { src: url('https://f.example/d') }", "https://f.example/d"),
        ("index.html", '<a href="gone.html">x</a>', "gone.html"),
        ("index.html", '<a href="other.html#gone">x</a>', "other.html#gone"),
        ("index.html", '<a href="#gone">x</a>', "#gone"),
    ],
)
def test_what_is_wrong_with_a_site_is_found(
    name: str, text: str, fault: str, tmp_path: Path
) -> None:
    for each, content in SITE.items():
        (tmp_path / each).write_text(content + text * (each == name))
    verb = "links to" if "gone" in fault else "loads"
    assert list(docs.faults(tmp_path)) == ([f"{name} {verb} {fault}"] if fault else [])


def test_links_to_files_beside_the_pages_lead_to_copies() -> None:
    page = docs.DOCS / "speed.md"
    text = "[a](../bench/plots/stream.svg) [b](../ARCHITECTURE.md) [c](errors.md) [d](../gone.py)"
    changed, copied = docs.within(text, page)
    assert changed == (
        "[a](files/bench/plots/stream.svg) b (`ARCHITECTURE.md`) [c](errors.md) [d](../gone.py)"
    )
    wanted = (ROOT / "bench" / "plots" / "stream.svg").read_bytes()
    assert copied == {"files/bench/plots/stream.svg": wanted}


@pytest.mark.slow
def test_griffe_is_told_what_docstrings_mean() -> None:
    griffe = pytest.importorskip("griffe")
    docs_griffe = importlib.import_module("docs_griffe")
    extensions = griffe.load_extensions(docs_griffe.MeshAPIExtension)
    options = {"search_paths": [str(ROOT / "src")], "docstring_parser": "google"}
    core = griffe.load("meshapi_core", extensions=extensions, **options)

    create = core["endpoints.chat.Completions.create"]
    assert {"params", "messages", "model", "tools"} <= {each.name for each in create.parameters}
    assert "fields" not in create.parameters
    assert str(create.returns) == "ChatCompletionResponse"
    (described,) = (each for each in create.docstring.parsed if each.kind.value == "parameters")
    by_name = {each.name: each.description for each in described.value}
    assert by_name["max_completion_tokens"] == by_name["max_tokens"] != ""

    returned = {
        "chat.Completions.stream": "ChatCompletionStream",
        "chat.Completions.run_tools": "ToolRun[ChatCompletionResponse]",
        "chat.Chat.conversation": "Conversation",
        "responses.Responses.stream": "ResponsesStream",
        "compare.Compare.stream": "CompareStream",
        "batches.Batches.list": "BatchListResponse",
        "audio.Audio.stream": "Stream[bytes]",
    }
    found = {name: str(core[f"endpoints.{name}"].returns) for name in returned}
    assert found == returned

    timeout = core["config.Timeout"]
    (fields,) = (each for each in timeout.docstring.parsed if each.kind.value == "attributes")
    assert {"connect", "read", "write", "pool"} <= {each.name for each in fields.value}


# The page on configuration


def first_cells(page: str, heading: str) -> "list[str]":
    """The names in the first column of the first table below a heading."""
    text = (docs.DOCS / page).read_text("utf-8").partition(f"\n## {heading}\n")[2]
    table = re.search(r"^\|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert table is not None
    cells = [row.split("|")[1] for row in table[1].splitlines()]
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def keywords(function: Any) -> "list[str]":
    declared = inspect.signature(function).parameters.values()
    return [each.name for each in declared if each.kind is each.KEYWORD_ONLY]


def test_one_table_has_each_argument_of_both_clients() -> None:
    names = first_cells("configuration.md", "Arguments of the client")
    of_both = [name for name in names if name != "async_httpx_client"]
    assert of_both == keywords(MeshAPI)
    of_async = [name for name in names if name != "httpx_client"]
    assert of_async == keywords(AsyncMeshAPI)


def test_one_table_has_each_option_of_a_call() -> None:
    names = first_cells("configuration.md", "Options for one call")
    assert names == keywords(MeshAPI.with_options)


def test_one_table_has_each_variable_that_a_client_reads() -> None:
    text = "".join(
        path.read_text("utf-8")
        for folder in ("meshapi", "meshapi_backends", "meshapi_core")
        for path in sorted((ROOT / "src" / folder).rglob("*.py"))
        if not {"cli", "gateway"} & set(path.relative_to(ROOT).parts)
    )
    read = set(re.findall(r'"(MESHAPI_[A-Z_]+|SSL_CERT_[A-Z]+|(?:HTTPS?|ALL|NO)_PROXY)"', text))
    # Their names are put together.
    read |= {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
    assert sorted(first_cells("configuration.md", "Environment")) == sorted(read)
