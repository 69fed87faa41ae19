"""ARCHITECTURE.md draws the code as it is: every room and module, and every arrow between rooms."""

import ast
import re
from pathlib import Path

import pytest
from house.drawing import arrows, quoted, rows, section
from house.fresh import SRC
from house.imports import (
    PACKAGES,
    Import,
    imports_at_load,
    imports_at_run,
    imports_of,
    module_of,
    sources,
)

import faces

HOMES = {
    package: {export.name: export.module for export in faces.exports(package)}
    for package in faces.PACKAGES
}
"""Where the names of each face are."""

LONGEST_MODULE = 450
"""Lines; tables of types aside. Nearly all have 100 to 300."""

LONGEST_CLASS = 250

INNER = frozenset({"__init__.py", "_face.py", "py.typed"})

ROOMS = (
    "meshapi",
    "meshapi.cli",
    "meshapi.gateway",
    "meshapi.testing",
    "meshapi.telemetry",
    "meshapi.engines",
    "meshapi_backends",
    "meshapi_backends._async",
    "meshapi_backends._http_clients",
    "meshapi_backends._networks",
    "meshapi_backends._per_loop",
    "meshapi_core",
)
"""The rooms between which arrows are drawn, in the order of the page; `_sync` is like `_async`."""


@pytest.mark.parametrize("package", PACKAGES)
def test_each_module_and_room_of_a_package_has_its_place_in_the_drawing(package: str) -> None:
    drawn = [name for row in rows(section(f"### `{package}`")) for name in quoted(row[1])]
    there = {
        path.name + "/" * path.is_dir()
        for path in (SRC / package).iterdir()
        if path.name not in INNER and path.name != "__pycache__"
    }
    assert sorted(drawn) == sorted(there)


def rooms() -> list[Path]:
    """The folders whose modules have names that need an explanation."""
    named_by_what_they_serve = {"types", "endpoints", "_sync"}
    return [
        path.parent
        for package in PACKAGES
        for path in sources(package)
        if path.name == "__init__.py"
        and path.parent.name != package
        and not named_by_what_they_serve & set(path.relative_to(SRC).parts)
        and len(list(path.parent.glob("*.py"))) > 2
    ]


@pytest.mark.parametrize("room", rooms(), ids=lambda room: room.relative_to(SRC).as_posix())
def test_a_room_says_what_is_in_it(room: Path) -> None:
    said = ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf-8"))) or ""
    inside = {path.stem for path in room.iterdir() if path.name not in INNER}
    missing = {name for name in inside - {"__pycache__"} if not re.search(rf"\b{name}\b", said)}
    assert missing == set()


def target_of(found: Import, name: str) -> str:
    """Return the module that an import of a name leads to, through a face if there is one."""
    home = HOMES.get(found.module, {}).get(name)
    inner = f"{found.module}.{name}"
    return home or (inner if faces.path_of(inner).exists() else found.module)


def room_of(module: str) -> str:
    module = re.sub(r"^meshapi_backends\._sync\b", "meshapi_backends._async", module)
    module = module.replace("meshapi.__main__", "meshapi.cli")
    return next(
        room for room in reversed(ROOMS) if f"{module}.".startswith(f"{room}.") or room == module
    )


@pytest.mark.slow
def test_arrows_between_rooms_are_those_in_the_drawing() -> None:
    found: dict[str, set[str]] = {room: set() for room in ROOMS}
    for package in PACKAGES:
        for path in sources(package):
            if path.name in INNER:
                continue
            room = room_of(module_of(path))
            for each in imports_of(path):
                if each.module.partition(".")[0] in PACKAGES:
                    targets = {target_of(each, name) for name in each.names or ("",)}
                    found[room] |= set(map(room_of, targets)) - {room}
    assert arrows() == found, "\n".join(
        f"| `{room}` | {' '.join(f'`{name}`' for name in sorted(names))} |"
        for room, names in found.items()
    )


@pytest.mark.slow
def test_no_module_imports_one_that_imports_it() -> None:
    """Neither directly nor through others, when they are loaded."""
    modules = {module_of(path): path for package in PACKAGES for path in sources(package)}
    graph = {
        module: {
            target
            for each in imports_at_load(path)
            for name in each.names or ("",)
            for target in [target_of(each, name)]
            if target in modules and target != module
        }
        for module, path in modules.items()
    }
    while graph:
        leaves = {module for module, targets in graph.items() if not targets & graph.keys()}
        assert leaves, f"a circle among {sorted(graph)}"
        graph = {module: targets for module, targets in graph.items() if module not in leaves}


@pytest.mark.slow
def test_what_loads_its_own_modules_is_entered_by_its_door() -> None:
    """Python takes the lock of a module before that of its package; what a package loads, it takes
    the other way round. Two threads that begin at the two ends would wait for each other."""
    paths = [path for package in PACKAGES for path in sources(package)]
    eager = {
        module_of(path)
        for path in paths
        if path.name == "__init__.py"
        and any(
            each.module.startswith(f"{module_of(path)}.") and not each.module.endswith("._face")
            for each in imports_at_load(path)
        )
    }
    assert eager
    imported = {
        (module_of(path), target_of(each, name))
        for path in paths
        if path.name not in INNER
        for each in imports_at_run(path)
        for name in each.names or ("",)
    }
    imported |= {(face, home) for face, homes in HOMES.items() for home in homes.values()}
    inside = {
        (module, target)
        for module, target in imported
        for room in eager
        if target.startswith(f"{room}.") and not f"{module}.".startswith(f"{room}.")
    }
    assert inside == set()


@pytest.mark.slow
def test_modules_and_classes_are_short_enough_to_be_read() -> None:
    long = []
    for package in PACKAGES:
        for path in sources(package):
            text = path.read_text("utf-8")
            name = path.relative_to(SRC).as_posix()
            lines = len(text.splitlines())
            if lines > LONGEST_MODULE and not name.startswith("meshapi_core/types/"):
                long.append(f"{name}: {lines} lines")
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ClassDef):
                    lines = (node.end_lineno or 0) - node.lineno + 1
                    if lines > LONGEST_CLASS:
                        long.append(f"{name}: {node.name} has {lines} lines")
    assert long == []
