"""Every public name of the packages exists, has a docstring, and is known to type checkers."""

import functools
import importlib
import importlib.util
import inspect
import pydoc
import re
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import msgspec
import pytest
from house.fresh import ROOT

import faces
from meshapi_core.observing import Notice

PACKAGES = faces.PACKAGES

MOST_NAMES = 152
"""In the core's face: what an embedder needs, and can take in."""

LONGEST_FACE = 200
"""Lines of an `__init__.py`, a page or two."""

CHECKERS = all(map(importlib.util.find_spec, ("mypy", "basedpyright")))

OFFICIAL_CHAT_NAMES = frozenset(
    "__version__ MeshAPI AsyncMeshAPI MeshAPIConfig MeshAPIError ChatRole ChatMessage ContentPart"
    " ContentPartAudio ContentPartText ContentPartImage ContentPartVideo VideoUrl ImageDetail"
    " InputAudio ImageOptions AudioOutputOptions ToolFunction Tool ToolCall ToolCallFunction"
    " ToolCallChunk ToolCallFunctionChunk ToolChoice ToolChoiceFunction ToolChoiceObject"
    " ChatCompletionParams ChatCompletionResponse ChatCompletionChoice ChatCompletionMessage"
    " ChatCompletionChunk ChatCompletionChunkChoice ChatCompletionChunkDelta UsageInfo".split()
)
"""The names of chat completions in the official SDK, which users bring along."""

CORE_NAMES = frozenset(
    "Call StreamCall Exchange Send Wait Done RetryPolicy Outcome SSEDecoder ServerSentEvent"
    " NEED_DATA END_OF_STREAM ChunkDecoder HTTP11Connection Request Response Failure Headers"
    " MeshAPIError".split()
)
"""What an embedder needs."""


def names_of(package: str) -> list[str]:
    module = importlib.import_module(package)
    return list(module.__all__)


def cases() -> list[tuple[str, str]]:
    return [(package, name) for package in PACKAGES for name in names_of(package)]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_exported_name_exists_once_and_is_public(package: str) -> None:
    module = importlib.import_module(package)
    names = names_of(package)
    assert len(names) == len(set(names))
    assert [name for name in names if not hasattr(module, name)] == []
    assert [name for name in names if name.startswith("_") and name != "__version__"] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_star_import_gives_what_is_exported(package: str) -> None:
    namespace: dict[str, Any] = {}
    exec(f"from {package} import *", namespace)
    assert set(names_of(package)) <= set(namespace)


@pytest.mark.parametrize("package", PACKAGES)
def test_dir_shows_what_is_exported(package: str) -> None:
    """Also names that are loaded only when they are used."""
    assert set(names_of(package)) <= set(dir(importlib.import_module(package)))


@pytest.mark.parametrize("package", PACKAGES)
def test_an_unknown_name_is_an_attribute_error(package: str) -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        importlib.import_module(package).no_such_name  # noqa: B018


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_class_and_function_is_explained(package: str) -> None:
    module = importlib.import_module(package)
    every = {name: getattr(module, name) for name in names_of(package)}
    # On Python 3.9 an alias such as `Generator[...]` says to be a class.
    values = {name: value for name, value in every.items() if not hasattr(value, "__origin__")}
    classes = [value for value in values.values() if inspect.isclass(value)]
    known = {name for owner in classes for name in explained_members(owner)}
    bare = [
        name
        for name, value in values.items()
        if (inspect.isclass(value) or inspect.isfunction(value)) and not explained(value)
    ]
    bare += [
        f"{owner.__name__}.{name}"
        for owner in classes
        for name in set(members(owner)) - explained_members(owner)
        # What a protocol explains need not be said again by each class that follows it.
        if name not in known
    ]
    assert bare == []


def explained(value: Any) -> bool:
    # `vars`, because a class without a docstring of its own would inherit one.
    text = vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__
    return bool(text and text.strip())


def members(owner: type) -> list[str]:
    """Return the names of the methods and properties that a class defines itself."""
    kinds = (types.FunctionType, property, classmethod, staticmethod)
    return [
        name
        for name, value in vars(owner).items()
        if not name.startswith("_") and isinstance(value, kinds)
    ]


def explained_members(owner: type) -> set[str]:
    """Return the members with a docstring, and the fields, which the class's docstring lists."""
    described = {name for name in members(owner) if inspect.getdoc(getattr(owner, name))}
    # A metaclass of Structs has the descriptor of that attribute.
    fields = () if issubclass(owner, type) else getattr(owner, "__struct_fields__", ())
    return described | set(fields)


def test_the_official_names_of_chat_are_exported() -> None:
    assert set(names_of("meshapi")) >= OFFICIAL_CHAT_NAMES


def test_the_names_of_an_embedder_are_exported_by_the_core() -> None:
    assert set(names_of("meshapi_core")) >= CORE_NAMES


def test_the_core_and_meshapi_never_mean_two_things_by_one_name() -> None:
    owners: dict[str, Any] = {}
    for package in ("meshapi", "meshapi_core", "meshapi_core.types", "meshapi_core.endpoints"):
        for name in names_of(package):
            value = getattr(importlib.import_module(package), name)
            assert owners.setdefault(name, value) is value, name


def test_python_exports_what_the_faces_import_for_type_checkers() -> None:
    """If it fails: `python tools/faces.py --write`."""
    assert faces.main() == 0


def test_a_face_fits_on_a_page_or_two() -> None:
    assert len(names_of("meshapi_core")) <= MOST_NAMES
    long = {
        str(path): lines
        for path in (ROOT / "src").rglob("__init__.py")
        for lines in [len(path.read_text("utf-8").splitlines())]
        if lines > LONGEST_FACE
    }
    assert long == {}


def test_a_star_import_needs_a_list_of_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one it would export what the module imports."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from package.one import *\n"
    )
    monkeypatch.setattr(faces, "SRC", tmp_path)
    (package / "one.py").write_text("import os\n\n__all__ = ['Name']\n")
    assert [export.name for export in faces.exports("package")] == ["Name"]
    (package / "one.py").write_text("import os\n\nclass Name: ...\n")
    with pytest.raises(ValueError, match=r"package\.one has no __all__"):
        faces.exports("package")


def test_what_a_face_exports_is_public_where_it_is_defined() -> None:
    """No name there begins with `_`."""
    hidden = [
        export
        for package in PACKAGES
        for export in faces.exports(package)
        if export.attribute.startswith("_") and export.attribute != "__version__"
    ]
    assert hidden == []


def program_with_every_name(folder: Path) -> Path:
    """Return a program that uses each name of each face, and another name on its last line."""
    lines = [f"import {package}" for package in PACKAGES]
    lines += [f"print({package}.{name})" for package in PACKAGES for name in names_of(package)]
    program = folder / "every_name.py"
    program.write_text("\n".join([*lines, "print(meshapi.no_such_name)", ""]))
    return program


def complaints(*command: str) -> list[str]:
    """Return the errors that a type checker finds."""
    run = [sys.executable, "-m", *command]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if "error:" in line]


@pytest.mark.slow
@pytest.mark.skipif(not CHECKERS, reason="needs the type checkers")
def test_mypy_knows_every_name_that_python_exports(tmp_path: Path) -> None:
    program = program_with_every_name(tmp_path)
    (found,) = complaints("mypy", "--strict", "--no-error-summary", str(program))
    assert 'has no attribute "no_such_name"' in found


@pytest.mark.exhaustive
@pytest.mark.skipif(not CHECKERS, reason="needs the type checkers")
def test_pyright_knows_every_name_that_python_exports(tmp_path: Path) -> None:
    program = program_with_every_name(tmp_path)
    command = ("basedpyright", "--pythonpath", sys.executable, "--level", "error", str(program))
    found = complaints(*command)
    # On the last line, what follows from the wrong name is an error as well.
    last = len(program.read_text().splitlines())
    assert found
    assert [line for line in found if f":{last}:" not in line] == []


def test_every_error_is_exported_by_both() -> None:
    from meshapi_core import errors

    assert len(errors.__all__) > 20
    for package in ("meshapi", "meshapi_core"):
        assert set(errors.__all__) - set(names_of(package)) == set(), package


@pytest.mark.parametrize("room", ["meshapi_core.types", "meshapi_core.endpoints"])
def test_every_module_of_a_public_room_is_in_its_face(room: str) -> None:
    assert faces.left_out(room) == []


def test_a_module_that_is_left_out_is_named_with_what_to_add(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("__all__ = ['Name']\n")
    (package / "_inner.py").write_text("")
    monkeypatch.setattr(faces, "SRC", tmp_path)
    (found,) = faces.left_out("package")
    assert found.startswith("package/__init__.py exports nothing of package.one: add")


def test_every_request_and_answer_type_can_be_built_by_a_decoder() -> None:
    """msgspec evaluates annotations late; a name that only a checker knows would fail then."""
    import meshapi

    structs = [
        value
        for value in (getattr(meshapi, name) for name in names_of("meshapi"))
        if inspect.isclass(value)
        and issubclass(value, msgspec.Struct)
        # What a hook is given is never decoded.
        and not issubclass(value, Notice)
    ]
    assert len(structs) > 20
    for struct in structs:
        msgspec.inspect.type_info(struct)


@functools.cache
def documentation(value: type) -> str:
    """Return what pydoc shows; most names are in two faces."""
    return pydoc.render_doc(value)


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
def test_pydoc_shows_every_public_name(package: str) -> None:
    module = importlib.import_module(package)
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value):
            # It looks up what annotations name.
            assert documentation(value), name


@pytest.mark.slow
def test_names_of_ours_in_docstrings_lead_somewhere() -> None:
    """A dotted name in backticks is a promise."""
    lost = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        named = re.findall(r"`(meshapi(?:_core|_backends)?(?:\.\w+)+)`", path.read_text("utf-8"))
        lost += [f"{path.name}: {name}" for name in named if not leads_somewhere(name)]
    assert lost == []


def leads_somewhere(name: str) -> bool:
    module, _, attribute = name.rpartition(".")
    if faces.path_of(name).exists():
        return True
    try:
        return hasattr(importlib.import_module(module), attribute)
    except ImportError:
        return leads_somewhere(module) if "." in module else False
