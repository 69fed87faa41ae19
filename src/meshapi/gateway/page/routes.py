"""The page, and what it asks for.

Who may see it: a browser on this computer that names it by a loopback address or as `localhost`,
and whoever has the gateway's token. The page itself has no data in it. A page of another site, or
of another port of this computer, gets nothing: a browser says where a request comes from. A proxy
or a tunnel on this computer connects from here for others: the name that they use, or the headers
that proxies add, tell their requests apart.

Source: https://www.w3.org/TR/fetch-metadata/, https://www.w3.org/TR/CSP3/, RFC 7239
"""

import base64
import hashlib
import ipaddress
import re
import secrets
from collections.abc import AsyncIterator, Callable
from functools import cache
from importlib.resources import files
from typing import Any, Final, Optional

import anyio
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from meshapi.gateway.http.access_rules import AccessRules, host_name
from meshapi.gateway.http.errors import GatewayError, envelope
from meshapi.gateway.http.wire import dump, ulid
from meshapi.gateway.page.exchanges import ExchangeLog
from meshapi.gateway.page.faults import FAULTS, switch_off, switch_on, waiting
from meshapi.gateway.state import GatewayState

_LOOK_EVERY: Final = 0.1
_LINE_EVERY: Final = 10.0
"""Seconds after which an empty line is sent, so that the end of a connection is noticed."""

_MOST_WATCHERS: Final = 20

_ADDED_BY_PROXIES: Final = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")

_PLACE: Final = "/__gateway/"
_FAULTS: Final = "/__gateway/faults/"
_NUMBER: Final = re.compile(r"/__gateway/exchanges/([0-9]{1,15})")


class Page:
    """ASGI middleware: serves the page, and passes everything else on.

    Args:
        app: the gateway.
        log: what the page shows.
        rules: which hosts and sites are served at all.
        state: of the gateway, which takes the faults that are switched on.
    """

    def __init__(
        self, app: ASGIApp, log: ExchangeLog, rules: AccessRules, state: GatewayState
    ) -> None:
        self._app = app
        self._state = state
        self._log = log
        self._rules = rules
        self._watchers = 0
        # So that a page notices that the gateway behind it is another one.
        self._name = secrets.token_hex(8)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        respond = self._responder(scope)
        if respond is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            refusal = self._rules.refusal(scope, request.headers)
            if refusal is not None:
                raise refusal
            response = await respond(request)
        except GatewayError as error:
            response = envelope(error, f"req_{ulid()}")
        await response(scope, receive, send)

    def _responder(self, scope: Scope) -> Any:
        if scope["type"] != "http":
            return None
        method, path = scope["method"], scope["path"]
        if path == "/":
            is_browser = "text/html" in Headers(scope=scope).get("accept", "")
            return _show if method == "GET" and is_browser else None
        if path == f"{_PLACE}live" and method == "GET":
            return self._live
        if path == f"{_PLACE}exchanges" and method == "DELETE":
            return self._clear
        if path == f"{_PLACE}faults" and method == "DELETE":
            return self._switch_off
        if path.startswith(_FAULTS) and method == "POST":
            return self._switch_on
        if _NUMBER.fullmatch(path) and method == "GET":
            return self._details
        return None

    async def _details(self, request: Request) -> Response:
        self._check(request)
        found = _NUMBER.fullmatch(request.url.path)
        assert found is not None
        details = self._log.details(int(found[1]))
        if details is None:
            raise GatewayError(404, "not_found", f"Request {found[1]} is not kept any more.")
        return _json(details)

    async def _clear(self, request: Request) -> Response:
        self._check(request)
        self._log.clear()
        return _json({})

    async def _switch_on(self, request: Request) -> Response:
        self._check(request)
        name = request.url.path[len(_FAULTS) :]
        if name not in FAULTS:
            message = f"There is no fault {name!r}; there are {', '.join(FAULTS)}."
            raise GatewayError(404, "not_found", message)
        try:
            switch_on(self._state.scripts, name)
        except ValueError as error:
            raise GatewayError(409, "conflict", str(error)) from None
        return _json({}, 201)

    async def _switch_off(self, request: Request) -> Response:
        self._check(request)
        switch_off(self._state.scripts)
        return _json({})

    async def _live(self, request: Request) -> Response:
        self._check(request)
        if self._watchers >= _MOST_WATCHERS:
            message = f"{_MOST_WATCHERS} pages watch this gateway already; close one of them."
            raise GatewayError(503, "too_many_watchers", message)
        since = request.query_params.get("since", "")[:15]
        lines = self._lines(int(since) if since.isdecimal() else 0)
        # Now, not when the first line is made: others may ask in the meantime.
        self._watchers += 1
        return _Lines(lines, self._leave)

    def _leave(self) -> None:
        self._watchers -= 1

    async def _lines(self, version: int) -> AsyncIterator[bytes]:
        faults = [{"name": name, "title": fault.title} for name, fault in FAULTS.items()]
        extra: dict[str, Any] = {"gateway": self._name, "faults": faults}
        waits: Optional[list[str]] = None
        silent = 0.0
        while True:
            told, waits = waits, waiting(self._state.scripts)
            if self._log.version != version or waits != told:
                since = version if version <= self._log.version else 0
                version, oldest, changed = self._log.since(since)
                news = {"version": version, "oldest": oldest, "changed": changed}
                yield dump({**extra, **news, "waiting": waits}) + b"\n"
                extra, silent = {"gateway": self._name}, 0.0
            elif silent > _LINE_EVERY:
                yield b"\n"
                silent = 0.0
            await anyio.sleep(_LOOK_EVERY)
            silent += _LOOK_EVERY

    def _check(self, request: Request) -> None:
        """Return if whoever asks may see the requests.

        Raises:
            GatewayError: 401, if not.
        """
        if self._rules.has_token(request.headers):
            return
        client = request.client
        is_here = client is not None and _is_loopback(client.host)
        if is_here and _is_direct(request.headers) and _is_own(request.headers):
            return
        message = "Only a browser on this computer sees the requests without the gateway's token."
        raise GatewayError(401, "unauthorized", message)


_PRIVATE: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class _Lines(StreamingResponse):
    """A stream of lines.

    Args:
        ended: called at its end, however it ends.
    """

    def __init__(self, lines: AsyncIterator[bytes], ended: Callable[[], None]) -> None:
        super().__init__(lines, media_type="application/x-ndjson", headers=_PRIVATE)
        self._ended = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._ended()


async def _show(request: Request) -> Response:
    html, policy = _page()
    headers = {
        **_PRIVATE,
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
    }
    return HTMLResponse(html, headers=headers)


@cache
def _page() -> tuple[str, str]:
    """Return the page, and the policy that lets nothing run but what is in it."""
    html = files("meshapi.gateway.page").joinpath("index.html").read_text("utf-8")
    kinds = {
        kind: _digest(html[html.index(f"<{kind}>") + len(kind) + 2 : html.index(f"</{kind}>")])
        for kind in ("script", "style")
    }
    policy = (
        f"default-src 'none'; script-src '{kinds['script']}'; style-src '{kinds['style']}'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return html, policy


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _json(value: Any, status: int = 200) -> Response:
    return Response(dump(value), status, headers=_PRIVATE, media_type="application/json")


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _is_direct(headers: Headers) -> bool:
    """Whether a request names this computer as only its own programs can, and no proxy sent it on.

    With DNS rebinding, the page of another site has a host name that resolves to this computer.
    """
    name = host_name(headers.get("host", ""))
    is_named = name is not None and (name == "localhost" or _is_loopback(name))
    return is_named and not any(added in headers for added in _ADDED_BY_PROXIES)


def _is_own(headers: Headers) -> bool:
    """Whether a request is not from a page of another site or port."""
    origin = headers.get("origin")
    site = headers.get("sec-fetch-site", "none")
    if site not in ("same-origin", "none"):
        return False
    return origin is None or origin.partition("://")[2] == headers.get("host")
