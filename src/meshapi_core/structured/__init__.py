"""Structured output: a type of the program's, as a JSON schema and back from a model's text.

outputs       what a program asks for: the schema that is sent, and how a text becomes a value
schemas       the schema of any type that msgspec knows
strictness    a schema as strict modes demand it, and a value back in the form of its own schema
models        classes that bring a schema and a validator of their own, such as pydantic's
answers       the text in a response, or the error that says why there is none
parsing       the flows behind `parse`, which may ask again
parsed_calls  calls that read a value, and may be many: `parse.build`
opening       what `stream` and `parse` are to a type checker
"""
