"""`examples/other_sdk` against a server that shares nothing with this library."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from meshapi_core import (
    AuthenticationError,
    InvalidParamsError,
    NotFoundError,
    StreamInterruptedError,
)

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "other_sdk"
TOKEN = "rsk_test_acme"
WORDS = ("Two", "and", "two", "is", "four.")
SAID = {
    "chat": "chat: Two and two is four.",
    "stream": "stream: Two and two is four.",
    "rerank": "rerank: 1 0.9\nrerank: 0 0.1",
}


class AcmeServer(BaseHTTPRequestHandler):
    """Acme: its key is in `api-key`, and its errors and named events have their own form."""

    protocol_version = "HTTP/1.1"
    seen: "list[tuple[str, dict[str, str]]]"
    failures = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        if self.headers.get("api-key") != TOKEN:
            self.refuse(401, "no such key")
        elif type(self).failures:
            type(self).failures -= 1
            self.refuse(503, "busy")
        elif self.path == "/v1/rerank":
            self.rerank(json.loads(body))
        elif self.path == "/v1/chat/completions":
            asked = json.loads(body)
            self.stream(asked["model"]) if asked["stream"] else self.chat()
        else:
            self.refuse(404, "no such path")

    def chat(self) -> None:
        message = {"role": "assistant", "content": " ".join(WORDS)}
        self.answer(200, {"choices": [{"message": message, "finish_reason": "stop"}]})

    def stream(self, model: str) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.event(b": acme\nevent: hello\ndata: {}\n\n")
        for word in WORDS if model == "acme-1" else WORDS[:2]:
            chunk = {"object": "piece", "choices": [{"index": 0, "delta": {"content": word}}]}
            self.event(b"event: piece\ndata: %b\n\n" % json.dumps(chunk).encode())
        if model == "acme-1":
            self.event(b"event: bye\ndata: [DONE]\n\n")
        self.event(b"")

    def event(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def rerank(self, asked: Any) -> None:
        scores = [0.9 if asked["query"] in text else 0.1 for text in asked["documents"]]
        order = sorted(range(len(scores)), key=lambda index: -scores[index])
        rows = [{"index": index, "relevance_score": scores[index]} for index in order]
        self.answer(200, {"results": rows[: asked.get("top_n")], "units": 1})

    def refuse(self, status: int, reason: str) -> None:
        self.answer(status, {"accepted": False, "reason": reason, "kind": "acme_refusal"})

    def answer(self, status: int, content: object) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.send_header("x-correlation-id", "acme-7")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        pass


class Server:
    def __init__(self) -> None:
        self.handler = type("Handler", (AcmeServer,), {"seen": []})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def seen(self) -> "list[tuple[str, dict[str, str]]]":
        return self.handler.seen

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    import acme

    return acme


@pytest.mark.slow
@pytest.mark.parametrize("flavour", ["blocking", "asyncio", "trio"])
def test_it_asks_on_every_flavour(server: Server, flavour: str) -> None:
    environment = {**os.environ, "ACME_BASE_URL": server.url, "ACME_TOKEN": TOKEN}
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "ask.py"), flavour],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("\n".join(SAID.values()) + "\n", "")
    paths = ["/v1/chat/completions", "/v1/chat/completions", "/v1/rerank"]
    assert [path for path, _ in server.seen] == paths
    for _, headers in server.seen:
        assert headers["api-key"] == TOKEN
        assert headers["user-agent"] == "acme-python/1.0"
        assert "authorization" not in headers
        assert "mesh" not in str(headers).lower()


def test_the_client_has_less_than_a_hundred_lines() -> None:
    lines = (EXAMPLE / "acme.py").read_text("utf-8").splitlines()
    assert len([line for line in lines if line.strip()]) < 100


def test_its_own_response_is_typed_and_whole(server: Server, acme: Any) -> None:
    with acme.Acme(TOKEN, server.url) as client:
        response = client.rerank.create(model="m", query="fox", documents=["a", "fox"], top_n=1)
    assert response.results == [acme.Ranked(1, 0.9)]
    assert response.raw["units"] == 1
    assert response._request_id == "acme-7"


def test_an_error_in_the_services_own_form_is_a_typed_one(server: Server, acme: Any) -> None:
    client = acme.Acme("rsk_test_wrong", server.url)
    with client, pytest.raises(AuthenticationError) as caught:
        client.rerank.create(model="m", query="q", documents=["d"])
    error = caught.value
    assert (error.status, error.message, error.request_id) == (401, "no such key", "acme-7")
    assert "rsk_test_wrong" not in str(vars(error))


def test_a_path_that_the_service_has_not_is_not_found(server: Server, acme: Any) -> None:
    with acme.Acme(TOKEN, server.url + "/wrong") as client, pytest.raises(NotFoundError):
        client.rerank.create(model="m", query="q", documents=["d"])
    assert [path for path, _ in server.seen] == ["/v1/wrong/rerank"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"query": "q"}, "documents"),
        ({"query": "q", "documents": "one"}, "documents"),
        ({"query": "q", "documents": ["one", 2]}, "documents[1]"),
        ({"query": "q", "documents": [object()]}, "documents[0]"),
        ({"query": "q", "documents": ["one"], "top_k": 3}, "top_k"),
    ],
)
def test_a_wrong_parameter_is_refused_by_its_name(
    server: Server, acme: Any, fields: Any, field: str
) -> None:
    with acme.Acme(TOKEN, server.url) as client, pytest.raises(InvalidParamsError) as caught:
        client.rerank.create(model="m", **fields)
    assert caught.value.field == field
    assert server.seen == []


def test_a_busy_service_is_asked_again(server: Server, acme: Any) -> None:
    server.handler.failures = 1
    with acme.Acme(TOKEN, server.url) as client:
        assert client.rerank.create(model="m", query="q", documents=["d"]).results
    keys = [headers["idempotency-key"] for _, headers in server.seen]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_a_stream_that_breaks_off_is_no_whole_response(server: Server, acme: Any) -> None:
    question = {"model": "acme-broken", "messages": [{"role": "user", "content": "?"}]}
    with acme.Acme(TOKEN, server.url) as client, pytest.raises(StreamInterruptedError) as caught:
        list(client.chat.completions.stream(**question))
    assert caught.value.partial.choices[0].message.content == "Twoand"


def test_its_token_never_goes_to_another_service(acme: Any) -> None:
    with acme.Acme(TOKEN) as client:
        request = acme.Rerank.create.build(model="m", query="q", documents=[]).request(
            client.rerank._runner._config
        )
    assert request.plain_url == "https://api.acme.example/v1/rerank"
