"""What another process needs to make the same client: all settings, and no secret."""

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi import (
    AsyncMeshAPI,
    ClientSettings,
    Hooks,
    InvalidParamsError,
    Limits,
    MeshAPI,
    MeshAPIConfig,
    Proxy,
    RetryPolicy,
    SocketOptions,
    Timeout,
)
from meshapi_backends import ConnectionPool, SocketNetwork
from meshapi_core import Request, Service
from support.certificates import authority
from support.endpoint_rows import Row, all_rows, declared
from support.flavours import ASK, TOKEN, World, on_every_flavour
from support.reporters import seen
from support.scripted_server import ScriptedServer
from support.wire import serve

OTHER = "rsk_test_another_token_0123"
SECRET = "s3cret-value-0123456789"
SECRETS = (TOKEN, OTHER, SECRET)
URL = "http://127.0.0.1:9"

on_both = pytest.mark.parametrize("kind", [MeshAPI, AsyncMeshAPI])


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MESHAPI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MESHAPI_TOKEN", TOKEN)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The files that the argument `tls` names, in the working directory."""
    folder = tmp_path_factory.mktemp("certificates")
    authority().cert_pem.write_to_path(folder / "ca.pem")
    pem = authority().issue_cert("client.example").private_key_and_cert_chain_pem
    pem.write_to_path(folder / "client.pem")
    before = os.getcwd()
    os.chdir(folder)
    yield
    os.chdir(before)


def current_token() -> str:
    return TOKEN


async def awaited_token() -> str:
    return TOKEN


def pickles(value: object) -> list[bytes]:
    return [pickle.dumps(value, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]


def carried(client: Any, **options: Any) -> ClientSettings:
    """The settings of a client, after each way to pickle them; none of them has a secret."""
    settings = client.settings(**options)
    for data in pickles(settings):
        assert pickle.loads(data) == settings
        assert [secret for secret in SECRETS if secret.encode() in data] == []
    assert [secret for secret in SECRETS if secret in repr(settings)] == []
    return pickle.loads(pickle.dumps(settings))


def same(one: Any, other: Any) -> None:
    """Both clients send the same, and connect in the same way. Each has a quota for retries."""
    without = {"retry_quota": None}
    assert one.config.changed(without) == other.config.changed(without)
    assert one.settings() == other.settings()


# Calls


@pytest.mark.filterwarnings("ignore::meshapi.ResponseWarning", "ignore::meshapi.ParamsWarning")
@pytest.mark.parametrize("row", all_rows(), ids=str)
def test_each_call_can_be_pickled_and_is_equal(row: Row) -> None:
    call = declared(row.endpoint).build(*row.args, **row.kwargs)
    for data in pickles(call):
        twin = pickle.loads(data)
        assert type(twin) is type(call)
        assert twin == call


@pytest.mark.slow
def test_calls_pass_from_one_process_to_another() -> None:
    calls = [declared(row.endpoint).build(*row.args, **row.kwargs) for row in all_rows()]
    loads = "calls = pickle.load(sys.stdin.buffer)"
    program = f"import pickle, sys; {loads}; sys.stdout.buffer.write(pickle.dumps(calls))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        input=pickle.dumps(calls),
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert pickle.loads(done.stdout) == calls


# Settings


ARGUMENTS: dict[str, Any] = {
    "base_url": st.sampled_from([URL, "https://gateway.example/mesh"]),
    "timeout": st.sampled_from([None, 7.5, Timeout(connect=1, total=9)]),
    "max_retries": st.integers(0, 9),
    "limits": st.builds(Limits, max_connections=st.integers(1, 9)),
    "retry": st.builds(RetryPolicy, max_retries=st.integers(0, 9)),
    "default_headers": st.sampled_from(
        [{"x-team": SECRET}, {"accept-language": "de"}, {"user-agent": None}]
    ),
    "default_query": st.just({"order": "desc"}),
    "user_agent": st.just("my-app/1.0"),
    "api_version": st.just("2026-09"),
    "proxy": st.sampled_from([None, "http://10.0.0.1:3128", Proxy.of("socks5h://10.0.0.1")]),
    "tls": st.sampled_from(["ca.pem", ("client.pem", "client.pem")]),
    "sockets": st.builds(SocketOptions, keep_alive=st.integers(1, 99)),
}


@pytest.mark.usefixtures("certificates")
@given(
    kind=st.sampled_from([MeshAPI, AsyncMeshAPI]),
    other=st.sampled_from([MeshAPI, AsyncMeshAPI]),
    arguments=st.fixed_dictionaries({}, optional=ARGUMENTS),
    token=st.sampled_from([None, TOKEN, current_token]),
    options=st.fixed_dictionaries(
        {},
        optional={
            "timeout": st.just(3.0),
            "extra_headers": st.just({"x-request-id": "one"}),
            "extra_body": st.just({"user": "me"}),
            "max_retries": st.just(1),
        },
    ),
)
def test_however_a_client_is_made_its_settings_make_the_same_and_hold_no_secret(
    kind: Any, other: Any, arguments: dict[str, Any], token: Any, options: dict[str, Any]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MESHAPI_CUSTOM_HEADERS", f"X-Team: {SECRET}")
        client = kind(token=token, **arguments).with_options(**options)
        same(client, other.from_settings(carried(client)))


@on_both
def test_what_the_environment_says_is_carried_unless_it_is_secret(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESHAPI_BASE_URL", URL)
    monkeypatch.setenv("MESHAPI_TIMEOUT", "7")
    monkeypatch.setenv("MESHAPI_PROXY", f"http://me:{SECRET}@10.0.0.1:3128")
    settings = carried(kind())
    for name in ("MESHAPI_BASE_URL", "MESHAPI_TIMEOUT", "MESHAPI_PROXY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("MESHAPI_TOKEN", OTHER)
    client = kind.from_settings(settings)
    assert client.config.base_url == URL
    assert client.config.time_limits.read == 7
    assert client.config.known_token == OTHER


@pytest.mark.parametrize("name", ["MESHAPI_TOKEN", "MESHAPI_API_KEY"])
def test_the_token_is_named_by_its_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MESHAPI_TOKEN")
    monkeypatch.setenv(name, TOKEN)
    settings = carried(MeshAPI())
    assert settings.token == name
    monkeypatch.delenv(name)
    with pytest.raises(InvalidParamsError, match=rf"^{name} \(environment\): .*set {name} in this"):
        MeshAPI.from_settings(settings)


def test_the_token_may_be_in_another_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_TOKEN", OTHER)
    client = MeshAPI(token=OTHER)
    settings = carried(client, token_variable="ACME_TOKEN")
    assert MeshAPI.from_settings(settings).config.known_token == OTHER
    # Only the other process may have it.
    monkeypatch.delenv("ACME_TOKEN")
    assert carried(client, token_variable="ACME_TOKEN") == settings


@pytest.mark.parametrize("variable", ["MESHAPI_TOKEN", OTHER, "", "A=B", 7, "rsk-x"])
def test_a_variable_that_is_not_the_tokens_is_refused(variable: Any) -> None:
    with pytest.raises(InvalidParamsError, match=r"^token_variable: ") as caught:
        MeshAPI(token=OTHER).settings(token_variable=variable)
    assert OTHER not in seen(caught.value)


@on_both
@pytest.mark.parametrize("make", ["client", "from_config", "with_token"])
def test_a_token_as_text_is_refused_and_the_error_says_what_to_do(kind: Any, make: str) -> None:
    config = MeshAPIConfig(base_url=URL, token=OTHER)
    client = {
        "client": lambda: kind(token=OTHER),
        "from_config": lambda: kind.from_config(config),
        "with_token": lambda: kind.from_config(config.with_token(OTHER)),
    }[make]()
    with pytest.raises(InvalidParamsError, match=r"^token: .*set MESHAPI_TOKEN .*token_variable="):
        client.settings()
    for attempt in (copy.copy, copy.deepcopy, *[partial(pickle.dumps, protocol=p) for p in (0, 5)]):
        with pytest.raises(TypeError, match=r"client\.settings\(\)"):
            attempt(client)
    for data in (client.config, {"config": client.config}):
        with pytest.raises(TypeError, match=r"client\.settings\(\)"):
            pickle.dumps(data)


def unchanged(request: Request, call_next: Any) -> Any:
    return call_next(request)


class Vault:
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self) -> str:
        return self._token

    def token(self) -> str:
        return self._token


def replaced() -> str:
    return TOKEN


HIDDEN = replaced
del replaced


def local() -> Callable[[], str]:
    def function() -> str:
        return TOKEN

    return function


def test_functions_are_named() -> None:
    settings = carried(MeshAPI(token=current_token))
    assert settings.token is current_token
    source = MeshAPI.from_settings(settings).config.source
    assert source is not None
    assert source.function is current_token
    of_async = carried(AsyncMeshAPI(token=awaited_token))
    assert AsyncMeshAPI.from_settings(of_async).config.source is not None
    with pytest.raises(TypeError, match="use AsyncMeshAPI"):
        MeshAPI.from_settings(of_async)


@pytest.mark.parametrize(
    "function",
    [lambda: TOKEN, local(), HIDDEN, partial(str, TOKEN), Vault(TOKEN), Vault(TOKEN).token],
    ids=["lambda", "local", "replaced", "partial", "object", "method"],
)
def test_what_may_hold_the_token_is_no_function_of_a_module(function: Any) -> None:
    with pytest.raises(InvalidParamsError, match=r"^token: .*top level of a module"):
        MeshAPI(token=function).settings()


def test_a_function_of_the_main_program_is_refused() -> None:
    lines = ["from meshapi import MeshAPI", "def f(): return 'x'", "MeshAPI(token=f).settings()"]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "one of the main program; move it to the top level of a module" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"transport": ConnectionPool(SocketNetwork(), Limits())},
            "transport: .*without it",
        ),
        ({"middleware": [unchanged]}, "middleware: "),
        ({"hooks": Hooks()}, "hooks: "),
        ({"open_telemetry": {}}, "open_telemetry: "),
        ({"default_headers": {"x-team": SECRET}}, r"default_headers\['x-team'\]: .*CUSTOM_HEADERS"),
        ({"default_query": {"key": SECRET}}, r"default_query\['key'\]: "),
        ({"proxy": f"http://me:{SECRET}@10.0.0.1"}, "proxy: .*set MESHAPI_PROXY"),
        ({"tls": ("client.pem", "client.pem", SECRET)}, r"tls\[2\]: .*a password"),
    ],
    ids=["transport", "middleware", "hooks", "telemetry", "header", "query", "proxy", "tls"],
)
@pytest.mark.usefixtures("certificates")
def test_what_cannot_be_carried_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidParamsError, match=f"^{message}") as caught:
        MeshAPI(**arguments).settings()
    assert SECRET not in seen(caught.value)


def test_headers_of_the_environment_are_missed_where_they_are_not_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MESHAPI_CUSTOM_HEADERS", f"X-Team: {SECRET}\nAccept-Language: de")
    settings = carried(MeshAPI())
    assert settings.headers == ("x-team",)
    monkeypatch.delenv("MESHAPI_CUSTOM_HEADERS")
    with pytest.raises(InvalidParamsError, match=r"CUSTOM_HEADERS \(environment\): .*x-team"):
        MeshAPI.from_settings(settings)


def test_another_service_is_carried() -> None:
    service = Service(name="Acme", base_url="https://acme.example/v1")
    client = MeshAPI.from_config(MeshAPIConfig(service=service, token=current_token))
    same(client, MeshAPI.from_settings(carried(client)))


def test_a_client_that_ignores_the_environment_stays_without_its_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = MeshAPI.from_config(MeshAPIConfig(base_url=URL, token=TOKEN))
    monkeypatch.setenv("MESHAPI_PROXY", "http://10.0.0.1:3128")
    assert carried(client).proxy is None


@pytest.mark.parametrize("settings", [None, {}, MeshAPIConfig(token=TOKEN)])
def test_only_settings_make_a_client(settings: Any) -> None:
    with pytest.raises(TypeError, match=r"^settings: expected ClientSettings, got "):
        MeshAPI.from_settings(settings)


@on_every_flavour
async def test_the_client_makes_calls(world: World) -> None:
    with ScriptedServer(serve) as server:
        settings = carried(MeshAPI(base_url=server.url, timeout=5))
        client = world.dress(world.client_class.from_settings(settings))
        response = await client.chat.completions.create(**ASK)
        assert response.choices[0].message.content == "pong"
        await client.aclose()
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
