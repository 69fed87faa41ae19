"""The models that this gateway knows, and which of them each endpoint can use.

The sets below and the responses of /v1/models all come from one table. The prices are made up, and
the names are borrowed: none of these is the well-known model of that name.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Optional

from meshapi.gateway.http.errors import GatewayError

DEFAULT_MODEL = "openai/gpt-4o-mini"
DEFAULT_EMBEDDING_MODEL = "openai/text-embedding-3-small"
DEFAULT_IMAGE_MODEL = "openai/gpt-image-1"
DEFAULT_VIDEO_MODEL = "bytedance/seedance-1-0-lite"
DEFAULT_SPEECH_MODEL = "elevenlabs/eleven_multilingual_v2"
DEFAULT_TRANSCRIPTION_MODEL = "elevenlabs/scribe_v1"
AUTO = "auto"


@dataclass(frozen=True)
class Model:
    """One model.

    Attributes:
        name: the name to display.
        use: what it is for: "chat", "embedding", "image", "video", "speech", "transcription" or
            "realtime".
        context: the number of tokens that it can read; 0 if it does not count them.
        prompt_usd: dollars per million input tokens; for speech, per million characters.
        completion_usd: dollars per million output tokens.
        image_usd: dollars per picture.
        reads: kinds of input besides text.
        thinks: whether it can show a summary of its reasoning.
        discount: per cent off the price.
    """

    id: str
    name: str
    use: str
    context: int = 0
    prompt_usd: str = "0"
    completion_usd: str = "0"
    image_usd: str = "0"
    reads: tuple[str, ...] = ()
    thinks: bool = False
    discount: int = 0

    @property
    def brand(self) -> str:
        """The company that made it: the ID up to the slash."""
        return self.id.partition("/")[0]

    @property
    def is_free(self) -> bool:
        """Whether it has no price at all."""
        return {self.prompt_usd, self.completion_usd, self.image_usd} == {"0"}


_IMAGE = ("image",)


def _chat(slug: str, name: str, context: int, prompt: str, completion: str, **more: Any) -> Model:
    return Model(slug, name, "chat", context, prompt, completion, reads=_IMAGE, **more)


def _picture(slug: str, name: str, price: str, **more: Any) -> Model:
    return Model(slug, name, "image", image_usd=price, **more)


MODELS: Sequence[Model] = (
    _chat("anthropic/claude-haiku-4.5", "Claude Haiku 4.5", 200_000, "1", "5"),
    _chat("anthropic/claude-sonnet-4", "Claude Sonnet 4", 200_000, "3", "15"),
    _chat(
        "anthropic/claude-sonnet-4.5",
        "Claude Sonnet 4.5",
        *(200_000, "3", "15"),
        thinks=True,
        discount=10,
    ),
    _chat("google/gemini-2.5-flash", "Gemini 2.5 Flash", 1_048_576, "0.3", "2.5", thinks=True),
    Model("google/gemma-3-27b-it:free", "Gemma 3 27B (free)", "chat", 131_072),
    Model("meta-llama/llama-3.3-70b-instruct:free", "Llama 3.3 70B (free)", "chat", 131_072),
    _chat("openai/gpt-4o", "GPT-4o", 128_000, "2.5", "10", discount=20),
    _chat("openai/gpt-4o-mini", "GPT-4o mini", 128_000, "0.15", "0.6"),
    _chat("openai/gpt-5-nano", "GPT-5 nano", 400_000, "0.05", "0.4", thinks=True),
    _chat("openai/o4-mini", "o4-mini", 200_000, "1.1", "4.4", thinks=True),
    Model("google/gemini-embedding-001", "Gemini Embedding", "embedding", 2_048, "0.15"),
    Model("openai/text-embedding-3-large", "Text Embedding 3 large", "embedding", 8_191, "0.13"),
    Model("openai/text-embedding-3-small", "Text Embedding 3 small", "embedding", 8_191, "0.02"),
    Model("openai/text-embedding-ada-002", "Text Embedding Ada 002", "embedding", 8_191, "0.1"),
    _picture("bytedance/seedream-4-0", "Seedream 4.0", "0.03", reads=_IMAGE),
    _picture("google/gemini-2.5-flash-image", "Gemini 2.5 Flash Image", "0.039", reads=_IMAGE),
    _picture("openai/dall-e-3", "DALL-E 3", "0.04"),
    _picture("openai/gpt-image-1", "GPT Image 1", "0.042", reads=_IMAGE),
    Model("bytedance/seedance-1-0-lite", "Seedance 1.0 Lite", "video", 0, "0", "1.8", reads=_IMAGE),
    Model("byteplus/dreamina-seedance-2-0", "Seedance 2.0", "video", 0, "0", "3", reads=_IMAGE),
    Model("bytedance/seedance-1-0-pro", "Seedance 1.0 Pro", "video", 0, "0", "2.5", reads=_IMAGE),
    Model("google/veo-3.0-generate", "Veo 3", "video", 0, "0", "4", reads=_IMAGE),
    Model("elevenlabs/eleven_multilingual_v2", "Multilingual v2", "speech", 10_000, "100"),
    Model("elevenlabs/eleven_turbo_v2_5", "Turbo v2.5", "speech", 40_000, "50"),
    Model("openai/gpt-4o-mini-tts", "GPT-4o mini TTS", "speech", 2_000, "0.6", "12"),
    Model("openai/tts-1", "TTS-1", "speech", 4_096, "15"),
    Model("sarvam/bulbul:v2", "Bulbul v2", "speech", 1_500, "15"),
    Model("sarvam/bulbul-v2", "Bulbul v2", "speech", 1_500, "15"),
    Model("elevenlabs/scribe_v1", "Scribe v1", "transcription", 0, "6"),
    Model("openai/gpt-4o-transcribe", "GPT-4o Transcribe", "transcription", 16_000, "2.5", "10"),
    Model("openai/whisper-1", "Whisper", "transcription", 0, "6"),
    Model("sarvam/saaras-v2.5", "Saaras v2.5", "transcription", 0, "6"),
    Model("sarvam/saaras:v3", "Saaras v3", "transcription", 0, "6"),
    Model("sarvam/saarika-v2.5", "Saarika v2.5", "transcription", 0, "6"),
    Model("openai/gpt-4o-realtime-preview", "GPT-4o Realtime", "realtime", 32_000, "5", "20"),
    Model("openai/gpt-realtime-mini", "GPT Realtime mini", "realtime", 32_000, "0.6", "2.4"),
)


def _of(use: str) -> frozenset[str]:
    return frozenset(model.id for model in MODELS if model.use == use)


CHAT_MODELS = _of("chat")
EMBEDDING_MODELS = _of("embedding")
IMAGE_MODELS = _of("image")
VIDEO_MODELS = _of("video")
SPEECH_MODELS = _of("speech")
TRANSCRIPTION_MODELS = _of("transcription")
REALTIME_MODELS = _of("realtime")
# They have no price, and can be named without a provider; the catalogue does not list them.
MODERATION_MODELS = frozenset({"omni-moderation-latest", "openai/omni-moderation-latest"})

RATE_LIMITED = "mesh/rate-limited"
FLAKY = "mesh/flaky"
BROKEN_STREAM = "mesh/broken-stream"
ERROR_IN_STREAM = "mesh/error-in-stream"
STALL = "mesh/stall"
SLOW = "mesh/slow"
REFUSAL = "mesh/refusal"
# Chat and responses: how a text or a tool call can go wrong.
LENGTH = "mesh/length"
CONTENT_FILTER = "mesh/content-filter"
WRONG_JSON = "mesh/wrong-json"
WRONG_JSON_ONCE = "mesh/wrong-json-once"
NOT_JSON = "mesh/not-json"
TOOL_LOOP = "mesh/tool-loop"
UNKNOWN_TOOL = "mesh/unknown-tool"
LOOSE_DELTAS = "mesh/loose-deltas"
# Jobs, and what they leave behind.
JOB_FAILED = "mesh/job-failed"
JOB_EXPIRED = "mesh/job-expired"
JOB_CANCELLED = "mesh/job-cancelled"
JOB_UNKNOWN_STATUS = "mesh/job-unknown-status"
JOB_RETRY_AFTER = "mesh/job-retry-after"
UNORDERED = "mesh/unordered"
BROKEN_DOWNLOAD = "mesh/broken-download"
NO_RANGES = "mesh/no-ranges"
CHANGED_DOWNLOAD = "mesh/changed-download"
REPEATED_PAGE = "mesh/repeated-page"
# Only realtime knows these.
CLOSE_1000 = "mesh/close-1000"
CLOSE_1011 = "mesh/close-1011"
CLOSE_4402 = "mesh/close-4402"
LARGE_FRAME = "mesh/large-frame"

FAILING_MODELS = frozenset(
    {
        *(RATE_LIMITED, FLAKY, BROKEN_STREAM, ERROR_IN_STREAM, STALL, SLOW, REFUSAL),
        *(LENGTH, CONTENT_FILTER, WRONG_JSON, WRONG_JSON_ONCE, NOT_JSON),
        *(TOOL_LOOP, UNKNOWN_TOOL, LOOSE_DELTAS),
        *(JOB_FAILED, JOB_EXPIRED, JOB_CANCELLED, JOB_UNKNOWN_STATUS, JOB_RETRY_AFTER, UNORDERED),
        *(BROKEN_DOWNLOAD, NO_RANGES, CHANGED_DOWNLOAD, REPEATED_PAGE),
    }
)
FAILING_REALTIME_MODELS = frozenset({CLOSE_1000, CLOSE_1011, CLOSE_4402, LARGE_FRAME})

_ALL = frozenset(model.id for model in MODELS) | FAILING_REALTIME_MODELS

_BY_ID = {model.id: model for model in MODELS}

# The digits after the point that every cost has, at least.
_COST_DIGITS = 7


def find_model(model_id: str) -> Optional[Model]:
    """The model with this ID, including those that fail on purpose; None if there is none."""
    if model_id in FAILING_MODELS | FAILING_REALTIME_MODELS:
        use = "chat" if model_id in FAILING_MODELS else "realtime"
        return Model(model_id, model_id.partition("/")[2], use, 0, "0.1", "0.1", "0.01")
    return _BY_ID.get(model_id)


def cost_of(model_id: str, read: int, written: int, pictures: int = 0) -> str:
    """The price of a response in dollars, as a decimal string in the service's format.

    Args:
        read: tokens of the input.
        written: tokens of the output; 0 if it consists of pictures.
    """
    model = find_model(model_id)
    if model is None:
        return f"{0:.{_COST_DIGITS}f}"
    tokens = read * Decimal(model.prompt_usd) + written * Decimal(model.completion_usd)
    dollars = (tokens / 1_000_000 + pictures * Decimal(model.image_usd)).normalize()
    exponent = dollars.as_tuple().exponent
    return f"{dollars:.{max(_COST_DIGITS, -int(exponent))}f}"


def choose(model: Optional[str], fallbacks: Sequence[str], *, any_model: bool = False) -> str:
    """The first chat model among the model and its fallbacks; the default if none is named.

    The result may be `AUTO`, which stands for the default, or one of `FAILING_MODELS`.

    Args:
        any_model: whether the model may be one that this gateway does not know.

    Raises:
        GatewayError: if none of them is a chat model: 400 `model_capability_not_supported` if the
            first one is a model for something else, else 404 `model_not_found`.
    """
    wanted = [name for name in (model, *fallbacks) if name is not None] or [DEFAULT_MODEL]
    for name in wanted:
        if name == AUTO or name in CHAT_MODELS or name in FAILING_MODELS:
            return name
    if any_model:
        return wanted[0]
    raise _unfit(wanted[0])


def choose_from(known: AbstractSet[str], model: Optional[str], default: str) -> str:
    """The model, if it is known or one of `FAILING_MODELS`; the default for None and `AUTO`.

    Args:
        known: the models that the endpoint can use, such as `IMAGE_MODELS`.

    Raises:
        GatewayError: 400 `model_capability_not_supported` if the model is for something else, 404
            `model_not_found` if there is no such model.
    """
    if model is None or model == AUTO:
        return default
    if model in known or model in FAILING_MODELS:
        return model
    raise _unfit(model)


def choose_realtime(model: Optional[str]) -> str:
    """The model, if it is for realtime sessions; there is no default.

    The result may be one of `FAILING_MODELS` or `FAILING_REALTIME_MODELS`.

    Raises:
        GatewayError: 400 `invalid_request` if no model is named; otherwise as for `choose_from`.
    """
    if not model:
        raise GatewayError(400, "invalid_request", "The query has no model: add ?model=...")
    if model in REALTIME_MODELS | FAILING_MODELS | FAILING_REALTIME_MODELS:
        return model
    raise _unfit(model)


def _unfit(model: str) -> GatewayError:
    if model in _ALL:
        message = f"Model '{model}' does not support this endpoint: GET /v1/models lists others."
        return GatewayError(400, "model_capability_not_supported", message)
    return GatewayError(404, "model_not_found", f"Model '{model}' was not found.")
