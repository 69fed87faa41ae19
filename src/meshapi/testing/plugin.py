"""The pytest plugin: a gateway and clients for tests, cassettes, and no network.

pytest loads it wherever this package is installed, so it imports nothing but pytest before a test
uses it.

Source: https://docs.pytest.org/en/stable/how-to/writing_plugins.html
"""

import re
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, Union

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from meshapi import AsyncMeshAPI, MeshAPI
    from meshapi.gateway.scripts.scripted import Scripted
    from meshapi.testing import FakeGateway, LocalGateway

_MARK = "meshapi_cassette"
_GATEWAY = "meshapi_gateway"
_MODES = ("once", "none", "new_episodes", "all")

# Some systems allow 255 bytes for a name, and a character may have four of them.
_LONGEST_NAME = 60

G = TypeVar("G", bound="Scripted")

_CHECKED: "pytest.StashKey[list[Scripted]]" = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("meshapi", "tests of programs that use MeshAPI")
    group.addoption(
        "--meshapi-record",
        choices=_MODES,
        default=None,
        metavar="MODE",
        help="the mode of all cassettes, in place of their own: " + ", ".join(_MODES),
    )
    about = "forbid the clients of MeshAPI to connect to other machines"
    group.addoption("--meshapi-block-network", action="store_true", default=None, help=about)
    parser.addini("meshapi_block_network", about, type="bool", default=False)
    about = "fail a test that passes, but leaves scripts of its gateway unused"
    parser.addini("meshapi_assert_all_used", about, type="bool", default=True)


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark, and block the network if asked to."""
    config.addinivalue_line(
        "markers",
        f"{_MARK}(path=None, mode='once'): record what clients of MeshAPI send and get in"
        " cassettes/<module>/<test>.json, and play it back the next time",
    )
    config.addinivalue_line(
        "markers",
        f"{_GATEWAY}(*, assert_all_used=True, **options): the options of LocalGateway for the"
        f" fixture {_GATEWAY}, such as strict=True, and whether its scripts must be used",
    )
    by = ""
    if config.getoption("--meshapi-block-network"):
        by = "--meshapi-block-network"
    elif config.getini("meshapi_block_network"):
        by = "meshapi_block_network = true"
    if by:
        from meshapi.testing.guard import blocking
        from meshapi_core import NetworkGuard

        block = blocking(NetworkGuard(by=by))
        block.__enter__()

        def leave() -> None:
            block.__exit__(None, None, None)

        config.add_cleanup(leave)


@pytest.fixture(autouse=True)
def _meshapi_cassette(
    request: pytest.FixtureRequest,
) -> Generator[None, None, None]:
    """Open the cassette of a marked test, before the fixtures that it asks for make clients."""
    item = request.node
    mark = item.get_closest_marker(_MARK)
    if mark is None:
        yield
        return
    from meshapi.testing.cassettes.files import cassette_of

    path, mode, option = _arguments(item, mark)
    try:
        tape = cassette_of(path, mode, option)
    except ValueError as exc:
        _refuse(item, str(exc))
    with tape:
        yield


def _arguments(item: pytest.Item, mark: pytest.Mark) -> "tuple[Path, Any, str]":
    """The path and the mode of a test's cassette, and how another mode would be written."""
    given: dict[str, Any] = {**dict(zip(("path", "mode"), mark.args)), **mark.kwargs}
    path, mode = given.pop("path", None), given.pop("mode", None)
    got = ", ".join(given)
    if len(mark.args) > 2:
        got = f"{len(mark.args)} positional arguments"
    elif not (path is None or isinstance(path, str) or hasattr(path, "__fspath__")):
        got = f"path={path!r}"
    if got:
        _refuse(item, f"expected path (a str or a Path) and mode, got {got}")
    option = "--meshapi-record={}"
    set_by_option = item.config.getoption("--meshapi-record")
    if mode is not None and not set_by_option:
        option = 'mode="{}"'
    mode = set_by_option or ("once" if mode is None else mode)
    return item.path.parent / (path or _default_path(item)), mode, option


def _refuse(item: pytest.Item, why: str, mark: str = _MARK) -> NoReturn:
    pytest.fail(f"@pytest.mark.{mark} of {item.nodeid}: {why}", pytrace=False)


def _default_path(item: pytest.Item) -> "Path":
    from pathlib import Path

    name = ".".join(item.nodeid.split("::")[1:])
    plain = re.sub(r"[^\w.\[\]-]", "_", name)
    if plain != name or len(plain) > _LONGEST_NAME:
        from hashlib import sha256

        # Two tests must not have the same file, whatever their parameters.
        plain = f"{plain[:_LONGEST_NAME]}-{sha256(name.encode()).hexdigest()[:8]}"
    return Path("cassettes", item.path.stem, f"{plain}.json")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that passes, but does not use the scripts of its gateway."""
    result = yield
    for gateway in item.stash.get(_CHECKED, ()):
        try:
            gateway.assert_all_used()
        except AssertionError as exc:
            pytest.fail(str(exc), pytrace=False)
    return result


def _gateway_options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The options of a test's gateway, by its mark."""
    item: pytest.Item = request.node
    options: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers(_GATEWAY))):
        if mark.args:
            _refuse(item, f"expected keywords only, got {mark.args[0]!r}", _GATEWAY)
        options.update(mark.kwargs)
    return options


def _made(request: pytest.FixtureRequest, make: Callable[..., G], **defaults: object) -> G:
    """Make the gateway of a test, whose scripts must be used unless its mark or setting says no."""
    item: pytest.Item = request.node
    options = {**defaults, **_gateway_options(request)}
    wanted: object = options.pop("assert_all_used", None)
    if wanted is None:
        wanted = item.config.getini("meshapi_assert_all_used")
    if not isinstance(wanted, bool):
        _refuse(item, f"assert_all_used: expected True or False, got {wanted!r}", _GATEWAY)
    try:
        gateway = make(**options)
    except (TypeError, ValueError) as exc:
        _refuse(item, str(exc), _GATEWAY)
    if wanted:
        item.stash.setdefault(_CHECKED, []).append(gateway)
    return gateway


@pytest.fixture
def meshapi_gateway(
    request: pytest.FixtureRequest,
) -> "Generator[LocalGateway, None, None]":
    """A gateway on this machine, new for each test, that streams as fast as it can.

    Its scripts must have been used when the test has passed.
    """
    from meshapi.testing import LocalGateway

    with _made(request, LocalGateway, words_per_second=0) as gateway:
        yield gateway


@pytest.fixture
def meshapi_fake_gateway(
    request: pytest.FixtureRequest,
) -> "Generator[FakeGateway, None, None]":
    """The same without sockets, and with a clock that does not wait."""
    from meshapi.testing import FakeGateway

    with _made(request, FakeGateway) as gateway:
        yield gateway


@pytest.fixture
def meshapi_client(meshapi_gateway: "LocalGateway") -> "Generator[MeshAPI, None, None]":
    """A client of `meshapi_gateway`."""
    from meshapi import MeshAPI

    with MeshAPI(**_options(meshapi_gateway)) as client:
        yield client


@pytest.fixture
def async_meshapi_client(
    meshapi_gateway: "LocalGateway",
) -> "Generator[AsyncMeshAPI, None, None]":
    """An async client of `meshapi_gateway`, on asyncio or trio, with any plugin that runs them."""
    from meshapi import AsyncMeshAPI

    client = AsyncMeshAPI(**_options(meshapi_gateway))
    try:
        yield client
    finally:
        _close(client)


def _options(gateway: "Union[LocalGateway, FakeGateway]") -> dict[str, Any]:
    """The arguments of a client. A program's own `meshapi_gateway` may be a `FakeGateway`."""
    options: dict[str, Any] = {"base_url": gateway.url, "token": gateway.token}
    if hasattr(gateway, "network"):
        return {**options, "transport": gateway}
    # Tests of this machine must not depend on the proxy of its environment.
    return {**options, "proxy": None}


def _close(client: "AsyncMeshAPI") -> None:
    """Close a client outside the event loop of its test, which has ended or is suspended."""
    import asyncio

    # Not `asyncio.run`, which would replace the current loop of the test's plugin.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(client.aclose())
    finally:
        loop.close()
