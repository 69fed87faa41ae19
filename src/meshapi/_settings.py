"""The settings of a client: arguments, then variables of the environment, then defaults.

Everything here is a function of its arguments. Of the environment, only those variables are looked
at for which no argument is given. An empty variable counts as not set, and so does a blank one:
whitespace around a value is ignored.
"""

import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, NamedTuple, NoReturn, Optional, Union

from meshapi_core import (
    DEFAULT_BASE_URL,
    Extras,
    InvalidParamsError,
    MeshAPIConfig,
    RetryPolicy,
    Secret,
    Service,
    Timeout,
    TokenSource,
    type_name,
)

__all__ = [
    "NOT_GIVEN",
    "TOKEN_VARIABLES",
    "Environment",
    "Given",
    "NotGiven",
    "refuse_async_source",
    "config_of",
    "custom_headers",
    "hidden_url",
    "log_level",
    "request_id_headers",
    "token_of",
]


class NotGiven(Enum):
    """The type of `NOT_GIVEN`."""

    NOT_GIVEN = "not given"

    def __repr__(self) -> str:
        return "NOT_GIVEN"


NOT_GIVEN: Final = NotGiven.NOT_GIVEN
"""The default of an argument whose None means something else."""

TOKEN_VARIABLES: Final = ("MESHAPI_TOKEN", "MESHAPI_API_KEY")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_API_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
# RFC 9110, section 10.1.5: products and comments, in printable ASCII.
_USER_AGENT = re.compile(r"[!-~](?:[ -~]{0,198}[!-~])?")


# Variables


class Environment:
    """The variables of the environment. Its repr shows none: error trackers show locals.

    Args:
        variables: such as `os.environ`.
    """

    __slots__ = ("_variables",)

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def get(self, name: str) -> str:
        """Return a variable; "" if it is not set."""
        return self._variables.get(name, "")

    def __repr__(self) -> str:
        return "<environment>"


def _name(variable: str) -> str:
    """Return the name of a variable for errors, so that nobody looks for an argument."""
    return f"{variable} (environment)"


def _number(environment: Environment, variable: str, kind: type[Any], expected: str) -> Any:
    """Return the number in a variable, "none" as None; NOT_GIVEN if it is not set."""
    text = environment.get(variable).strip()
    if not text:
        return NOT_GIVEN
    if kind is float and text.lower() == "none":
        return None
    try:
        # Python accepts underscores and the digits of other scripts.
        if not text.isascii() or "_" in text:
            raise ValueError
        return kind(text)
    except ValueError:
        # A long one may be something else, in the wrong variable.
        got = repr(text) if len(text) < 12 else "other text"
        del text
        raise InvalidParamsError(_name(variable), expected, got) from None


def _timeout(environment: Environment) -> Union[None, float, NotGiven]:
    expected = "seconds, or none for no limit"
    seconds = _number(environment, "MESHAPI_TIMEOUT", float, expected)
    if isinstance(seconds, float):
        # As it was written: 0, not 0.0.
        given = int(seconds) if seconds.is_integer() else seconds
        _check(lambda: Timeout.of(given), "MESHAPI_TIMEOUT")
    value: Union[None, float, NotGiven] = seconds
    return value


def _max_retries(environment: Environment) -> Union[int, NotGiven]:
    count = _number(environment, "MESHAPI_MAX_RETRIES", int, "a whole number")
    if isinstance(count, int) and count < 0:
        raise InvalidParamsError(_name("MESHAPI_MAX_RETRIES"), "at least 0", str(count))
    value: Union[int, NotGiven] = count
    return value


def _base_url(environment: Environment) -> str:
    url: str = hidden_url(environment.get("MESHAPI_BASE_URL").strip())
    if not url:
        return DEFAULT_BASE_URL
    _check(lambda: MeshAPIConfig.check_base_url(url), "MESHAPI_BASE_URL")
    return url


def _check(make: Callable[[], object], variable: str) -> None:
    """Raise the error that `make` raises about a value, with the variable's name."""
    try:
        make()
    except (TypeError, ValueError) as exc:
        what = str(exc).partition(": ")[2] or str(exc)
        what = what.replace("None means no limit", "write none for no limit")
    else:
        return
    raise InvalidParamsError(_name(variable), "", what)


def custom_headers(environment: Environment) -> dict[str, Secret]:
    """Return the headers in MESHAPI_CUSTOM_HEADERS: a line for each, `name: value`."""
    variable = "MESHAPI_CUSTOM_HEADERS"
    headers: dict[str, Secret] = {}
    for number, line in enumerate(environment.get(variable).splitlines(), 1):
        if not line.strip():
            continue
        name, colon, value = map(str.strip, line.partition(":"))
        hidden = Secret(value)
        has_colon = bool(colon)
        del line, value, colon
        if not has_colon:
            # Not the name either: without a colon, it may be the value.
            del name
            raise InvalidParamsError(_name(variable), "`name: value`", f"no colon in line {number}")
        headers[name] = hidden
    return headers


def log_level(environment: Environment) -> str:
    """Return what to log on stderr, by MESHAPI_LOG: "info" or "debug"; "" for "off", and unset.

    Raises:
        InvalidParamsError: it is something else.
    """
    # It may be anything, in the wrong variable.
    level = Secret(environment.get("MESHAPI_LOG").strip().lower())
    if level and level not in ("info", "debug", "off"):
        got = repr(level.reveal()) if len(level) < 12 else "other text"
        raise InvalidParamsError(_name("MESHAPI_LOG"), '"info", "debug" or "off"', got)
    return "" if level == "off" else level.reveal()


# Arguments


def hidden_url(url: Any) -> Any:
    """Return a base URL, as error trackers may show it: one with a password in it is refused."""
    return Secret(url) if isinstance(url, str) and "@" in url else url


def token_of(given: object, environment: Environment) -> object:
    """Return the token, hidden, or the function that returns it.

    It is checked by `config_of`. Of a value of the wrong type, only the type is returned.

    While a cassette only plays, nothing is sent, and so no token is needed.

    Raises:
        ValueError: there is none; or two variables have one each.
    """
    if given is not None:
        if callable(given) and not isinstance(given, type):
            return TokenSource(given)
        return TokenSource.hidden(given)
    tokens = {
        # With `echo`, or from a file, a newline comes with it.
        variable: Secret(environment.get(variable).strip())
        for variable in TOKEN_VARIABLES
        if environment.get(variable).strip()
    }
    if not tokens:
        # Imported on first use: few clients have no token.
        from meshapi_backends import RECORDERS

        if RECORDERS and not RECORDERS[-1].records:
            return TokenSource.hidden(RECORDERS[-1].token())
        raise ValueError(
            "token: not given, and MESHAPI_TOKEN is not set; write token=... or set it"
        )
    if len(set(tokens.values())) > 1:
        raise ValueError(
            "token: MESHAPI_TOKEN and MESHAPI_API_KEY are both set, and differ; unset one of them,"
            " or write token=..."
        )
    variable, token = next(iter(tokens.items()))
    fault = TokenSource.fault(token)
    if fault is not None:
        raise InvalidParamsError(_name(variable), *fault)
    return token


def refuse_async_source(config: MeshAPIConfig) -> None:
    """Raise TypeError if the token comes from an async function, for the blocking client."""
    if config.source is not None and config.source.is_async:
        raise TypeError(
            "token: expected str or a plain function, got an async one; use AsyncMeshAPI"
        )


class Given(NamedTuple):
    """The arguments of a client that become its configuration, as given; headers are hidden."""

    base_url: Optional[str]
    timeout: Union[None, float, Timeout, NotGiven]
    max_retries: Union[int, NotGiven]
    retry: Optional[RetryPolicy]
    default_headers: Any
    default_query: Any
    user_agent: Optional[str]
    api_version: Optional[str]


def config_of(token: object, given: Given, environment: Environment) -> MeshAPIConfig:
    """Return the configuration of a client.

    Args:
        token: from `token_of`.
        given: the other arguments.
        environment: its variables.

    Raises:
        TypeError, ValueError: an argument or a variable cannot be used.
    """
    if not isinstance(token, (Secret, TokenSource)):
        _refuse_token(token)
    config: Any = {
        "base_url": _base_url(environment) if given.base_url is None else given.base_url,
        "token": token,
        "timeout": _timeout(environment) if given.timeout is NOT_GIVEN else given.timeout,
        "max_retries": given.max_retries,
        "retry": given.retry,
    }
    if given.max_retries is NOT_GIVEN and given.retry is None:
        config["max_retries"] = _max_retries(environment)
    elif isinstance(given.retry, RetryPolicy):
        if given.max_retries is not NOT_GIVEN:
            config["retry"] = given.retry.limited(given.max_retries)
        config["max_retries"] = config["retry"].max_retries
    known = {name: value for name, value in config.items() if value is not NOT_GIVEN}
    made = MeshAPIConfig(**known)
    extras = _extras(given, made.service, environment)
    return made if extras is None else made.changed({"extras": extras})


def _refuse_token(token: object) -> NoReturn:
    expected, got, hint = TokenSource.fault(token) or ("", "", "")
    raise TypeError(f"token: expected {expected}, got {got}{'; ' if hint else ''}{hint}")


def _extras(given: Given, service: Service, environment: Environment) -> Optional[Extras]:
    """Return the headers and the query of every request; None if there are none."""
    ours: dict[str, Any] = {}
    if given.user_agent is not None:
        _check_text("user_agent", given.user_agent, _USER_AGENT, "text such as 'my-app/1.0'")
        ours["user-agent"] = Secret(f"{service.user_agent} {given.user_agent}")
    if given.api_version is not None:
        _check_text("api_version", given.api_version, _API_VERSION, "a version such as '2026-09'")
        ours["x-mesh-version"] = Secret(given.api_version)
    custom = custom_headers(environment)
    if not ours and not custom and given.default_headers is None and given.default_query is None:
        return None
    extras = _named("MESHAPI_CUSTOM_HEADERS", headers=custom) if custom else Extras()
    # An argument comes before a variable.
    if ours:
        extras = extras.with_headers(ours)
    if given.default_headers is not None:
        later = _named("default_headers", headers=given.default_headers)
        extras = extras.merged(later)
    if given.default_query is not None:
        extras = extras.merged(_named("default_query", query=given.default_query))
    return extras


def _named(name: str, **fields: Any) -> Extras:
    """Return extras, whose errors have the name of the argument or of the variable."""
    try:
        return Extras(**fields)
    except InvalidParamsError as exc:
        path = exc.field.partition("[")
        field = _name(name) if name.isupper() else name
        where = f"{field}{path[1]}{path[2]}"
        fault = (where, exc.expected, exc.got, exc.hint.replace(path[0], name))
    raise InvalidParamsError(*fault)


def _check_text(name: str, value: object, form: "re.Pattern[str]", expected: str) -> None:
    if not isinstance(value, str):
        raise InvalidParamsError(name, "str", type_name(value))
    if form.fullmatch(value) is None:
        got = repr(value) if len(value) <= 40 else "other text"
        raise InvalidParamsError(name, expected, got)


def request_id_headers(request_id: object) -> dict[str, Secret]:
    """Return the header that carries a request ID of the program's."""
    _check_text("request_id", request_id, _REQUEST_ID, "1 to 64 of A-Z a-z 0-9 . _ : -")
    return {"x-request-id": Secret(request_id)}
