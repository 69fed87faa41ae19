"""Content parts where text is declared: their text, their thinking, and everything else."""

from typing import Any, Final, Optional

from meshapi_core._json_kinds import is_array, is_object, value_name

__all__ = ["Parts", "is_prose"]

_TEXTS: Final = frozenset({"text", "output_text", "input_text", "text_delta", "summary_text"})
_THOUGHTS: Final = frozenset({"thinking", "reasoning", "thinking_delta", "reasoning_text"})


def is_prose(value: Any) -> bool:
    """Return whether a value is content parts; any other JSON becomes JSON text."""
    if value in ([], {}):
        return True
    if is_array(value):
        return any(isinstance(row, str) or (is_object(row) and _type_of(row)) for row in value)
    return is_object(value) and _type_of(value) in _TEXTS | _THOUGHTS


def _type_of(part: dict[str, Any]) -> str:
    kind = part.get("type")
    if isinstance(kind, str):
        return kind
    return "text" if isinstance(part.get("text"), str) else ""


class Parts:
    """Content parts where text is declared, separated by their types.

    Attributes:
        text: of the text parts, joined.
        thoughts: of the parts that are thinking, joined.
        others: the types of all other parts, which cannot become text.
    """

    def __init__(self, sent: Any) -> None:
        self.text = ""
        self.thoughts = ""
        self.others: list[str] = []
        for part in sent if is_array(sent) or not sent else [sent]:
            self._add(part)

    def _add(self, part: Any) -> None:
        kind = "text" if isinstance(part, str) else _type_of(part) if is_object(part) else ""
        said = _said(part, "text") if kind in _TEXTS else None
        if said is not None:
            self.text += said
        elif kind in _THOUGHTS:
            self.thoughts += _said(part, *_THOUGHTS, "text", "content", "summary") or ""
        elif part is not None:
            self.others.append(kind if kind.isidentifier() else value_name(part))


def _said(part: Any, *names: str) -> Optional[str]:
    """Return the text under the first of these names, however deeply it is nested in parts."""
    if isinstance(part, str):
        return part
    if is_array(part):
        texts = [_said(row, *names) for row in part]
        return "".join(text for text in texts if text is not None)
    if not is_object(part):
        return None
    inner = next((part[name] for name in (*names, "value") if part.get(name) is not None), None)
    return None if inner is None else _said(inner, *names)
