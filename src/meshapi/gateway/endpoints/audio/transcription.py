"""One transcription, in each of its formats."""

from dataclasses import dataclass
from typing import Any

from meshapi.gateway.content.tokens import count_words
from meshapi.gateway.http.wire import ulid
from meshapi.gateway.store import Store

# Made up: the time that it takes to say a word.
_SECONDS_PER_WORD = 0.4


@dataclass
class Transcription:
    """One transcription; by default, it has been looked at often enough to be completed."""

    text: str
    seconds: float
    language: str
    looks: int = 2
    id: str = ""

    def __post_init__(self) -> None:
        self.id = f"trn_{ulid()}"

    @property
    def words(self) -> list[dict[str, Any]]:
        return [
            {"text": text, "word": text, "type": "word", **_span(number, number + 1)}
            for number, text in enumerate(self.text.split())
        ]

    def as_object(self) -> dict[str, Any]:
        """The response to a GET of the transcription."""
        if self.looks < 2:
            return {"transcription_id": self.id, "status": "processing", "text": None}
        return {"status": "completed", **self.whole(verbose=True)}

    def whole(self, verbose: bool) -> dict[str, Any]:
        """The transcription as a JSON object."""
        brief = {
            "text": self.text,
            "transcription_id": self.id,
            "language_code": self.language,
            "language_probability": 1.0,
        }
        if not verbose:
            return brief
        times = _span(0, count_words(self.text))
        more = {"task": "transcribe", "language": self.language, "duration": self.seconds}
        return {
            **brief,
            **more,
            "words": self.words,
            "segments": [{"id": 0, "text": self.text, **times}],
        }

    def subtitles(self, kind: str) -> str:
        """The transcription as a file with one subtitle; the kind is "srt" or "vtt"."""
        end = _span(0, count_words(self.text))["end"]
        mark = "." if kind == "vtt" else ","
        times = f"{_clock(0, mark)} --> {_clock(end, mark)}"
        head = "WEBVTT\n\n" if kind == "vtt" else "1\n"
        return f"{head}{times}\n{self.text}\n"


class Transcriptions(Store[Transcription]):
    what = "Transcription"


def _span(first: int, last: int) -> dict[str, float]:
    return {
        "start": round(first * _SECONDS_PER_WORD, 3),
        "end": round(last * _SECONDS_PER_WORD, 3),
    }


def _clock(seconds: float, mark: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{mark}{rest % 1000:03}"
