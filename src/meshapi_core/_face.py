"""The public names of `meshapi_core`, and the modules that have them.

Written by `python tools/faces.py --write` from the imports in `__init__.py`; change those.
"""

import sys
from typing import Any, Final

PACKAGE: Final = "meshapi_core"

_NAMES: Final = {
    "meshapi_core._checks": "check_kind",
    "meshapi_core._json_kinds": "type_name",
    "meshapi_core._named_fields": "NamedFields",
    "meshapi_core._secret": "Secret SecretBytes",
    "meshapi_core._version": "__version__",
    "meshapi_core.bodies": "FileSource OpenBody OpenSource PIECE",
    "meshapi_core.byte_streams": "ByteDecoder",
    "meshapi_core.calls": "AnyCall Call SignedPut StreamCall",
    "meshapi_core.causes": "causes_of",
    "meshapi_core.chunks.decoder": "ChunkDecoder",
    "meshapi_core.codec.arguments": "ToolArgumentsError",
    "meshapi_core.config": "Limits MeshAPIConfig Timeout",
    "meshapi_core.destinations": "is_public not_public",
    "meshapi_core.dialing": "AwaitAttempts Dialing StartAttempt",
    "meshapi_core.errors": """
        APIConnectionError APIStatusError APITimeoutError AuthenticationError BadRequestError
        Base64Error CassetteError ConflictError ContentFilterError ContentTooLargeError
        InternalServerError InvalidParamsError JobFailedError JobStatusError JobTimeoutError
        JournalError MeshAPIError ModelRefusalError NetworkBlockedError NotFoundError
        OutputTruncatedError OutputValidationError ParamsWarning PaymentRequiredError
        PermissionDeniedError ProtocolError RateLimitError RealtimeConnectionClosed RealtimeError
        RedirectError ResponseDecodeError ResponseWarning StreamInterruptedError StreamUsageError
        StructuredOutputError ToolCallsPendingError ToolLoopLimitError UnprocessableEntityError
        UnsupportedSchemaError
    """,
    "meshapi_core.extras": "Extras hidden_values may_be_secret",
    "meshapi_core.failures": "Advice failure_of hint_at_tls timed_out",
    "meshapi_core.headers": "Headers find_request_id",
    "meshapi_core.http11.connection": "HTTP11Connection ResponseHead",
    "meshapi_core.machines.actions": """
        Abort Connect Finished GetToken Item Notify OpenFiles Read ReadBody Release SendRequest
        Sleep Write
    """,
    "meshapi_core.machines.client_call": "ClientAction ClientCall",
    "meshapi_core.machines.exchange": "Done Exchange ExchangeUsageError Send Wait",
    "meshapi_core.machines.pace": "BodyPace HeadPace",
    "meshapi_core.machines.pipe_call": "PipeAction PipeCall",
    "meshapi_core.machines.request_call": "RequestCall",
    "meshapi_core.messages": """
        Failure Origin Request Response Stage client_closed interrupted not_connected stream_closed
    """,
    "meshapi_core.network_guard": "NetworkGuard",
    "meshapi_core.params.wrong_names": "no_such_parameter",
    "meshapi_core.pool": "Decision PoolState",
    "meshapi_core.proxies.proxy": "Proxy",
    "meshapi_core.proxies.routes": "Proxies Route",
    "meshapi_core.raw_response": "RawResponse raw_call",
    "meshapi_core.realtime": """
        MessageWait RealtimeAuth RealtimeCall RealtimeConnected RealtimeConnection RealtimeExchange
        RealtimeMessage RealtimeOptions Reconnect Reconnected
    """,
    "meshapi_core.redaction": "concealed",
    "meshapi_core.request_changes": "GatheredBody PassedAttempt",
    "meshapi_core.response_meta": "ResponseMeta",
    "meshapi_core.retries": "Outcome RetryPolicy",
    "meshapi_core.retry_quota": "RetryQuota",
    "meshapi_core.service": "DEFAULT_BASE_URL Service",
    "meshapi_core.signals": "END_OF_BODY END_OF_STREAM EndOfBody EndOfStream NEED_DATA NeedData",
    "meshapi_core.sockets": "SocketOptions dial_failure",
    "meshapi_core.sse": "SSEDecoder ServerSentEvent",
    "meshapi_core.tls_settings": "TLSSettings",
    "meshapi_core.tokens": "TokenSource",
    "meshapi_core.websocket.closing": "Closed",
    "meshapi_core.websocket.connection": "WebSocketConnection",
}
_HOMES: Final = {
    name: f"{module}:{name}" for module, names in _NAMES.items() for name in names.split()
}
_HOMES.update(
    {
        "endpoints": "meshapi_core.endpoints",
        "observing": "meshapi_core.observing",
        "types": "meshapi_core.types",
    }
)
EXPORTED: Final = sorted(name for name, home in _HOMES.items() if ":" in home)


def __getattr__(name: str) -> Any:
    """Import the module that has a name, when the name is used for the first time."""
    if name not in _HOMES:
        raise AttributeError(f"module {PACKAGE!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    __import__(module)
    value: Any = sys.modules[module]
    if attribute:
        value = getattr(value, attribute)
    vars(sys.modules[PACKAGE])[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*vars(sys.modules[PACKAGE]), *_HOMES})
