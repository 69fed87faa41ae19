"""The token of one call whose configuration has a function that returns it."""

from collections.abc import Callable
from typing import Any, Optional

from meshapi_core._secret import Secret
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import APIStatusError, InvalidParamsError
from meshapi_core.machines.actions import GetToken
from meshapi_core.messages import Request
from meshapi_core.tokens import PLACEHOLDER, hidden_token, refused, replayed

__all__ = ["CallToken"]


class CallToken:
    """What a call knows of its token.

    Args:
        call: builds the request.
        config: has the function.
        random_bytes: drawn from once: all requests of the call are the same, except for the token.
    """

    is_missing = True
    """Whether to ask for a token before the next attempt."""

    refusal: Optional[APIStatusError] = None
    """The 401 after which the token is asked for again; None before that."""

    def __init__(
        self, call: Any, config: MeshAPIConfig, random_bytes: Callable[[int], bytes]
    ) -> None:
        self._call = call
        self._config = config
        self._random_bytes = replayed(random_bytes)
        self.used: tuple[Secret, ...] = ()
        """The tokens so far, the latest one first."""
        # It tells what is wrong with the call at once, and where the request goes.
        self.request = self._request(PLACEHOLDER)

    def _request(self, token: Secret) -> Request:
        config = self._config.changed({"token": token})
        request: Request = self._call.request(config, self._random_bytes())
        return request

    def action(self, until: Optional[float]) -> GetToken:
        """What to ask the host for."""
        source = self._config.source
        assert source is not None
        return GetToken(source=source, again=self.refusal is not None, until=until)

    def renew(self, refusal: APIStatusError) -> None:
        """Take a 401: another token is asked for."""
        self.refusal = refusal
        self.is_missing = True

    @property
    def renewals(self) -> int:
        """How many attempts there have been with a token that was refused."""
        return 0 if self.refusal is None else 1

    def take(self, given: object) -> Optional[Exception]:
        """Take what the function returned; return the error if it is of no use."""
        token = hidden_token(given)
        del given
        error = refused(token)
        if error is None and token in self.used:
            # The one that was refused.
            return self.refusal
        if error is None:
            assert isinstance(token, Secret)
            error = self._switch_to(token)
        if error is not None:
            error.__cause__ = self.refusal
        return error

    def _switch_to(self, token: Secret) -> Optional[InvalidParamsError]:
        try:
            self.request = self._request(token)
        except InvalidParamsError as exc:
            return exc.with_traceback(None)
        self.used = (token, *self.used)
        self.is_missing = False
        return None
