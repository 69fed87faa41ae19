"""What the official package and this one do not do alike, each by its name and with the reason.

Where it is the official package that is wrong, `test_official_sdk.py` has a test of that, too.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

from interop.players import Player, Run, settled

import meshapi


class Difference(NamedTuple):
    """A header that the two do not send alike: a pattern for each, None where it is missing."""

    header: str
    official: Optional[str]
    ours: Optional[str]
    reason: str


VERSION = r"\d+\.[\w.+]+"
HEADERS = (
    Difference("user-agent", rf"python-httpx/{VERSION}", rf"meshapi-python/{VERSION}", "its name"),
    Difference("user-agent", rf"python-httpx/{VERSION}", None, "signed uploads say nothing else"),
    Difference(
        "user-agent",
        rf"Python/{VERSION} websockets/{VERSION}",
        rf"meshapi-python/{VERSION}",
        "its name, and one for all of its requests",
    ),
    Difference("sec-websocket-key", r"[\w+/]{22}==", r"[\w+/]{22}==", "drawn for each session"),
    Difference("x-meshapi-sdk", r"python/0\.1\.\d+", rf"python/{VERSION}", "its own version"),
    Difference("accept-encoding", "gzip, deflate", "identity", "ours reads nothing compressed"),
    Difference("accept-encoding", "gzip, deflate", None, "signed uploads say nothing else"),
    Difference("connection", "keep-alive", None, "the default of HTTP/1.1"),
    Difference("content-type", "application/json", None, "there is no body"),
    Difference("content-length", r"\d+", r"\d+", "the boundaries of forms differ in length"),
    Difference("idempotency-key", None, r"[\w-]+", "what is repeated is done once"),
    Difference("accept", "application/json", "text/event-stream", "a stream is no JSON"),
    Difference("accept", "application/json", r"application/json, text/\*.*", "may be text"),
    Difference("accept", "application/json", r"\*/\*|audio/\*.*", "sound is no JSON"),
    Difference("accept", r"\*/\*", None, "signed uploads say nothing else"),
)


# The types of files in forms that the official package sends as octets and ours by their names.
GUESSED_TYPES = r"audio/(mpeg|wav)"


class More(NamedTuple):
    """Fields of one of our types that the official one does not have."""

    type: str
    fields: str
    reason: str


_RESPONSE = "annotations reasoning_content reasoning_details refusal"
_ROUTER = (
    "x_auto_routed x_auto_routed_fallback x_auto_routed_fallback_reason x_classifier_usage "
    "x_resolved_model_id"
)
_DROPPED = "documented, and dropped by the official types"
MORE = (
    More("ChatCompletionMessage", _RESPONSE, _DROPPED),
    More("ChatCompletionMessage", "name tool_call_id", "a ChatMessage, too: it can be sent back"),
    More("ChatCompletionChunkDelta", _RESPONSE, _DROPPED),
    More("ChatCompletionResponse", f"cost {_ROUTER}", _DROPPED),
    More("ChatCompletionChunk", f"system_fingerprint {_ROUTER}", _DROPPED),
    More("ChatCompletionChunkChoice", "logprobs", _DROPPED),
    More("ToolCallChunk", "thought_signature", "as in a whole ToolCall"),
    More("ResponsesUsage", "input_tokens_details output_tokens_details", "OpenAI's names"),
    More(
        "TranscriptionResponse",
        "duration language language_code language_probability message request_id segments "
        "transcription_id words",
        "what comes with verbose_json and from a job that has only begun",
    ),
    More("VoicesResponse", "count truncated", "what the current docs name"),
    More(
        "ModelPricing",
        "completion_usd_per_1k_discounted image_usd_per_image prompt_usd_per_1k_discounted",
        "of the official versions up to 0.1.6",
    ),
    More("ModelPricing", "input_usd_per_unit output_usd_per_unit", "what the current docs name"),
    More("ModelsPage", "facets", "what the current docs name"),
    More("ImageUsage", "input_tokens output_tokens", "OpenAI's names"),
    More(
        "ImageGenerationChunk",
        "background output_format quality size usage",
        "as in the whole answer",
    ),
    More("CreateVideoGenerationResponse", "request_id", "of the API since 2026-09"),
    More("VideoTaskResponse", "request_id", "of the API since 2026-09"),
    More("WebSearchResultItem", "page_content page_content_truncated", "the docs name them"),
    More("TemplateSummary", "creator_email creator_name org_id team_id", "the docs name them"),
    More("CompareStreamEvent", "data", "officially always None, here the whole payload"),
)


def comparable(tree: Any) -> Any:
    """What was received, without the fields of `MORE` and by the official names of types."""
    if isinstance(tree, list):
        return [comparable(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if "$type" not in tree:
        return {key: comparable(value) for key, value in tree.items()}
    kind = official_name(tree["$type"])
    more = {field for known in MORE if known.type == kind for field in known.fields.split()}
    if kind == "ResponsesStreamEvent" and tree.get("event") == tree["type"]:
        # The official package puts the name of the SSE event, which is the type, among the fields.
        more.add("event")
    kept = {key: comparable(value) for key, value in tree.items() if key not in more}
    compact = {key: value for key, value in tree["$compact"].items() if key not in more}
    return {**kept, "$type": kind, "$compact": compact}


def official_name(kind: str) -> str:
    """Our events of a response have classes of their own, derived from the official one."""
    known = getattr(meshapi, kind, None)
    is_event = known is not None and issubclass(known, meshapi.ResponsesStreamEvent)
    return "ResponsesStreamEvent" if is_event else kind


def header_differences(official: Run, ours: Run) -> Iterator[str]:
    """The headers that differ otherwise than `HEADERS` says."""
    for theirs, mine in zip(official.requests, ours.requests):
        for name in sorted({*theirs["headers"], *mine["headers"]}):
            pair = (theirs["headers"].get(name), mine["headers"].get(name))
            if pair[0] != pair[1] and not any(covers(known, name, *pair) for known in HEADERS):
                yield f"{mine['method']} {mine['path']}: {name}: {pair}"


def covers(known: Difference, name: str, official: Optional[str], ours: Optional[str]) -> bool:
    return known.header == name and fits(known.official, official) and fits(known.ours, ours)


def fits(pattern: Optional[str], value: Optional[str]) -> bool:
    if pattern is None or value is None:
        return pattern is value
    return re.fullmatch(pattern, value) is not None


def unheaded(run: Run) -> list[dict[str, Any]]:
    return [{key: request[key] for key in request if key != "headers"} for request in run.requests]


def is_guessed(official: Any, ours: Any) -> bool:
    """Whether these are the types of a file that only we have looked up."""
    return (
        official == "application/octet-stream"
        and isinstance(ours, str)
        and re.fullmatch(GUESSED_TYPES, ours) is not None
    )


def differences(official: Any, ours: Any, where: str = "") -> Iterator[str]:
    """What is not the same, each with the way to it."""
    if isinstance(official, dict) and isinstance(ours, dict):
        where += f" {ours['$type']}" if "$type" in ours else ""
        for key in sorted({*official, *ours}):
            if key == "type" and "filename" in ours and is_guessed(official.get(key), ours[key]):
                continue
            if key in official and key in ours:
                yield from differences(official[key], ours[key], f"{where}.{key}")
            else:
                have, value = ("we", ours[key]) if key in ours else ("they", official[key])
                yield f"{where}.{key}: only {have} have it: {value!r}"
    elif isinstance(official, list) and isinstance(ours, list) and len(official) == len(ours):
        for at, (theirs, mine) in enumerate(zip(official, ours)):
            yield from differences(theirs, mine, f"{where}[{at}]")
    elif official != ours:
        yield f"{where}: they have {official!r}, we have {ours!r}"


def play_both(case: str, client: str, official: Player, ours: Player) -> tuple[Run, Run]:
    """The official run and ours, ready to be compared."""
    runs = (player.play(case, client) for player in (official, ours))
    theirs, mine = (settled(Run(run.requests, comparable(run.received))) for run in runs)
    return theirs, mine


def check_the_same(theirs: Run, mine: Run) -> None:
    """Raise AssertionError with all that differs and is not known."""
    assert theirs.received
    unknown = [
        *differences(theirs.received, mine.received),
        *differences(unheaded(theirs), unheaded(mine)),
        *header_differences(theirs, mine),
    ]
    assert not unknown, "\n".join(unknown)
