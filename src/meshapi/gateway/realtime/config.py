"""The configuration of a realtime session, and how an update changes it.

Source: https://platform.openai.com/docs/api-reference/realtime-client-events/session/update
"""

from typing import Any, cast

from meshapi.gateway import clock
from meshapi.gateway.realtime.events import Refused, new_id

Config = dict[str, Any]

# The service ends a session after half an hour.
_LIFETIME = 30 * 60

_FORMAT = {"type": "audio/pcm", "rate": 24000}

# The settings that null turns off. For all others, null changes nothing.
_NULLABLE = frozenset(
    "turn_detection transcription noise_reduction idle_timeout_ms tracing prompt include".split()
)
# The settings that an update can't change.
_FIXED = ("type", "object", "id", "model", "expires_at")


def new_config(model: str) -> Config:
    """The configuration with which a session begins."""
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": new_id("sess"),
        "model": model,
        "output_modalities": ["audio"],
        "instructions": "",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": int(clock.time()) + _LIFETIME,
        "audio": {
            "input": {
                "format": dict(_FORMAT),
                "transcription": {"model": "openai/whisper-1"},
                "noise_reduction": None,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 200,
                    "idle_timeout_ms": None,
                    "create_response": True,
                    "interrupt_response": True,
                },
            },
            "output": {"format": dict(_FORMAT), "voice": "alloy", "speed": 1.0},
        },
        "include": None,
    }


def updated(config: Config, changes: Config) -> Config:
    """The configuration with the changes applied; objects are merged recursively.

    Raises:
        Refused: `not_implemented`, for audio other than PCM, and for `semantic_vad`.
    """
    _refuse_unsupported(changes)
    merged = _merged(config, changes)
    heard = merged["audio"]["input"]
    if heard["turn_detection"]:
        # Turn detection that was off begins with the default values.
        usual = new_config("")["audio"]["input"]["turn_detection"]
        heard["turn_detection"] = {**usual, **heard["turn_detection"]}
    return {**merged, **{name: config[name] for name in _FIXED}}


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(new, dict):
        return new
    result: Config = dict(cast("Config", old)) if isinstance(old, dict) else {}
    for name, value in cast("Config", new).items():
        if value is not None or name in _NULLABLE:
            result[name] = _merged(result.get(name), value)
    return result


def inner(config: Config, *names: str) -> Config:
    """The object at the path of these names; an empty one if it is missing or null."""
    for name in names:
        config = config.get(name) or {}
    return config


def _refuse_unsupported(changes: Config) -> None:
    for side in ("input", "output"):
        kind = inner(changes, "audio", side, "format").get("type", "audio/pcm")
        if kind != "audio/pcm":
            message = f"The local gateway supports audio/pcm only, not {kind}."
            param = f"session.audio.{side}.format.type"
            raise Refused("not_implemented", message, param=param)
    kind = inner(changes, "audio", "input", "turn_detection").get("type", "server_vad")
    if kind != "server_vad":
        message = f"The local gateway supports server_vad only, not {kind}."
        param = "session.audio.input.turn_detection.type"
        raise Refused("not_implemented", message, param=param)
