"""The tool that writes the lists of lazily loaded names into `__init__.py`.

The types and endpoints of most resources are loaded when they are first asked for, so that a
program which only chats does not pay for them. Type checkers and `__all__` need their names all
the same. What a module exports is said once, in its own `__all__`; this copies it to where it must
stand.

    python tests/house/exports.py            # names each file that differs, exit status 1 if any
    python tests/house/exports.py --write    # makes them equal
"""

import ast
import sys
from collections.abc import Iterable
from pathlib import Path

SRC = Path(__file__).resolve().parents[2] / "src"
CORE = SRC / "meshapi_core"
BEGIN = "# The rest is written by `python tests/house/exports.py --write`.\n"

EAGER = frozenset({"types.chat", "endpoints.chat", "endpoints._descriptor"})
"""Modules that `meshapi_core` loads at once, and whose names stand above the line."""

ALONE = (
    "failures",
    "http11",
    "machines.actions",
    "machines.client_call",
    "machines.pipe_call",
    "paths",
    "realtime",
    "realtime_session",
    "websocket",
)
"""Modules of the core itself that are loaded when they are used."""

FOR_USERS = frozenset({"RealtimeAuth", "RealtimeMessage", "Reconnect", "Reconnected"})
"""What users of `meshapi` get of those."""

RESOURCES = "Audio Moderations Rag Router Videos Web".split()
"""Resources whose classes the official SDK exports, blocking and async."""


def lazy_modules() -> dict[str, list[str]]:
    """Return the names that each lazily loaded module exports."""
    found: dict[str, list[str]] = {}
    for folder in ("types", "endpoints"):
        for path in sorted((CORE / folder).glob("*.py")):
            name = f"{folder}.{path.stem}"
            if not path.stem.startswith("_") and name not in EAGER:
                found[name] = exported(path)
    for name in ALONE:
        found[name] = exported(CORE / f"{name.replace('.', '/')}.py")
    return dict(sorted(found.items()))


def exported(path: Path) -> list[str]:
    """Return a module's `__all__` without running it; else its public classes."""
    body = ast.parse(path.read_text()).body
    for node in body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return sorted(names)
    classes = [node.name for node in body if isinstance(node, ast.ClassDef)]
    return sorted(name for name in classes if not name.startswith("_"))


def public(module: str, name: str) -> bool:
    """Return whether users of `meshapi` get this name, not only those of the core."""
    return module.startswith("types.") or name in FOR_USERS


def in_order(names: Iterable[str]) -> list[str]:
    """Return names as the linter sorts imports: constants, classes, then the others."""
    return sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name.lower()))


def core_part() -> str:
    """Return the generated end of `meshapi_core/__init__.py`."""
    modules = lazy_modules()
    lines = ["if TYPE_CHECKING:"]
    for module, names in modules.items():
        lines.append(f"    from meshapi_core.{module} import (")
        lines += [f"        {name}," for name in in_order(names)]
        lines.append("    )")
    every = sorted(name for names in modules.values() for name in names)
    lines += ["", "__all__ += [", *(f'    "{name}",' for name in every), "]", ""]
    lines.append("_LAZY = {")
    for module, names in modules.items():
        lines += [f'    "{name}": "{module}",' for name in names]
    lines.append("}")
    return "\n".join(lines) + "\n"


def top_part() -> str:
    """Return the generated end of `meshapi/__init__.py`."""
    modules = lazy_modules()
    every = sorted(name for mod, names in modules.items() for name in names if public(mod, name))
    resources = [prefix + name for prefix in ("", "Async") for name in RESOURCES]
    lines = ["if TYPE_CHECKING:", "    from meshapi_core import ("]
    imported = in_order([*every, *RESOURCES, "AsyncRunner", "Runner"])
    lines += [f"        {name}," for name in imported]
    lines += ["    )", ""]
    for name in RESOURCES:
        lines.append(f"    {name}Resource = {name}[Runner]")
        lines.append(f"    Async{name}Resource = {name}[AsyncRunner]")
    lines += ["", "__all__ += ["]
    lines += [f'    "{name}",' for name in sorted([*every, *(f"{n}Resource" for n in resources)])]
    lines.append("]")
    return "\n".join(lines) + "\n"


def main(*, write: bool = False) -> int:
    """Compare or write; return the exit status."""
    status = 0
    for path, part in (
        (CORE / "__init__.py", core_part()),
        (SRC / "meshapi/__init__.py", top_part()),
    ):
        text = path.read_text()
        wanted = text[: text.index(BEGIN)] + BEGIN + part
        if text != wanted:
            if write:
                path.write_text(wanted)
            else:
                print(f"{path.relative_to(SRC)} differs from what its modules export")
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(write="--write" in sys.argv[1:]))
