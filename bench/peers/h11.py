"""A floor: a socket, h11 for the framing, msgspec for the JSON; no pool, no limits, no checks."""

from bench.peers.questions import HEADERS, MODEL, TEXTS, messages
from bench.peers.ready import connected


class Blocking:
    def __init__(self, run):
        import h11
        import msgspec

        from meshapi_core.types import (
            ChatCompletionChunk,
            ChatCompletionParams,
            ChatCompletionResponse,
            EmbeddingsParams,
            EmbeddingsResponse,
        )

        self.h11 = h11
        self.params = ChatCompletionParams
        self.embeddings = EmbeddingsParams
        self.encode = msgspec.json.Encoder().encode
        self.decode = msgspec.json.Decoder(ChatCompletionResponse).decode
        self.decode_chunk = msgspec.json.Decoder(ChatCompletionChunk).decode
        self.decode_vectors = msgspec.json.Decoder(EmbeddingsResponse).decode
        self.prefix = run.options.get("prefix", "")
        self.sock = connected(run)
        self.http = h11.Connection(h11.CLIENT)

    def ask(self, path, params):
        """Send a request; the pieces of the body that answers it."""
        h11, http, body = self.h11, self.http, self.encode(params)
        head = h11.Request(
            method="POST",
            target=self.prefix + path,
            headers=[
                ("host", "127.0.0.1"),
                *HEADERS.items(),
                ("content-length", str(len(body))),
            ],
        )
        data = http.send(head) + http.send(h11.Data(body)) + http.send(h11.EndOfMessage())
        self.sock.sendall(data)
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(self.sock.recv(65536))
            elif type(event) is h11.Data:
                yield bytes(event.data)
            elif type(event) is h11.EndOfMessage:
                break
        http.start_next_cycle()

    def create(self):
        params = self.params(model=MODEL, messages=messages())
        return self.decode(b"".join(self.ask("/v1/chat/completions", params)))

    def embed(self, encoding):
        params = self.embeddings(model=MODEL, input=TEXTS, encoding_format=encoding)
        return self.decode_vectors(b"".join(self.ask("/v1/embeddings", params)))

    def stream(self):
        rest = b""
        params = self.params(model=MODEL, messages=messages())
        for piece in self.ask("/v1/chat/completions", params):
            *frames, rest = (rest + piece).split(b"\n\n")
            for frame in frames:
                if frame != b"data: [DONE]":
                    yield self.decode_chunk(frame[6:])
