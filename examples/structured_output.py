"""Structured output: let the model fill in a class, and check the result with msgspec.

    python structured_output.py "Please send 12 boxes to Anna."

A dataclass works in the same way: `msgspec.json.schema` and `msgspec.json.decode` accept both.
"""

import sys
from typing import Annotated, Any, TypeVar

import msgspec

from meshapi import MeshAPI

T = TypeVar("T")


class Order(msgspec.Struct, forbid_unknown_fields=True):
    customer: str
    boxes: Annotated[int, msgspec.Meta(ge=1, le=100)]
    express: bool


def response_format(kind: type[Any]) -> dict[str, Any]:
    """Return the `response_format` that asks for a class."""
    schema = msgspec.json.schema(kind)
    return {"type": "json_schema", "json_schema": {"name": kind.__name__, "schema": schema}}


def extract(client: MeshAPI, kind: type[T], text: str) -> T:
    """Return the content of a text as an instance of a class.

    Raises:
        msgspec.ValidationError: the model did not follow the schema.
    """
    response = client.chat.completions.create(
        model="openai/gpt-4o-mini",
        messages=[{"role": "user", "content": text}],
        response_format=response_format(kind),
    )
    return msgspec.json.decode(response.choices[0].message.text, type=kind)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with MeshAPI() as client:
        order = extract(client, Order, sys.argv[1])
    print(f"{order.boxes} boxes for {order.customer}{', express' if order.express else ''}")
