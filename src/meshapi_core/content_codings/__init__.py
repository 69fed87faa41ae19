"""Decodes responses that have a content coding, which is compression.

responses   whole responses, streams and errors
decoders    one coded body; limits how much it may expand
inflaters   the codings, and the libraries that implement them
"""

from meshapi_core.content_codings.responses import (
    CodedBodyDecoder,
    decoded,
    decoded_in_part,
    is_coded,
    opened,
)

__all__ = ["CodedBodyDecoder", "decoded", "decoded_in_part", "is_coded", "opened"]
