"""The pages of the reference: which names are on which page, as Markdown for mkdocstrings.

No name of the library is listed here. The names come from the faces (`tools/faces.py`), and the
module of a name decides on which page it is; a name that fits no page is an error. The methods come
from the properties of the clients.

`python tools/docs.py` writes these pages beside copies of those in `docs/`, before each build.
"""

import ast
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple, Optional

import faces

FOLDER = "reference"

FACES = (
    "meshapi",
    "meshapi.transports",
    "meshapi.engines",
    "meshapi_core",
    "meshapi_core.endpoints",
    "meshapi_core.observing",
    "meshapi_core.usage",
    "meshapi_backends",
    "meshapi.testing",
)
"""A name that several faces export is shown as that of the first."""


class Subject(NamedTuple):
    """One page.

    Fields:
        page: its name in the folder.
        title: its heading.
        words: its first sentence; empty if it begins with the docstring of a module.
        face: the face that exports the names on it.
        modules: the modules of these names; a package stands for all its modules.
        pictures: its diagrams, with their captions.
    """

    page: str
    title: str
    words: str
    face: str
    modules: str
    pictures: tuple[tuple[str, str], ...] = ()


FAILURES = (
    "Solid arrows are what a host reports, dashed arrows what the machine does by itself. A failure"
    " leads from any state before the end back to `READY`, or to `FAILED`."
)

SUBJECTS = (
    Subject(
        "clients",
        "Clients",
        "Both clients have the same resources. Each resource has a page of its own.",
        "meshapi",
        "meshapi._blocking_client meshapi._async_client meshapi._raw_clients"
        " meshapi._client_settings",
    ),
    Subject(
        "streams",
        "Streams",
        "What the `stream` methods of the clients return.",
        "meshapi",
        "meshapi_core.protocols meshapi_core.streams meshapi_core._async.streams_chat"
        " meshapi_core._async.streams_responses meshapi_core._async.streams_compare"
        " meshapi_core._async.streams_images meshapi_core._async.streams_parsed"
        " meshapi_core._sync.streams_chat"
        " meshapi_core._sync.streams_responses meshapi_core._sync.streams_compare"
        " meshapi_core._sync.streams_images meshapi_core._sync.streams_parsed",
    ),
    Subject(
        "jobs",
        "Jobs and pages",
        "What methods that wait for jobs tell, and what lists and batches return.",
        "meshapi",
        "meshapi_core.progress meshapi_core._async.pages meshapi_core._sync.pages"
        " meshapi_core.batching",
    ),
    Subject(
        "many-calls",
        "Many calls",
        "What `client.map` and `client.estimate` take and return.",
        "meshapi",
        "meshapi_core._async.map_run meshapi_core._sync.map_run meshapi_core.bulk",
    ),
    Subject(
        "engines",
        "Engines",
        "",
        "meshapi.engines",
        "meshapi.engines",
    ),
    Subject(
        "options",
        "Options",
        "The options of a client for time limits, retries, connections and proxies.",
        "meshapi",
        "meshapi_core.config meshapi_core.retries meshapi_core.proxies meshapi_core.sockets"
        " meshapi._settings",
    ),
    Subject(
        "transports",
        "Transports",
        "",
        "meshapi.transports",
        "meshapi.transports meshapi_backends meshapi_core.messages",
    ),
    Subject(
        "errors",
        "Errors and warnings",
        "",
        "meshapi",
        "meshapi_core.errors meshapi_core._mistakes meshapi_core.codec.arguments"
        " meshapi_core.types.errors",
    ),
    Subject(
        "objects",
        "Typed objects",
        "What all typed objects have in common, and the few that belong to no group of endpoints.",
        "meshapi",
        "meshapi_core.types._base meshapi_core.headers meshapi_core.response_meta"
        " meshapi_core.raw_response",
    ),
    Subject(
        "realtime",
        "Realtime",
        "Sessions in which audio and text go in both directions at once.",
        "meshapi",
        "meshapi._realtime meshapi_core.realtime meshapi_core.turns"
        " meshapi_core._async.realtime_turns meshapi_core._sync.realtime_turns"
        " meshapi_core.types.realtime meshapi_core.types.realtime_client"
        " meshapi_core.types.realtime_server",
    ),
    Subject(
        "tools",
        "Tools",
        "What `run_tools` takes and returns, what a run does, and what its functions may say.",
        "meshapi",
        "meshapi_core._async.tool_run meshapi_core._sync.tool_run meshapi_core.tools",
    ),
    Subject(
        "saving",
        "Saved files and progress",
        "What the methods that save files return, and what `on_progress` is given.",
        "meshapi",
        "meshapi_core.flows.downloads meshapi_core.progress",
    ),
    Subject(
        "conversations",
        "Conversations",
        "What `chat.conversation` returns: a history that grows by whole turns.",
        "meshapi",
        "meshapi_core._async.conversation meshapi_core._sync.conversation",
    ),
    Subject(
        "hooks",
        "Hooks",
        "Functions that a client calls, and what each is given.",
        "meshapi",
        "meshapi_backends._hooks meshapi_core.observing.notices",
    ),
    Subject(
        "cost",
        "Usage and cost",
        "What `client.track_usage()` returns, and limits on what calls may use.",
        "meshapi",
        "meshapi_backends._metering meshapi_core.usage",
    ),
    Subject(
        "open-telemetry",
        "OpenTelemetry",
        "The options of traces and metrics: `open_telemetry={...}` of a client.",
        "meshapi",
        "meshapi.telemetry.options",
    ),
    Subject(
        "testing",
        "The local gateway",
        "",
        "meshapi.testing",
        "meshapi.gateway meshapi.testing",
    ),
    Subject(
        "core/machines",
        "Machines for calls",
        "The life of a call: a host asks what to do next, does it, and reports what happened.",
        "meshapi_core",
        "meshapi_core.machines",
        (
            ("exchange", "The states of an exchange: one call with its attempts."),
            ("pipe-call", f"The states of a call over a pipe. {FAILURES}"),
            ("client-call", f"The states of a call through an HTTP client. {FAILURES}"),
        ),
    ),
    Subject(
        "core/values",
        "Requests, responses and failures",
        "What passes between a machine and its host.",
        "meshapi_core",
        "meshapi_core.messages meshapi_core.headers meshapi_core.signals meshapi_core.failures"
        " meshapi_core.causes meshapi_core._secret meshapi_core._checks meshapi_core.destinations",
    ),
    Subject(
        "core/endpoints",
        "Declaring endpoints",
        "What you need to declare an endpoint.",
        "meshapi_core.endpoints",
        "meshapi_core",
    ),
    Subject(
        "core/observing",
        "Watching a call",
        "What a call does, told while it does it.",
        "meshapi_core.observing",
        "meshapi_core.observing.notices meshapi_core.observing.calls"
        " meshapi_core.observing.sessions meshapi_core.observing.lines",
    ),
    Subject(
        "core/usage",
        "Usage of calls",
        "What calls use and cost, from what is told of them.",
        "meshapi_core.usage",
        "meshapi_core.usage",
    ),
    Subject(
        "core/protocols",
        "HTTP/1.1, server-sent events and WebSocket",
        "Bytes in, events out, and the reverse.",
        "meshapi_core",
        "meshapi_core.http11 meshapi_core.pool meshapi_core.sse meshapi_core.chunks"
        " meshapi_core.byte_streams meshapi_core.websocket",
        (
            ("stream", "The states of a stream, as `ChunkDecoder` reads it."),
            ("websocket", "The states of a WebSocket connection."),
            ("websocket-timeouts", "What a WebSocket connection waits for."),
        ),
    ),
    Subject(
        "core/realtime",
        "Realtime sessions as machines",
        "A session for your own host.",
        "meshapi_core",
        "meshapi_core.realtime",
        (("realtime-session", "The states of a realtime session."),),
    ),
    Subject(
        "core/calls",
        "Calls, services and the rest",
        "A call as a value, the service that it is made to, and what fits on no other page.",
        "meshapi_core",
        "meshapi_core.calls meshapi_core.extras meshapi_core.bodies meshapi_core.service"
        " meshapi_core.retries meshapi_core.config meshapi_core.dialing meshapi_core.proxies"
        " meshapi_core.sockets meshapi_core.tls_settings meshapi_core",
    ),
    Subject(
        "backends",
        "Backends",
        "Runners, connection pools and transports.",
        "meshapi_backends",
        "meshapi_backends",
    ),
)

TYPES = "meshapi_core.types."
ENDPOINTS = "meshapi_core.endpoints."
GROUPS = {"response_events": "responses"}
"""Modules of types that share the page of another; each other module has its own page."""

TITLES = {"account": "Account", "rag": "RAG", "web": "Web search"}
"""Titles of pages, if the name of the module is not good enough."""

WITH_MODULE = {
    "engines": "meshapi.engines",
    "errors": "meshapi_core.errors",
    "testing": "meshapi.testing",
}
"""Pages that begin with the docstring of a module."""

PLAIN = {"meshapi.engines": "meshapi.engines"}
"""Faces without a table of names (see `tools/faces.py`), and where their names are from."""

SAME_ON_BOTH = (
    "`AsyncMeshAPI` has the same methods: await what returns a response, and use a stream with"
    " `async with` and `async for`."
)


class Method(NamedTuple):
    """A method as a user writes it, such as `client.models.list`, and where it is declared."""

    call: str
    module: str
    owner: str
    name: str

    @property
    def path(self) -> str:
        """The name that griffe has for it."""
        return f"{self.module}.{self.owner}.{self.name}"


@cache
def homes(face: str) -> dict[str, str]:
    """Return the public names of a face, each with the module that it is defined in."""
    if face in PLAIN:
        return dict.fromkeys(_all(face), PLAIN[face])
    return {
        export.name: _home(export.module, export.attribute)
        for export in _exports(face).values()
        if export.attribute and not export.name.startswith("__")
    }


def _home(module: str, name: str) -> str:
    export = _exports(module).get(name)
    return module if export is None else _home(export.module, export.attribute)


@cache
def _exports(face: str) -> dict[str, faces.Export]:
    found = faces.exports(face) if face in faces.PACKAGES else []
    return {export.name: export for export in found}


def _all(module: str) -> list[str]:
    for node in _tree(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            found: list[str] = ast.literal_eval(node.value)
            return found
    return []


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(faces.path_of(module).read_text("utf-8"))


def shown() -> dict[str, list[str]]:
    """Return the paths of what each page shows, such as `meshapi.MeshAPI`.

    Raises:
        ValueError: a face exports a name from a module without a page.
    """
    pages: dict[str, list[str]] = {}
    seen: set[str] = set()
    classes = {method.owner for method in methods()} | set(_resources().values())
    for face in FACES:
        for name, home in homes(face).items():
            # Resources are shown by their methods; `AudioResource` is a resource of one client.
            if name in seen or name in classes or home == "meshapi._resources":
                continue
            seen.add(name)
            pages.setdefault(_page_of(face, name, home), []).append(f"{face}.{name}")
    subjects = {subject.page: subject for subject in SUBJECTS}
    return {
        page: sorted(paths, key=lambda path: _place(path, subjects.get(page)))
        for page, paths in pages.items()
    }


def _place(path: str, subject: Optional[Subject]) -> tuple[int, str, str]:
    """Return what sorts a page: types by name, others by module; async twins come second."""
    name = path.rpartition(".")[2]
    home = _home_of(path)
    if subject is None or subject.page in ("backends", "realtime"):
        return 0, name.replace("Async", ""), name
    module = next(
        place
        for place, each in enumerate(subject.modules.split())
        if f"{home}.".startswith(f"{each}.")
    )
    # An alias from another module has no place in this one.
    defined = [getattr(node, "name", "") for node in _tree(home).body]
    place = defined.index(name) if name in defined else len(defined)
    return module, home, f"{place:03}"


def _page_of(face: str, name: str, home: str) -> str:
    for subject in SUBJECTS:
        within = any(f"{home}.".startswith(f"{module}.") for module in subject.modules.split())
        if subject.face == face and within:
            return subject.page
    if face == "meshapi" and home.startswith(TYPES):
        module = home[len(TYPES) :]
        return GROUPS.get(module, module)
    raise ValueError(f"{face} exports {name} of {home}: add that module to a subject of {__file__}")


def targets() -> dict[str, str]:
    """Return the public names, each with the path that a link to it leads to."""
    return {path.rpartition(".")[2]: path for paths in shown().values() for path in paths}


@cache
def _resources() -> dict[str, str]:
    """Return the names of the clients' properties, each with the class behind it."""
    found: dict[str, str] = {}
    for node in ast.walk(_tree("meshapi._resources")):
        if isinstance(node, ast.ClassDef) and node.name == "Resources":
            for member in node.body:
                if isinstance(member, ast.FunctionDef) and member.returns is not None:
                    returns = ast.unparse(member.returns).strip("'\"")
                    found[member.name] = returns.partition("[")[0].rpartition(".")[2]
    return found


@cache
def methods() -> list[Method]:
    """Return every method of the clients' resources, in the order in which they are declared."""
    modules = homes("meshapi_core.endpoints")
    return [
        method
        for name, owner in _resources().items()
        for method in _methods(f"client.{name}", modules[owner], owner)
    ]


def _methods(call: str, module: str, owner: str) -> Iterator[Method]:
    node = _class(module, owner)
    for base in (ast.unparse(base).partition("[")[0] for base in node.bases):
        home = _imported(module, base)
        if base != "Resource" and home.startswith(f"{ENDPOINTS}_"):
            # One class in two modules: the methods of both are shown as those of the public one.
            for method in _methods(call, home, base):
                yield method._replace(module=module, owner=owner)
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and member.name == "__init__":
            for line in member.body:
                # `self.completions: Completions[R_co] = Completions(runner)`
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Attribute):
                    inner = ast.unparse(line.annotation).partition("[")[0]
                    yield from _methods(f"{call}.{line.target.attr}", module, inner)
        elif isinstance(member, ast.FunctionDef) and not _is_inner(member):
            yield Method(f"{call}.{member.name}", module, owner, member.name)


def _class(module: str, name: str) -> ast.ClassDef:
    (node,) = (
        node for node in _tree(module).body if isinstance(node, ast.ClassDef) and node.name == name
    )
    return node


def _imported(module: str, name: str) -> str:
    """Return the module from which another one imports a name; "" if it does not."""
    for node in _tree(module).body:
        if isinstance(node, ast.ImportFrom) and name in (each.name for each in node.names):
            return node.module or ""
    return ""


def _is_inner(member: ast.FunctionDef) -> bool:
    decorators = [ast.unparse(each) for each in member.decorator_list]
    return member.name.startswith("_") or "overload" in decorators


def pages() -> dict[str, str]:
    """Return the text of every page by its path in `docs/`."""
    names = shown()
    groups: dict[str, list[Method]] = {}
    for method in methods():
        groups.setdefault(method.module[len(ENDPOINTS) :], []).append(method)
    subjects = {subject.page for subject in SUBJECTS}
    found = {subject.page: _subject(subject, names.get(subject.page, [])) for subject in SUBJECTS}
    for page in sorted(groups.keys() | names.keys() - subjects):
        found[page] = _group(page, groups.get(page, []), names.get(page, []))
    found["index"] = _index(found, groups)
    return {f"{FOLDER}/{page}.md": text for page, text in found.items()}


def title_of(page: str) -> str:
    """Return the heading of the page for a group of endpoints."""
    return TITLES.get(page, page.replace("_", " ").capitalize())


def _subject(subject: Subject, names: list[str]) -> str:
    parts = list(filter(None, (f"# {subject.title}", subject.words)))
    if subject.pictures:
        parts.append("## States")
    up = "../" * f"{FOLDER}/{subject.page}".count("/")
    for picture, words in subject.pictures:
        parts += [f"![{words}]({up}diagrams/{picture}.svg){{ .diagram }}", words]
    if subject.page == "clients":
        parts += [_object(name, members=_methods_of_clients()) for name in names]
        parts += ["## Resources", _table_of_resources()]
    elif subject.page == "objects":
        # The bases are not public, but their methods are.
        bases = [
            node.name
            for node in _tree("meshapi_core.types._base").body
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        ]
        paths = {name.rpartition(".")[2] for name in names}
        parts += [_object(f"{TYPES}_base.{name}") for name in bases if name not in paths]
        parts += map(_object, names)
    elif subject.page == "realtime":
        is_event = {name: ".types." in _home_of(name) for name in names}
        connect = "meshapi.RealtimeResource.connect"
        parts += ["## Methods", _anchor("client.realtime.connect")]
        parts.append(_object(connect, 3, heading="client.realtime.connect"))
        parts += ["## Sessions", *(_object(name, 3) for name in names if not is_event[name])]
        parts += ["## Events", *(_object(name, 3) for name in names if is_event[name])]
    elif subject.page.startswith("core/"):
        # First the docstring of each module, then its names.
        for home in dict.fromkeys(map(_home_of, names)):
            own = [name for name in names if _home_of(name) == home]
            parts += [_object(home, heading=home, members=[]), *(_object(name, 3) for name in own)]
    else:
        if subject.page in WITH_MODULE:
            parts.append(_module(WITH_MODULE[subject.page]))
        parts += map(_object, names)
    return "\n\n".join(parts) + "\n"


def _home_of(path: str) -> str:
    face, _, name = path.rpartition(".")
    return homes(face)[name]


def _methods_of_clients() -> list[str]:
    found: list[str] = []
    for module in ("meshapi._client", "meshapi._blocking_client", "meshapi._async_client"):
        for node in ast.walk(_tree(module)):
            if isinstance(node, ast.ClassDef) and node.name in (
                "Client",
                "MeshAPI",
                "AsyncMeshAPI",
            ):
                found += [
                    member.name
                    for member in node.body
                    if isinstance(member, (ast.FunctionDef, ast.AsyncFunctionDef))
                    and not member.name.startswith("_")
                    and not any("property" in ast.unparse(each) for each in member.decorator_list)
                ]
    return list(dict.fromkeys(found))


def _table_of_resources() -> str:
    lines = ["| resource | methods |", "|---|---|"]
    by_resource: dict[str, list[Method]] = {}
    for method in methods():
        by_resource.setdefault(method.call.rpartition(".")[0], []).append(method)
    for resource, found in by_resource.items():
        page = found[0].module[len(ENDPOINTS) :]
        calls = ", ".join(f"[`{each.name}`][{each.call}]" for each in found)
        lines.append(f"| [`{resource}`]({page}.md) | {calls} |")
    lines.append("| [`client.realtime`](realtime.md) | [`connect`][client.realtime.connect] |")
    return "\n".join(lines)


def _group(page: str, found: list[Method], names: list[str]) -> str:
    parts = [f"# {title_of(page)}", SAME_ON_BOTH if found else "", "## Methods" if found else ""]
    for method in found:
        parts += [_anchor(method.call), _object(method.path, 3, heading=method.call)]
    parts.append("## Types" if names else "")
    parts += [_object(name, 3) for name in names]
    return "\n\n".join(filter(None, parts)) + "\n"


def _anchor(name: str) -> str:
    return f"[](){{ #{name} }}"


def _object(
    path: str, level: int = 2, *, heading: str = "", members: "list[str] | None" = None
) -> str:
    lines = [f"::: {path}", "    options:", f"      heading_level: {level}"]
    if heading:
        label = heading.replace("client.", "", 1).replace("meshapi_core.", "", 1)
        lines += [f"      heading: {heading}", f"      toc_label: {label}"]
    if members is not None:
        lines += [f"      inherited_members: {members}", f"      members: {members or 'false'}"]
    return "\n".join(lines)


def _module(path: str) -> str:
    lines = [f"::: {path}", "    options:", "      members: false"]
    return "\n".join([*lines, "      show_root_heading: false", "      show_root_toc_entry: false"])


def _index(found: dict[str, str], groups: dict[str, list[Method]]) -> str:
    def link(page: str) -> str:
        title = found[page].partition("\n")[0].lstrip("# ")
        return f"- [{title}]({page}.md)"

    used = [subject.page for subject in SUBJECTS]
    users = [page for page in used if "/" not in page and page not in ("backends", "realtime")]
    hosts = [page for page in used if "/" in page or page == "backends"]
    others = sorted({*groups, *found} - {*used} | {"realtime"})
    words = (
        "All public names, with their docstrings. Import those under *Clients and what they use*"
        " and *Endpoints and their types* from `meshapi`."
    )
    picture = (
        "![The rooms of the three packages, and which imports which](../diagrams/layers.svg)"
        "{ .diagram }"
    )
    about = "An arrow leads to a room that is imported. Arrows that follow from others are missing."
    parts = ["# API reference", words]
    parts += ["## Clients and what they use", "\n".join(map(link, users))]
    parts += ["## Endpoints and their types", "\n".join(map(link, others))]
    parts += ["## The core and the backends", "\n".join(map(link, hosts)), picture, about]
    return "\n\n".join(parts) + "\n"
