"""The meaning of an error response: one typed error from a status, headers and any body.

Servers disagree about the form of errors, and intermediaries (edges, proxies) send anything. So
nothing is required here: each fact is looked for in the objects that may contain it, the most
specific first, and a value of the wrong type counts as missing.

    {"error": {"code", "message", "details", ...}, "request_id"}     the gateway
    {"detail": {"error": {...}}}                                     the gateway's compare
    {"detail": "text" | [{"type", "loc", "msg"}] | {...}}            FastAPI
    {"type", "title", "status", "detail"}                            RFC 9457
    [{"error": {...}}]                                               Google
    {"object": "error", "message"}, {"type": "error", ...}           vLLM; OpenAI's events
    {"choices": [{"finish_reason": "error", "error": {...}}]}        OpenRouter
    {"error": "{\\"error\\": {...}}"}                                a gateway before a gateway
    {"error_code": 1, "error_msg"}, {"base_resp": {"status_code"}}   Baidu; MiniMax
    {"error": "text"}, {"message": "text"}, "text", HTML, nothing    everyone else

Names of fields are compared by their letters alone: `errorMessage` is `error_message`.

    statuses.py (one level up)   the table: the class and the error code for each status
    responses.py                 the error of a response with an error status
    under_200.py, heuristics.py  errors in 2xx responses and in streams
    error_fields.py              where in a body to find the error code, the status, the wait
    error_message.py             where in a body to find the message and the details
    typed_errors.py              the typed error, with what is kept of the body
    loose_json.py                access to JSON of unknown form

Source: https://developers.meshapi.ai (errors),
    https://fastapi.tiangolo.com/tutorial/handling-errors/,
    https://www.rfc-editor.org/rfc/rfc9457#section-3,
    https://openrouter.ai/docs/api-reference/errors,
    https://cloud.google.com/apis/design/errors
"""

from meshapi_core.envelopes.loose_json import is_blank
from meshapi_core.envelopes.responses import error_from_response, refused_upload
from meshapi_core.envelopes.under_200 import (
    error_from_frame,
    error_in_response,
    is_error_frame,
    may_be_error,
    members_of,
    results_of,
)

__all__ = [
    "error_in_response",
    "error_from_frame",
    "error_from_response",
    "is_blank",
    "is_error_frame",
    "may_be_error",
    "members_of",
    "refused_upload",
    "results_of",
]
