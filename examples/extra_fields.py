"""Use parameters and fields that this version of the client does not know yet.

    python extra_fields.py

`extra_body` adds to the body of requests, `extra_headers` to their headers, and `extra_query` to
their query. `raw` is everything that the gateway sent, so new fields are in it.
"""

from meshapi import MeshAPI

with MeshAPI() as client:
    # Costs next to nothing: the new client shares the connections of the old one.
    beta = client.with_options(
        extra_body={"thinking_budget": 1024},
        extra_headers={"X-Mesh-Version": "2026-09"},
    )
    response = beta.chat.completions.create(
        model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "What is 2+2?"}]
    )
    print(response.text)
    print("fields of the response:", ", ".join(sorted(response.raw)))
