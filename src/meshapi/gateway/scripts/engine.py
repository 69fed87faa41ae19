"""Which script a request gets.

The rules:

1. Scripts for the next requests come first, then the others, each in the order in which they were
   added. The first that matches and is not used up decides.
2. A script matches if each of its conditions holds. One without conditions matches everything that
   its response fits: it passes over a list of models, for example, if the response is a text. With
   conditions, a response that does not fit is an error.
3. A script with one response is never used up. One with several gives each of them once, in turn.
   With `times`, it is used up after so many requests, and the last response is given until then.
4. To a request that no script matches, the gateway responds as usual, or with an error if the
   scripts are strict.

Several threads may add scripts and ask for responses at once: each request uses up one response.
"""

import threading
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from meshapi.gateway.footprint import footprint
from meshapi.gateway.scripts.conditions import Conditions, RequestView, check_function
from meshapi.gateway.scripts.fits import misfit
from meshapi.gateway.scripts.replies import action_of
from meshapi.gateway.scripts.values import Action, Body, ErrorReply, Fault, Reply

if TYPE_CHECKING:
    from meshapi.gateway.http.request_log import RecordedRequest

# More than any test has: over HTTP, any client with the token can add some.
_MOST_SCRIPTS = 10_000
_MOST_BYTES = 64 * 1024 * 1024
_MOST_MISTAKES = 100

Made = Union[Reply, Body, ErrorReply, Fault, str, Mapping[str, Any]]
ResponseFunction = Callable[["RecordedRequest"], Optional[Made]]
ScriptedResponse = Union[Made, ResponseFunction]
"""What a script responds with: `reply(...)`, `error(...)`, a fault such as `broken_stream()`, a
text, a dict (a whole JSON body), or a function of the request that returns one of these, or None
for the gateway's own response."""


class Script:
    """One script: which requests it matches, and what they get.

    Attributes:
        place: where it was added, such as `test_weather.py:12`.
        used: how many requests it has matched.
        times: how many it is for; None for any number.
        responses: what they get, in turn.
        size: the bytes of memory that it takes.
    """

    def __init__(
        self,
        conditions: Conditions,
        responses: Sequence[ScriptedResponse],
        times: Optional[int],
        place: str,
    ) -> None:
        self.conditions = conditions
        self.place = place
        self.used = 0
        self.size = footprint((conditions, responses))
        self.times = len(responses) if times is None and len(responses) > 1 else times
        self.responses = tuple(responses)

    @property
    def needed(self) -> int:
        """How many requests it must match before it counts as used."""
        return 1 if self.times is None else self.times

    @property
    def matches_all(self) -> bool:
        """Whether it has no conditions."""
        return self.conditions == Conditions()

    @property
    def is_used_up(self) -> bool:
        """Whether it has no response left."""
        return self.times is not None and self.used >= self.times

    def next(self) -> ScriptedResponse:
        """Return the response that the next request gets."""
        return self.responses[min(self.used, len(self.responses) - 1)]

    def __str__(self) -> str:
        return f"{self.place}: {str(self.conditions) or 'any request'}"

    def __repr__(self) -> str:
        return f"<Script {self.place}: on({self.conditions}), used {_often(self.used)}>"


class ScriptError(Exception):
    """A request that strict scripts do not match, or a script that failed.

    Attributes:
        code: `not_scripted`, `script_failed` or `script_does_not_fit`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Scripts:
    """The scripts of one gateway."""

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        # Reentrant: `where` of a script may add another.
        self._lock = threading.RLock()
        self._next: list[Script] = []
        self._others: list[Script] = []
        self._kept: list[tuple[Conditions, Sequence[ScriptedResponse], Optional[int], str]] = []
        self._mistakes: list[str] = []
        self._bytes = 0

    @property
    def active(self) -> bool:
        """Whether there is anything to ask for a request."""
        return bool(self.strict or self._next or self._others)

    def add(
        self,
        conditions: Conditions,
        responses: Sequence[ScriptedResponse],
        *,
        times: Optional[int] = None,
        place: str = "",
        first: bool = False,
    ) -> Script:
        """Add a script.

        Args:
            first: whether it comes before all others, except earlier ones with `first`.

        Raises:
            TypeError: a response or a condition has the wrong type.
            ValueError: some responses would never be given, or there are too many scripts, or they
                take too much memory.
        """
        made = _checked_all(responses, times)
        script = Script(conditions.checked(), made, times, place)
        if isinstance(conditions.path, str):
            for response in made:
                wrong = misfit(response, conditions.path)
                if wrong is not None:
                    raise ValueError(wrong)
        with self._lock:
            if len(self._next) + len(self._others) >= _MOST_SCRIPTS:
                raise ValueError(f"there are {_MOST_SCRIPTS} scripts already: reset the gateway")
            if self._bytes + script.size > _MOST_BYTES:
                raise ValueError(f"scripts may take {_MOST_BYTES} bytes: reset the gateway")
            self._bytes += script.size
            (self._next if first else self._others).append(script)
        return script

    def keep(self) -> None:
        """Have `reset` return to the present scripts, unused."""
        with self._lock:
            self._kept = [
                (one.conditions, one.responses, one.times, one.place) for one in self._others
            ]

    def reset(self) -> None:
        """Forget all scripts except those of `keep`, and what went wrong."""
        with self._lock:
            self._next.clear()
            self._mistakes.clear()
            self._others = [Script(*one) for one in self._kept]
            self._bytes = sum(one.size for one in self._others)

    def discard(self, place: str) -> None:
        """Forget the scripts that were added at a place."""
        self._forget(lambda one: one.place == place)

    def withdraw(self, scripts: Collection[Script]) -> None:
        """Forget these scripts."""
        self._forget(lambda one: one in scripts)

    def _forget(self, is_one: Callable[[Script], bool]) -> None:
        with self._lock:
            self._next = [one for one in self._next if not is_one(one)]
            self._others = [one for one in self._others if not is_one(one)]
            self._bytes = sum(one.size for one in (*self._next, *self._others))

    def all(self) -> list[Script]:
        """Return the scripts, in the order in which they are tried."""
        with self._lock:
            return [*self._next, *self._others]

    def unused(self) -> list[Script]:
        """Return the scripts that have matched fewer requests than they are for."""
        return [script for script in self.all() if script.used < script.needed]

    def mistakes(self) -> list[str]:
        """Return what went wrong: requests that were not scripted, and scripts that failed."""
        with self._lock:
            return list(self._mistakes)

    def action_for(self, view: RequestView, only: Collection[type] = ()) -> Optional[Action]:
        """Return what the request gets; None for the gateway's own response.

        Args:
            only: the kinds of responses that the request can get; scripts with others do not match.
                If empty, it can get any.

        Raises:
            ScriptError: no script matches and the scripts are strict, or a script failed.
        """
        try:
            taken = self._take(view, only)
            if taken is None:
                if self.strict and not only:
                    raise ScriptError("not_scripted", self._nearest(view))
                return None
            script, response = taken
            made = response(view.request) if callable(response) else response
            action = None if made is None else action_of(made)
            wrong = misfit(action, view.path)
            if wrong is not None:
                raise ScriptError("script_does_not_fit", f"{script}: {wrong}")
            return action
        except ScriptError as error:
            self.report(str(error))
            raise
        except Exception as error:
            message = f"{view}: a function of a script failed: {error!r}"
            self.report(message)
            raise ScriptError("script_failed", message) from error

    def report(self, mistake: str) -> None:
        """Keep what went wrong, for `mistakes`."""
        with self._lock:
            if len(self._mistakes) < _MOST_MISTAKES:
                self._mistakes.append(mistake)

    def _take(
        self, view: RequestView, only: Collection[type]
    ) -> Optional[tuple[Script, ScriptedResponse]]:
        with self._lock:
            for script in (*self._next, *self._others):
                if script.is_used_up:
                    continue
                response = script.next()
                if only and not isinstance(response, tuple(only)):
                    continue
                if script.matches_all and misfit(response, view.path) is not None:
                    continue
                if not script.conditions.misses(view):
                    script.used += 1
                    return script, response
        return None

    def _nearest(self, view: RequestView) -> str:
        """Return the message for a request that no script matches."""
        scripts = self.all()
        if not scripts:
            return f"{view}: this gateway is strict, and has no scripts: add one with on(...)."
        near = min(scripts, key=lambda script: script.conditions.distance(view))
        missed = [] if near.is_used_up else near.conditions.misses(view)
        why = " and ".join(missed) or f"it was used {_often(near.used)}, which is all it is for"
        listed = "; ".join(map(str, scripts[:5])) + ("; ..." if len(scripts) > 5 else "")
        return f"{view}: no script matches. Nearest: {near}, but {why}. All scripts: {listed}."


def _checked_all(
    responses: Sequence[ScriptedResponse], times: Optional[int]
) -> list[ScriptedResponse]:
    if not responses:
        raise TypeError("expected at least one response; reply() is the gateway's own")
    if times is not None:
        if not _is_whole(times) or times < 1:
            raise ValueError(f"times: expected 1 or more, got {times!r}")
        if times < len(responses):
            raise ValueError(
                f"times: expected at least {len(responses)}, one for each response, got {times}"
            )
    made: list[ScriptedResponse] = []
    for response in responses:
        if callable(response):
            check_function("response", response)
            made.append(response)
        else:
            made.append(action_of(response))
    return made


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _often(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")
