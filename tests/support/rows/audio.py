"""Audio."""

from pathlib import Path
from typing import Any

from meshapi_core.types.audio import (
    AudioTranslationsParams,
    ListVoicesParams,
    PronunciationDictionaryLocator,
    SpeechParams,
    TranscriptionParams,
    TranscriptionResponse,
    TranscriptionTranslateParams,
    Voice,
    VoiceSettings,
    VoicesResponse,
)
from support.endpoint_rows import JSON, Row

AUDIO = bytes(range(256))
ANYTHING = "*/*"
TEXT_OR_JSON = "application/json, text/*;q=0.9, */*;q=0.8"


def field(name: str, value: str) -> bytes:
    """One field of a form."""
    head = f'--BOUNDARY\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
    return f"{head}{value}\r\n".encode()


def file(filename: str, content: bytes = AUDIO, kind: str = "audio/mpeg") -> bytes:
    """The file of a form."""
    head = (
        f'--BOUNDARY\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    )
    return head.encode() + content + b"\r\n"


END = b"--BOUNDARY--\r\n"


HERE = Path(__file__)


def transcribe(*pieces: bytes, **more: Any) -> Row:
    given: dict[str, Any] = {
        "response": {"text": "hello"},
        "value": TranscriptionResponse(text="hello"),
        **more,
    }
    return Row(
        "audio.transcribe",
        "/v1/audio/transcriptions",
        body=b"".join(pieces) + END,
        accept=TEXT_OR_JSON,
        **given,
    )


WORDS = [{"text": "hello", "start": 0.1, "end": 0.5, "type": "word"}]
VOICE = {
    "voice_id": "21m00Tcm4TlvDq8ikWAM",
    "name": "Rachel",
    "labels": {"accent": "american", "age": 30},
    "brand": "elevenlabs",
}
RACHEL = Voice(
    voice_id="21m00Tcm4TlvDq8ikWAM", name="Rachel", labels={"accent": "american", "age": 30}
)

ROWS = [
    Row(
        "audio.synthesize",
        "/v1/audio/speech",
        args=(
            SpeechParams(
                input="Hi",
                model="elevenlabs/eleven_multilingual_v2",
                voice="v",
                stream=False,
                voice_settings=VoiceSettings(stability=0.0, use_speaker_boost=False),
                pronunciation_dictionary_locators=[
                    PronunciationDictionaryLocator(pronunciation_dictionary_id="d", version_id="2")
                ],
                previous_request_ids=[],
                optimize_streaming_latency=0,
            ),
        ),
        json={
            "input": "Hi",
            "model": "elevenlabs/eleven_multilingual_v2",
            "voice": "v",
            "stream": False,
            "voice_settings": {"stability": 0.0, "use_speaker_boost": False},
            "pronunciation_dictionary_locators": [
                {"pronunciation_dictionary_id": "d", "version_id": "2"}
            ],
            "previous_request_ids": [],
            "optimize_streaming_latency": 0,
        },
        accept=ANYTHING,
        response=AUDIO,
        response_type="audio/mpeg",
        value=AUDIO,
    ),
    Row(
        "audio.synthesize",
        "/v1/audio/speech",
        kwargs={
            "input": "Hi",
            "response_format": "wav_44100",
            "stream": False,
            "voice_settings": {"speed": 1.1, "new": True},
            "seed": None,
        },
        json={
            "input": "Hi",
            "response_format": "wav_44100",
            "stream": False,
            "voice_settings": {"speed": 1.1, "new": True},
        },
        accept=ANYTHING,
        response=b"",
        response_type="audio/wav",
        value=b"",
    ),
    Row(
        "audio.synthesize",
        "/v1/audio/speech",
        kwargs={"params": SpeechParams(input="Hi")},
        json={"input": "Hi"},
        accept=ANYTHING,
        response=b'{"this": "is sound, too"}',
        response_type="application/octet-stream",
        value=b'{"this": "is sound, too"}',
    ),
    Row(
        "audio.stream",
        "/v1/audio/speech",
        kwargs={"input": "Hi", "speaker": "anushka", "pace": 1.0},
        json={"input": "Hi", "speaker": "anushka", "pace": 1.0, "stream": True},
        accept=ANYTHING,
        response=b"sound",
        response_type="audio/mpeg",
        value=[b"sound"],
    ),
    transcribe(
        field("model", "elevenlabs/scribe_v1"),
        field("diarize", "true"),
        field("temperature", "0.0"),
        field("use_multi_channel", "false"),
        field("keyterms", "alpha"),
        field("keyterms", "beta, gamma"),
        file("a.mp3"),
        args=(
            AUDIO,
            TranscriptionParams(
                model="elevenlabs/scribe_v1",
                diarize=True,
                use_multi_channel=False,
                keyterms=["alpha", "beta, gamma"],
                temperature=0.0,
            ),
        ),
        kwargs={"filename": "a.mp3"},
    ),
    transcribe(
        field("model", "m"),
        field("response_format", "verbose_json"),
        file("audio.py", HERE.read_bytes(), "text/x-python"),
        query="enable_logging=false",
        args=(HERE,),
        kwargs={"model": "m", "response_format": "verbose_json", "enable_logging": False},
        response={
            "text": "hello",
            "language": "en",
            "duration": 0.5,
            "words": WORDS,
            "segments": [],
            "task": "transcribe",
        },
        value=TranscriptionResponse(
            text="hello", language="en", duration=0.5, words=WORDS, segments=[]
        ),
    ),
    transcribe(
        field("model", "m"),
        field("source_url", "https://example.com/a.mp3?x=1&y=ü"),
        field("webhook", "true"),
        field("webhook_metadata", '{"a":1}'),
        kwargs={
            "params": TranscriptionParams(
                model="m",
                source_url="https://example.com/a.mp3?x=1&y=ü",
                webhook=True,
                webhook_metadata='{"a":1}',
            )
        },
        status=202,
        response={"message": "Request accepted", "request_id": "r", "transcription_id": "t"},
        value=TranscriptionResponse(
            message="Request accepted", request_id="r", transcription_id="t"
        ),
    ),
    transcribe(
        field("model", "m"),
        field("response_format", "srt"),
        file("audio.mp3", b"ab"),
        kwargs={"file": [b"a", b"", b"b"], "model": "m", "response_format": "srt"},
        response="1\n00:00:00,000 --> 00:00:01,000\nhëllo\n".encode(),
        response_type="text/plain; charset=utf-8",
        value=TranscriptionResponse(text="1\n00:00:00,000 --> 00:00:01,000\nhëllo\n"),
    ),
    Row(
        "audio.get_transcription",
        "/v1/audio/transcriptions/a%2Fb%3Fx%3D1%23f",
        method="GET",
        args=("a/b?x=1#f",),
        accept=TEXT_OR_JSON,
        response={
            "text": "hello",
            "language_code": "eng",
            "language_probability": 1,
            "words": WORDS,
        },
        value=TranscriptionResponse(
            text="hello", language_code="eng", language_probability=1.0, words=WORDS
        ),
    ),
    Row(
        "audio.translate",
        "/v1/audio/transcriptions/translate",
        args=(AUDIO,),
        body=file("audio.mp3") + END,
        accept=TEXT_OR_JSON,
        response={"text": "hello"},
        value=TranscriptionResponse(text="hello"),
    ),
    Row(
        "audio.translate",
        "/v1/audio/transcriptions/translate",
        args=(AUDIO, TranscriptionTranslateParams(prompt="names: Ünal")),
        kwargs={"filename": 'a "b"\r\n.mp3'},
        body=field("prompt", "names: Ünal") + file("a %22b%22%0D%0A.mp3") + END,
        accept=TEXT_OR_JSON,
        response={"text": "hello"},
        value=TranscriptionResponse(text="hello"),
    ),
    Row(
        "audio.audio_translate",
        "/v1/audio/translations",
        args=(memoryview(AUDIO), AudioTranslationsParams(model="m", temperature=2.0)),
        body=field("model", "m") + field("temperature", "2.0") + file("audio.mp3") + END,
        accept=TEXT_OR_JSON,
        response={"text": "hello"},
        value=TranscriptionResponse(text="hello"),
    ),
    Row(
        "audio.audio_translate",
        "/v1/audio/translations",
        kwargs={"file": b"", "model": "m", "response_format": "text", "filename": "ä.ogg"},
        body=field("model", "m")
        + field("response_format", "text")
        + file("ä.ogg", b"", "audio/ogg")
        + END,
        accept=TEXT_OR_JSON,
        response=b"hello",
        response_type="text/plain",
        value=TranscriptionResponse(text="hello"),
    ),
    Row(
        "audio.list_voices",
        "/v1/audio/voices",
        method="GET",
        response={"voices": [VOICE], "count": 1, "truncated": False},
        value=VoicesResponse(voices=[RACHEL], count=1, truncated=False),
    ),
    Row(
        "audio.list_voices",
        "/v1/audio/voices",
        method="GET",
        args=(
            ListVoicesParams(
                search="a b&c", page_size=0, include_total_count=False, voice_ids=["x", "y/z"]
            ),
        ),
        query="search=a%20b%26c&page_size=0&include_total_count=false&voice_ids=x&voice_ids=y%2Fz",
        response={"voices": None, "has_more": False, "total_count": 0, "next_page_token": None},
        value=VoicesResponse(has_more=False, total_count=0),
    ),
    Row(
        "audio.list_voices",
        "/v1/audio/voices",
        method="GET",
        kwargs={"brand": "elevenlabs", "model": "hexgrad/kokoro", "search": None},
        query="brand=elevenlabs&model=hexgrad%2Fkokoro",
        response={"voices": [{"voice_id": "v", "name": None}, 5]},
        value=VoicesResponse(voices=[Voice(voice_id="v")]),
    ),
    Row(
        "audio.get_voice",
        "/v1/audio/voices/..%20%25",
        method="GET",
        kwargs={"voice_id": ".. %"},
        response=VOICE,
        response_type=JSON,
        value=RACHEL,
    ),
]
