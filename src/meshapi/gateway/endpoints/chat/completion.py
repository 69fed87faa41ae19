"""The response to a chat request before it is sent: whole, or as a stream."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Optional

from meshapi.gateway import clock
from meshapi.gateway.content.tokens import count_words, usage
from meshapi.gateway.endpoints.chat.choices import Choice, choose_words, scripted_choice, text_of
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.streams import PacedFrames
from meshapi.gateway.http.wire import frame, ulid
from meshapi.gateway.models import AUTO, DEFAULT_MODEL, LOOSE_DELTAS, choose, cost_of
from meshapi.gateway.scripts.values import Reply
from meshapi.gateway.state import GatewayState

# The largest context of the models here. Each word of a stream takes about 300 bytes.
_MOST_WORDS = 1_048_576


@dataclass(frozen=True)
class Completion:
    """A response before it is sent; `requested` may be `AUTO`, but `model` never is.

    Attributes:
        completion_tokens: as a script states them; None if they are counted.
    """

    requested: str
    choices: Sequence[Choice]
    prompt_tokens: int
    completion_tokens: Optional[int] = None
    id: str = field(default_factory=lambda: f"chatcmpl-{ulid()}")
    created: int = field(default_factory=lambda: int(clock.time()))

    @property
    def model(self) -> str:
        return DEFAULT_MODEL if self.requested == AUTO else self.requested

    def headers(self) -> dict[str, str]:
        if self.requested != AUTO:
            return {}
        return {"X-Auto-Routed": "true", "X-Resolved-Model-Id": self.model}

    def whole(self) -> dict[str, Any]:
        choices = [
            {
                "index": index,
                "message": choice.message(),
                "finish_reason": choice.finish_reason,
                "logprobs": None,
            }
            for index, choice in enumerate(self.choices)
        ]
        response = {**self._head("chat.completion"), "choices": choices}
        response.update(usage=self.usage(), cost=self.cost())
        if self.requested == AUTO:
            response.update(
                x_resolved_model_id=self.model,
                x_auto_routed=True,
                x_auto_routed_fallback=False,
                x_auto_routed_fallback_reason=None,
                x_classifier_usage=[],
            )
        return response

    def frames(self) -> PacedFrames:
        """The stream: the role of each choice, the words of all choices in parallel, the ends."""
        indexed = list(enumerate(self.choices))
        start = {"role": "assistant", "content": ""}
        steps = zip_longest(*(choice.deltas() for choice in self.choices))
        return PacedFrames(
            [self._delta(index, start) for index, _ in indexed],
            [
                b"".join(self._delta(index, delta) for index, delta in enumerate(step) if delta)
                for step in steps
            ],
            [
                *(self._delta(index, {}, choice.finish_reason) for index, choice in indexed),
                self._chunk(choices=[], usage=self.usage(), cost=self.cost()),
            ],
        )

    def _delta(self, index: int, delta: Any, finish_reason: Optional[str] = None) -> bytes:
        if self.requested == LOOSE_DELTAS:
            for part in delta.get("tool_calls", ()):
                del part["index"]
        choice = {"index": index, "delta": delta, "finish_reason": finish_reason}
        return self._chunk(choices=[choice])

    def _chunk(self, **members: Any) -> bytes:
        return frame({**self._head("chat.completion.chunk"), **members})

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": "fp_local_gateway",
        }

    def usage(self) -> dict[str, int]:
        counted = sum(choice.size() for choice in self.choices)
        stated = self.completion_tokens
        return usage(self.prompt_tokens, counted if stated is None else stated)

    def cost(self) -> str:
        """The price in dollars, as a decimal string."""
        counts = self.usage()
        return cost_of(self.model, counts["prompt_tokens"], counts["completion_tokens"])


def completion_of(
    state: GatewayState, body: dict[str, Any], scripted: Optional[Reply] = None
) -> Completion:
    """The response to a request that passes `SCHEMA`.

    Args:
        scripted: what a script says. Any model can then be named.

    Raises:
        GatewayError: the model is unknown, or not for chat.
    """
    messages: list[dict[str, Any]] = body["messages"]
    fallbacks: list[str] = body.get("models") or []
    model = choose(body.get("model"), fallbacks, any_model=scripted is not None)
    said = Reply() if scripted is None else scripted
    read = sum(count_words(text_of(message)) for message in messages)
    count: int = body.get("n") or 1
    if read * count > _MOST_WORDS:
        message = f"{read * count} words in {count} choices; the local gateway takes {_MOST_WORDS}."
        raise GatewayError(400, "context_length_exceeded", message)
    return Completion(
        requested=model,
        choices=[
            scripted_choice(said) or choose_words(state, body, model, index)
            for index in range(count)
        ],
        prompt_tokens=said.usage.get("prompt_tokens", read),
        completion_tokens=said.usage.get("completion_tokens"),
    )
