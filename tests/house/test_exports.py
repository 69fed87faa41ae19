"""What the three packages promise: every public name exists, is public, and is explained."""

import importlib
import inspect
import pydoc
import types
from typing import Any

import msgspec
import pytest
from house import exports

PACKAGES = ("meshapi_core", "meshapi_backends", "meshapi")

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
    " NEED_DATA END_OF_STREAM ChunkDecoder HTTP11Connection Request Reply Failure Headers"
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
def test_every_public_name_in_the_package_is_exported(package: str) -> None:
    """An import left in `__init__` would become part of the API without anyone's decision."""
    module = importlib.import_module(package)
    stray = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and name != "TYPE_CHECKING"
        and not isinstance(value, types.ModuleType)
        and getattr(value, "__module__", package).partition(".")[0] in PACKAGES
        and name not in names_of(package)
    ]
    assert stray == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_star_import_gives_what_is_exported(package: str) -> None:
    namespace: dict[str, Any] = {}
    exec(f"from {package} import *", namespace)
    assert set(names_of(package)) <= set(namespace)


@pytest.mark.parametrize("package", PACKAGES)
def test_dir_shows_what_is_exported(package: str) -> None:
    """Also names that are only loaded when they are asked for."""
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
    """Return those with a docstring, and the fields, which the class's docstring lists."""
    described = {name for name in members(owner) if inspect.getdoc(getattr(owner, name))}
    return described | set(getattr(owner, "__struct_fields__", ()))


def test_the_official_names_of_chat_are_exported() -> None:
    assert set(names_of("meshapi")) >= OFFICIAL_CHAT_NAMES


def test_the_names_of_an_embedder_are_exported_by_the_core() -> None:
    assert set(names_of("meshapi_core")) >= CORE_NAMES


def test_the_core_and_meshapi_never_mean_two_things_by_one_name() -> None:
    core, top = importlib.import_module("meshapi_core"), importlib.import_module("meshapi")
    for name in set(names_of("meshapi")) & set(names_of("meshapi_core")):
        assert getattr(core, name) is getattr(top, name), name


def test_the_lists_of_lazy_names_are_what_the_modules_export() -> None:
    """`python tests/house/exports.py --write` makes them so."""
    assert exports.main() == 0


def test_every_error_is_exported_by_both() -> None:
    import meshapi_core

    def tree(root: type) -> set[str]:
        return {root.__name__}.union(*(tree(child) for child in root.__subclasses__()))

    errors = {
        name
        for name in tree(meshapi_core.MeshAPIError)
        if not name.startswith("_") and hasattr(meshapi_core, name)
    }
    assert errors <= set(names_of("meshapi"))
    assert len(errors) > 15


def test_every_request_and_answer_type_can_be_built_by_a_decoder() -> None:
    """msgspec evaluates annotations late; a name that only a checker knows would fail then."""
    import meshapi

    structs = [
        value
        for value in (getattr(meshapi, name) for name in names_of("meshapi"))
        if inspect.isclass(value) and issubclass(value, msgspec.Struct)
    ]
    assert len(structs) > 20
    for struct in structs:
        msgspec.inspect.type_info(struct)


@pytest.mark.slow
@pytest.mark.parametrize("package", PACKAGES)
def test_pydoc_shows_every_public_name(package: str) -> None:
    module = importlib.import_module(package)
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value):
            # It looks up what annotations name.
            assert pydoc.render_doc(value), name
