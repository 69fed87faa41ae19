"""What calls will use, before they are sent: a guess from the size of their texts.

    input     the bytes of the texts and schemas that the model reads, divided by 4. English has
              about 4 letters a model token. Other alphabets have fewer, but take more bytes. A
              picture or another file counts `MEDIA_TOKENS`, whatever its size.
    output    `max_completion_tokens`, `max_output_tokens` or `max_tokens`, times `n`; without a
              limit `GUESSED_OUTPUT` for a model that writes, and 0 for embeddings and moderations.
              Not known where the output is no text: images, speech, video.

There is no tokenizer: a gateway has many models, and most tokenizers download their vocabulary. A
run corrects the guess by the usage of the calls that have ended.
"""

import re
from typing import Any, Final, NamedTuple, Optional, Union

import msgspec
from msgspec import UNSET, Raw, Struct

from meshapi_core._json_kinds import is_array
from meshapi_core.calls import AnyCall
from meshapi_core.multipart import Multipart
from meshapi_core.usage.metered import MODEL_PATHS

__all__ = ["GUESSED_OUTPUT", "MEDIA_TOKENS", "EstimatedTokens", "estimated_tokens", "model_of"]

GUESSED_OUTPUT: Final = 300
"""The model tokens of an answer that nothing limits: about 200 words."""

MEDIA_TOKENS: Final = 1000
"""The model tokens of a picture or another file. Providers count about 250 to 1,500 for a picture,
by its width and height."""

_BYTES_A_TOKEN: Final = 4
_FRAME: Final = len(b'{"role":"user","content":""},') - 3 * _BYTES_A_TOKEN
"""Bytes of JSON around a message that no model reads; three model tokens take their place."""

_MOST_TOKENS: Final = 10**9
_MOST_CHOICES: Final = 1000
"""What is larger than these is no limit, and no number of choices, that anyone means."""

_COMPARE: Final = "/v1/chat/compare"
_WRITES: Final = frozenset({_COMPARE, "/v1/chat/completions", "/v1/responses"})
_READS: Final = frozenset({"/v1/embeddings", "/v1/moderations"})

# What stands before the base64 has an end, or a text that only looks like it takes hours: each part
# of it would be tried as both.
_BASE64: Final = re.compile(rb'"(?:[\w/:;.=+-]{0,100};base64,)?[A-Za-z0-9+/_-]{1000,}={0,2}"')
_MEDIA: Final = re.compile(
    rb'"type": ?"(?:image_url|input_image|input_audio|input_file|input_video|file|video_url)"'
)


class EstimatedTokens(NamedTuple):
    """The model tokens that a call may use.

    Fields:
        model: its ID; "" if the call names none.
        input: that the model reads.
        output: that it writes; None if it does not write text.
        others: the other models that a comparison asks, each with the same input and output.
    """

    model: str
    input: int
    output: Optional[int]
    others: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """What all models read and write; an output that is not text counts nothing."""
        return (self.input + (self.output or 0)) * (1 + len(self.others))


class _Asked(Struct):
    """The members of a body that say how much there is to read and to write."""

    model: Any = ""
    models: Any = None
    comparison_model: Any = None
    skip_comparison: Any = None
    messages: Raw = Raw()
    input: Raw = Raw()
    prompt: Raw = Raw()
    query: Raw = Raw()
    instructions: Raw = Raw()
    tools: Raw = Raw()
    functions: Raw = Raw()
    response_format: Raw = Raw()
    text: Raw = Raw()
    max_completion_tokens: Any = UNSET
    max_output_tokens: Any = UNSET
    max_tokens: Any = UNSET
    n: Any = 1


class _Model(Struct):
    model: Any = ""


_DECODER: Final = msgspec.json.Decoder(_Asked)
_MODEL: Final = msgspec.json.Decoder(_Model)
_NOTHING: Final = EstimatedTokens("", 0, 0)


def estimated_tokens(call: AnyCall[Any], expected: Optional[int] = None) -> EstimatedTokens:
    """Return a guess at the model tokens of a call, as described at the top of the module.

    A body that is not JSON counts by its bytes. A call that runs no model has no tokens.

    Args:
        call: the call.
        expected: the model tokens that an answer is expected to have; a lower limit of the call
            counts. None if nobody knows: then the limit counts.
    """
    path = str(getattr(call, "path", ""))
    if call.method != "POST" or path not in MODEL_PATHS:
        return _NOTHING
    body: object = getattr(call, "body", b"")
    if isinstance(body, Multipart):
        fields = dict(body.fields)
        size = len(fields.get("prompt", "")) // _BYTES_A_TOKEN
        return EstimatedTokens(fields.get("model", ""), size, None)
    writes = path in _WRITES
    data = body if isinstance(body, bytes) else b""
    try:
        asked = _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        output = _written(_Asked(), expected) if writes else None
        return EstimatedTokens("", _tokens(data), output)
    model = asked.model if isinstance(asked.model, str) else ""
    if not writes:
        output = 0 if path in _READS else None
        return EstimatedTokens(
            model, _tokens(_first(asked.input, asked.prompt, asked.query)), output
        )
    read = _tokens(_first(asked.messages, asked.input))
    extra = len(asked.tools) + len(asked.response_format) + len(asked.instructions)
    extra += len(asked.functions) + len(asked.text)
    others: tuple[str, ...] = ()
    if path == _COMPARE:
        model, *more = _compared(asked)
        others = tuple(more)
    output = _written(asked, expected)
    return EstimatedTokens(model, read + extra // _BYTES_A_TOKEN, output, others)


def model_of(call: AnyCall[Any]) -> str:
    """Return the ID of the model that a call asks; "" if it names none, or several."""
    body: object = getattr(call, "body", b"")
    if isinstance(body, Multipart):
        return dict(body.fields).get("model", "")
    try:
        model: object = _MODEL.decode(body if isinstance(body, bytes) else b"").model
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return model if isinstance(model, str) else ""


def _compared(asked: _Asked) -> list[str]:
    models: list[Any] = asked.models if is_array(asked.models) else []
    names = [name for name in models if isinstance(name, str)]
    if asked.skip_comparison is not True:
        name = asked.comparison_model
        names.append(name if isinstance(name, str) else "")
    return names or [""]


def _first(*contents: Raw) -> Raw:
    return next((content for content in contents if len(content)), Raw())


def _tokens(content: Union[bytes, Raw]) -> int:
    """Return the model tokens of a text or of messages, as JSON."""
    text = bytes(content)
    size, more = len(text), 0
    if (size > 1000 and b"base64" in text) or b'"data":' in text:
        size -= sum(len(found) for found in _BASE64.findall(text))
    if b'"type":' in text:
        more = MEDIA_TOKENS * len(_MEDIA.findall(text))
    messages = text.count(b'"role":')
    return max(0, size - _FRAME * messages) // _BYTES_A_TOKEN + more


def _written(asked: _Asked, expected: Optional[int]) -> int:
    """Return the model tokens that are written, as far as one can tell."""
    count = asked.n if type(asked.n) is int and 1 <= asked.n <= _MOST_CHOICES else 1
    for limit in (asked.max_completion_tokens, asked.max_output_tokens, asked.max_tokens):
        if type(limit) is int and 0 <= limit <= _MOST_TOKENS:
            return count * (limit if expected is None else min(limit, expected))
    return count * (GUESSED_OUTPUT if expected is None else expected)
