"""Which recorded exchange a request gets, and what the nearest one differs in."""

import json
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, Optional, cast

from meshapi.testing.cassettes.bodies import items_of, same_json
from meshapi.testing.cassettes.exchanges import Asked

__all__ = ["differences", "is_same", "nearest"]

# Characters of a request that are compared to find the nearest. The comparison takes the square.
_MOST_COMPARED = 2000
_MOST_SHOWN = 40


def is_same(recorded: Asked, asked: Asked) -> bool:
    """Whether two requests are the same."""
    return (
        recorded.method == asked.method
        and recorded.path == asked.path
        and sorted(recorded.query) == asked.query
        and _key(recorded) == _key(asked)
    )


def _key(asked: Asked) -> Any:
    # How JSON is laid out says nothing.
    return same_json({name: each for name, each in asked.body.items() if name != "layout"})


def nearest(requests: Sequence[Asked], asked: Asked) -> Optional[int]:
    """Return the place of the recorded request that is most like another; None if there is none."""
    if not requests:
        return None
    text = _text(asked)

    def likeness(place: int) -> tuple[bool, bool, float]:
        recorded = requests[place]
        ratio = SequenceMatcher(None, _text(recorded), text, autojunk=False).ratio()
        return recorded.path == asked.path, recorded.method == asked.method, ratio

    return max(range(len(requests)), key=likeness)


def _text(asked: Asked) -> str:
    return json.dumps([asked.query, asked.body], sort_keys=True)[:_MOST_COMPARED]


def differences(recorded: Asked, asked: Asked) -> list[str]:
    """Return the places where a request is not as it was recorded, each with both values."""
    pairs: list[tuple[str, Any, Any]] = [
        ("method", recorded.method, asked.method),
        ("path", recorded.path, asked.path),
        ("query", sorted(recorded.query), asked.query),
    ]
    found = [_said(*each) for each in pairs if each[1] != each[2]]
    before, now = recorded.body, asked.body
    if "json" in before and "json" in now:
        return found + [_said(*each) for each in _within("body", before["json"], now["json"])]
    return found + [_said(*each) for each in _within("body", _plain(before), _plain(now))]


def _plain(body: dict[str, Any]) -> Any:
    return body.get("text", body.get("json", body)) if "multipart" not in body else body


def _within(path: str, before: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    if same_json(before) == same_json(now):
        return
    if isinstance(before, dict) and isinstance(now, dict):
        old, new = cast("dict[str, Any]", before), cast("dict[str, Any]", now)
        for name in {**old, **new}:
            yield from _within(f"{path}.{name}", old.get(name, _NOTHING), new.get(name, _NOTHING))
    elif isinstance(before, list) and isinstance(now, list):
        olds, news = items_of(before), items_of(now)
        if len(olds) != len(news):
            yield f"the length of {path}", len(olds), len(news)
        for index, (old_item, new_item) in enumerate(zip(olds, news)):
            yield from _within(f"{path}[{index}]", old_item, new_item)
    else:
        yield path, before, now


class _Nothing:
    def __repr__(self) -> str:
        return "nothing"


_NOTHING = _Nothing()


def _said(path: str, before: Any, now: Any) -> str:
    if isinstance(before, str) and isinstance(now, str):
        before, now = _around(before, now), _around(now, before)
    return f"{path}: recorded {_short(before)}, got {_short(now)}"


def _around(text: str, other: str) -> str:
    """The part of a long text where it differs from another."""
    if len(text) <= _MOST_SHOWN:
        return text
    same = next((i for i, (a, b) in enumerate(zip(text, other)) if a != b), len(other))
    start = max(0, min(same, len(text)) - 10)
    return f"...{text[start:]}" if start else text


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _MOST_SHOWN + 10 else f"{shown[: _MOST_SHOWN + 7]}..."
