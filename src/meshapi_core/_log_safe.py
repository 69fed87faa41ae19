"""Text from elsewhere, as one line that is safe to log and to print."""

import re

__all__ = ["one_line", "with_facts"]

# As much as the official SDK shows of a body; enough for a sentence, too little to flood a log.
_LONGEST = 500

# What could end a line, steer a terminal, reorder the text around it, or fail to encode:
# C0, DEL and C1, the line and paragraph separators, bidirectional controls, lone surrogates.
_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def one_line(text: str, longest: int = _LONGEST) -> str:
    """Return `text` as one line that is safe to log: at most 500 characters, controls escaped.

    Idempotent: a result that is passed in again comes back unchanged.
    """
    # Cut before escaping too, so that a message of many megabytes costs no more than a short one.
    line = _UNSAFE.sub(_escape, text[: longest + 1])
    return line if len(line) <= longest else line[: longest - 3] + "..."


def _escape(match: "re.Match[str]") -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def with_facts(message: str, status: int, code: str, request_id: str, attempts: int = 0) -> str:
    """Return a message followed by the status, the error code and so on in parentheses.

    What the message already contains is left out, and so is what is not known: 0 and "". Only more
    attempts than one are worth a word.
    """
    # Whoever made the error may have set these later, from a header.
    code, request_id = one_line(code), one_line(request_id)
    facts: list[str] = []
    if status and not re.search(rf"(?:\bHTTP |\bstatus |\(){status}\b", message):
        facts.append(str(status))
    # A code that is a plain word, such as "conflict", may just be part of the sentence.
    if code and (code.isalpha() or not _has_word(message, code)):
        facts.append(code)
    told = [" ".join(facts)] if facts else []
    if request_id and not _has_word(message, request_id):
        told.append(f"request {request_id}")
    if attempts > 1:
        told.append(f"{attempts} attempts")
    line = f"{message} " if message else ""
    return f"{line}({', '.join(told)})" if told else message


def _has_word(text: str, word: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None
