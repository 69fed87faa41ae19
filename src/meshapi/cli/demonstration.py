"""The demonstration: what the library does, shown live against a local gateway."""

import importlib.util
import time
from collections.abc import Callable
from functools import partial

import anyio

from meshapi import (
    AsyncMeshAPI,
    ChatCompletionChunk,
    ChatCompletionResponse,
    MeshAPI,
    MeshAPIError,
    NotFoundError,
)
from meshapi.cli.output import Output
from meshapi.testing import LocalGateway

_MODEL = "openai/gpt-4o-mini"
_REALTIME_MODEL = "openai/gpt-realtime-mini"
_SUM = "What is 2+2?"
_COUNT = "Count to 5."
_WORDS_PER_SECOND = 12.0


class _Unexpected(Exception):
    """The library did not do what the demonstration promises."""


def run(output: Output) -> int:
    """Show every part, and return the exit status: 0 if all of them went as promised."""
    started = time.perf_counter()
    with LocalGateway(words_per_second=_WORDS_PER_SECOND) as gateway:
        output.say(f"A local gateway listens on {gateway.url}; nothing leaves this machine.")
        demonstration = _Demonstration(output, gateway)
        failures = demonstration.run()
    output.say()
    if failures:
        output.say(output.paint.bad(f"{failures} of these did not go as expected."))
        return 1
    seconds = time.perf_counter() - started
    output.say(output.paint.good(f"Everything went as expected, in {seconds:.1f} s."))
    output.say("Try next, the gateway in one terminal and the rest in another:")
    output.say("  meshapi gateway --port 8000")
    output.say("  export MESHAPI_BASE_URL=http://127.0.0.1:8000 MESHAPI_TOKEN=rsk_demo")
    output.say('  meshapi chat "Write a haiku about Python."')
    output.say('  meshapi realtime "Write a haiku about Python." --audio-out haiku.wav')
    return 0


class _Demonstration:
    """The parts, one after another."""

    def __init__(self, output: Output, gateway: LocalGateway) -> None:
        self._output = output
        self._gateway = gateway
        self._count = 0

    def run(self) -> int:
        """Show all parts, and return how many of them failed."""
        return sum(not self._part(title, act) for title, act in self._parts())

    def _parts(self) -> list[tuple[str, Callable[[], str]]]:
        """The parts: a title, and a function that shows the part and returns how it went."""
        return [
            ("A blocking call", self._call),
            ("A stream, word by word", self._stream),
            ("Both on asyncio", partial(anyio.run, self._both, backend="asyncio")),
            ("Both on trio", self._both_on_trio),
            ("A realtime session, asked in text and answered in speech", self._realtime),
            ("A gateway that fails twice (503) before it succeeds", self._retry),
            ("A mistake, as a typed error", self._typed_error),
        ]

    def _part(self, title: str, act: Callable[[], str]) -> bool:
        """Do one part; False if it failed."""
        self._count += 1
        self._output.say(f"\n{self._count}. {self._output.paint.bold(title)}")
        try:
            went = act()
        except (MeshAPIError, _Unexpected) as error:
            said = f"{type(error).__name__}: {error}"
            self._output.say(f"   {self._output.paint.bad(said)}")
            self._output.record({"part": title, "ok": False, "detail": said})
            return False
        self._note(went)
        self._output.record({"part": title, "ok": True, "detail": went})
        return True

    def _call(self) -> str:
        with self._client() as client:
            started = time.perf_counter()
            response = client.chat.completions.create(model=_MODEL, messages=_ask(_SUM))
            self._show_answer(_SUM, response)
            return f"in {_since(started)}"

    def _stream(self) -> str:
        with self._client() as client:
            view = self._begin_stream()
            with client.chat.completions.stream(model=_MODEL, messages=_ask(_COUNT)) as stream:
                for chunk in stream:
                    view.show(chunk)
            return view.finish()

    async def _both(self) -> str:
        async with AsyncMeshAPI(base_url=self._gateway.url, token=self._gateway.token) as client:
            started = time.perf_counter()
            response = await client.chat.completions.create(model=_MODEL, messages=_ask(_SUM))
            self._show_answer(_SUM, response)
            self._note(f"in {_since(started)}")
            view = self._begin_stream()
            stream = client.chat.completions.stream(model=_MODEL, messages=_ask(_COUNT))
            async with stream:
                async for chunk in stream:
                    view.show(chunk)
            return view.finish()

    def _both_on_trio(self) -> str:
        if importlib.util.find_spec("trio") is None:
            return "left out, because trio is not installed: pip install trio"
        return anyio.run(self._both, backend="trio")

    def _realtime(self) -> str:
        started = time.perf_counter()
        text, audio = "", b""
        self._output.say(f"   > {_SUM}\n   ", end="")
        with self._client() as client, client.realtime.connect(model=_REALTIME_MODEL) as session:
            session.send({"type": "conversation.item.create", "item": _say(_SUM)})
            session.send({"type": "response.create"})
            for message in session:
                if message.type == "response.done":
                    break
                audio += message.audio or b""
                if message.type == "response.output_audio_transcript.delta":
                    word = str((message.event or {}).get("delta"))
                    text += word
                    self._output.relay(word)
        self._output.say()
        _expect("spoken answer", "2 + 2 = 4.", text)
        _expect("milliseconds of audio", 600, len(audio) // 48)
        return f"with {len(audio) // 48} ms of audio, in {_since(started)}"

    def _retry(self) -> str:
        with self._client() as client:
            before = len(self._gateway.requests)
            started = time.perf_counter()
            response = client.chat.completions.create(model="mesh/flaky", messages=_ask(_SUM))
            self._show_answer(_SUM, response)
        _expect("requests", 3, len(self._gateway.requests) - before)
        return f"in {_since(started)}: one call in the code, three requests on the wire"

    def _typed_error(self) -> str:
        with self._client() as client:
            started = time.perf_counter()
            try:
                client.chat.completions.create(model="acme/none", messages=_ask(_SUM))
            except NotFoundError as error:
                _expect("status", 404, error.status)
                _expect("error code", "model_not_found", error.error_code)
                _expect("request ID", True, error.request_id.startswith("req_"))
                self._output.say(f"   NotFoundError: {error.message}")
                self._note(f"status {error.status}, code {error.error_code}")
                return f"request {error.request_id}, in {_since(started)}"
        raise _Unexpected("an unknown model: expected NotFoundError, got a response")

    def _client(self) -> MeshAPI:
        return MeshAPI(base_url=self._gateway.url, token=self._gateway.token)

    def _begin_stream(self) -> "_StreamView":
        self._output.say(f"   > {_COUNT}\n   ", end="")
        return _StreamView(self._output)

    def _show_answer(self, question: str, response: ChatCompletionResponse) -> None:
        text = response.choices[0].message.content
        self._output.say(f"   > {question}\n   {text}")
        _expect("answer", "2 + 2 = 4.", text)

    def _note(self, text: str) -> None:
        self._output.say(f"   {self._output.paint.faint(text)}")


class _StreamView:
    """Shows a stream as it arrives, and how long it took."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._started = time.perf_counter()
        self._first = ""
        self._text = ""

    def show(self, chunk: ChatCompletionChunk) -> None:
        for choice in chunk.choices:
            text = choice.delta.content or ""
            if text and not self._first:
                self._first = _since(self._started)
            self._text += text
            self._output.relay(text)

    def finish(self) -> str:
        self._output.say()
        _expect("streamed answer", "1 2 3 4 5", self._text)
        return f"first word after {self._first}, all of it in {_since(self._started)}"


def _ask(question: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}]


def _say(question: str) -> dict[str, object]:
    content = [{"type": "input_text", "text": question}]
    return {"type": "message", "role": "user", "content": content}


def _since(started: float) -> str:
    return f"{(time.perf_counter() - started) * 1000:.0f} ms"


def _expect(what: str, expected: object, got: object) -> None:
    if got != expected:
        raise _Unexpected(f"{what}: expected {expected!r}, got {got!r}")
