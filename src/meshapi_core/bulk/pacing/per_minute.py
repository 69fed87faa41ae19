"""The rate limit that a program gives: `client.map(calls, rate_limit=PerMinute(requests=500))`."""

from typing import Optional

from msgspec import Struct

from meshapi_core._checks import check_count
from meshapi_core._json_kinds import value_name
from meshapi_core._mistakes import InvalidParamsError
from meshapi_core._named_fields import NamedFields

__all__ = ["PerMinute"]


class PerMinute(Struct, frozen=True, kw_only=True, metaclass=NamedFields):
    """A rate limit: how much may begin in any 60 seconds.

    Fields:
        requests: how many; each retry is one.
        tokens: model tokens of input and output; None sets no limit, as for `requests`.

    Raises:
        InvalidParamsError: there is no limit, or one is not a whole number of at least 1.
    """

    requests: Optional[int] = None
    tokens: Optional[int] = None

    def __post_init__(self) -> None:
        if self.requests is None and self.tokens is None:
            raise InvalidParamsError("PerMinute", "requests= or tokens=", "no limit")
        for name in ("requests", "tokens"):
            count = getattr(self, name)
            if count is not None and (type(count) is not int or count < 1):
                expected = "a whole number, at least 1"
                raise InvalidParamsError(name, expected, value_name(count, show=True))

    def divided(self, workers: int) -> "PerMinute":
        """Return the limit of each worker, where several share this one.

        Rounded down: together, they never exceed it.

        Raises:
            TypeError: `workers` is not a whole number.
            ValueError: it is less than 1.
            InvalidParamsError: there are more workers than the limit has requests or tokens.
        """
        check_count("workers", workers, 1)
        for name in ("requests", "tokens"):
            count = getattr(self, name)
            if count is not None and count < workers:
                expected = f"at most {count}, as the rate limit is {count} {name} a minute"
                hint = "use fewer workers, or raise the limit"
                raise InvalidParamsError("workers", expected, str(workers), hint)
        requests, tokens = self.requests, self.tokens
        return PerMinute(
            requests=None if requests is None else requests // workers,
            tokens=None if tokens is None else tokens // workers,
        )
