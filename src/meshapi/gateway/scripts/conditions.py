"""What a request must be like for a script to match it."""

import inspect
import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, Union

if TYPE_CHECKING:
    from meshapi.gateway.http.request_log import RecordedRequest

_SHOWN_TEXT = 60
# Texts are compared only to name the nearest script, and the time grows with the square.
_COMPARED_TEXT = 1000

Text = Union[str, "re.Pattern[str]"]


class RequestView(NamedTuple):
    """A request as scripts see it.

    Fields:
        request: the recorded request, for the functions of a script.
    """

    method: str
    path: str
    model: Optional[str] = None
    text: Optional[str] = None
    request: Any = None

    @classmethod
    def of(cls, request: "RecordedRequest") -> "RequestView":
        """Return the view of a recorded request."""
        return cls(request.method, request.path, request.model, request.text, request)

    def __str__(self) -> str:
        model = f", model {self.model!r}" if self.model is not None else ""
        text = f", text {_short(self.text)!r}" if self.text is not None else ""
        return f"{self.method} {self.path}{model}{text}"


class Conditions(NamedTuple):
    """What a request must be like; None for a condition that is not set.

    Fields:
        text: words that its text contains, whatever their case, or a pattern to search for.
        path: the path, or a pattern for all of it.
    """

    text: Optional[Text] = None
    model: Optional[str] = None
    path: Optional[Text] = None
    method: Optional[str] = None
    where: Optional[Callable[[Any], object]] = None

    def checked(self) -> "Conditions":
        """Return the conditions, with the method in capitals.

        Raises:
            TypeError: a condition has the wrong type.
            ValueError: the path does not begin with a slash.
        """
        for name, value in zip(("text", "path"), (self.text, self.path)):
            if value is not None and not _is_text(value):
                raise TypeError(f"{name}: expected a text or a compiled pattern, got {value!r}")
        for name, word in (("model", self.model), ("method", self.method)):
            if word is not None and not _is_word(word):
                raise TypeError(f"{name}: expected a text, got {word!r}")
        check_function("where", self.where)
        path = self.path
        if isinstance(path, str) and path[:1] != "/":
            raise ValueError(
                f"path: expected one that begins with /, such as /v1/models, got {path!r}"
            )
        return self if self.method is None else self._replace(method=self.method.upper())

    def misses(self, view: RequestView) -> list[str]:
        """Return the conditions that do not hold; none if the request matches."""
        missed = [
            f"{name} is {_short(found)!r}" if found is not None else f"it has no {name}"
            for name, wanted, found, holds in (
                ("method", self.method, view.method, _is),
                ("path", self.path, view.path, _is_all_of),
                ("model", self.model, view.model, _is),
                ("text", self.text, view.text, _is_in),
            )
            if wanted is not None and not (found is not None and holds(wanted, found))
        ]
        # Last, and only if it decides: it may rely on the others.
        if self.where is not None and not missed and not self.where(view.request):
            missed.append("where is false")
        return missed

    def distance(self, view: RequestView) -> tuple[int, float]:
        """Return how far a request is from a match; less is nearer.

        Returns:
            How many conditions it misses, apart from `where`; then how unlike the texts are.
        """
        words = self.text if isinstance(self.text, str) else getattr(self.text, "pattern", "")
        wanted, found = (text[:_COMPARED_TEXT].lower() for text in (words, view.text or ""))
        alike = SequenceMatcher(None, wanted, found).ratio()
        return len(self._replace(where=None).misses(view)), -alike

    def __str__(self) -> str:
        parts = [_written(self.text)] if self.text is not None else []
        for name, value in (("model", self.model), ("path", self.path), ("method", self.method)):
            if value is not None:
                parts.append(f"{name}={_written(value)}")
        if self.where is not None:
            parts.append(f"where={getattr(self.where, '__name__', '...')}")
        return ", ".join(parts)


def check_function(name: str, function: object) -> None:
    """Return if a function of a script can be called; None is none.

    Raises:
        TypeError: it is not a function, or is a coroutine function.
    """
    if function is None:
        return
    if not callable(function):
        raise TypeError(f"{name}: expected a function of the request, got {function!r}")
    if inspect.iscoroutinefunction(function):
        raise TypeError(f"{name}: expected a plain function, got the coroutine function {function}")


def _is_text(value: object) -> bool:
    if not isinstance(value, re.Pattern):
        return isinstance(value, str)
    pattern: Any = getattr(value, "pattern", None)  # pyright: ignore[reportUnknownArgumentType]
    return isinstance(pattern, str)


def _is_word(value: object) -> bool:
    return isinstance(value, str)


def _is(wanted: Text, found: str) -> bool:
    return wanted == found


def _is_all_of(wanted: Text, found: str) -> bool:
    return wanted == found if isinstance(wanted, str) else wanted.fullmatch(found) is not None


def _is_in(wanted: Text, found: str) -> bool:
    if isinstance(wanted, str):
        return wanted.casefold() in found.casefold()
    return wanted.search(found) is not None


def _written(value: Text) -> str:
    return repr(value) if isinstance(value, str) else f"re.compile({value.pattern!r})"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_TEXT else f"{text[: _SHOWN_TEXT - 3]}..."
