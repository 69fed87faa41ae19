"""`Scripted`: the methods of a gateway that say what it responds with."""

import inspect
import os
import re
from pathlib import Path
from typing import Callable, Optional, Union

from meshapi.gateway.http.request_log import RecordedRequest
from meshapi.gateway.scripts.conditions import Conditions, Text
from meshapi.gateway.scripts.engine import Script, ScriptedResponse
from meshapi.gateway.scripts.from_json import load_scripts
from meshapi.gateway.scripts.replies import check_whole, error
from meshapi.gateway.state import GatewayState

_SHOWN_MISTAKES = 5


class Scripted:
    """A gateway that can be told what to respond with.

    `meshapi.gateway.scripts.engine` has the rules. All methods may be called from any thread, also
    while requests are under way.
    """

    _state: GatewayState

    @property
    def strict(self) -> bool:
        """Whether a request that no script matches gets an error (501 `not_scripted`).

        A program may set it at any time.
        """
        return self._state.scripts.strict

    @strict.setter
    def strict(self, strict: bool) -> None:
        self._state.scripts.strict = strict

    @property
    def requests_per_minute(self) -> Optional[int]:
        """The limit of requests, which a program may set at any time."""
        return self._state.rate_limits.requests

    @requests_per_minute.setter
    def requests_per_minute(self, limit: Optional[int]) -> None:
        self._state.rate_limits.requests = limit

    @property
    def tokens_per_minute(self) -> Optional[int]:
        """The limit of model tokens, which a program may set at any time."""
        return self._state.rate_limits.tokens

    @tokens_per_minute.setter
    def tokens_per_minute(self, limit: Optional[int]) -> None:
        self._state.rate_limits.tokens = limit

    @property
    def requests(self) -> list[RecordedRequest]:
        """The last 1,000 requests, oldest first, including those that were refused."""
        return self._state.requests.snapshot()

    @property
    def last_request(self) -> RecordedRequest:
        """The last of `requests`.

        Raises:
            LookupError: there is none.
        """
        requests = self._state.requests.snapshot()
        if not requests:
            raise LookupError("the gateway has received no request since it began or was reset")
        return requests[-1]

    def on(
        self,
        text: Union[Text, ScriptedResponse, None] = None,
        /,
        *responses: ScriptedResponse,
        model: Optional[str] = None,
        path: Optional[Text] = None,
        method: Optional[str] = None,
        where: Optional[Callable[[RecordedRequest], object]] = None,
        times: Optional[int] = None,
    ) -> Script:
        """Say what the gateway responds with to requests that match all the conditions.

        The first script that matches decides. Scripts that are used up no longer match.

        Args:
            text: words that the request's text contains, whatever their case, or a compiled pattern
                to search for. Of a conversation, the text is the last message of the user. Anything
                else is the first response.
            responses: `reply(...)`, `error(...)`, a fault such as `broken_stream()`, a text, a dict
                (a whole JSON body), or a function of the request that returns one of them. A single
                one is given each time; several are given once each, in turn. `reply()` is the
                gateway's own response.
            model: the model that the request names.
            path: the path of the request, such as "/v1/embeddings", or a compiled pattern for it.
            method: the method of the request.
            where: a function of the request; the script matches if it returns something true.
            times: how many requests the script is for; the last response is repeated until then.

        Returns:
            The script; its `used` says how many requests it has matched.

        Raises:
            TypeError: a value has the wrong type.
            ValueError: a response does not fit the path, or would never be given.
        """
        words: Optional[Text] = None
        if text is None or isinstance(text, (str, re.Pattern)):
            words = text
        else:
            responses = (text, *responses)
        if not responses:
            raise TypeError(
                f"on: expected a response after the text to look for, {words!r}; a text that is the"
                f" response itself is reply({words!r}), and reply() is the gateway's own"
                if isinstance(words, str)
                else "on: expected at least one response; reply() is the gateway's own"
            )
        conditions = Conditions(words, model, path, method, where)
        return self._state.scripts.add(conditions, responses, times=times, place=_place_of_caller())

    def next_response(
        self,
        *responses: ScriptedResponse,
        model: Optional[str] = None,
        path: Optional[Text] = None,
    ) -> Script:
        """Say what the next requests get, one response each. This precedes scripts of `on`.

        Args:
            responses: as for `on`.
            model: only for requests that name this model.
            path: only for requests with this path, or with one that the pattern matches.

        Raises:
            TypeError: a value has the wrong type, or there is no response.
            ValueError: a response does not fit the path.
        """
        if not responses:
            raise TypeError("next_response: expected at least one response")
        return self._next(responses, len(responses), model, path)

    def next_error(
        self,
        status: int,
        code: Optional[str] = None,
        message: Optional[str] = None,
        *,
        retry_after: Optional[float] = None,
        count: int = 1,
        model: Optional[str] = None,
        path: Optional[Text] = None,
    ) -> Script:
        """Respond to the next request with an error. This precedes scripts of `on`.

        Args:
            status, code, message, retry_after: as for `error`.
            count: how many requests get it.
            model: only for requests that name this model.
            path: only for requests with this path, or with one that the pattern matches.

        Raises:
            TypeError: a value has the wrong type.
            ValueError: the status is not an error, or another value is out of range.
        """
        made = error(status, code, message, retry_after=retry_after)
        check_whole("count", count, "how many requests get it")
        return self._next((made,), count, model, path)

    def load_scripts(self, file: Union[str, "os.PathLike[str]"]) -> None:
        """Add the scripts of a JSON file, to which `reset` then returns.

        `docs/local-gateway.md` describes its format.

        Raises:
            OSError: the file can't be read.
            ValueError: it is not JSON, or a script in it is wrong; the message says where.
        """
        load_scripts(self._state.scripts, Path(file))

    def assert_all_used(self) -> None:
        """Check that each script was used by as many requests as it is for.

        Raises:
            AssertionError: a script was not used up or failed, or `strict` refused a request. The
                message names them, and where each script was added.
        """
        unused = self._state.scripts.unused()
        mistakes = self._state.scripts.mistakes()
        lines = [
            f"  {script}: used {script.used} of {script.needed} times"
            if script.used
            else f"  {script}: never used"
            for script in unused
        ]
        if lines:
            lines.insert(0, "these scripts were not used up:")
        if mistakes:
            lines.append("these requests went wrong:")
            lines += [f"  {mistake}" for mistake in mistakes[:_SHOWN_MISTAKES]]
        if lines:
            raise AssertionError("\n".join(lines))

    def reset(self) -> None:
        """Forget all requests, what they stored and used up, and how often models failed.

        Rate limits start anew. Scripts are forgotten, except those from files, which start anew.
        """
        self._state.reset()

    def _next(
        self,
        responses: tuple[ScriptedResponse, ...],
        times: int,
        model: Optional[str],
        path: Optional[Text],
    ) -> Script:
        return self._state.scripts.add(
            Conditions(model=model, path=path),
            responses,
            times=times,
            place=_place_of_caller(),
            first=True,
        )


def _place_of_caller() -> str:
    """Return the file and line from which a function of this package was called."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("meshapi."):
        frame = frame.f_back
    if frame is None:
        return "somewhere"
    name = re.split(r"[\\/]", frame.f_code.co_filename)[-1]
    return f"{name}:{frame.f_lineno}"
