"""The core alone: bytes of a body in, events or typed chunks out; neither a server nor a client."""

from bench import bodies

FRAMES = 2000


def pieces_of(run):
    """The body as it is cut: a piece for each frame, tiny ones, or all of it in one."""
    end = b"\r\n" if run.options.get("ends") == "crlf" else b"\n"
    frames = bodies.frames(run.options.get("kind", "content"), FRAMES, end)
    cut = run.options["pieces"]
    if cut == "frame":
        return frames
    whole = b"".join(frames)
    return bodies.cut(whole, {"tiny": 7, "64 KiB": 65536, "whole": len(whole)}[cut])


def measure(run, decoded):
    """Microseconds for a frame of `decoded(pieces)`, which gives how many there were."""
    pieces = pieces_of(run)

    def work(times):
        for _ in range(times // FRAMES):
            count = decoded(pieces)
            assert count == FRAMES, count

    run.repeat(work, least=FRAMES)


def sse(run):
    events = {"ours": our_events, "openai": openai_events, "split": split_events(run)}
    measure(run, events[run.peer])


def our_events(pieces):
    from meshapi_core import NEED_DATA, SSEDecoder

    decoder, seen = SSEDecoder(), 0
    for piece in pieces:
        decoder.receive_data(piece)
        while decoder.next_event() is not NEED_DATA:
            seen += 1
    return seen


def openai_events(pieces):
    from openai._streaming import SSEDecoder

    return sum(1 for _ in SSEDecoder().iter_bytes(iter(pieces)))


def split_events(run):
    """The least that finds the data of these frames, in any pieces."""
    end = b"\r\n\r\n" if run.options.get("ends") == "crlf" else b"\n\n"

    def events(pieces):
        seen, rest = 0, b""
        for piece in pieces:
            *frames, rest = (rest + piece).split(end)
            for frame in frames:
                frame[6:].decode()
                seen += 1
        return seen

    return events


def chunks(run):
    decoders = {
        "ours": our_chunks,
        "official": official_chunks,
        "openai": openai_chunks,
        "split": split_chunks,
    }
    measure(run, decoders[run.peer]())


def our_chunks():
    from meshapi_core import NEED_DATA, Headers, Response
    from meshapi_core.endpoints import Completions

    call = Completions.stream.build(model="bench", messages=[])
    headers = Headers([("content-type", "text/event-stream"), ("x-request-id", "req_bench")])

    def decoded(pieces):
        decoder, seen = call.reader.open(Response(200, headers, b"")), 0
        for piece in pieces:
            decoder.receive_data(piece)
            while decoder.next_event() is not NEED_DATA:
                seen += 1
        return seen

    return decoded


def split_chunks():
    """The least that gives the same chunks of the same frames: split, cut, decode."""
    import msgspec

    from meshapi_core.types import ChatCompletionChunk

    decode = msgspec.json.Decoder(ChatCompletionChunk).decode

    def decoded(pieces):
        seen = 0
        for piece in pieces:
            for frame in piece.split(b"\n\n"):
                if frame:
                    decode(frame[6:])
                    seen += 1
        return seen

    return decoded


class FakeResponse:
    """What the official package needs of a response."""

    def __init__(self, pieces):
        self.iter_bytes = lambda: iter(pieces)


def official_chunks():
    from meshapi._http import _iter_sse

    return lambda pieces: sum(1 for _ in _iter_sse(FakeResponse(pieces)))


def openai_chunks():
    import httpx2
    import openai
    from openai.types.chat import ChatCompletionChunk

    client = openai.OpenAI(api_key="bench", base_url="http://127.0.0.1")
    request = httpx2.Request("POST", "http://127.0.0.1")

    def decoded(pieces):
        response = httpx2.Response(200, content=iter(pieces), request=request)
        stream = openai.Stream(cast_to=ChatCompletionChunk, response=response, client=client)
        return sum(1 for _ in stream)

    return decoded
