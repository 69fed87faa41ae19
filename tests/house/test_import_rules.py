"""Arrows between packages only point down, and the core does no I/O.

Read from the syntax tree, so that an import inside a function counts as well, and then once more
from `sys.modules` of a fresh interpreter, so that nothing comes in through a back door.
"""

import ast
from pathlib import Path

import pytest
from house.drawing import arrows
from house.fresh import SRC, modules_after
from house.imports import PACKAGES, Import, imports_of, sources

CORE_ALLOWLIST = frozenset(
    "array base64 binascii codecs collections collections.abc copy datetime decimal difflib enum"
    " errno functools hashlib heapq inspect ipaddress itertools json math msgspec"
    " msgspec.inspect msgspec.json msgspec.structs operator re types typing typing_extensions"
    " urllib.parse warnings weakref".split()
)
CORE_ALONE = {
    "h11": "h11_responses.py",
    "wsproto": "websocket",
    **dict.fromkeys(
        ("backports", "brotli", "brotlicffi", "compression", "zlib", "zstandard"),
        "inflaters.py",
    ),
}
"""Libraries of the core that exactly one module may import, or one folder."""

NEVER_IN_CORE = frozenset(
    "anyio asyncio email h11 httpcore logging random select socket ssl subprocess threading trio"
    " wsproto".split()
)

ONE_LOOP_ONLY = {"trio": "trio", "asyncio": "asyncio", "anyio": "asyncio"}
"""Libraries of event loops -> modules of `_networks` that import them: with this name, or more."""

NEVER_IN_BACKENDS = frozenset({"aiohttp", "httpx", "httpx2"})
"""Whoever brings a client of these has loaded them."""

ALONE_IN_BACKENDS = {
    "h2": ("httpcore.py", "guarded.py"),
    **dict.fromkeys(("httpcore", "httpcore2", "socksio"), ("httpcore.py",)),
}
"""Libraries of the backends -> the modules of `_http_clients` that may import them."""


def _rooms_of_the_backends() -> dict[str, frozenset[str]]:
    drawn = arrows()
    drawn["meshapi_backends._sync"] = drawn["meshapi_backends._async"]
    names = {room: room.partition(".")[2] for room in drawn if room.startswith("meshapi_backends.")}
    return {
        name: frozenset(names[target] for target in names if target in {room, *drawn[room]})
        for room, name in names.items()
    }


ROOMS = _rooms_of_the_backends()
"""Rooms of the backends -> those that they import, as they are drawn; `_sync` is as `_async`. What
stands beside them imports none."""

FACES = frozenset(
    {
        *PACKAGES,
        "meshapi_core.types",
        "meshapi_core.endpoints",
        "meshapi_core.flows",
        "meshapi_core.bulk",
        "meshapi_core.turns",
        "meshapi_core.observing",
        "meshapi_core.usage",
        "meshapi_core.tools",
        "meshapi_core.streams",
    }
)
"""What other packages import from; `_face.py` of each loads what they ask for."""


def top(module: str) -> str:
    return module.partition(".")[0]


def is_private(name: str) -> bool:
    return name.startswith("_") and name != "__version__"


def breaks(package: str, path: Path, found: Import) -> str:
    """Return why an import breaks the rules, if it does; the path is relative to the package."""
    if found.level:
        return "imports are absolute"
    target = top(found.module)
    if target in PACKAGES and PACKAGES.index(target) > PACKAGES.index(package):
        return f"arrows only point down, not from {package} to {target}"
    if target in PACKAGES and target != package and found.module not in FACES:
        return f"other packages are imported by their faces, not {found.module}"
    if target in PACKAGES and target != package and any(map(is_private, found.names)):
        return "private names stay in their package"
    if package == "meshapi_core":
        return _breaks_core(path, found, target)
    if package == "meshapi_backends":
        return _breaks_backends(path, found, target)
    return _breaks_meshapi(path, found, target)


def _breaks_core(path: Path, found: Import, target: str) -> str:
    if target == "meshapi_core" or found.module in CORE_ALLOWLIST:
        return ""
    if CORE_ALONE.get(target) in (path.name, path.parent.name):
        return ""
    # They find there what the program has loaded: pydantic, of which it passes a model, or asyncio.
    finds_loaded = path.name in ("_face.py", "listing.py") or path.parts[-2:] == (
        "structured",
        "models.py",
    )
    if target == "sys" and finds_loaded:
        return ""
    return f"{found.module} is not on the core's allowlist"


def _breaks_backends(path: Path, found: Import, target: str) -> str:
    if target in CORE_ALONE:
        return f"{target} belongs to meshapi_core/{CORE_ALONE[target]}"
    if target in NEVER_IN_BACKENDS:
        return f"{target} is the caller's"
    alone = ALONE_IN_BACKENDS.get(target, ())
    if alone and path.parts not in [("_http_clients", name) for name in alone]:
        return f"{target} belongs to _http_clients/{alone[0]}"
    loop = ONE_LOOP_ONLY.get(target)
    if loop and (path.parent.name, path.stem.partition("_")[0]) != ("_networks", loop):
        return f"only the modules of _networks that are named after {loop} import {target}"
    if path.parts == ("__init__.py",):
        return ""  # the face
    room = next((name for name in (*path.parts, path.stem) if name in ROOMS), "")
    wrong = _rooms_in(found) - ROOMS.get(room, frozenset())
    return f"no arrow leads from {room or path.name} to {wrong.pop()}" if wrong else ""


def _rooms_in(found: Import) -> set[str]:
    """Return the rooms of the backends that an import names."""
    package, _, rest = found.module.partition(".")
    if package != "meshapi_backends":
        return set()
    names = [rest.partition(".")[0]] if rest else found.names
    return ROOMS.keys() & set(names)


def _breaks_meshapi(path: Path, found: Import, target: str) -> str:
    inner = f"{found.module}.".startswith("meshapi.gateway.")
    if path.parts[0] == "gateway":
        foreign = target == "meshapi" and not inner
        if foreign or target in ("meshapi_core", "meshapi_backends", "msgspec", "h11"):
            return "the local gateway shares no code with what it is to judge"
        made_up = ("meshapi.gateway.content", "meshapi.gateway.http.wire")
        of_requests = target == "starlette" or (inner and not found.module.startswith(made_up))
        if path.parts[1] == "content" and of_requests:
            return "what the gateway makes up knows nothing of requests"
        return ""
    if inner and path.parts[0] != "testing":
        return "the rooms of the gateway are inner: meshapi.testing is its face"
    # The server without sockets: bytes in, bytes out, as uvicorn does it for LocalGateway.
    if target in ("h11", "wsproto") and path.parts[:3] == ("testing", "fake", "server"):
        return ""
    if target in ("starlette", "uvicorn", "h11", "wsproto", "httpcore"):
        return f"{target} has its place in a package below"
    return ""


@pytest.mark.parametrize("package", PACKAGES)
def test_each_module_imports_what_it_may(package: str) -> None:
    broken = [
        f"{path.relative_to(SRC)}:{found.line}: {why}"
        for path in sources(package)
        for found in imports_of(path)
        for why in [breaks(package, path.relative_to(SRC / package), found)]
        if why
    ]
    assert sources(package)
    assert not broken, "\n".join(broken)


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_imports_by_a_name_made_at_run_time(package: str) -> None:
    """`__import__` and importlib would evade the rules above.

    Faces are the exception: their tables hold modules of ours alone, and `tools/faces.py` writes
    them.
    """
    for path in sources(package):
        if path.name == "_face.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = getattr(node, "id", None) or getattr(node, "attr", None)
            assert name not in ("__import__", "import_module"), f"{path.name}:{node.lineno}"


@pytest.mark.parametrize(
    ("package", "file", "statement"),
    [
        ("meshapi_core", "sse.py", "import socket"),
        ("meshapi_core", "sse.py", "import os.path"),
        ("meshapi_core", "sse.py", "from h11 import Connection"),
        ("meshapi_core", "sse.py", "from . import errors"),
        ("meshapi_core", "sse.py", "def f():\n    import time"),
        ("meshapi_core", "sse.py", "from meshapi_backends import run"),
        ("meshapi_backends", "_pool.py", "from meshapi import MeshAPI"),
        ("meshapi_backends", "_pool.py", "from meshapi_core.errors import MeshAPIError"),
        ("meshapi_backends", "_pool.py", "from meshapi_core import _secret"),
        ("meshapi_backends", "_pool.py", "from meshapi_core.types._base import Record"),
        ("meshapi_backends", "_pool.py", "import trio"),
        ("meshapi_backends", "_trio.py", "import trio"),
        ("meshapi_backends", "_networks/trio.py", "import anyio"),
        ("meshapi_backends", "_networks/current.py", "def f():\n    import asyncio"),
        ("meshapi_backends", "_http_clients/requests.py", "import httpx"),
        ("meshapi_backends", "_networks/trio.py", "from meshapi_backends._async import pool"),
        ("meshapi_backends", "_http_clients/requests.py", "from meshapi_backends import _per_loop"),
        ("meshapi_backends", "_scopes.py", "from meshapi_backends._networks import blocking"),
        ("meshapi_backends", "_async/realtime/a.py", "from meshapi_backends._sync import pool"),
        ("meshapi_backends", "_http.py", "import h11"),
        ("meshapi", "cli/output.py", "from meshapi_backends._sync import pool"),
        ("meshapi", "gateway/http/wire.py", "from meshapi_core import SSEDecoder"),
        ("meshapi", "gateway/http/wire.py", "from meshapi.cli import main"),
        ("meshapi", "gateway/content/audio.py", "from starlette.requests import Request"),
        ("meshapi", "gateway/content/audio.py", "from meshapi.gateway.http.errors import X"),
        ("meshapi", "cli/commands/gateway.py", "from meshapi.gateway import LocalGateway"),
        ("meshapi", "gateway/http/wire.py", "from meshapi import MeshAPI"),
    ],
)
def test_the_rules_find(tmp_path: Path, package: str, file: str, statement: str) -> None:
    path = tmp_path / "module.py"
    path.write_text(statement, "utf-8")
    assert all(breaks(package, Path(file), found) for found in imports_of(path))


def brought_by_the_allowlist() -> set[str]:
    # With what msgspec needs for itself: on Python 3.9 uuid, and so subprocess.
    return modules_after(*(f"import {name}" for name in sorted(CORE_ALLOWLIST)))


@pytest.mark.slow
def test_importing_the_core_loads_the_allowlist_and_nothing_else() -> None:
    new = modules_after("import meshapi_core") - brought_by_the_allowlist()
    assert {top(name) for name in new} == {"meshapi_core"}


@pytest.mark.slow
def test_the_core_loads_h11_when_its_connection_is_asked_for() -> None:
    new = modules_after("from meshapi_core import HTTP11Connection") - brought_by_the_allowlist()
    loaded = {top(name) for name in new}
    assert "h11" in loaded
    assert not loaded & (NEVER_IN_CORE - {"h11"})
