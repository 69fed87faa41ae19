"""Write the packages `_sync` from their twins `_async`.

Runners, hosts, connections and sessions (`meshapi_backends`), and what programs hold of streams,
pages and conversations (`meshapi_core`), are written once, as async source. Their blocking twin is
that source without `await`, and this file defines exactly what "without" means. It works on tokens,
not on lines, so layout, comments and line numbers stay (except for one line at the top).

    python tools/mirror.py            # names each file that differs; exit status 1 if any
    python tools/mirror.py --write    # writes those files

What is replaced:

- The keywords `async` and `await` are removed, with the blanks after them. So are brackets that
  only held an awaited expression together, as in `(await f()).x`.
- Names change by the table `NAMES`; any other name `AsyncThing` or `_AsyncThing` loses the prefix.
- `Awaitable[T]` and `Coroutine[A, B, T]` become `T`, and `AsyncGenerator[Y, S]` becomes
  `Generator[Y, S, None]`. Imports that are then empty or duplicate are removed.
- In strings, docstrings and comments, the same names and the phrases of `PHRASES` are replaced.

Code that must differ between the two sides does not belong in these packages. Put it into a module
of the networks (`_networks/`), under the same name on both sides.
"""

import io
import itertools
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = [
    ROOT / "src" / "meshapi_backends",
    ROOT / "src" / "meshapi_core",
    ROOT / "src" / "meshapi" / "testing" / "fake",
]

HEADER = "# Generated from _async/{name} by `python tools/mirror.py --write`: edit that file.\n"

NAMES = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "StopAsyncIteration": "StopIteration",
    "aclose": "close",
    "aclosing": "closing",
    "aiter": "iter",
    "anext": "next",
    "asynccontextmanager": "contextmanager",
    "iscoroutinefunction": "isfunction",
    "_async": "_sync",
    "async_network": "network",
}
"""Names that do not follow the `Async` prefix rule."""

PHRASES = [
    (re.compile(r"\basync (def|with|for)\b"), r"\1"),
    (re.compile(r"\bawait (?=[\w(])"), ""),
    (re.compile(r"\b([Aa])n async(hronous)?\b"), r"\1 blocking"),
    (re.compile(r"\bAsync(hronous)?\b(?!-)"), "Blocking"),
    (re.compile(r"\basync(hronous)?\b(?!-)"), "blocking"),
]
"""What strings and comments call the two sides, in the order of replacement."""

UNWRAPPED = {"Awaitable": 0, "Coroutine": 2}
"""Generic types that vanish on the blocking side: name -> index of the parameter that stays."""

_PREFIX = re.compile(r"(_*)Async([A-Z]\w*)")
_WORD = re.compile(r"\w+")
_LAYOUT = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
)
# Python 3.12 splits f-strings into several tokens; here they are one string on every version.
_FSTRING_START = {getattr(tokenize, name, None) for name in ("FSTRING_START", "TSTRING_START")}
_FSTRING_END = {getattr(tokenize, name, None) for name in ("FSTRING_END", "TSTRING_END")}


class _Token:
    """A token with its position in the source; `text` is what the twin has there."""

    def __init__(self, kind: int, text: str, start: int, end: int) -> None:
        self.kind = kind
        self.text = text
        self.start = start
        self.end = end

    def vanish(self) -> None:
        self.text = ""


def mirror(source: str) -> str:
    """Return the blocking twin of async source text, without the header line.

    Raises:
        SyntaxError, tokenize.TokenError: the text is not Python.
    """
    tokens = _tokens(source)
    gaps = _gaps(tokens, source)
    for index, token in enumerate(tokens):
        if token.kind in (tokenize.STRING, tokenize.COMMENT):
            token.text = _prose(token.text)
        elif token.kind == tokenize.NAME:
            _replace_name(tokens, gaps, index)
    _clean_imports(tokens, gaps)
    return "".join(gap + token.text for gap, token in zip(gaps, tokens))


def mirror_name(name: str) -> str:
    """Return the name of an identifier on the blocking side."""
    if name in NAMES:
        return NAMES[name]
    found = _PREFIX.fullmatch(name)
    return found.group(1) + found.group(2) if found else name


def expected_files(package: Path) -> dict[Path, str]:
    """Return the path and the text of every file that `_sync` in a package must have.

    Args:
        package: has the folder `_async`, whose folders are mirrored with their files.
    """
    source, target = package / "_async", package / "_sync"
    expected: dict[Path, str] = {}
    for path in sorted(source.rglob("*.py")):
        name = path.relative_to(source)
        text = mirror(path.read_text("utf-8"))
        expected[target / name] = HEADER.format(name=name.as_posix()) + text
    return expected


def differing_files(package: Path) -> list[Path]:
    """Return the blocking files that are missing, differ, or have no async twin."""
    expected = expected_files(package)
    orphans = [path for path in sorted((package / "_sync").rglob("*.py")) if path not in expected]
    return orphans + [
        path
        for path, text in expected.items()
        if not path.exists() or path.read_text("utf-8") != text
    ]


def write_files(package: Path) -> list[Path]:
    """Make `_sync` in a package equal to its async twin; return the files that changed."""
    changed = differing_files(package)
    expected = expected_files(package)
    for path in changed:
        if path in expected:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(expected[path].encode("utf-8"))
        else:
            path.unlink()
    return changed


def _tokens(source: str) -> list[_Token]:
    # Lines as the tokenizer counts them: str.splitlines would also split at a form feed or U+2028.
    lines = list(io.StringIO(source))
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line))
    tokens: list[_Token] = []
    depth = 0
    for item in tokenize.generate_tokens(io.StringIO(source).readline):
        start = offsets[min(item.start[0] - 1, len(lines))] + item.start[1]
        end = offsets[min(item.end[0] - 1, len(lines))] + item.end[1]
        start, end = min(start, len(source)), min(end, len(source))
        if depth:
            tokens[-1].end = end
            tokens[-1].text = source[tokens[-1].start : end]
        elif item.type in _FSTRING_START:
            tokens.append(_Token(tokenize.STRING, source[start:end], start, end))
        else:
            tokens.append(_Token(item.type, source[start:end], start, end))
        depth += (item.type in _FSTRING_START) - (item.type in _FSTRING_END)
    return tokens


def _gaps(tokens: list[_Token], source: str) -> list[str]:
    """Return the blanks and backslashes before each token, which belong to no token."""
    gaps: list[str] = []
    position = 0
    for token in tokens:
        gaps.append(source[position : token.start])
        position = max(position, token.end)
    return gaps


def _replace_name(tokens: list[_Token], gaps: list[str], index: int) -> None:
    token = tokens[index]
    if token.text in ("async", "await"):
        if token.text == "await":
            _drop_brackets_around(tokens, index)
        token.vanish()
        if tokens[index + 1].kind not in _LAYOUT:
            gaps[index + 1] = ""
    elif token.text in UNWRAPPED and tokens[index + 1].text == "[":
        _unwrap(tokens, gaps, index, keep=UNWRAPPED[token.text])
    elif token.text == "AsyncGenerator" and tokens[index + 1].text == "[":
        token.text = "Generator"
        tokens[_closing(tokens, index + 1)].text = ", None]"
    else:
        token.text = mirror_name(token.text)


def _drop_brackets_around(tokens: list[_Token], index: int) -> None:
    """Remove the brackets of `(await f()).x`, which the blocking side does not need."""
    opening = index - 1
    before = tokens[opening - 1]
    is_call = before.kind == tokenize.NAME and before.text not in _KEYWORDS_BEFORE_BRACKET
    if tokens[opening].text != "(" or is_call or before.text in (")", "]"):
        return
    closing = _closing(tokens, opening)
    position = index + 1
    while position < closing:
        if tokens[position].text in ("(", "["):
            position = _closing(tokens, position) + 1
        elif tokens[position].text == "." or tokens[position].kind == tokenize.NAME:
            if tokens[position].text in _KEYWORDS_BEFORE_BRACKET:
                return
            position += 1
        else:
            return
    tokens[opening].vanish()
    tokens[closing].vanish()


_KEYWORDS_BEFORE_BRACKET = frozenset(
    "and assert del elif else for from if in is lambda not or raise return while with yield".split()
)


def _unwrap(tokens: list[_Token], gaps: list[str], index: int, *, keep: int) -> None:
    """Replace `Name[A, B, T]` by its parameter number `keep`."""
    opening, closing = index + 1, _closing(tokens, index + 1)
    first = opening + 1
    for _ in range(keep):
        first = _next_comma(tokens, first) + 1
    for position in range(index, first):
        tokens[position].vanish()
        if position > index:
            gaps[position] = ""
    gaps[first] = ""
    tokens[closing].vanish()


def _next_comma(tokens: list[_Token], position: int) -> int:
    while tokens[position].text != ",":
        is_opening = tokens[position].text in ("(", "[", "{")
        position = (_closing(tokens, position) if is_opening else position) + 1
    return position


def _closing(tokens: list[_Token], opening: int) -> int:
    """Return the index of the bracket that closes the one at `opening`."""
    depth = 0
    for position in range(opening, len(tokens)):
        if tokens[position].kind == tokenize.OP or not tokens[position].text:
            text = tokens[position].text
            depth += (text in ("(", "[", "{")) - (text in (")", "]", "}", ", None]"))
            if depth == 0:
                return position
    raise SyntaxError("a bracket is never closed")


def _clean_imports(tokens: list[_Token], gaps: list[str]) -> None:
    """Remove names from `from x import ...` that no longer exist or are there twice."""
    for first, last in _import_statements(tokens):
        names = [
            position
            for position in range(first, last)
            if tokens[position].kind == tokenize.NAME
            and tokens[position].text != "as"
            and tokens[position - 1].text != "as"
        ]
        seen: set[str] = set()
        doomed: list[int] = []
        for position in names:
            text = tokens[position].text
            is_renamed = tokens[position + 1].text == "as"
            if text in UNWRAPPED or (text in seen and not is_renamed):
                doomed.append(position)
            seen.add(text)
        if len(doomed) == len(names):
            _drop_statement(tokens, gaps, first, last)
            continue
        for position in doomed:
            _drop_item(tokens, gaps, position)


def _import_statements(tokens: list[_Token]) -> Iterator[tuple[int, int]]:
    """Yield for each `from x import ...` the index of its first name and of its NEWLINE token."""
    position = 0
    while position < len(tokens):
        end = position
        while tokens[end].kind not in (tokenize.NEWLINE, tokenize.ENDMARKER):
            end += 1
        body = [at for at in range(position, end) if tokens[at].kind not in _LAYOUT]
        if body and tokens[body[0]].text == "from":
            imports = [at for at in body if tokens[at].text == "import"]
            if imports:
                yield imports[0] + 1, end
        position = end + 1


def _drop_item(tokens: list[_Token], gaps: list[str], position: int) -> None:
    tokens[position].vanish()
    if tokens[position + 1].text == ",":
        tokens[position + 1].vanish()
        follower = position + 2
        if tokens[follower].kind == tokenize.NL:
            # The name was alone on its line, so the line goes with it.
            tokens[follower].vanish()
            gaps[position] = ""
        else:
            gaps[follower] = gaps[position]
            gaps[position] = ""
    elif tokens[position - 1].text == ",":
        tokens[position - 1].vanish()
        gaps[position] = ""


def _drop_statement(tokens: list[_Token], gaps: list[str], first: int, newline: int) -> None:
    start = first
    while start > 0 and tokens[start - 1].kind not in (
        tokenize.NEWLINE,
        tokenize.NL,
        tokenize.INDENT,
        tokenize.DEDENT,
    ):
        start -= 1
    for position in range(start, newline + 1):
        tokens[position].vanish()
        gaps[position] = ""


def _prose(text: str) -> str:
    for pattern, replacement in PHRASES:
        text = pattern.sub(replacement, text)
    return _WORD.sub(lambda found: mirror_name(found.group()), text)


def main(arguments: list[str]) -> int:
    """Compare or, with `--write`, regenerate; return the exit status."""
    if arguments == ["--write"]:
        for path in itertools.chain.from_iterable(map(write_files, PACKAGES)):
            print(f"wrote {path.relative_to(ROOT)}")
        return 0
    if arguments:
        print(__doc__)
        return 2
    differing = [*itertools.chain.from_iterable(map(differing_files, PACKAGES))]
    for path in differing:
        print(f"{path.relative_to(ROOT)} is not the twin of its async text")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
