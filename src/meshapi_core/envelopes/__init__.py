"""What an error response means: from a status, headers and any body to one typed error.

Servers disagree about the shape of an error, and what stands between (edges, proxies) sends none
at all. So nothing is required here: each fact is looked for in the objects that may hold it, the
most specific first, and whatever is missing or of a wrong kind is as good as absent.

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

The names of members go by their letters alone: `errorMessage` is `error_message`.

    statuses.py (one level up)   the table: which status is which class, and which code
    responses.py                 a response with such a status
    under_200.py, heuristics.py  errors in responses with a 2xx, and in streams
    error_fields.py              where a code, a status, a wait are found in a body
    error_message.py             where its sentence and its details are
    typed_errors.py              what is kept of it all
    loose_json.py                JSON of which nothing is certain

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
