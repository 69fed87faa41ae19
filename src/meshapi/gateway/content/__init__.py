"""What the gateway makes up: the same content each time for the same request.

answers         what the models say
audio           a tone for each voice, in several formats; the format of an upload
bounds          numbers that keep to the bounds of a JSON schema
documents       real files in four formats, each with the prompt and a note
movies          MP4 files of the right length, without frames
patterns        texts that match a regular expression
pictures        real PNG files of one colour, which depends on the prompt
schema_samples  values that match a JSON schema
tokens          counts of model tokens: here, each word is one
tool_calls      which tools are called, with which arguments
vectors         embeddings, near each other if their texts share words
"""
