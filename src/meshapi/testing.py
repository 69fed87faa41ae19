"""A gateway on your own machine, for demonstrations and tests: no network, no account, no cost.

    from meshapi import MeshAPI
    from meshapi.testing import LocalGateway

    with LocalGateway(words_per_second=0) as gateway:
        with MeshAPI(base_url=gateway.url, token=gateway.token) as client:
            ...

It speaks the wire protocol of the service, checks what it is sent, and responses every question the
same way each time, so that a test can say exactly what it expects. `LocalGateway` serves it over a
real socket; `create_app` gives the bare ASGI application for a server of your own. Both need
`pip install 'meshapi[gateway]'`.

Web pages of other hosts, and requests by a name that is not the gateway's, are a 403: any site
could use it through the browser of whoever looks at it. `LocalGateway(allowed_hosts=[...])` names
more. A body of more than 32 MiB is a 413, as at the service, and a form of more than 128 MiB;
signed uploads may have any size.

What it answers
    "What is 2+2?"              2 + 2 = 4.         (two numbers and + - * / or x)
    "Count to 5."               1 2 3 4 5          (also "Count from 3 to 7.", at most 10,000 words)
    "Repeat: <anything>"        <anything>, to the letter
    a greeting, a capital city, a haiku            a fitting sentence
    anything else               an honest sentence that says it back
    tools in the request        a call of the tools that the question names, else of the one whose
                                words fit best, with arguments that fit its schema; after a `tool`
                                message a sentence with its content
    `n`, `max_tokens`, `stop`, `tool_choice` and JSON `response_format` are honoured.

Beside chat
    responses                   answer the same; one in the background is queued, in progress at the
                                first look, done at the second
    embeddings                  the same vector for the same input, near for words in common
    compare                     a judge that says who said what
    models                      a catalogue of all that it knows, with made-up prices
    moderations, web search     stubs, and they say so
    templates                   by id or name; chat puts them in
    batches                     validating, in progress at the first look, completed at the second,
                                with the responses of chat; their files too
    RAG files                   signed uploads to the gateway itself; an embedding is queued at the
                                first look, processing, ready at the third; search goes by words
    images                      a real PNG of one colour, whatever the format
    videos                      queued at the first look, running, succeeded at the third: an MP4
                                without a frame; a text that begins with "Fail:" fails
    speech                      a tone in WAV or PCM, silence in MP3
    transcriptions              say the size and the format of what came
    realtime                    a WebSocket: the responses of chat as text, or as a tone that is as
                                long as the audio that came; a transcript says how long that was.
                                No calls of tools
    documents                   processing, completed at the first look: the prompt as PDF, DOCX,
                                CSV or XLSX
    balance, usage              free of charge, and counted from `LocalGateway.requests`
What only the service can do is a 501 `not_implemented`.

Models that fail on purpose
    mesh/rate-limited           429 `rate_limit_exceeded`, with Retry-After and retry_after_seconds
                                of 1
    mesh/flaky                  503 `provider_not_available` twice, then a response, then again;
                                counted for each `user` of the request by itself
    mesh/broken-stream          the connection is closed half-way through the response
    mesh/error-in-stream        an error frame (`gateway_timeout`) half-way, then [DONE]; a whole
                                response is a 504
    mesh/stall                  silence half-way, but for a comment (`: ping`) each 0.1 s; a whole
                                response never begins
    mesh/slow                   1 s until the response begins, then two words a second, at any pace
    mesh/refusal                a refusal in place of a text
In realtime the first two fail before the upgrade; mesh/broken-stream drops the connection half-way
through a response, without a close frame; mesh/error-in-stream sends an `error` event half-way,
and the session goes on; mesh/stall says nothing at all after `session.created`. There, too, are
    mesh/close-1000             closes with 1000 after its first response
    mesh/close-1011             in place of a response an `error` event (`upstream_error`), then
                                closes with 1011
    mesh/close-4402             the same with `insufficient_quota` and 4402
    mesh/large-frame            a response whose audio is one frame of 3 MiB
"""

from meshapi.gateway import LocalGateway, RecordedRequest, create_app

__all__ = ["LocalGateway", "RecordedRequest", "create_app"]
