"""The blocking backend is the async source without `await`, as the tool generates it."""

import ast
from pathlib import Path

import pytest

import mirror

CASES = {
    "a coroutine function becomes a function": (
        "async def f() -> None:\n    await g(1)  # await it\n",
        "def f() -> None:\n    g(1)  # it\n",
    ),
    "context managers, loops and comprehensions lose async": (
        "async with a as b:\n    async for c in d:\n        e = [x async for x in c]\n",
        "with a as b:\n    for c in d:\n        e = [x for x in c]\n",
    ),
    "special methods and the end of iteration are renamed": (
        "__aenter__; StopAsyncIteration\n__aexit__; __aiter__; __anext__; x.aclose()\n",
        "__enter__; StopIteration\n__exit__; __iter__; __next__; x.close()\n",
    ),
    "class names lose their prefix, private ones and constants too": (
        "class AsyncPool(_AsyncBase): ASYNC = Asyncness\n",
        "class Pool(_Base): ASYNC = Asyncness\n",
    ),
    "module paths point to the twin": (
        "from meshapi_backends._async._pool import AsyncPool as P\nimport a._async.b\n",
        "from meshapi_backends._sync._pool import Pool as P\nimport a._sync.b\n",
    ),
    "awaitables become what they give": (
        "def f() -> Awaitable[dict[str, int]]: ...\nx: Callable[[A], Coroutine[Any, Any, T]]\n",
        "def f() -> dict[str, int]: ...\nx: Callable[[A], T]\n",
    ),
    "nested awaitables become what they give": (
        "x: Awaitable[Coroutine[Any, list[Any], Awaitable[int]]]\n",
        "x: int\n",
    ),
    "an async generator type keeps both its parameters": (
        "def f() -> AsyncGenerator[int, None]: ...\n",
        "def f() -> Generator[int, None, None]: ...\n",
    ),
    "imports that are gone or double are dropped": (
        "from collections.abc import AsyncIterator, Awaitable, Callable, Iterator\n",
        "from collections.abc import Iterator, Callable\n",
    ),
    "the last name of an import can go": (
        "from collections.abc import Callable, Coroutine\n",
        "from collections.abc import Callable\n",
    ),
    "an import of nothing goes as a whole": (
        "import a\nfrom collections.abc import Awaitable, Coroutine\nimport b\n",
        "import a\nimport b\n",
    ),
    "an import over several lines loses the line of a name": (
        "from collections.abc import (\n    Awaitable,\n    Callable,\n    Coroutine,\n)\n",
        "from collections.abc import (\n    Callable,\n)\n",
    ),
    "brackets that held an awaited expression together go": (
        "x = (await f(a, (b))).y[(await g()).z]\nreturn (await h())\n",
        "x = f(a, (b)).y[g().z]\nreturn h()\n",
    ),
    "brackets of a call, of a tuple and of an operation stay": (
        "f(await g())\nx = (await a, 1)\ny = (await a or b).c\nz = (await a if b else c)\n",
        "f(g())\nx = (a, 1)\ny = (a or b).c\nz = (a if b else c)\n",
    ),
    "an await before a bracket on the next line keeps the layout": (
        "x = await (\n    f()\n)\n",
        "x = (\n    f()\n)\n",
    ),
    "docstrings speak of the blocking side": (
        '"""An async pool: `async with AsyncPool()`, then `await pool.aclose()` of asyncio."""\n',
        '"""A blocking pool: `with Pool()`, then `pool.close()` of asyncio."""\n',
    ),
    "f-strings are mirrored on every version": (
        "f\"{{{await x.aclose()!r}}} {AsyncPool:{width}} {f'{await y}'}\" + await z\n",
        "f\"{{{x.close()!r}}} {Pool:{width}} {f'{y}'}\" + z\n",
    ),
    "text without async words is left alone": (
        "x  =  1 ;y = 'asynchrony is awaited'  # odd   layout\n\n\n\\\n  \nz = (\n  1)\n",
        "x  =  1 ;y = 'asynchrony is awaited'  # odd   layout\n\n\n\\\n  \nz = (\n  1)\n",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_mirror_says(name: str) -> None:
    source, expected = CASES[name]
    assert mirror.mirror(source) == expected


@pytest.mark.parametrize("package", mirror.PACKAGES, ids=lambda package: package.name)
def test_what_is_blocking_is_the_async_source_without_await(package: Path) -> None:
    differing = [path.name for path in mirror.differing_files(package)]
    assert not differing, f"run `python tools/mirror.py --write`; differing: {differing}"


def test_folders_are_mirrored_with_their_files(tmp_path: Path) -> None:
    source, target = tmp_path / "_async", tmp_path / "_sync"
    (source / "realtime").mkdir(parents=True)
    (source / "__init__.py").write_text("")
    (source / "realtime" / "link.py").write_text("async def f() -> None: ...\n")
    (target / "old").mkdir(parents=True)
    (target / "old" / "stray.py").write_text("")
    link = target / "realtime" / "link.py"
    stray = target / "old" / "stray.py"
    changed = {stray, target / "__init__.py", link}
    assert set(mirror.differing_files(tmp_path)) == changed
    assert set(mirror.write_files(tmp_path)) == changed
    assert mirror.differing_files(tmp_path) == []
    first, *rest = link.read_text().splitlines()
    assert first.startswith("# Generated from _async/realtime/link.py by ")
    assert rest == ["def f() -> None: ..."]
    assert not stray.exists()


@pytest.mark.parametrize("package", mirror.PACKAGES, ids=lambda package: package.name)
def test_what_is_blocking_awaits_nothing(package: Path) -> None:
    for path, text in mirror.expected_files(package).items():
        for node in ast.walk(ast.parse(text)):
            assert not isinstance(
                node, (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
            ), path.name


@pytest.mark.parametrize("package", mirror.PACKAGES, ids=lambda package: package.name)
def test_there_is_something_to_mirror(package: Path) -> None:
    assert len(mirror.expected_files(package)) >= 1
