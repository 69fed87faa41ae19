"""A gateway on your own machine, for demonstrations and tests: no network, no account, no cost.

    from meshapi import MeshAPI
    from meshapi.testing import LocalGateway

    with LocalGateway(words_per_second=0) as gateway:
        with MeshAPI(base_url=gateway.url, token=gateway.token) as client:
            ...

It speaks the wire protocol of the service, checks what it is sent, and responds to the same
question in the same way each time, so that a test can state exactly what it expects. `LocalGateway`
serves over a real socket; `create_app` returns the bare ASGI application, for a server of your own.
Both need `pip install '.[gateway]'`. Scripts say what it responds with:

    gateway.on("weather", reply(tool_calls=[tool_call("get_weather", {"city": "Paris"})]), "Sunny.")
    gateway.next_error(429, retry_after=2)
    ...
    gateway.assert_all_used()

`FakeGateway` is the same without sockets, threads and waits: a transport with its own clock.
`ByteFault` damages the bytes of its responses. `completion("hi")` and `chunks("he", "llo")` make
responses and streams without a gateway.

Requests from web pages of other hosts, and requests for a host name that is not the gateway's, get
a 403: otherwise any site could use the gateway through its visitors' browsers. Add host names with
`LocalGateway(allowed_hosts=[...])`. A body of more than 32 MiB gets a 413, as it does from the
service, and so does a form of more than 128 MiB; signed uploads may have any size.

What it says
    "What is 2+2?"              2 + 2 = 4.         (two numbers and + - * / or x)
    "Count to 5."               1 2 3 4 5          (also "Count from 3 to 7.", at most 10,000 words)
    "Repeat: <anything>"        <anything>, to the letter
    a greeting, a capital city, a haiku            a fitting sentence
    anything else               an honest sentence that quotes the question
    tools in the request        calls of the tools that the question names, or of the one whose
                                description fits best, with arguments that match its schema; after
                                a `tool` message, a sentence with its content
                                a question that names a tool more than once gets as many calls, and
                                "then" between two tools makes two turns
    `n`, `max_tokens`, `stop`, `tool_choice` and a JSON `response_format` are honoured: an answer is
    valid for its schema, down to `pattern`, `format`, bounds, `$ref` and `anyOf`. Unknown fields of
    a request get a 422. Whole responses and streams have the `cost` that the catalogue's prices
    make.

The other endpoints; a look is a request for one job's status
    responses                   the same answers as chat; in the background: queued, in progress at
                                the first look, done at the second
    embeddings                  the same vector for the same input; inputs that share words are near
                                each other
    compare                     a judge that says which model said what
    models                      a catalogue of the models it knows, with made-up prices
    moderations, web search     stubs that say so
    templates                   stored by ID and name; chat fills them in
    batches                     validating, in progress at the first look, completed at the second,
                                with the responses of chat, responses or embeddings; also their
                                files. A request that begins with "Fail:" fails, one with
                                "Fail 429:" with that status, and one with "Fail 429 once:" for the
                                first time only
    RAG files                   signed uploads to the gateway itself; an embedding is queued at the
                                first look, processing at the second, ready at the third; search
                                finds chunks that share words with the query
    images                      a real PNG of one colour, whatever the format
    videos                      queued at the first look, running at the second, succeeded at the
                                third: an MP4 without frames. A prompt that begins with "Fail:"
                                fails
    speech                      a tone in WAV or PCM, silence in MP3
    transcriptions              a sentence with the size and the format of the upload
    realtime                    a WebSocket: the answers of chat as text, or as a tone as long as
                                the audio that was sent; the transcript of that audio states its
                                length. Tools are called as in chat
    documents                   processing, completed at the first look: the prompt as PDF, DOCX,
                                CSV or XLSX
    balance, usage              free of charge, and counted from `LocalGateway.requests`
    downloads                   files, pictures, videos, documents and previews of voices serve
                                single ranges, with ETag and If-Range
What only the service can do gets a 501 `not_implemented`.

Rate limits
    `LocalGateway(requests_per_minute=, tokens_per_minute=)` and `meshapi gateway --rpm N --tpm N`:
    what exceeds them gets a 429 with Retry-After. `x-ratelimit-*` headers and
    /v1/usage/rate-limits say what is left. By default, nothing is limited.
A POST with the `Idempotency-Key`, path and body of an earlier one gets the first response again,
with the header `Idempotent-Replayed: true`.

Models that fail on purpose
    mesh/rate-limited           429 `rate_limit_exceeded`, with Retry-After and retry_after_seconds
                                of 1
    mesh/flaky                  503 `provider_not_available` twice, then a response, and so on;
                                counted separately for each `user` of a request
    mesh/broken-stream          closes the connection half-way through the response
    mesh/error-in-stream        sends an error (`gateway_timeout`) half-way, then [DONE]; a whole
                                response is a 504
    mesh/stall                  falls silent half-way, but for a comment (`: ping`) every 0.1 s; a
                                whole response never begins, and a job never ends
    mesh/slow                   takes 1 s to begin, then sends two words a second, whatever the pace
    mesh/refusal                a refusal in place of text
    mesh/length                 stops half-way (`length`), also in the arguments of a tool
    mesh/content-filter         the same with `content_filter`
    mesh/wrong-json             JSON that does not match the schema, also as a tool's arguments
    mesh/wrong-json-once        the same, but right the second time, and so on; counted separately
                                for each `user`; of tools, for each conversation
    mesh/not-json               text in place of JSON, also as a tool's arguments
    mesh/tool-loop              calls a tool in each turn, without end
    mesh/unknown-tool           calls a tool that it was not given
    mesh/loose-deltas           streams tool calls without `index`, as some providers do
    mesh/job-failed             jobs end as `failed`: batches, videos, documents, background
                                responses, and embeddings of RAG files whose name begins with
                                `mesh-job-failed` (the same for those that follow)
    mesh/job-expired            jobs expire; a batch has results for the first half of its requests
    mesh/job-cancelled          jobs end as `cancelled`, as if somebody else did it; the results of
                                a batch are those of the first half, and the rest is missing
    mesh/job-unknown-status     jobs end as `paused`, which no client knows
    mesh/job-retry-after        looks at jobs under way get a Retry-After of 1
    mesh/unordered              a batch's results come in reverse order
    mesh/broken-download        downloads of what it made break off half-way, every other time
    mesh/no-ranges              the same, and ranges are ignored
    mesh/changed-download       the same, but after the first time the file is another one
    mesh/repeated-page          a list with one of its jobs has the first page as each page; also
                                for `search` in lists of models and voices
In realtime the first two fail before the upgrade; mesh/broken-stream drops the connection half-way
through a response, without a close frame; mesh/error-in-stream sends an `error` event half-way,
and the session goes on; mesh/stall sends nothing after `session.created`. Realtime has four more:
    mesh/close-1000             closes with 1000 after its first response
    mesh/close-1011             sends an `error` event (`upstream_error`) in place of a response,
                                then closes with 1011
    mesh/close-4402             the same with `insufficient_quota` and 4402
    mesh/large-frame            sends a response whose audio is one frame of 3 MiB

Modules of this package
    fake                        `FakeGateway` and `ByteFault`
    cassettes                   `cassette()`, which records exchanges and plays them back
    builders                    `completion()` and `chunks()`
    guard                       `block_network()`, which keeps tests off the network
    plugin                      the pytest plugin, with fixtures and a mark
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi.gateway import ErrorReply as ErrorReply
    from meshapi.gateway import Fault as Fault
    from meshapi.gateway import LocalGateway as LocalGateway
    from meshapi.gateway import RecordedRequest as RecordedRequest
    from meshapi.gateway import Reply as Reply
    from meshapi.gateway import Script as Script
    from meshapi.gateway import Scripted as Scripted
    from meshapi.gateway import ScriptedCall as ScriptedCall
    from meshapi.gateway import ScriptedResponse as ScriptedResponse
    from meshapi.gateway import broken_stream as broken_stream
    from meshapi.gateway import close as close
    from meshapi.gateway import create_app as create_app
    from meshapi.gateway import cut as cut
    from meshapi.gateway import error as error
    from meshapi.gateway import error_in_stream as error_in_stream
    from meshapi.gateway import reply as reply
    from meshapi.gateway import slow as slow
    from meshapi.gateway import stall as stall
    from meshapi.gateway import tool_call as tool_call
    from meshapi.testing.builders import chunks as chunks
    from meshapi.testing.builders import completion as completion
    from meshapi.testing.cassettes.files import cassette as cassette
    from meshapi.testing.fake.faults import ByteFault as ByteFault
    from meshapi.testing.fake.gateway import FakeGateway as FakeGateway
    from meshapi.testing.guard import block_network as block_network
else:
    from meshapi.testing._face import EXPORTED as __all__
    from meshapi.testing._face import __dir__, __getattr__
