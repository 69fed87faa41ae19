"""Programs that play the cases, and what they have sent and received."""

import base64
import json
import os
import re
import subprocess
import threading
import time
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, Optional
from urllib.parse import parse_qs

from interop.questions import TOKEN

from meshapi.testing import LocalGateway, RecordedRequest

PATIENCE = 60.0
"""Seconds after which a program that hangs is ended."""
CLIENTS = ("blocking", "asyncio")
DRIVER = Path(__file__).with_name("official_driver.py")


class Run(NamedTuple):
    """What one program sent and received while it played one case."""

    requests: list[dict[str, Any]]
    received: list[Any]


class Player:
    """A program that plays cases, in a Python of its own."""

    def __init__(
        self, python: str, gateway: LocalGateway, path: Optional[str], *modules: str
    ) -> None:
        hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSAFEPATH")
        environment = {key: value for key, value in os.environ.items() if key not in hidden}
        if path is not None:
            environment["PYTHONPATH"] = path
        self._gateway = gateway
        self._process = subprocess.Popen(
            [python, str(DRIVER), gateway.url, TOKEN, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env={**environment, "PYTHONIOENCODING": "utf-8"},
        )

    def play(self, case: str, client: str) -> Run:
        self._gateway.reset()
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"case": case, "client": client}) + "\n")
        stdin.flush()
        patience = threading.Timer(PATIENCE, self._process.kill)
        patience.start()
        line = stdout.readline()
        patience.cancel()
        told = json.loads(line) if line else {"crashed": "the program has ended or was too slow"}
        assert "crashed" not in told, told["crashed"]
        requests = [request_shown(request) for request in self._gateway.requests]
        return Run(requests, told["received"])

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait(PATIENCE) == 0


def request_shown(request: RecordedRequest) -> dict[str, Any]:
    return {
        "method": request.method,
        "path": request.path,
        "query": parse_qs(request.query, keep_blank_values=True),
        "headers": {name: ", ".join(request.headers.getlist(name)) for name in request.headers},
        "body": body_shown(request),
    }


def body_shown(request: RecordedRequest) -> Any:
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        # Only the order of parts of the same name says something.
        return sorted(map(part_shown, parts(kind, request.body)), key=itemgetter("name"))
    if kind == "application/json" and request.body:
        return request.json()
    return base64.b64encode(request.body).decode()


def parts(kind: str, body: bytes) -> list[Any]:
    head = b"Content-Type: " + kind.encode() + b"\r\n\r\n"
    message: Message = BytesParser(policy=HTTP).parsebytes(head + body)
    return list(message.get_payload())


def part_shown(part: Any) -> dict[str, Any]:
    return {
        "name": part.get_param("name", header="content-disposition"),
        "filename": part.get_filename(),
        "type": part.get("content-type"),
        "content": base64.b64encode(part.get_payload(decode=True)).decode(),
    }


class Rule(NamedTuple):
    """A pattern that stands for something new each time; its first group is kept.

    Equal texts get equal numbers, so that an ID that comes back is still seen to be the same one.
    """

    name: str
    pattern: str


RULES = (
    Rule("ulid", r"\b((?:[a-z]+(?:_[a-z]+)*[-_])?)[0-9A-HJKMNP-TV-Z]{26}\b"),
    Rule("uuid", r"()\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"),
    Rule("signature", r"()\b[0-9a-f]{64}\b"),
    Rule("boundary", r"(multipart/form-data; boundary=)[\w-]+"),
)
# Times are those around now, as Unix seconds or in ISO 8601; all of them count as the same.
NEAR = 24 * 3600
ISO = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
UNIX = re.compile(r"\b1\d{9}\b")


def settled(run: Run) -> Run:
    """The run with the same IDs and times as any other run of the case."""
    seen: dict[str, dict[str, int]] = {}

    def number(found: re.Match[str]) -> str:
        alike = seen.setdefault(found[1], {})
        return f"{found[1]}<{alike.setdefault(found[0], len(alike))}>"

    text = json.dumps(run)
    for rule in RULES:
        text = re.sub(rule.pattern, number, text)
    text = ISO.sub(lambda found: "<time>" if is_near(iso_seconds(found[0])) else found[0], text)
    text = UNIX.sub(lambda found: "0" if is_near(int(found[0])) else found[0], text)
    return Run(*json.loads(text))


def iso_seconds(text: str) -> float:
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def is_near(seconds: float) -> bool:
    return abs(seconds - time.time()) < NEAR
