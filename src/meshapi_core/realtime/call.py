"""The upgrade that opens a realtime session, as a call: its request, and how to read the response.

An `Exchange` runs it like any other call. A host that has its own WebSocket, such as a browser,
gets the URL to connect to from `RealtimeCall.websocket`.

Source: https://developers.meshapi.ai (realtime), https://www.rfc-editor.org/rfc/rfc6455#section-4.1
"""

import re
from binascii import b2a_base64
from collections.abc import Callable
from typing import Any, Literal, Optional

from msgspec import Struct

from meshapi_core._json_kinds import value_name
from meshapi_core._secret import Secret
from meshapi_core.calls import PlainCall
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import APIStatusError, InvalidParamsError
from meshapi_core.messages import Request, Response
from meshapi_core.params.plain_values import refuse_odd
from meshapi_core.queries import Pairs, percent_encoded
from meshapi_core.randomness import drawn
from meshapi_core.websocket.handshake import refused_upgrade

__all__ = ["RealtimeAuth", "RealtimeCall", "WebSocketTarget"]

SUBPROTOCOL = "openai-realtime"

OPENAI_SUBPROTOCOL = "realtime"
KEY_SUBPROTOCOL = "openai-insecure-api-key."
"""In OpenAI's list of subprotocols: the name of the session, and the prefix of the API key."""

# The characters of a subprotocol: RFC 6455, section 4.1 (10); RFC 9110, section 5.6.2.
_IS_PROTOCOL_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+").fullmatch

RealtimeAuth = Literal["query", "subprotocol", "header"]
"""Where to put the token: in `?api_key=`, the list of subprotocols, or an Authorization header."""


class WebSocketTarget(Struct, frozen=True):
    """What a host's own WebSocket connects to; its repr shows no token.

    Fields:
        url: with the scheme ws or wss, as plain text; it contains the token if `auth` is "query".
        headers: to send in addition to those that every WebSocket sends by itself. A browser can
            send none, so there the token goes into the query or a subprotocol.
        subprotocols: to offer, in this order; the server chooses one of them.
    """

    url: str
    headers: tuple[tuple[str, str], ...]
    subprotocols: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<WebSocketTarget {self.url.partition('?')[0]}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # Without this, rich would show the fields, whatever the repr says.
        return [("url", self.url.partition("?")[0])]


# The headers that every WebSocket sends by itself (RFC 6455, section 4.1).
_HANDSHAKE = frozenset({"connection", "upgrade", "sec-websocket-version", "sec-websocket-key"})
_OFFERS = "sec-websocket-protocol"


class RealtimeCall(PlainCall, frozen=True, kw_only=True):
    """The upgrade that opens a session, as a value.

    Fields:
        model: the model to talk to.
        auth: where to put the token: "query" (MeshAPI), "header" (OpenAI, LiteLLM), or
            "subprotocol", as browsers send it to these two: `openai-insecure-api-key.KEY`.

    Raises:
        InvalidParamsError: a field has an invalid value.
    """

    model: str
    auth: RealtimeAuth = "query"

    def __post_init__(self) -> None:
        # For callers without a type checker.
        _check_model(self.model)
        if self.auth not in ("query", "subprotocol", "header"):
            expected = "'query', 'subprotocol' or 'header'"
            raise InvalidParamsError("auth", expected, value_name(self.auth, show=True))

    @property
    def method(self) -> str:
        """Always GET."""
        return "GET"

    @property
    def upgrades(self) -> bool:
        """Always True: a 101 is the success of this call."""
        return True

    def request(
        self, config: MeshAPIConfig, random_bytes: Optional[Callable[[int], bytes]] = None
    ) -> Request:
        """Return the upgrade request for this session at the gateway of a configuration.

        Args:
            config: the gateway, and the token.
            random_bytes: returns as many random bytes as it is asked for, such as `os.urandom`.
                It makes the Sec-WebSocket-Key, which the server must prove that it has read.
                Without it the key is always the same.

        Raises:
            InvalidParamsError: `auth` is "subprotocol", and the token can't be one.
        """
        self.check(config)
        location, extras, service = config.location, config.extras, config.service
        query: Pairs = (("model", self.model),)
        protocols = SUBPROTOCOL
        headers: Pairs = ()
        if self.auth == "query":
            query += (("api_key", config.known_token),)
        elif self.auth == "subprotocol":
            # As a browser offers them to OpenAI. Services that follow its API choose the first.
            key = Secret(KEY_SUBPROTOCOL + config.known_token)
            protocols = Secret(f"{OPENAI_SUBPROTOCOL}, {key.reveal()}, {SUBPROTOCOL}")
        else:
            headers = (config.auth_field,)
        headers += (
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", _key(random_bytes)),
            (_OFFERS, protocols),
            ("user-agent", service.user_agent),
            *service.headers,
        )
        path = location.prefix + service.placed("/v1/realtime")
        target = Secret(f"{path}?{percent_encoded(extras.query_of(query))}")
        fields = extras.headers_of(headers)
        secrets = extras.secrets_with(config.known_token)
        return Request("GET", location.origin, target, fields, secrets=secrets)

    def websocket(self, config: MeshAPIConfig) -> WebSocketTarget:
        """Return what a host connects to that has its own WebSocket, such as a browser.

        Raises:
            InvalidParamsError: `auth` is "subprotocol", and the token can't be one.
        """
        request = self.request(config)
        fields = [(name.lower(), str.__str__(value)) for name, value in request.headers]
        offers = [value for name, value in fields if name == _OFFERS]
        return WebSocketTarget(
            # http becomes ws, and https wss.
            "ws" + str.__str__(request.url)[len("http") :],
            tuple(field for field in fields if field[0] not in _HANDSHAKE | {_OFFERS}),
            tuple(offer.strip() for value in offers for offer in value.split(",")),
        )

    def check(self, config: MeshAPIConfig) -> None:
        """Raise unless the token can be sent as `auth` says.

        Raises:
            InvalidParamsError: `auth` is "subprotocol", and the token can't be one.
        """
        # A token that is not known yet is checked by `request`.
        if self.auth != "subprotocol" or config.source is not None:
            return
        if not _IS_PROTOCOL_TOKEN(config.known_token):
            raise InvalidParamsError(
                "auth",
                "'query' or 'header'",
                "'subprotocol'",
                "the token has characters other than letters, digits and !#$%&'*+-.^_`|~, which a "
                "subprotocol cannot have",
            )

    def read(self, response: Response) -> Response:
        """Return the response itself if it is a 101.

        Raises:
            ProtocolError: the server responded, but did not switch to a WebSocket.
        """
        if response.status != 101:
            raise refused_upgrade(response)
        return response

    def refusal(self, response: Response) -> APIStatusError:
        """Return the error of a refused upgrade: the same as for any other call."""
        error = refused_upgrade(response)
        assert isinstance(error, APIStatusError)
        return error


def _check_model(model: object) -> None:
    if not isinstance(model, str) or not model:
        got = "an empty string" if isinstance(model, str) else value_name(model)
        raise InvalidParamsError("model", "a model ID", got)
    refuse_odd(model, "model")


def _key(random_bytes: Optional[Callable[[int], bytes]]) -> str:
    return b2a_base64(drawn(random_bytes or bytes, 16), newline=False).decode("ascii")
