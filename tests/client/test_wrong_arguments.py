"""What people pass to clients by mistake, and the whole message that they get."""

import ssl
import warnings
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi import (
    AsyncMeshAPI,
    Hooks,
    InvalidParamsError,
    Limits,
    MeshAPI,
    ParamsWarning,
    Reconnect,
    RetryPolicy,
    SocketOptions,
    Timeout,
)
from meshapi_backends import ConnectionPool, PerLoopTransport, SocketNetwork
from meshapi_core import MeshAPIConfig
from support.flavours import TOKEN
from support.reporters import seen

URL = "http://127.0.0.1:9"

on_both = pytest.mark.parametrize("client_class", [MeshAPI, AsyncMeshAPI])

# For both clients; `{client}`, `{httpx}` and `{core}` stand for their own names.
OF_BOTH: "list[tuple[dict[str, Any], str]]" = [
    ({"api_key": "rsk_test_1"}, "api_key: no such parameter; write token=..."),
    ({"tokn": "rsk_test_1"}, "tokn: no such parameter; did you mean token?"),
    ({"url": URL}, "url: no such parameter; write base_url=..."),
    (
        {"log_level": "info"},
        'log_level: no such parameter; set MESHAPI_LOG=debug, or configure the logger "meshapi"',
    ),
    (
        {"on_retry": print},
        "on_retry: no such parameter; write hooks=meshapi.Hooks(on_retry=...)",
    ),
    (
        {"tracer_provider": None},
        'tracer_provider: no such parameter; write open_telemetry={"tracer_provider": ...}',
    ),
    (
        {"organization": "org"},
        ('organization: no such parameter; write default_headers={"openai-organization": "..."}'),
    ),
    (
        {"extra_headers": {}},
        "extra_headers: no such parameter; write default_headers=...",
    ),
    *(
        (
            {"verify": verify},
            (
                "verify: no such parameter; certificates are always verified; for a private CA or"
                ' a self-signed server, write tls="ca.pem", the path of its certificate'
            ),
        )
        for verify in (False, True, "ca.pem")
    ),
    (
        {"ca_file": "ca.pem"},
        'ca_file: no such parameter; write tls="ca.pem", the path of a CA file or folder',
    ),
    (
        {"ssl_context": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)},
        (
            "ssl_context: no such parameter; write tls=..., an ssl.SSLContext, or"
            ' "ca.pem", the path of a CA file or folder'
        ),
    ),
    (
        {"cert": ("client.pem", "key.pem")},
        'cert: no such parameter; write tls=("certificate.pem", "key.pem")',
    ),
    (
        {"uds": "/run/gateway.sock"},
        "uds: no such parameter; write sockets=meshapi.SocketOptions(uds=...)",
    ),
    (
        {"source_address": "192.0.2.1"},
        (
            "source_address: no such parameter; write"
            " sockets=meshapi.SocketOptions(local_address=...)"
        ),
    ),
    ({"proxies": URL}, "proxies: no such parameter; write proxy=..."),
    *(
        (
            {"proxy": word},
            (
                "proxy: expected a URL such as http://user:password@proxy.example:3128, got"
                f" {word!r}; for no proxy, write proxy=None"
            ),
        )
        for word in ("none", "None", "direct")
    ),
    (
        {
            "proxy": "http://me:hunter2@10.0.0.1:3128",
            "sockets": SocketOptions(uds="/run/gateway.sock"),
        },
        (
            "proxy: given together with sockets.uds, to which all connections go; leave one of them"
            " out"
        ),
    ),
    ({"mounts": {}}, "mounts: no such parameter; write proxy=..., or {httpx}(mounts=...)"),
    (
        {"trust_env": False},
        "trust_env: no such parameter; write proxy=None to ignore the environment's proxies",
    ),
    ({"http_client": None}, "http_client: no such parameter; write {httpx}(...)"),
    ({"cookies": {}}, "cookies: no such parameter; write {httpx}(...), which takes it"),
    (
        {"http2": True},
        "http2: no such parameter; write transport=meshapi.transports.{core}(http2=...)",
    ),
    ({"socks": URL}, "socks: no such parameter; write proxy=..."),
    (
        {"connect_timeout": 5},
        "connect_timeout: no such parameter; write timeout=meshapi.Timeout(connect=...)",
    ),
    (
        {"max_connections": 5},
        "max_connections: no such parameter; write limits=meshapi.Limits(max_connections=...)",
    ),
    ({"max_retry": 5}, "max_retry: no such parameter; did you mean max_retries?"),
    (
        {"temperature": 1},
        (
            "temperature: no such parameter; pass it to the method:"
            " client.chat.completions.create(...)"
        ),
    ),
    ({"base_url": ""}, "base_url: expected an http:// or https:// URL, got an empty string"),
    (
        {"base_url": "127.0.0.1:8000"},
        "base_url: '127.0.0.1:8000' has no scheme; write http://127.0.0.1:8000",
    ),
    (
        {"base_url": "localhost:8000"},
        "base_url: 'localhost:8000' has no scheme; write http://localhost:8000",
    ),
    (
        {"base_url": "api.example.com/x"},
        "base_url: 'api.example.com/x' has no scheme; write https://api.example.com/x",
    ),
    ({"base_url": "::1"}, "base_url: '::1' has no scheme; write http://[::1]"),
    # This may be a token.
    ({"base_url": TOKEN}, "base_url: it has no scheme; write http:// or https:// before it"),
    (
        {"base_url": "user:rsk_test_1@host"},
        "base_url: it has no scheme; write http:// or https:// before it",
    ),
    (
        {"base_url": "wss://host"},
        (
            "base_url: expected http:// or https://, got wss://; write https://, also for realtime"
            " sessions"
        ),
    ),
    (
        {"base_url": "http:/host"},
        "base_url: it has no host name; write http://, then the host name",
    ),
    (
        {"base_url": "https://host/v1"},
        "base_url: it ends in /v1, which the client adds; leave it out",
    ),
    (
        {"base_url": "https://host/v1/chat/completions"},
        "base_url: it ends in /chat/completions, which the client adds; leave it out",
    ),
    ({"base_url": httpx.URL(URL)}, "base_url: expected str, got httpx.URL; write str(x)"),
    ({"token": ""}, "token: expected an API key, got an empty string"),
    ({"token": b"rsk_test_1"}, "token: expected str, got bytes; write x.decode()"),
    ({"token": "Bearer rsk_test_1"}, 'token: leave out "Bearer ", which the client adds'),
    ({"token": "'rsk_test_1'"}, "token: it has quotes around it; leave them out"),
    (
        {"token": "rsk_test_1\n"},
        (
            "token: it has whitespace around it, such as the newline at the end of a file; write"
            " x.strip()"
        ),
    ),
    (
        {"timeout": httpx.Timeout(5)},
        (
            "timeout: expected seconds, meshapi.Timeout or None, got httpx.Timeout; write"
            " meshapi.Timeout(connect=..., read=...)"
        ),
    ),
    (
        {"timeout": timedelta(seconds=5)},
        (
            "timeout: expected seconds, meshapi.Timeout or None, got datetime.timedelta; write"
            " x.total_seconds()"
        ),
    ),
    (
        {"timeout": 0},
        "timeout: expected more than 0 and at most 2000000 seconds, got 0; None means no limit",
    ),
    ({"max_retries": "3"}, "max_retries: expected int, got str; write int(x)"),
    ({"max_retries": None}, "max_retries: expected int, got None; write 0 for none"),
    (
        {"retry": 3},
        "retry: expected RetryPolicy or None, got int; write RetryPolicy(max_retries=...)",
    ),
    (
        {"limits": httpx.Limits()},
        "limits: expected Limits, got httpx.Limits; write Limits(max_connections=...)",
    ),
    ({"limits": {}}, "limits: expected Limits, got dict; write Limits(**x)"),
    ({"sockets": None}, "sockets: expected SocketOptions, got None; leave it out"),
    *(
        (
            {"tls": tls},
            (
                "tls: expected an ssl.SSLContext, the path of a CA file or folder, or (certificate,"
                f" key[, password]), got {said}"
            ),
        )
        for tls, said in (
            (
                False,
                (
                    "False; certificates are always verified; for a private CA or a self-signed"
                    " server, write the path of its certificate"
                ),
            ),
            (True, "True; leave it out: certificates are verified by default"),
            (["client.pem", "key.pem"], "list; write a tuple"),
            (b"ca.pem", "bytes; write the path of a file, as str"),
            (5, "int"),
        )
    ),
    (
        {"tls": "-----BEGIN CERTIFICATE-----\nMII"},
        (
            "tls: expected the path of a CA file or folder, got the text of a key or certificate;"
            " write the path of its file"
        ),
    ),
    (
        {"tls": ("client.pem", "-----BEGIN PRIVATE KEY-----\nMII")},
        (
            "tls[1]: expected the path of the key, got the text of a key or certificate;"
            " write the path of its file"
        ),
    ),
    (
        {"tls": ("client.pem",)},
        "tls: expected (certificate, key) or (certificate, key, password), got one value",
    ),
    (
        {"tls": ("client.pem", None)},
        "tls[1]: expected the path of the key, got None; if both are in one file, name it twice",
    ),
    (
        {"tls": ("client.pem", "key.pem", 5)},
        "tls[2]: expected the password of the key, str or bytes, got int",
    ),
]

OF_OPTIONS: "list[tuple[dict[str, Any], str]]" = [
    (
        {"open_telemetry": {}},
        "open_telemetry: no such parameter; create a new client: {client}(...)",
    ),
    (
        {"token": "rsk_test_1"},
        "token: no such parameter; create a new client: {client}(token=...)",
    ),
    ({"headers": {}}, "headers: no such parameter; write extra_headers=..."),
    (
        {"api_version": "2026-09"},
        'api_version: no such parameter; write extra_headers={"x-mesh-version": "..."}',
    ),
    ({"max_retry": 1}, "max_retry: no such parameter; did you mean max_retries?"),
    (
        {"model": "m"},
        "model: no such parameter; pass it to the method: client.chat.completions.create(...)",
    ),
    ({"extra_headers": [("a", "b")]}, "extra_headers: expected dict, got list; write dict(x)"),
    (
        {"extra_headers": {"a": 1}},
        "extra_headers['a']: expected str or None, got int; write str(x)",
    ),
    (
        {"extra_headers": {"Content-Length": "1"}},
        "extra_headers['Content-Length']: set by the client; leave it out",
    ),
    (
        {"extra_headers": {"a": "b\n"}},
        (
            "extra_headers['a']: expected text that a header can carry, got whitespace around it;"
            " write x.strip()"
        ),
    ),
    (
        {"extra_headers": {"Authorization: Bearer rsk_test_1": ""}},
        (
            "extra_headers: expected header names of letters, digits and hyphens, got a name with"
            ' other characters; write {"name": "value"}'
        ),
    ),
    ({"extra_body": "{}"}, "extra_body: expected dict, got str; write json.loads(x)"),
    (
        {"extra_body": {"stream": True}},
        "extra_body['stream']: set by the method; call stream() or create()",
    ),
]


def takes_nothing() -> None:
    """No hook."""


def takes_two(notice: object, token: object) -> None:
    """No hook, unless by `partial`."""


OF_CLASSES: "list[tuple[Callable[[], object], str]]" = [
    (
        lambda: Timeout(5),
        "positional arguments of Timeout: expected none, got 1; write Timeout.of(...)",
    ),
    (
        lambda: Timeout(sock_read=5),
        (
            "sock_read: no such field in Timeout; the fields are connect, idle, pool, read, total"
            " and write"
        ),
    ),
    (
        lambda: Timeout(connect="5"),
        "timeout.connect: expected seconds or None, got str; write float(x)",
    ),
    (
        lambda: Limits(max_keepalive_connections=5),
        "max_keepalive_connections: no such field in Limits; did you mean max_keepalive?",
    ),
    (
        lambda: RetryPolicy(backoff=2),
        "backoff: no such field in RetryPolicy; did you mean initial_delay?",
    ),
    (
        lambda: Hooks(on_respnse=print),
        "on_respnse: no such field in Hooks; did you mean on_response?",
    ),
    (
        lambda: Hooks(print),
        "positional arguments of Hooks: expected none, got 1; write Hooks(on_request=...)",
    ),
    (
        lambda: Hooks(on_response=takes_nothing),
        (
            "Hooks: on_response: expected a function that takes one argument, got takes_nothing(),"
            " which takes none"
        ),
    ),
    (
        lambda: Hooks(on_event=takes_two),
        (
            "Hooks: on_event: expected a function that takes one argument, got takes_two(notice,"
            " token)"
        ),
    ),
    (
        lambda: Reconnect(codes=1006),
        "codes: expected a set of int, got int; write {x}",
    ),
]

OF_SESSIONS: "list[tuple[dict[str, Any], str]]" = [
    ({"model": ""}, "model: expected a model ID, got an empty string"),
    ({"raise_error": True}, "raise_error: no such parameter; did you mean raise_errors?"),
    ({"voice": "alloy"}, 'voice: no such parameter; call session.update({"...": ...})'),
    ({"tools": []}, "tools: no such parameter; call session.turns(tools=[...])"),
    ({"timeout": 3}, "timeout: no such parameter; use client.with_options(timeout=...)"),
    ({"reconnect": True}, "reconnect: expected Reconnect or None, got bool; write Reconnect()"),
]


def told(call: Callable[[], object]) -> str:
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    return str(caught.value)


def of(message: str, client_class: Any) -> str:
    """A message with the names of this client."""
    theirs = {
        MeshAPI: "httpx_client=httpx.Client",
        AsyncMeshAPI: "async_httpx_client=httpx.AsyncClient",
    }
    message = message.replace("{httpx}", theirs[client_class])
    core = client_class.__name__.replace("MeshAPI", "HTTPCoreTransport")
    message = message.replace("{core}", core)
    return message.replace("{client}", client_class.__name__)


@on_both
@pytest.mark.parametrize(("given", "message"), OF_BOTH, ids=[row[1] for row in OF_BOTH])
def test_a_client(client_class: Any, given: "dict[str, Any]", message: str) -> None:
    arguments = {"base_url": URL, "token": TOKEN, **given}
    assert told(lambda: client_class(**arguments)) == of(message, client_class)


@on_both
@pytest.mark.parametrize(("given", "message"), OF_OPTIONS, ids=[row[1] for row in OF_OPTIONS])
def test_with_options(client_class: Any, given: "dict[str, Any]", message: str) -> None:
    client = client_class(base_url=URL, token=TOKEN)
    assert told(lambda: client.with_options(**given)) == of(message, client_class)
    raw = client.with_raw_response
    assert told(lambda: raw.with_options(**given)) == of(message, client_class)


@on_both
@pytest.mark.parametrize(("given", "message"), OF_SESSIONS, ids=[row[1] for row in OF_SESSIONS])
def test_a_realtime_session(client_class: Any, given: "dict[str, Any]", message: str) -> None:
    client = client_class(base_url=URL, token=TOKEN)
    assert told(lambda: client.realtime.connect(**{"model": "m", **given})) == message


@pytest.mark.parametrize(("call", "message"), OF_CLASSES, ids=[row[1] for row in OF_CLASSES])
def test_a_class(call: Callable[[], object], message: str) -> None:
    assert told(call) == message


@on_both
def test_a_token_by_position(client_class: Any) -> None:
    message = "positional arguments: expected none, got 1; write token=..."
    assert told(lambda: client_class(TOKEN)) == message


@on_both
def test_no_token(client_class: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MESHAPI_TOKEN", raising=False)
    message = "token: not given, and MESHAPI_TOKEN is not set; write token=... or set it"
    assert told(client_class) == message
    # A name from another library is reported first.
    assert told(lambda: client_class(api_key=TOKEN)).startswith("api_key: no such parameter")


def test_what_differs_between_the_clients() -> None:
    assert told(lambda: MeshAPI(token=TOKEN, nothing=1)) == ("nothing: no such parameter")
    with httpx.Client(verify=False) as client:
        assert told(lambda: MeshAPI(token=TOKEN, transport=client)) == (
            "transport: expected a blocking transport, with send() and close(), got httpx.Client;"
            " write httpx_client=..."
        )
        assert told(lambda: AsyncMeshAPI(token=TOKEN, httpx_client=client)) == (
            "httpx_client: no such parameter; write async_httpx_client=httpx.AsyncClient(...)"
        )


def frames_of(error: BaseException) -> str:
    """What an error tracker could show of the frames that an error passed through."""
    shown, trace = "", error.__traceback__
    while trace is not None:
        if "meshapi" in trace.tb_frame.f_globals["__name__"].partition(".")[0]:
            shown += repr(trace.tb_frame.f_locals)
        trace = trace.tb_next
    return shown


@on_both
@pytest.mark.parametrize(
    "given",
    [
        ((), {"api_key": "rsk_test_secret"}),
        (("rsk_test_secret",), {}),
        ((), {"token": "rsk_test_secret", "nothing": 1}),
        ((), {"token": "Bearer rsk_test_secret"}),
        ((), {"token": "rsk_test_secret", "base_url": "host"}),
        ((), {"base_url": "user:rsk_test_secret@host", "token": "a"}),
    ],
)
def test_no_secret_is_in_the_message_or_in_a_frame(client_class: Any, given: Any) -> None:
    args, kwargs = given
    with pytest.raises((TypeError, ValueError)) as caught:
        client_class(*args, **kwargs)
    assert "rsk_test_secret" not in str(caught.value)
    if "@" not in kwargs.get("base_url", ""):
        assert "rsk_test_secret" not in frames_of(caught.value)


@pytest.mark.parametrize("given", [{"base_url": "host"}, {"nothing": 1}, {"timeout": "5"}])
def test_no_token_is_in_a_frame_of_a_configuration(given: Any) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        MeshAPIConfig(token="rsk_test_secret", **given)
    assert "rsk_test_secret" not in str(caught.value)
    assert "rsk_test_secret" not in frames_of(caught.value)


@on_both
@example(token="Bearer rsk_test_1")
@given(token=st.text(min_size=4).map(lambda text: f"rsk_test_{text}"))
def test_a_token_that_is_refused_is_never_quoted(client_class: Any, token: str) -> None:
    for arguments in ({"token": f"{token} \n", "base_url": URL}, {"api_key": token}):
        with pytest.raises((TypeError, ValueError)) as caught:
            client_class(**arguments)
        assert token not in str(caught.value)


OF_CONNECTIONS: "list[tuple[str, Any, str]]" = [
    ("tls", ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), "verify=..."),
    ("sockets", SocketOptions(no_delay=False), "transport=..."),
    ("proxy", "http://u:canary-1234@p", "proxy=..."),
    ("proxy", None, "proxy=..."),
    ("limits", Limits(max_connections=5), "limits=httpx.Limits(...)"),
]


@pytest.mark.parametrize(("option", "value", "argument"), OF_CONNECTIONS)
def test_options_of_connections_are_refused_beside_an_http_client(
    option: str, value: Any, argument: str
) -> None:
    with httpx.Client(verify=False) as client:
        assert told(lambda: MeshAPI(token=TOKEN, httpx_client=client, **{option: value})) == (
            f"{option}: given together with httpx_client, which opens its own connections; write"
            f" httpx_client=httpx.Client({argument}); for realtime sessions, make another client"
            f" with {option}=..."
        )
    asynchronous = httpx.AsyncClient(verify=False)
    with pytest.raises(TypeError, match=f"{option}: given together with async_httpx_client"):
        AsyncMeshAPI(token=TOKEN, async_httpx_client=asynchronous, **{option: value})


@pytest.mark.parametrize(("option", "value", "argument"), OF_CONNECTIONS)
def test_options_of_connections_that_carry_no_requests_are_not_ignored_in_silence(
    option: str, value: Any, argument: str
) -> None:
    pools: dict[Any, Any] = {
        MeshAPI: ConnectionPool(SocketNetwork(), Limits()),
        AsyncMeshAPI: PerLoopTransport(Limits()),
    }
    for client_class, pool in pools.items():
        with pytest.warns(ParamsWarning) as seen:
            client_class(token=TOKEN, transport=pool, **{option: value})
        assert [str(warning.message) for warning in seen] == [
            (
                f"{option}: used for realtime sessions only, because transport sends the requests;"
                " pass it to the transport as well"
            )
        ]
        assert seen[0].filename == __file__


@pytest.mark.parametrize("client_class", [MeshAPI, AsyncMeshAPI])
@pytest.mark.parametrize("over", ["transport", "an HTTP client"])
def test_a_proxy_of_the_environment_that_carries_no_requests_is_not_ignored_in_silence(
    client_class: Any, over: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_async = client_class is AsyncMeshAPI
    options: dict[str, Any] = {"transport": PerLoopTransport(Limits())}
    if not is_async:
        options = {"transport": ConnectionPool(SocketNetwork(), Limits())}
    if over == "an HTTP client":
        http = httpx.AsyncClient(verify=False) if is_async else httpx.Client(verify=False)
        options = {"async_httpx_client" if is_async else "httpx_client": http}
    (sender,) = options
    # This one is for programs at large.
    monkeypatch.setenv("HTTPS_PROXY", "http://u:canary-1234@127.0.0.1:9")
    client_class(token=TOKEN, **options)
    monkeypatch.setenv("MESHAPI_PROXY", "http://u:canary-1234@127.0.0.1:9")
    with pytest.warns(ParamsWarning) as seen:
        client_class(token=TOKEN, **options)
    assert [str(warning.message) for warning in seen] == [
        (
            f"MESHAPI_PROXY: used for realtime sessions only, because {sender} sends the requests;"
            f" pass the proxy to the {sender} as well"
        )
    ]
    assert seen[0].filename == __file__


@pytest.mark.parametrize("client_class", [MeshAPI, AsyncMeshAPI])
@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("http://u:canary-1234@p:x", "proxy: its port is not a number"),
        ("ftp://u:canary-1234@p", "proxy: expected http://"),
        (b"http://u:canary-1234@p", "write x.decode\\(\\)"),
        (5, "proxy: expected a URL, a Proxy or None, got int"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_without_being_shown(
    client_class: Any, proxy: Any, words: str
) -> None:
    with pytest.raises(InvalidParamsError, match=words) as caught:
        client_class(token=TOKEN, proxy=proxy)
    assert "canary" not in seen(caught.value)


@pytest.mark.parametrize("client_class", [MeshAPI, AsyncMeshAPI])
def test_the_password_of_a_proxy_is_in_no_frame_of_a_client_that_is_not_made(
    client_class: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong in ({"limits": 5}, {"nothing": 1}, {"token": b"x"}):
        with pytest.raises((TypeError, ValueError)) as caught:
            client_class(**{"token": TOKEN, "proxy": "http://u:canary-1234@p", **wrong})
        assert "canary" not in seen(caught.value)
    monkeypatch.setenv("HTTPS_PROXY", "http://u:canary-1234@p:x")
    with pytest.raises(InvalidParamsError, match="HTTPS_PROXY: its port") as caught:
        client_class(token=TOKEN)
    assert "canary" not in seen(caught.value)


def test_an_http_client_alone_warns_of_nothing() -> None:
    with httpx.Client(verify=False) as client, warnings.catch_warnings():
        warnings.simplefilter("error")
        MeshAPI(token=TOKEN, httpx_client=client)


def test_an_unknown_argument_is_an_error_of_parameters() -> None:
    with pytest.raises(InvalidParamsError) as caught:
        MeshAPI(token=TOKEN, tokn="a")
    assert (caught.value.field, caught.value.got) == ("tokn", "no such parameter")


class Upload:
    """A file as web frameworks have it: its `read` is a coroutine function."""

    async def read(self, size: int = -1) -> bytes:
        return b""


class Future:
    def __await__(self) -> Iterator[None]:
        yield


class Futures:
    """A file whose `read` returns something awaitable that cannot be closed."""

    def read(self, size: int = -1) -> Future:
        return Future()


class TextPipe:
    """A file of text, which only reading reveals."""

    def read(self, size: int = -1) -> str:
        return "text"


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (Upload(), "file: expected bytes from read(), got a coroutine; write await x.read()"),
        (Futures(), "file: expected bytes from read(), got a coroutine; write await x.read()"),
        (TextPipe(), 'file: expected bytes from read(), got str; open it with "rb"'),
    ],
)
def test_a_file_that_gives_no_bytes(file: Any, message: str) -> None:
    with MeshAPI(base_url=URL, token=TOKEN) as client, warnings.catch_warnings():
        # A coroutine that was never awaited would warn.
        warnings.simplefilter("error")
        assert told(lambda: client.files.upload(file=file)) == message


def test_a_transport_may_have_any_name() -> None:
    class Client:
        def send(self, *args: Any, **options: Any) -> Any: ...

        def close(self) -> None: ...

    with MeshAPI(base_url=URL, token=TOKEN, transport=Client()) as client:  # type: ignore[arg-type]
        assert repr(client) == f"<MeshAPI {URL}>"


def test_a_subclass_that_passes_arguments_on() -> None:
    class Regional(MeshAPI):
        def __init__(self, *, region: str, **options: Any) -> None:
            super().__init__(**options)

    message = "tokn: no such parameter; did you mean token?"
    assert told(lambda: Regional(region="eu", tokn=TOKEN)) == message
