"""The response to a compare request: the result of each model, and what the judge says of them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Optional

from meshapi.gateway import clock
from meshapi.gateway.content.answers import words
from meshapi.gateway.content.tokens import count_words, usage
from meshapi.gateway.endpoints.chat.completion import Completion
from meshapi.gateway.http.streams import PacedFrames
from meshapi.gateway.http.wire import named_frame, ulid
from meshapi.gateway.models import AUTO, CHAT_MODELS, DEFAULT_MODEL, FAILING_MODELS, SLOW


@dataclass(frozen=True)
class Entry:
    """The result of one model: a completion, an error, or both, if the completion broke off."""

    model: str
    request_id: str
    completion: Optional[Completion] = None
    error: Optional[str] = None
    error_code: Optional[str] = None

    @property
    def failed_at_once(self) -> bool:
        return self.completion is None

    @property
    def text(self) -> str:
        if self.completion is None:
            return ""
        choice = self.completion.choices[0]
        return choice.text or choice.refusal or ""

    @property
    def content(self) -> Optional[str]:
        return None if self.error else self.text

    @property
    def usage(self) -> Optional[dict[str, Any]]:
        return None if self.error or self.completion is None else self.completion.usage()

    def result(self) -> dict[str, Any]:
        """The entry as an item of `results`."""
        result: dict[str, Any] = {
            "model": self.model,
            "latency_ms": _latency(self.model),
            "request_id": self.request_id,
            "error": self.error,
            "error_code": self.error_code,
        }
        if self.completion is not None and not self.error:
            result.update(content=self.content, usage=self.usage)
            result.update(response_body=self.completion.whole())
        return result

    def frames(self) -> Iterator[bytes]:
        """Its frames in a stream without comparison: one for each word, and one for the end."""
        said = words(self.text)
        reason = self.completion.choices[0].finish_reason if self.completion else "error"
        if self.error:
            said, reason = said[: (len(said) + 1) // 2], "error"
        for word in said:
            chunk = {"model": self.model, "delta": word, "finish_reason": None}
            yield named_frame("model_chunk", chunk)
        end = {"model": self.model, "finish_reason": reason, "usage": self.usage}
        end["error"] = self.error
        if self.error:
            end["error_code"] = self.error_code
        yield named_frame("model_stream_done", end)


@dataclass(frozen=True)
class Comparison:
    body: dict[str, Any]
    entries: Sequence[Entry]
    id: str = field(default_factory=lambda: f"cmp_{ulid()}")

    @property
    def skipped(self) -> bool:
        return bool(self.body.get("skip_comparison"))

    @property
    def fallback_used(self) -> bool:
        known = {None, AUTO, *CHAT_MODELS, *FAILING_MODELS}
        return not self.skipped and self.body.get("comparison_model") not in known

    @property
    def judge(self) -> Optional[str]:
        if self.skipped:
            return None
        wanted = self.body.get("comparison_model")
        return wanted if wanted in CHAT_MODELS or wanted in FAILING_MODELS else DEFAULT_MODEL

    @property
    def fault(self) -> str:
        """The model whose pace, or way of failing, the response has."""
        slow = any(entry.model == SLOW for entry in self.entries)
        return self.judge if self.judge in FAILING_MODELS else SLOW if slow else DEFAULT_MODEL

    def whole(self) -> dict[str, Any]:
        verdict = None if self.skipped else _verdict(self.body, self.entries)
        return {
            **self._meta(),
            "object": "compare.completion",
            "created": int(clock.time()),
            "results": [entry.result() for entry in self.entries],
            "comparison": verdict,
            "comparison_usage": None if verdict is None else self._usage(verdict),
            "comparison_fallback_used": self.fallback_used,
            **self._totals(),
        }

    def frames(self) -> PacedFrames:
        meta = named_frame("meta", self._meta())
        if self.skipped:
            steps = zip_longest(*(entry.frames() for entry in self.entries), fillvalue=b"")
            done = {**self._totals(), "skip_comparison": True}
            return PacedFrames([meta], [b"".join(step) for step in steps], [self._done(done)])
        judged = [
            named_frame("comparison_chunk", {"delta": word, "finish_reason": None})
            for word in words(_verdict(self.body, self.entries))
        ]
        done = {
            **self._totals(),
            "comparison_model": self.judge,
            "comparison_fallback_used": self.fallback_used,
        }
        end = named_frame("comparison_chunk", {"delta": "", "finish_reason": "stop"})
        return PacedFrames([meta], [*self._answers(), *judged], [end, self._done(done)])

    def _answers(self) -> list[bytes]:
        """A frame for each model's answer; the last one is followed by the frame of all results."""
        chunks: list[bytes] = []
        for entry in self.entries:
            result = entry.result()
            chunk = {key: result[key] for key in ("model", "latency_ms", "error", "error_code")}
            chunk.update(delta=entry.content, usage=entry.usage)
            chunks.append(named_frame("model_chunk", chunk))
        results = [entry.result() for entry in self.entries]
        chunks[-1] += named_frame("model_done", {"results": results})
        return chunks

    def _done(self, members: dict[str, Any]) -> bytes:
        return named_frame("done", {"comparison_id": self.id, **members})

    def _meta(self) -> dict[str, Any]:
        return {
            "comparison_id": self.id,
            "models": [entry.model for entry in self.entries],
            "comparison_model": self.judge,
            "skip_comparison": self.skipped,
        }

    def _totals(self) -> dict[str, Any]:
        return {
            "total_latency_ms": max(_latency(entry.model) for entry in self.entries),
            "partial": any(entry.error for entry in self.entries),
        }

    def _usage(self, verdict: str) -> dict[str, int]:
        read = sum(count_words(entry.content or "") for entry in self.entries)
        written = count_words(verdict)
        return usage(read, written)


def _latency(model: str) -> int:
    """Milliseconds, the same each time; only `mesh/slow` takes long."""
    return 1000 if model == SLOW else 1


def _verdict(body: dict[str, Any], entries: Sequence[Entry]) -> str:
    """What the judge says: which model said what, its instructions, and which models failed."""
    by_answer: dict[str, list[str]] = defaultdict(list)
    for entry in entries:
        if entry.content is not None:
            by_answer[entry.content].append(entry.model)
    said = " ".join(f'{" and ".join(models)}: "{text}"' for text, models in by_answer.items())
    agree = "All answers are the same." if len(by_answer) == 1 else "The answers differ."
    verdict = f"{agree} {said}" if by_answer else "There is no answer to compare."
    if body.get("comparison_instructions"):
        verdict += f' I was told: "{body["comparison_instructions"]}"'
    failed = [entry.model for entry in entries if entry.error]
    return f"{verdict} No answer came from {' and '.join(failed)}." if failed else verdict
