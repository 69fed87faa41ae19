"""Traces and metrics of calls for OpenTelemetry, by its conventions for generative AI.

names        every name that is sent: operations, attributes, metrics with their buckets
options      `open_telemetry={...}`, checked
attributes   attributes of requests and responses
content      the messages themselves, where the program asks for them, up to a size
instruments  the metrics
spans        the span of one call, from its first attempt to its end
loose        odd JSON read without an error

It imports `opentelemetry`, and is imported only by a client that has `open_telemetry=`.

Source: https://github.com/open-telemetry/semantic-conventions-genai (v0.1; status: development)
"""
