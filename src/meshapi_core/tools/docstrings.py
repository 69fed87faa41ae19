"""What a docstring says about a function: its first paragraph, and its parameters.

Source: https://google.github.io/styleguide/pyguide.html#383-functions-and-methods
"""

import re
from inspect import cleandoc
from typing import Optional

__all__ = ["described", "description_of"]

_HEADING = re.compile(r"(Args|Arguments|Parameters):\s*")
_ENTRY = re.compile(r"\*{0,2}(\w+(?:\s*,\s*\w+)*)\s*(?:\([^)]*\))?\s*:\s*(.*)")


def description_of(docstring: Optional[str]) -> str:
    """Return the first paragraph, on one line; "" if there is none."""
    paragraph = re.split(r"\n\s*\n", cleandoc(docstring or ""), maxsplit=1)[0]
    return "" if _HEADING.match(paragraph) else " ".join(paragraph.split())


def described(docstring: Optional[str]) -> dict[str, str]:
    """Return what the section "Args:" says about each parameter, each on one line."""
    lines = iter(cleandoc(docstring or "").split("\n"))
    if not any(_HEADING.fullmatch(line) for line in lines):
        return {}
    found: dict[str, list[str]] = {}
    names: list[str] = []
    margin: Optional[int] = None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if not line.strip():
            continue
        if not indent:
            break  # the next section
        margin = indent if margin is None else margin
        entry = _ENTRY.fullmatch(line.strip()) if indent <= margin else None
        if entry is not None:
            names = re.split(r"\s*,\s*", entry[1])
            found.update((name, []) for name in names)
        text = line.strip() if entry is None else entry[2]
        for name in names:
            found[name].append(text)
    return {name: " ".join(texts).strip() for name, texts in found.items()}
