"""What notebooks show of responses: `_repr_html_`. Loaded when a notebook asks for it.

Everything comes from a server, so everything is escaped, and all is bounded in size. Nothing is
fetched: an image that is only a link is shown as the link, without its query, which may be a key.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Optional

from meshapi_core._html import escaped, table_html
from meshapi_core.types.batches import BatchObject
from meshapi_core.types.images import ImageItem
from meshapi_core.types.models import ModelInfo

__all__ = [
    "audio_html",
    "batches_html",
    "images_html",
    "models_html",
    "player_html",
    "rows_html",
]

_MOST_IMAGES: Final = 12
_MOST_DATA: Final = 16 * 2**20
"""Characters of base64 in one output: a notebook keeps them all in its file."""

_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")

_IMAGES: Final = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
)
_SOUNDS: Final = (
    (re.compile(rb"RIFF....WAVE", re.DOTALL), "audio/wav"),
    (re.compile(rb"ID3|\xff[\xe2-\xff]"), "audio/mpeg"),
    (re.compile(rb"OggS"), "audio/ogg"),
    (re.compile(rb"fLaC"), "audio/flac"),
    (re.compile(rb"....ftyp", re.DOTALL), "audio/mp4"),
)


_MODEL_HEAD: Final = (
    "model",
    "name",
    "type",
    "context",
    "input, $ per 1M",
    "output, $ per 1M",
)


def _model(model: ModelInfo) -> tuple[object, ...]:
    price = model.pricing
    paid: tuple[object, object] = ("free", "free") if model.is_free else ("", "")
    if price is not None and not model.is_free:
        paid = (price.prompt_usd_per_1m, price.completion_usd_per_1m)
    context = model.context_length or model.context_window
    return (model.id, model.name, model.model_type, context, *paid)


def models_html(models: Sequence[ModelInfo], total: int = 0) -> str:
    """Return models as a table; `total` says how many there are if these are only a page."""
    return table_html(_MODEL_HEAD, map(_model, models), max(total, len(models)))


def rows_html(rows: Sequence[Any]) -> Optional[str]:
    """Return a list as a table, if it is of models; None shows its repr."""
    found = [row for row in rows if isinstance(row, ModelInfo)]
    return models_html(found) if found and len(found) == len(rows) else None


_BATCH_HEAD: Final = ("batch", "status", "model", "completed", "failed", "requests")


def batches_html(batches: Sequence[BatchObject]) -> str:
    """Return batches as a table."""
    rows = (
        (
            batch.id,
            batch.status,
            batch.model,
            batch.completed_requests,
            batch.failed_requests,
            batch.total_requests,
        )
        for batch in batches
    )
    return table_html(_BATCH_HEAD, rows, len(batches))


# Images and audio


def _data_url(data: str, kinds: Sequence[tuple[re.Pattern[bytes], str]], most: int) -> str:
    """Return base64 as a data URL; "" if it is no such file, or too large."""
    text = "".join(data.split()) if len(data) <= most else ""
    if not _BASE64.fullmatch(text) or len(text) < 32:
        return ""
    start = base64.b64decode(text[:32])
    kind = next((name for pattern, name in kinds if pattern.match(start)), "")
    return f"data:{kind};base64,{text}" if kind else ""


def images_html(items: Sequence[ImageItem]) -> Optional[str]:
    """Return images, those that are in the response itself; of the others, where they are.

    None shows the repr: there is no image.
    """
    left = _MOST_DATA
    parts: list[str] = []
    for item in items[:_MOST_IMAGES]:
        data = item.b64_json or _inline(item.url)
        shown = _data_url(data, _IMAGES, left)
        left -= len(shown)
        prompt = escaped(item.revised_prompt)
        if shown:
            parts.append(f'<img src="{shown}" alt="{prompt}" style="max-width:100%">')
        elif data:
            parts.append(
                f"<p>an image that is not shown here: {len(data)} characters of base64</p>"
            )
        else:
            place = (item.url or "no image").partition("?")[0]
            parts.append(f"<p><code>{escaped(place)}</code></p>")
    if len(items) > _MOST_IMAGES:
        parts.append(f"<p>{len(items) - _MOST_IMAGES} more</p>")
    return "".join(parts) or None


def _inline(url: Optional[str]) -> str:
    """The base64 in a data URL; "" if it is another URL."""
    head, comma, data = (url or "").partition(",")
    is_base64 = head[:5].lower() == "data:" and head[-7:].lower() == ";base64"
    return data if comma and is_base64 else ""


def audio_html(audio: Mapping[str, Any]) -> Optional[str]:
    """Return the spoken answer of a model as a player; None shows the repr."""
    data, transcript = audio.get("data"), audio.get("transcript")
    shown = _data_url(data, _SOUNDS, _MOST_DATA) if isinstance(data, str) else ""
    if not shown:
        return None
    text = f"<p>{escaped(transcript)}</p>" if isinstance(transcript, str) else ""
    return f'<audio controls src="{shown}"></audio>{text}'


def player_html(audio: bytes) -> Optional[str]:
    """Return an audio file as a player; None shows the repr."""
    if len(audio) > _MOST_DATA * 3 // 4:
        return None
    return audio_html({"data": base64.b64encode(audio).decode()})
