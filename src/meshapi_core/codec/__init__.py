"""The decoding of responses: strict where they fit the declared type, else lenient, by field.

decoding        bytes, or parsed JSON, to the declared type
parsing         JSON as servers write it: with NaN, huge numbers, halves of characters
repairs         the lenient half: what is converted, and what is lost and reported
scalars         numbers and text of another kind than declared
content_parts   content parts where text was declared
decoding_rules  what a type says about its JSON, in addition to its fields
arguments       the arguments of tool calls, which are JSON text within JSON
mismatches      values that could not be converted: whether that is an error, or a warning
"""
