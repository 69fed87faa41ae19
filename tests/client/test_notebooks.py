"""What IPython, and so a notebook, completes and shows of both clients and of responses."""

import inspect
import json
import pydoc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshapi import AsyncMeshAPI, MeshAPI
from meshapi._realtime import RealtimeOptionFields
from meshapi_core.types import ChatCompletionFields
from support.flavours import TOKEN

CLIENTS = [MeshAPI, AsyncMeshAPI]

OPEN = frozenset(f"usage.{name}" for name in ("events", "query", "rate_limits", "spend_trend"))
"""Methods whose parameters the gateway does not document, and which take any keyword."""

MARKS = frozenset({"with_options", "with_raw_response.with_options"})
"""Methods with a catch-all that only explains misspelt keywords."""


def methods(owner: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The public methods of a client and of its resources, by the names that users write."""
    for name in dir(owner):
        value = getattr(owner, name)
        if name.startswith("_"):
            continue
        if inspect.isroutine(value):
            yield f"{prefix}{name}", value
        elif type(value).__module__.startswith(("meshapi_core.endpoints", "meshapi._r")):
            yield from methods(value, f"{prefix}{name}.")


@pytest.mark.parametrize("client_class", CLIENTS)
def test_each_method_lists_its_parameters_and_explains_itself(client_class: Any) -> None:
    found = dict(methods(client_class(token=TOKEN)))
    assert {"chat.completions.create", "realtime.connect", "track_usage"} <= {*found}
    for name, method in found.items():
        kinds = {each.kind for each in inspect.signature(method).parameters.values()}
        plain = name.rpartition("with_raw_response.")[2]
        hidden = inspect.Parameter.VAR_KEYWORD in kinds
        assert hidden == (plain in OPEN or name in MARKS), name
        assert len(inspect.getdoc(method) or "") > 20, name


@pytest.mark.parametrize("client_class", CLIENTS)
def test_help_shows_every_parameter(client_class: Any) -> None:
    client = client_class(token=TOKEN)
    for method, fields in (
        (client.chat.completions.create, ChatCompletionFields),
        (client.chat.completions.stream, ChatCompletionFields),
        (client.realtime.connect, RealtimeOptionFields),
    ):
        shown = pydoc.render_doc(method, renderer=pydoc.plaintext)
        for name in fields.__annotations__:
            assert f"{name}=..." in shown
        assert "Return" in shown


PROGRAM = """
import inspect, json, sys
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

import meshapi
from meshapi_core.types import BatchListResponse, ImageGenerationResponse, ModelInfo
from meshapi_core.types import ResponseList

shell = InteractiveShell.instance()
shell.history_manager.enabled = False
client = getattr(meshapi, sys.argv[1])(token="rsk_test_notebook")
shell.user_ns["client"] = client
shell.user_ns["create"] = client.chat.completions.create


def completions(text):
    with provisionalcompleter():
        return [found.text.lstrip(".") for found in shell.Completer.completions(text, len(text))]


def inspected(name):
    info = shell.object_inspect(name)
    return [info["definition"] or "", info["docstring"] or ""]


told = {"keywords": {}, "names": {}, "inspected": {}, "html": {}}
texts = ["client.chat.completions.create(", "create(", "client.realtime.connect(",
         "client.videos.generate(", "client.with_options(", "client.track_usage("]
for jedi in (False, True):
    shell.Completer.use_jedi = jedi
    for text in texts[:1] if jedi else texts:  # jedi takes seconds
        found = [name[:-1] for name in completions(text) if name.endswith("=")]
        told["keywords"][f"{text} {jedi}"] = found
    if not jedi:
        told["names"]["client"] = completions("client.")
        told["names"]["completions"] = completions("client.chat.completions.")
for name in ("client.chat.completions.create", "client.realtime.connect", "client.track_usage"):
    told["inspected"][name] = inspected(name)
format_html = shell.display_formatter.formatters["text/html"]
for name, value in (
    ("models", ResponseList([ModelInfo(id="m")])),
    ("batches", BatchListResponse()),
    ("images", ImageGenerationResponse()),
    ("model", ModelInfo(id="m")),
    ("usage", client.track_usage()),
):
    told["html"][name] = format_html(value)
print(json.dumps(told))
"""


@pytest.fixture(scope="module", params=CLIENTS)
def told(request: Any, tmp_path_factory: Any) -> Any:
    """What a real IPython says, in a process of its own: it changes much of Python."""
    pytest.importorskip("IPython")
    folder: Path = tmp_path_factory.mktemp("ipython")
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, request.param.__name__],
        capture_output=True,
        check=False,
        env={"IPYTHONDIR": str(folder), "HOME": str(folder), "PYTHONPATH": ":".join(sys.path)},
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def parameters(method: Any) -> set[str]:
    found = inspect.signature(method).parameters.values()
    return {each.name for each in found if each.kind is not inspect.Parameter.VAR_KEYWORD}


@pytest.mark.slow
def test_ipython_completes_every_parameter(told: Any) -> None:
    client = MeshAPI(token=TOKEN)
    expected = {
        "client.chat.completions.create(": parameters(client.chat.completions.create),
        "create(": {*ChatCompletionFields.__annotations__, "params"},
        "client.realtime.connect(": {*RealtimeOptionFields.__annotations__, "model", "auth"},
        "client.videos.generate(": parameters(client.videos.generate),
        "client.with_options(": parameters(client.with_options),
        "client.track_usage(": {"budget", "prices"},
    }
    for text, names in expected.items():
        assert names <= {*told["keywords"][f"{text} False"]}, text
    text = "client.chat.completions.create("
    assert expected[text] <= {*told["keywords"][f"{text} True"]}


@pytest.mark.slow
def test_ipython_completes_resources_and_methods(told: Any) -> None:
    names = {"audio", "batches", "chat", "models", "realtime", "track_usage", "with_options"}
    # IPython for Python 3.9 completes whole expressions.
    shown = {name.rpartition(".")[2] for name in told["names"]["client"]}
    assert names <= shown
    shown = {name.rpartition(".")[2] for name in told["names"]["completions"]}
    assert {"create", "stream"} <= shown


@pytest.mark.slow
def test_a_question_mark_shows_parameters_and_docs(told: Any) -> None:
    definition, docs = told["inspected"]["client.chat.completions.create"]
    for name in ChatCompletionFields.__annotations__:
        assert f"{name}=..." in definition
    assert "Raises:" in docs
    definition, docs = told["inspected"]["client.realtime.connect"]
    assert all(f"{name}=..." in definition for name in RealtimeOptionFields.__annotations__)
    definition, docs = told["inspected"]["client.track_usage"]
    assert "budget" in definition
    assert "BudgetExceededError" in docs


@pytest.mark.slow
def test_ipython_shows_tables_where_there_are_some(told: Any) -> None:
    html = told["html"]
    assert all("<table>" in html[name] for name in ("models", "batches", "usage"))
    assert html["images"] is None
    assert html["model"] is None
