"""Write the table by which each package loads a public name when it is first used.

The exports of a package are written once, in its `__init__.py` under `TYPE_CHECKING`: imports that
type checkers follow and Python does not run. `from module import *` stands for the `__all__` of
that module. This tool reads those imports and writes `_face.py` beside them. It has the same names
for Python, each with its module, which is imported when the name is first used.

    python tools/faces.py            # names each file that differs; exit status 1 if any
    python tools/faces.py --write    # writes those files
"""

import ast
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SRC = Path(__file__).resolve().parents[1] / "src"

PACKAGES = (
    "meshapi_core.types",
    "meshapi_core.endpoints",
    "meshapi_core.flows",
    "meshapi_core.bulk",
    "meshapi_core.turns",
    "meshapi_core.streams",
    "meshapi_core.observing",
    "meshapi_core.usage",
    "meshapi_core.tools",
    "meshapi_core",
    "meshapi_backends",
    "meshapi",
    "meshapi.gateway",
    "meshapi.testing",
    "meshapi.transports",
)

ROOMS = ("meshapi_core.types", "meshapi_core.endpoints")
"""Packages whose modules are all public, except those that begin with `_`."""

WIDTH = 100
INDENT = " " * 8

TEMPLATE = '''\
"""The public names of `{package}`, and the modules that have them.

Written by `python tools/faces.py --write` from the imports in `__init__.py`; change those.
"""

import sys
from typing import Any, Final
{imports}
{constants}

def __getattr__(name: str) -> Any:
    """Import the module that has a name, when the name is used for the first time."""
    if name not in _HOMES:
        raise AttributeError(f"module {{PACKAGE!r}} has no attribute {{name!r}}")
    module, _, attribute = _HOMES[name].partition(":")
    __import__(module)
    value: Any = sys.modules[module]
    if attribute:
        value = getattr(value, attribute)
    vars(sys.modules[PACKAGE])[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({{*vars(sys.modules[PACKAGE]), *_HOMES}})
'''


class Export(NamedTuple):
    """A public name, the module that has it, and its name there."""

    name: str
    module: str
    attribute: str


def path_of(module: str) -> Path:
    """Return the file of one of our modules."""
    path = SRC.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def exports(package: str) -> list[Export]:
    """Return what the `__init__.py` of a package exports, without running it."""
    found = {export.name: export for export in _exports(package)}
    return sorted(found.values())


def _exports(package: str) -> Iterator[Export]:
    for node in ast.parse(path_of(package).read_text("utf-8")).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for inner in node.body:
                if isinstance(inner, ast.ImportFrom):
                    yield from _imported(inner)


def _imported(node: ast.ImportFrom) -> Iterator[Export]:
    module = node.module or ""
    for alias in node.names:
        if alias.name == "*":
            yield from _all_of(module)
        elif alias.asname is not None:
            # `from package import module as module` exports a module.
            inner = f"{module}.{alias.name}"
            if path_of(inner).exists():
                yield Export(alias.asname, inner, "")
            else:
                yield Export(alias.asname, module, alias.name)


def _all_of(module: str) -> Iterator[Export]:
    if module in PACKAGES:
        for export in exports(module):
            yield Export(export.name, module, export.name)
        return
    for node in ast.parse(path_of(module).read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            for name in ast.literal_eval(node.value):
                yield Export(name, module, name)
            return
    raise ValueError(f"{module} has no __all__: `import *` would export what it imports")


def starred(package: str) -> set[str]:
    """Return the modules from which the `__init__.py` of a package exports everything."""
    return {
        node.module or ""
        for node in ast.walk(ast.parse(path_of(package).read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
    }


def face(package: str) -> str:
    """Return the text of the `_face.py` of a package."""
    names: dict[str, list[str]] = {}
    renamed: list[str] = []
    stars = starred(package).intersection(PACKAGES)
    others: set[str] = set()
    for export in exports(package):
        if export.module in stars:
            others.add(export.module)
        elif export.name == export.attribute:
            names.setdefault(export.module, []).append(export.name)
        else:
            home = ":".join(filter(None, (export.module, export.attribute)))
            renamed.append(f'    "{export.name}": "{home}",')
    lines = [f'PACKAGE: Final = "{package}"', "", "_NAMES: Final = {"]
    for module, own in sorted(names.items()):
        text = " ".join(sorted(own))
        line = f'    "{module}": "{text}",'
        if len(line) > WIDTH:
            inner = textwrap.fill(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT)
            line = f'    "{module}": """\n{inner}\n    """,'
        lines.append(line)
    lines.append("}")
    lines.append("_HOMES: Final = {")
    lines.append(
        '    name: f"{module}:{name}" for module, names in _NAMES.items() for name in names.split()'
    )
    lines.append("}")
    for other in sorted(others):
        # Its exports are in its own table.
        line = f'_HOMES.update((name, f"{other}:{{name}}") for name in vars({other})["__all__"])'
        lines.append(line)
    if renamed:
        lines += ["_HOMES.update(", "    {", *("    " + line for line in renamed), "    }", ")"]
    lines += ['EXPORTED: Final = sorted(name for name, home in _HOMES.items() if ":" in home)', ""]
    imports = "".join(f"import {other}\n" for other in sorted(others))
    imports = f"\n{imports}" if imports else ""
    return TEMPLATE.format(package=package, imports=imports, constants="\n".join(lines))


def left_out(package: str) -> list[str]:
    """Return a line for each module from which the `__init__.py` of a room exports nothing."""
    named = {export.module for export in exports(package)}
    init = path_of(package)
    modules = sorted(f"{package}.{path.stem}" for path in init.parent.glob("[!_]*.py"))
    return [
        f"{init.relative_to(SRC)} exports nothing of {module}: add `from {module} import ...` there"
        for module in modules
        if module not in named
    ]


def main(*, write: bool = False) -> int:
    """Compare or write; return the exit status."""
    status = 0
    for room in ROOMS:
        for line in left_out(room):
            print(line)
            status = 1
    for package in PACKAGES:
        path = path_of(package).with_name("_face.py")
        wanted = face(package)
        if not path.exists() or path.read_text("utf-8") != wanted:
            if write:
                path.write_text(wanted, "utf-8")
            else:
                print(f"{path.relative_to(SRC)} differs from what {package} exports")
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(write="--write" in sys.argv[1:]))
