"""Structured output: the model fills in a class of yours.

    python structured_output.py "Please send 12 boxes to Anna."

A dataclass, a TypedDict or a pydantic model works in the same way, as does `list[Order]`.
"""

import sys
from typing import Annotated

from msgspec import Meta, Struct

from meshapi import MeshAPI, StructuredOutputError


class Order(Struct):
    customer: str
    boxes: Annotated[int, Meta(ge=1, le=100)]
    express: bool


def main(text: str) -> None:
    with MeshAPI() as client:
        try:
            order = client.chat.completions.parse(
                model="openai/gpt-4o-mini",
                messages=[{"role": "user", "content": text}],
                response_format=Order,
                validation_retries=1,
            ).parsed
        except StructuredOutputError as error:
            sys.exit(f"{error}\nThe model said: {error.text}")
    print(f"{order.boxes} boxes for {order.customer}{', express' if order.express else ''}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1])
