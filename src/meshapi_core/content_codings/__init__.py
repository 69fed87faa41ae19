"""Responses that came compressed.

responses   whole ones, streams and errors, before anybody reads them
decoders    how much comes out of how little, at most
inflaters   the codings, and the libraries that know them
"""

from meshapi_core.content_codings.responses import (
    CodedBodyDecoder,
    decoded,
    decoded_in_part,
    is_coded,
    opened,
)

__all__ = ["CodedBodyDecoder", "decoded", "decoded_in_part", "is_coded", "opened"]
