"""The models that this gateway knows."""

from collections.abc import Sequence
from typing import Optional

from meshapi.testing._errors import GatewayError

DEFAULT_MODEL = "openai/gpt-4o-mini"
AUTO = "auto"

CHAT_MODELS = frozenset(
    {
        "anthropic/claude-sonnet-4",
        "anthropic/claude-sonnet-4.5",
        "google/gemini-2.5-flash",
        "openai/gpt-4o",
        "openai/gpt-4o-mini",
        "openai/gpt-5-nano",
        "openai/o4-mini",
    }
)

RATE_LIMITED = "mesh/rate-limited"
FLAKY = "mesh/flaky"
BROKEN_STREAM = "mesh/broken-stream"
ERROR_IN_STREAM = "mesh/error-in-stream"
STALL = "mesh/stall"
SLOW = "mesh/slow"

FAILING_MODELS = frozenset({RATE_LIMITED, FLAKY, BROKEN_STREAM, ERROR_IN_STREAM, STALL, SLOW})


def choose(model: Optional[str], fallbacks: Sequence[str]) -> str:
    """The first known one of the model and its fallbacks; the default if none is named.

    Raises:
        GatewayError: 404 `model_not_found`, if all of them are unknown.
    """
    wanted = [name for name in (model, *fallbacks) if name is not None] or [DEFAULT_MODEL]
    for name in wanted:
        if name == AUTO or name in CHAT_MODELS or name in FAILING_MODELS:
            return name
    raise GatewayError(404, "model_not_found", f"Model '{wanted[0]}' was not found.")
