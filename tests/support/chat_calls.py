"""Chat with the local gateway over a plain HTTP client, not ours."""

import json
import socket
from typing import Any, Union

from meshapi.testing import LocalGateway
from support.gateway_calls import TOKEN, Response, call

COMPLETIONS = "/v1/chat/completions"


def ask(question: str, **members: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}], **members}


def complete(gateway: LocalGateway, body: Union[bytes, dict[str, Any]], **headers: Any) -> Response:
    return call(gateway, "POST", COMPLETIONS, body, **headers)


def text_of(response: Response) -> Any:
    assert response.status == 200, response.body
    return response.json()["choices"][0]["message"]["content"]


def streamed_text(chunks: list[Any], index: int = 0) -> str:
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    return "".join(c["delta"].get("content") or "" for c in choices if c["index"] == index)


def raw_request(gateway: LocalGateway, body: dict[str, Any]) -> socket.socket:
    data = json.dumps(body).encode()
    host, port = gateway.url[len("http://") :].split(":")
    peer = socket.create_connection((host, int(port)), timeout=10)
    head = (
        f"POST {COMPLETIONS} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    peer.sendall(head.encode() + data)
    return peer
