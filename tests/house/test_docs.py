"""The documentation shows everything public, loads nothing from other hosts, and is up to date."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
import yaml
from house.fresh import ROOT

import diagrams
import docs
import docs_reference
from meshapi import MeshAPI

CONFIG = (ROOT / "mkdocs.yml").read_text("utf-8")


def nav_of(entries: object) -> "list[str]":
    if isinstance(entries, str):
        return [entries]
    inner = entries.values() if isinstance(entries, dict) else entries
    return [page for each in inner for page in nav_of(each)]


def test_each_page_has_one_place_in_the_navigation() -> None:
    pages = [path.relative_to(docs.DOCS).as_posix() for path in docs.DOCS.rglob("*.md")]
    wanted = sorted([*pages, *docs_reference.pages()])
    assert sorted(nav_of(yaml.safe_load(CONFIG)["nav"])) == wanted


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


def test_the_reference_has_each_method_of_a_client() -> None:
    with MeshAPI(base_url="http://127.0.0.1:1", token="rsk_test_docs") as client:
        names = [name for name in dir(client) if not name.startswith("_") and name != "realtime"]
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
    with pytest.raises(ValueError, match=r"meshapi_core exports Thing of meshapi_core\.things"):
        docs_reference._page_of("meshapi_core", "Thing", "meshapi_core.things")


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

    stream = core["endpoints.chat.Completions.stream"]
    assert str(stream.returns) == "Stream[ChatCompletionChunk]"

    timeout = core["config.Timeout"]
    (fields,) = (each for each in timeout.docstring.parsed if each.kind.value == "attributes")
    assert {"connect", "read", "write", "pool"} <= {each.name for each in fields.value}
