"""Answers to questions: the same answer each time for the same question."""

import re
from decimal import Context, Decimal
from typing import Optional

from meshapi.gateway.content.tokens import count_words

# The longest count: without a limit, a question could fill the memory.
_LONGEST_COUNT = 10_000

_NUMBER = r"(-?\d{1,15}(?:\.\d{1,15})?)"
_SUM = re.compile(
    r"(?:what(?:'s| is)|how much is|calculate|compute)?\s*"
    rf"{_NUMBER}\s*([-+*/x])\s*{_NUMBER}[\s=?.]*",
    re.IGNORECASE,
)
_COUNT = re.compile(r"count\s+(?:from\s+(\d{1,9})\s+)?to\s+(\d{1,9})\b", re.IGNORECASE)
# What follows the words, or the paragraph after them, such as a file.
_REPEAT = re.compile(r"repeat:(?:\n\n| ?)(.*)", re.IGNORECASE | re.DOTALL)
_CAPITAL = re.compile(r"\bcapital of (?:the )?([a-z]+(?: [a-z]+)?)", re.IGNORECASE)
_GREETING = re.compile(r"(?:hello|hi|hey|good (?:morning|day|evening))\b[^?]{0,20}", re.IGNORECASE)
_HAIKU = re.compile(r"\bhaiku\b", re.IGNORECASE)

# More digits than any product of two numbers that match the pattern.
_EXACT = Context(prec=64)
_ROUNDED = Context(prec=12)

_CAPITALS = {
    "argentina": "Buenos Aires",
    "australia": "Canberra",
    "brazil": "Brasília",
    "canada": "Ottawa",
    "china": "Beijing",
    "egypt": "Cairo",
    "france": "Paris",
    "germany": "Berlin",
    "india": "New Delhi",
    "italy": "Rome",
    "japan": "Tokyo",
    "kenya": "Nairobi",
    "mexico": "Mexico City",
    "nigeria": "Abuja",
    "spain": "Madrid",
    "united kingdom": "London",
    "united states": "Washington",
}
REFUSAL_TEXT = "I can't help with that."
"""What `mesh/refusal` says."""

_WELCOME = "Hello! How can I help you today?"
_POEM = "Whitespace draws the path,\nsmall loops hum until they rest:\none clear line returns."


def answer(question: str) -> str:
    """The answer to a question in plain text; `meshapi.testing` lists the known questions."""
    repeated = _REPEAT.fullmatch(question)
    if repeated:
        return repeated[1]
    question = question.strip()
    return (
        _calculate(question)
        or _count(question)
        or _name_capital(question)
        or _recite(question)
        or _greet(question)
        or _say_back(question)
    )


def words(text: str) -> list[str]:
    """The text, split before each word; joined, the parts are the text again, with white space."""
    return re.findall(r"\s*\S+|\s+\Z", text)


def shorten(text: str, *, stop: list[str], max_words: Optional[int]) -> tuple[str, str]:
    """The text up to a stop sequence or a number of words, and its finish reason."""
    ends = [at for at in (text.find(sequence) for sequence in stop if sequence) if at >= 0]
    if ends:
        text = text[: min(ends)]
    pieces = words(text)
    if max_words is not None and count_words(text) > max_words:
        return "".join(pieces[:max_words]), "length"
    return text, "stop"


def _calculate(question: str) -> Optional[str]:
    found = _SUM.fullmatch(question)
    if found is None:
        return None
    left, sign, right = found.groups()
    sign = "*" if sign in "xX" else sign
    a, b = Decimal(left), Decimal(right)
    if sign == "/" and not b:
        return "Nothing can be divided by zero."
    if sign == "/":
        result = _ROUNDED.divide(a, b)
    else:
        operation = {"+": _EXACT.add, "-": _EXACT.subtract, "*": _EXACT.multiply}[sign]
        result = operation(a, b)
    return f"{left} {sign} {right} = {_plain(result)}."


def _plain(number: Decimal) -> str:
    # Unary plus drops the sign of -0.
    text = f"{_EXACT.plus(number):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _count(question: str) -> Optional[str]:
    found = _COUNT.search(question)
    if found is None:
        return None
    first, last = int(found[1] or 1), int(found[2])
    step = 1 if first <= last else -1
    numbers = range(first, last + step, step)[:_LONGEST_COUNT]
    return " ".join(str(number) for number in numbers)


def _name_capital(question: str) -> Optional[str]:
    found = _CAPITAL.search(question)
    if found is None:
        return None
    # In "France please" only the first of the two words is the country.
    for country in (found[1], found[1].partition(" ")[0]):
        if country.lower() in _CAPITALS:
            return f"The capital of {country.title()} is {_CAPITALS[country.lower()]}."
    return None


def _recite(question: str) -> Optional[str]:
    return _POEM if _HAIKU.search(question) else None


def _greet(question: str) -> Optional[str]:
    return _WELCOME if not question or _GREETING.fullmatch(question) else None


def _say_back(question: str) -> str:
    return f'You said: "{question}" I am a local gateway, not a model, and can only say it back.'
