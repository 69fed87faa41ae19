"""Structured output: the model fills in a class.

python typed_value.py
"""

from typing import NamedTuple

from meshapi import MeshAPI


class City(NamedTuple):
    name: str
    people: int


question = [{"role": "user", "content": "There are 7 people in Berlin."}]
with MeshAPI() as client:
    chat = client.chat.completions
    print(chat.parse(model="openai/gpt-4o-mini", messages=question, response_format=City).parsed)
