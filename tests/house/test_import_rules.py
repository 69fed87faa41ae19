"""Arrows between packages only point down, and the core does no I/O.

Read from the syntax tree, so that an import inside a function counts as well, and then once more
from `sys.modules` of a fresh interpreter, so that nothing comes in through a back door.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from house.fresh import SRC, modules_after

CORE_ALLOWLIST = frozenset(
    "array base64 binascii codecs collections collections.abc copy datetime enum functools inspect"
    " ipaddress itertools json math msgspec msgspec.inspect msgspec.json msgspec.structs operator"
    " re types typing typing_extensions urllib.parse warnings weakref".split()
)
CORE_ALONE = {
    "h11": "http11.py",
    "wsproto": "websocket.py",
    **dict.fromkeys(
        ("backports", "brotli", "brotlicffi", "compression", "zlib", "zstandard"),
        "content_codings.py",
    ),
}
"""Libraries of the core that exactly one module may import."""

NEVER_IN_CORE = frozenset(
    "anyio asyncio email h11 httpcore logging random select socket ssl subprocess threading trio"
    " wsproto".split()
)

ONE_MODULE_ONLY = {
    "trio": "trio",
    "asyncio": "asyncio",
    "anyio": "asyncio",
    "httpcore": "httpcore",
    "httpx": "httpx",
    "httpx2": "httpx",
}
"""Network libraries of the backends -> what the name of a module that imports them contains."""

PACKAGES = ("meshapi_core", "meshapi_backends", "meshapi")

FACES = frozenset({*PACKAGES, "meshapi_core.types", "meshapi_core.endpoints"})
"""What other packages import from; `_face.py` of each loads what they ask for."""


class Import(NamedTuple):
    module: str
    names: tuple[str, ...]
    level: int
    line: int


def imports_of(path: Path) -> Iterator[Import]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, (), 0, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            yield Import(node.module or "", names, node.level, node.lineno)


def top(module: str) -> str:
    return module.partition(".")[0]


def is_private(name: str) -> bool:
    return name.startswith("_") and name != "__version__"


def breaks(package: str, path: Path, found: Import) -> str:
    """Return why this import is against the rules, or nothing."""
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
        return _breaks_backends(path, target)
    return _breaks_meshapi(path, target)


def _breaks_core(path: Path, found: Import, target: str) -> str:
    if target == "meshapi_core" or found.module in CORE_ALLOWLIST:
        return ""
    if CORE_ALONE.get(target) == path.name or (target, path.name) == ("sys", "_face.py"):
        return ""
    return f"{found.module} is not on the core's allowlist"


def _breaks_backends(path: Path, target: str) -> str:
    if target in CORE_ALONE:
        return f"{target} belongs to meshapi_core/{CORE_ALONE[target]}"
    if target in ONE_MODULE_ONLY and ONE_MODULE_ONLY[target] not in path.stem:
        return f"only a module named after {ONE_MODULE_ONLY[target]} imports {target}"
    return ""


def _breaks_meshapi(path: Path, target: str) -> str:
    if "testing" in path.parts:
        if target in ("meshapi_core", "meshapi_backends", "msgspec", "h11"):
            return "the local gateway shares no code with what it is to judge"
        return ""
    if target in ("starlette", "uvicorn", "h11", "wsproto", "httpcore"):
        return f"{target} has its place in a package below"
    return ""


def sources(package: str) -> list[Path]:
    return sorted((SRC / package).rglob("*.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_each_module_imports_what_it_may(package: str) -> None:
    broken = [
        f"{path.relative_to(SRC)}:{found.line}: {why}"
        for path in sources(package)
        for found in imports_of(path)
        for why in [breaks(package, path, found)]
        if why
    ]
    assert sources(package)
    assert not broken, "\n".join(broken)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_imports_by_a_name_made_at_run_time(package: str) -> None:
    """`__import__` and importlib would pass under the rules above.

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
        ("meshapi_backends", "_trio.py", "import anyio"),
        ("meshapi_backends", "_http.py", "import h11"),
        ("meshapi", "cli.py", "from meshapi_backends._sync import pool"),
        ("meshapi", "testing/_app.py", "from meshapi_core import SSEDecoder"),
    ],
)
def test_the_rules_find(tmp_path: Path, package: str, file: str, statement: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(statement, "utf-8")
    assert all(breaks(package, path, found) for found in imports_of(path))


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
