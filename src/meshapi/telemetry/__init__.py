"""Traces and metrics of calls for OpenTelemetry, by its conventions for generative AI.

names        every name that is sent: operations, attributes, metrics with their buckets
options      `open_telemetry={...}`, checked
attributes   attributes of requests and responses
content      the messages themselves, where the program asks for them, up to a size
instruments  the metrics
spans        the span of one call, from its first attempt to its end
lenient      JSON of any shape, read without errors

Only `spans` imports `opentelemetry`. A client loads it when it is given `open_telemetry=`.

Source: https://github.com/open-telemetry/semantic-conventions-genai (v0.1; status: development)
"""
