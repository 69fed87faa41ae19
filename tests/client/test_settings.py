"""Arguments, then the environment, then defaults: what a client is made of."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi import (
    NOT_GIVEN,
    AsyncMeshAPI,
    InvalidParamsError,
    MeshAPI,
    MeshAPIConfig,
    RetryPolicy,
    Timeout,
)
from meshapi._settings import Environment, Given, config_of, log_level, token_of
from support.flavours import ASK, TOKEN, World, on_every_flavour
from support.reporters import seen
from support.scripted_server import ScriptedServer
from support.wire import serve

URL = "http://127.0.0.1:9"
OTHER = "rsk_test_another_token_0123"
SECRET = "s3cret-value-0123456789"
VARIABLES = (
    "MESHAPI_TOKEN",
    "MESHAPI_API_KEY",
    "MESHAPI_BASE_URL",
    "MESHAPI_TIMEOUT",
    "MESHAPI_MAX_RETRIES",
    "MESHAPI_CUSTOM_HEADERS",
)

on_both = pytest.mark.parametrize("client_class", [MeshAPI, AsyncMeshAPI])


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def made(environment: dict[str, str], **given: Any) -> MeshAPIConfig:
    fields: Any = {**dict.fromkeys(Given._fields), "timeout": NOT_GIVEN, "max_retries": NOT_GIVEN}
    variables = Environment({"MESHAPI_TOKEN": TOKEN, **environment})
    token = token_of(given.pop("token", None), variables)
    return config_of(token, Given(**{**fields, **given}), variables)


def refused(environment: dict[str, str], **given: Any) -> InvalidParamsError:
    with pytest.raises(InvalidParamsError) as caught:
        made(environment, **given)
    return caught.value


# The environment


@on_both
def test_the_environment_is_used_where_nothing_is_given(
    client_class: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESHAPI_TOKEN", TOKEN)
    monkeypatch.setenv("MESHAPI_BASE_URL", f"{URL}/gateway/")
    monkeypatch.setenv("MESHAPI_TIMEOUT", "12.5")
    monkeypatch.setenv("MESHAPI_MAX_RETRIES", "7")
    config = client_class().config
    assert config.known_token.reveal() == TOKEN
    assert config.base_url == f"{URL}/gateway"
    assert config.timeout == Timeout.of(12.5)
    assert config.retry_policy == RetryPolicy(max_retries=7)
    config = client_class(token=OTHER, base_url=URL, timeout=None, max_retries=0).config
    assert config.known_token.reveal() == OTHER
    assert config.base_url == URL
    assert config.timeout == Timeout.of(None)
    assert config.retry_policy.max_retries == 0
    assert client_class(retry=RetryPolicy(max_retries=5)).config.max_retries == 5


def test_defaults_are_used_where_the_environment_is_empty():
    config = made(dict.fromkeys(VARIABLES[1:], ""))
    assert config.base_url == "https://api.meshapi.ai"
    assert config.timeout == Timeout.of(60)
    assert config.max_retries == 3
    assert not config.extras.headers
    assert made({"MESHAPI_TIMEOUT": " "}).timeout == Timeout.of(60)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5.0), (" 5.5 ", 5.5), ("1e2", 100.0), ("none", None), ("None", None)],
)
def test_a_timeout_in_the_environment(text, seconds):
    assert made({"MESHAPI_TIMEOUT": text}).timeout == Timeout.of(seconds)


@pytest.mark.parametrize(
    ("variable", "text", "told"),
    [
        ("MESHAPI_TIMEOUT", "5s", "expected seconds, or none for no limit, got '5s'"),
        (
            "MESHAPI_TIMEOUT",
            "0",
            "expected more than 0 and at most 2000000 seconds, got 0; write none for no limit",
        ),
        ("MESHAPI_TIMEOUT", "0.0", "got 0; write none for no limit"),
        ("MESHAPI_TIMEOUT", "-1", "expected more than 0"),
        ("MESHAPI_TIMEOUT", "nan", "expected more than 0"),
        ("MESHAPI_TIMEOUT", "inf", "expected more than 0"),
        ("MESHAPI_TIMEOUT", "1_0", "expected seconds, or none for no limit, got '1_0'"),
        ("MESHAPI_TIMEOUT", "\u0663", "expected seconds"),
        ("MESHAPI_TIMEOUT", TOKEN, "expected seconds, or none for no limit, got other text"),
        ("MESHAPI_MAX_RETRIES", "2.5", "expected a whole number, got '2.5'"),
        ("MESHAPI_MAX_RETRIES", "none", "expected a whole number, got 'none'"),
        ("MESHAPI_MAX_RETRIES", "-1", "expected at least 0, got -1"),
        ("MESHAPI_MAX_RETRIES", "9" * 5000, "expected a whole number, got other text"),
        ("MESHAPI_BASE_URL", "gateway.example", "'gateway.example' has no scheme"),
        ("MESHAPI_BASE_URL", f"{URL}/v1", "it ends in /v1, which the client adds; leave it out"),
        ("MESHAPI_TOKEN", f"Bearer {TOKEN}", 'leave out "Bearer ", which the client adds'),
        (
            "MESHAPI_TOKEN",
            f"{TOKEN[:9]}\n{TOKEN[9:]}",
            "it contains whitespace, a control character",
        ),
        ("MESHAPI_TOKEN", f"{TOKEN}\n{TOKEN}", "it contains whitespace, a control character"),
        ("MESHAPI_CUSTOM_HEADERS", f"{SECRET}", "expected `name: value`, got no colon in line 1"),
        ("MESHAPI_CUSTOM_HEADERS", f"x: y\n{SECRET}", "got no colon in line 2"),
        ("MESHAPI_CUSTOM_HEADERS", f"a b: {SECRET}", "expected header names of letters"),
        ("MESHAPI_CUSTOM_HEADERS", f": {SECRET}", "expected header names of letters"),
        (
            "MESHAPI_CUSTOM_HEADERS",
            f"x: {SECRET}\u2028y: 1\u0100",
            "got characters outside Latin-1",
        ),
    ],
)
def test_a_bad_value_is_refused_with_the_name_of_its_variable(variable, text, told):
    error = refused({variable: text})
    assert error.field.startswith(f"{variable} (environment)")
    assert told in str(error)
    shown = seen(error)
    assert TOKEN not in shown
    assert SECRET not in shown


def test_a_header_that_the_client_sets_itself_is_refused():
    error = refused({"MESHAPI_CUSTOM_HEADERS": f"Host: {SECRET}"})
    assert str(error) == (
        "MESHAPI_CUSTOM_HEADERS (environment)['Host']: set by the client; leave it out"
    )


@pytest.mark.parametrize(
    ("variable", "given"),
    [
        ("MESHAPI_TIMEOUT", {"timeout": 5}),
        ("MESHAPI_MAX_RETRIES", {"max_retries": 1}),
        ("MESHAPI_MAX_RETRIES", {"retry": RetryPolicy()}),
        ("MESHAPI_BASE_URL", {"base_url": URL}),
        ("MESHAPI_TOKEN", {"token": OTHER}),
    ],
)
def test_a_bad_value_that_nobody_uses_is_not_looked_at(variable, given):
    assert isinstance(made({variable: "no good"}, **given), MeshAPIConfig)


@pytest.mark.parametrize("around", ["\n", "\r\n", " ", "\t"])
def test_whitespace_around_a_variable_is_ignored(around):
    token: Any = token_of(None, Environment({"MESHAPI_TOKEN": f"{TOKEN}{around}"}))
    assert token.reveal() == TOKEN
    both = {"MESHAPI_TOKEN": f"{around}{TOKEN}", "MESHAPI_API_KEY": TOKEN}
    assert token_of(None, Environment(both)) == TOKEN
    assert made({"MESHAPI_BASE_URL": f"{around}{URL}{around}"}).base_url == URL
    assert made({"MESHAPI_BASE_URL": around}).base_url == "https://api.meshapi.ai"
    blank = Environment({"MESHAPI_TOKEN": around, "MESHAPI_API_KEY": TOKEN})
    assert token_of(None, blank) == TOKEN
    with pytest.raises(ValueError, match="MESHAPI_TOKEN is not set"):
        token_of(None, Environment({"MESHAPI_TOKEN": around}))


@pytest.mark.parametrize(
    ("text", "level"),
    [("info", "info"), ("Debug", "debug"), (" INFO\n", "info"), ("off", ""), ("OFF", ""), ("", "")],
)
def test_a_level_in_the_environment(text, level):
    assert log_level(Environment({"MESHAPI_LOG": text})) == level


def test_the_token_has_two_names():
    for name in ("MESHAPI_TOKEN", "MESHAPI_API_KEY"):
        token: Any = token_of(None, Environment({name: TOKEN}))
        assert token.reveal() == TOKEN
    both = {"MESHAPI_TOKEN": TOKEN, "MESHAPI_API_KEY": TOKEN}
    assert token_of(None, Environment(both)) == TOKEN
    differ = Environment({**both, "MESHAPI_API_KEY": OTHER})
    with pytest.raises(ValueError, match="are both set, and differ") as caught:
        token_of(None, differ)
    assert TOKEN not in seen(caught.value)
    assert OTHER not in seen(caught.value)
    assert token_of(OTHER, differ) == OTHER


@on_both
def test_no_error_of_a_client_shows_the_environment(
    client_class: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESHAPI_TOKEN", TOKEN)
    monkeypatch.setenv("MESHAPI_CUSTOM_HEADERS", f"X-Key: {SECRET}")
    for wrong in ({"timeout": "x"}, {"default_headers": {"a b": SECRET}}, {"api_version": "a b"}):
        with pytest.raises((TypeError, ValueError)) as caught:
            client_class(**wrong)
        assert TOKEN not in seen(caught.value)
        assert SECRET not in seen(caught.value)


@given(
    st.dictionaries(
        st.sampled_from(VARIABLES), st.text(max_size=30).filter(lambda t: "\0" not in t)
    )
)
def test_any_environment_makes_a_configuration_or_a_typed_error(environment):
    try:
        config = made(environment)
    except ValueError as exc:
        assert any(name in str(exc) for name in VARIABLES)
    else:
        assert isinstance(config, MeshAPIConfig)


# Headers, query, user agent, version


@on_every_flavour
async def test_defaults_are_sent_with_every_request(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MESHAPI_CUSTOM_HEADERS", "X-One: 1\r\n\nX-Two:  2:2 \n")
    with ScriptedServer(serve) as server:
        async with world.client(
            server.url,
            default_headers={"X-Two": "3", "x-meshapi-sdk": None},
            default_query={"tenant": ["a", "b"], "free": True},
            user_agent="my-app/1.0 (nightly)",
            api_version="2026-09",
        ) as client:
            await client.chat.completions.create(**ASK)
            other = client.with_options(extra_headers={"X-One": None, "User-Agent": "mine/2"})
            await other.chat.completions.create(**ASK)
        first, second = server.requests
    assert (first.headers["x-one"], first.headers["x-two"]) == ("1", "3")
    assert "x-meshapi-sdk" not in first.headers
    assert first.headers["x-mesh-version"] == "2026-09"
    agent = first.headers["user-agent"]
    assert agent.startswith("meshapi-python/")
    assert agent.endswith(" my-app/1.0 (nightly)")
    assert first.line.endswith(b"?tenant=a&tenant=b&free=true HTTP/1.1")
    assert "x-one" not in second.headers
    assert second.headers["user-agent"] == "mine/2"
    assert second.headers["x-mesh-version"] == "2026-09"


@on_both
@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"default_headers": {"Host": "x"}}, "default_headers['Host']"),
        ({"default_headers": {"X": "a\nb"}}, "default_headers['X']"),
        ({"default_headers": {"X": 1}}, "default_headers['X']"),
        ({"default_headers": "X: 1"}, "default_headers"),
        ({"default_query": {"a": {}}}, "default_query['a']"),
        ({"default_query": "a=1"}, "default_query"),
        ({"user_agent": ""}, "user_agent"),
        ({"user_agent": "a\nb"}, "user_agent"),
        ({"user_agent": "caf\u00e9/1"}, "user_agent"),
        ({"user_agent": 1}, "user_agent"),
        ({"api_version": ""}, "api_version"),
        ({"api_version": "2026 09"}, "api_version"),
        ({"api_version": 2026}, "api_version"),
    ],
)
def test_defaults_that_no_request_can_carry(client_class: Any, given: Any, field: str) -> None:
    with pytest.raises(InvalidParamsError) as caught:
        client_class(base_url=URL, token=TOKEN, **given)
    assert caught.value.field == field
    assert "extra_" not in str(caught.value)


# A configuration that exists


@on_every_flavour
async def test_a_client_of_a_configuration_reads_no_variables(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "no good")
    with ScriptedServer(serve) as server:
        config = MeshAPIConfig(base_url=server.url, token=TOKEN, timeout=5, max_retries=1)
        async with world.dress(world.client_class.from_config(config)) as client:
            await client.chat.completions.create(**ASK)
            assert client.config.base_url == server.url
            assert client.config.timeout == config.timeout
            assert client.config.retry_policy == config.retry_policy
        (request,) = server.requests
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("client_class", [MeshAPI, AsyncMeshAPI])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        *((name, True) for name in ("timeout", "max_retries", "retry")),
        *((name, False) for name in ("base_url", "token", "default_headers", "default_query")),
        *((name, False) for name in ("user_agent", "api_version")),
    ],
)
def test_from_config_refuses_what_is_part_of_it(
    client_class: Any, name: str, options: bool
) -> None:
    config = MeshAPIConfig(base_url=URL, token=TOKEN)
    also = f", or from_config(config).with_options({name}=...)" if options else ""
    with pytest.raises(InvalidParamsError) as caught:
        client_class.from_config(config, **{name: "rsk_test_given"})
    assert str(caught.value) == (
        f"{name}: is part of the configuration; write MeshAPIConfig({name}=...){also}"
    )


@on_both
def test_from_config_takes_what_a_configuration_does_not_have(client_class: Any) -> None:
    config = MeshAPIConfig(base_url=URL, token=TOKEN)

    class Mine(client_class):
        def __init__(self) -> None:
            raise AssertionError

    client = Mine.from_config(config)
    assert type(client) is Mine
    assert repr(client) == f"<Mine {URL}>"
    with pytest.raises(TypeError, match="config: expected MeshAPIConfig, got dict"):
        client_class.from_config({"base_url": URL})
    with pytest.raises(TypeError, match="limits"):
        client_class.from_config(config, limits=3)
    with pytest.raises(TypeError):
        client_class.from_config(config, token=TOKEN)


@on_both
def test_a_client_shows_its_configuration_but_no_token(client_class: Any) -> None:
    client = client_class(base_url=URL, token=TOKEN, default_headers={"X-Key": SECRET})
    assert client.config.base_url == URL
    for shown in (repr(client.config), repr(vars(client)), seen_locals(client)):
        assert TOKEN not in shown
        assert SECRET not in shown
    with pytest.raises(AttributeError):
        client.config = None


def seen_locals(client: Any) -> str:
    return repr([client, client.config.extras, client.config.token])


def test_the_default_of_an_argument_has_a_name():
    assert repr(NOT_GIVEN) == "NOT_GIVEN"
    assert client_parameters()["timeout"].default is NOT_GIVEN


def client_parameters() -> Any:
    from inspect import signature

    return signature(MeshAPI).parameters


# Arguments and variables together


def test_an_argument_replaces_a_header_of_the_environment():
    environment = {"MESHAPI_CUSTOM_HEADERS": "X-Mesh-Version: 1\nUser-Agent: theirs/1\nX-Team: a"}
    headers: Any = made(environment, api_version="2", user_agent="mine/1").extras.headers
    assert headers["x-mesh-version"].reveal() == "2"
    assert headers["user-agent"].reveal().endswith(" mine/1")
    assert headers["x-team"].reveal() == "a"
    given = {"default_headers": {"X-Mesh-Version": "3"}, "api_version": "2"}
    headers = made(environment, **given).extras.headers
    assert headers["x-mesh-version"].reveal() == "3"


OPTIONS = {
    "timeout": st.none() | st.floats(0.1, 100) | st.builds(Timeout, total=st.floats(1, 9)),
    "max_retries": st.integers(0, 9),
    "retry": st.builds(RetryPolicy, max_retries=st.integers(0, 9), quota=st.none() | st.just(100)),
    "headers": st.dictionaries(st.sampled_from(["X-A", "x-b"]), st.none() | st.just("v")),
    "query": st.dictionaries(st.sampled_from("ab"), st.booleans() | st.lists(st.integers(0, 9))),
}
NAMES = {"headers": ("default_headers", "extra_headers"), "query": ("default_query", "extra_query")}


@given(st.fixed_dictionaries({}, optional=OPTIONS))
def test_options_make_the_same_client_as_arguments(given_options: dict[str, Any]) -> None:
    arguments, options = (
        {NAMES.get(name, (name, name))[at]: value for name, value in given_options.items()}
        for at in (0, 1)
    )
    fresh = MeshAPI(base_url=URL, token=TOKEN, **arguments)
    other = MeshAPI(base_url=URL, token=TOKEN).with_options(**options)
    # Only the quota is each client's own.
    one, two = (client.config.changed({"retry_quota": None}) for client in (fresh, other))
    for name in one.__struct_fields__:
        if name != "extras":
            assert getattr(one, name) == getattr(two, name)
    assert one.retry_policy == two.retry_policy
    assert one.time_limits == two.time_limits
    assert (one.extras.headers or {}) == (two.extras.headers or {})
    assert (one.extras.query or {}) == (two.extras.query or {})
