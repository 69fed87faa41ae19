"""The error responses of scripts: those that they ask for, and those to requests they fail."""

from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.scripts.engine import ScriptError
from meshapi.gateway.scripts.values import ErrorReply


def scripted_error(reply: ErrorReply) -> GatewayError:
    """Return the error that a script responds with."""
    error = GatewayError(reply.status, reply.code, reply.message, headers=dict(reply.headers))
    seconds = reply.retry_after
    if seconds is not None:
        whole = int(seconds)
        error.error["retry_after_seconds"] = whole if whole == seconds else seconds
        error.headers["Retry-After"] = str(whole if whole == seconds else whole + 1)
        if whole != seconds:
            error.headers["Retry-After-Ms"] = str(round(seconds * 1000))
    return error


def script_failure(error: ScriptError) -> GatewayError:
    """Return the error for a request whose scripts are wrong. It is not to be retried.

    The clients of this library do not retry a 501. Those of OpenAI retry any 5xx, unless the header
    tells them otherwise.

    Source: https://github.com/openai/openai-python/blob/main/src/openai/_base_client.py
    (`_should_retry`)
    """
    return GatewayError(501, error.code, str(error), headers={"X-Should-Retry": "false"})
