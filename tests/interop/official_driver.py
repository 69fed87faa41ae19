"""Plays the cases of `official_cases.py` with the `meshapi` of the Python that runs it.

    python official_driver.py URL TOKEN [MODULE ...]

The modules are those of the cases; by default all that 0.1.11 can play.
Each line of its input names a case and a client, `{"case": ..., "client": "blocking"}` or
`"asyncio"`; it answers each with a line that says what the program received. Between two lines the
one who asks can look at what the gateway has recorded, and reset it.
"""

import asyncio
import base64
import hashlib
import importlib
import json
import sys
import traceback
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Callable

sys.path.append(str(Path(__file__).parents[1]))

from interop.cases.grammar import CASES, Case, Chunks, Talk

from meshapi import AsyncMeshAPI, MeshAPI, MeshAPIError

ERROR_FIELDS = (
    "status",
    "error_code",
    "request_id",
    "details",
    "provider_error",
    "retry_after_seconds",
)


def shown(value: Any) -> Any:
    """The value as JSON; what was an object of a class says of which."""
    if isinstance(value, BaseException):
        return error_shown(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes_shown(bytes(value))
    if isinstance(value, (list, tuple)):
        return [shown(item) for item in value]
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    if hasattr(value, "model_dump"):
        return model_shown(value)
    return value


def bytes_shown(value: bytes) -> dict[str, str]:
    # As text where it is one, because IDs in it are new each time.
    try:
        return {"$text": value.decode()}
    except UnicodeDecodeError:
        return {"$bytes": base64.b64encode(value).decode()}


def model_shown(value: Any) -> dict[str, Any]:
    """The fields by their names as attributes, held against the dumps.

    Under `$compact` is what `exclude_none` leaves, without what is a model again.
    """
    dump = value.model_dump(mode="json")
    tree = {name: shown(getattr(value, name)) for name in dump}
    assert plain(tree) == dump, f"attributes and model_dump() differ: {tree} {dump}"
    assert json.loads(value.model_dump_json()) == dump
    compact = value.model_dump(mode="json", exclude_none=True)
    flat = {name: item for name, item in compact.items() if plain(tree[name]) == tree[name]}
    return {"$type": type(value).__name__, "$compact": flat, **tree}


def plain(tree: Any) -> Any:
    """The tree without what was said about it."""
    if isinstance(tree, dict):
        return {key: plain(item) for key, item in tree.items() if not key.startswith("$")}
    return [plain(item) for item in tree] if isinstance(tree, list) else tree


def text_of(error: MeshAPIError) -> str:
    """What the error says, without the status, the code and the request ID that ours adds."""
    text, message = str(error), getattr(error, "message", "")
    before, found, _ = text.partition(message) if message else (text, "", "")
    return before + found


def error_shown(error: BaseException) -> dict[str, Any]:
    if isinstance(error, MeshAPIError):
        fields = {name: getattr(error, name) for name in ERROR_FIELDS}
        # Of an error of realtime.
        fields.update(
            {name: getattr(error, name) for name in ("code", "param") if hasattr(error, name)}
        )
        return {"$error": {"message": text_of(error), **fields}}
    # Each package refuses bad arguments in its own words.
    refused = isinstance(error, (TypeError, ValueError))
    return {"$refused": True} if refused else {"$raised": repr(error)}


def message_shown(message: Any) -> dict[str, Any]:
    """A message of realtime; what is long by its length and a digest."""
    event, audio = message.event, message.audio
    # Where there is none, it is officially None, and here an empty dict.
    assert not event or json.loads(message.text) == event
    return {
        "text": message.text if not event else None,
        "audio": None if audio is None else digest(audio),
        "event": {key: brief(item) for key, item in (event or {}).items()},
    }


def brief(value: Any) -> Any:
    return digest(value.encode()) if isinstance(value, str) and len(value) > 1000 else value


def digest(data: bytes) -> str:
    return f"{len(data)} bytes: {hashlib.md5(data).hexdigest()}"


def is_of(message: Any, kind: str) -> bool:
    return (message.event or {}).get("type") == kind


def is_event(error: Exception) -> bool:
    """Whether a session may go on after this error. Early versions have no such class."""
    return type(error).__name__ == "RealtimeError"


async def play(case: Case, client: Any, receive: Callable[[Any, Any], Awaitable[Any]]) -> list[Any]:
    """What a case gets, call by call."""
    received: list[Any] = []
    steps = case.play()
    try:
        step = next(steps)
        while True:
            try:
                response = await receive(step, client)
            except Exception as error:
                response = error
            received.append(shown(response))
            step = steps.send(response)
    except StopIteration:
        return received


AUDIO = (bytes, bytearray, memoryview)


def talk_blocking(talk: Talk, client: Any) -> dict[str, Any]:
    heard: list[Any] = []
    with talk.connect(client) as session:
        for event in talk.events:
            (session.send_audio if isinstance(event, AUDIO) else session.send)(event)
        while True:
            try:
                for message in session:
                    heard.append(message_shown(message))
                    if is_of(message, talk.until):
                        return {"heard": heard, "end": talk.until}
                return {"heard": heard, "end": "of the messages"}
            except Exception as error:
                if not is_event(error):
                    return {"heard": heard, "end": error}
                heard.append(error)


async def talk_asyncio(talk: Talk, client: Any) -> dict[str, Any]:
    heard: list[Any] = []
    async with talk.connect(client) as session:
        for event in talk.events:
            await (session.send_audio if isinstance(event, AUDIO) else session.send)(event)
        while True:
            try:
                async for message in session:
                    heard.append(message_shown(message))
                    if is_of(message, talk.until):
                        return {"heard": heard, "end": talk.until}
                return {"heard": heard, "end": "of the messages"}
            except Exception as error:
                if not is_event(error):
                    return {"heard": heard, "end": error}
                heard.append(error)


async def receive_blocking(step: Any, client: Any) -> Any:
    if isinstance(step, Talk):
        return talk_blocking(step, client)
    if not isinstance(step, Chunks):
        return step(client)
    kept: list[Any] = []
    try:
        kept.extend(step.ask(client))
    except Exception as error:
        return {"chunks": kept, "end": error}
    return {"chunks": kept, "end": None}


async def receive_asyncio(step: Any, client: Any) -> Any:
    if isinstance(step, Talk):
        return await talk_asyncio(step, client)
    if not isinstance(step, Chunks):
        return await step(client)
    kept: list[Any] = []
    try:
        async for chunk in step.ask(client):
            kept.append(chunk)
    except Exception as error:
        return {"chunks": kept, "end": error}
    return {"chunks": kept, "end": None}


async def play_by_name(name: str, kind: str, url: str, token: str) -> list[Any]:
    case = CASES[name]
    options: dict[str, Any] = {
        "base_url": url,
        "token": case.token or token,
        "max_retries": case.max_retries,
    }
    if kind == "blocking":
        with MeshAPI(**options) as client:
            return await play(case, client, receive_blocking)
    async with AsyncMeshAPI(**options) as client:
        return await play(case, client, receive_asyncio)


def main(url: str, token: str, *modules: str) -> None:
    for module in modules or ("interop.official_cases",):
        importlib.import_module(module)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            told = {
                "received": asyncio.run(play_by_name(asked["case"], asked["client"], url, token))
            }
        except Exception:
            told = {"crashed": traceback.format_exc()}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
