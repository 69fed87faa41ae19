"""What the gateway makes up: the same for the same request, each time.

answers         what is said: the same to the same question
audio           a tone for each voice, in its formats; what an upload seems to be
documents       real files in four formats, each with the prompt and a note
movies          MP4 files of the right length, without a frame
pictures        real PNG files of one colour, which the prompt decides
schema_samples  values that fit a JSON schema
tokens          the words of a text, here
tool_calls      which tools are called, with which arguments
vectors         near each other where texts have words in common
"""
