"""Answers that are not whole: cut off, stopped by a content filter, or refused."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Optional

from meshapi.cli.problems import CommandError

if TYPE_CHECKING:
    from meshapi import ChatCompletionResponse
    from meshapi_core.bulk import NotWhole

_SAID: Final[Mapping[str, str]] = {
    "truncated": "the answer is cut off: it has reached its limit of model tokens",
    "filtered": "the answer is cut off: a content filter stopped the model",
    "refused": "the model refused to answer",
}


def kind_of(response: Any) -> "Optional[NotWhole]":
    """Return in what way the answer in a response is not whole; None if it is."""
    from meshapi_core.bulk import NOT_WHOLE, finish_reason_of

    return NOT_WHOLE.get(finish_reason_of(response))


def check_whole(completion: "ChatCompletionResponse") -> None:
    """Return if an answer is whole.

    Raises:
        CommandError: it is not; the message says why.
    """
    kind = kind_of(completion)
    if kind is not None:
        raise CommandError(_SAID[kind])


def check_all_whole(counts: "Mapping[NotWhole, int]", total: int) -> None:
    """Return if all answers in a file are whole.

    Args:
        counts: how many are not whole, by kind.
        total: how many there are.

    Raises:
        CommandError: some are not.
    """
    number = sum(counts.values())
    if number:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in counts.items() if count)
        verb = "is" if number == 1 else "are"
        raise CommandError(
            f"{number:,} of {total:,} answers {verb} not whole: {kinds}; finish_reason in the"
            " results says which"
        )
