"""The options of `client.map`, checked."""

from collections.abc import Mapping
from typing import Any, Final, Literal, Optional, Union

from msgspec import Struct

from meshapi_core._json_kinds import value_name
from meshapi_core.bulk.pacing.per_minute import PerMinute
from meshapi_core.bulk.spending import Spending
from meshapi_core.errors import InvalidParamsError
from meshapi_core.flows.downloads import checked_path
from meshapi_core.progress import OnProgress

__all__ = ["MOST_AT_ONCE", "Plan"]

MOST_AT_ONCE: Final = 10_000
"""The calls that may run at once: each has a connection, and a process has not many more."""


class Plan(Struct, frozen=True, kw_only=True):
    """How calls are made in bulk, as a program has asked for it."""

    concurrency: Union[int, Literal["auto"]] = "auto"
    rate_limit: Union[PerMinute, Literal["auto"], None] = "auto"
    journal: Optional[str] = None
    resume: bool = True
    retry_failed: bool = True
    on_error: Literal["return", "raise", "skip"] = "return"
    order: Literal["completion", "input"] = "completion"
    budget: Optional[Spending] = None
    on_progress: Optional[OnProgress] = None
    progress: bool = False
    via: Literal["live", "batch"] = "live"

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Plan":
        """Return the plan that a program asks for.

        Raises:
            InvalidParamsError: an option is wrong.
        """
        given: dict[str, Any] = {**options}
        for name in given:
            if name not in cls.__struct_fields__:
                raise _unknown(name)
        _check_concurrency(given.get("concurrency", "auto"))
        _check_rate_limit(given.get("rate_limit", "auto"))
        for name, choices in _CHOICES.items():
            _check_choice(name, given.get(name, choices[0]), choices)
        for name in ("resume", "retry_failed"):
            value = given.get(name, True)
            if type(value) is not bool:
                raise InvalidParamsError(name, "True or False", value_name(value, show=True))
        if given.get("journal") is not None:
            given["journal"] = checked_path("journal", given["journal"])
        budget = given.get("budget")
        if budget is not None and not hasattr(budget, "limits"):
            hint = "write budget=Budget(cost_usd=5)"
            raise InvalidParamsError("budget", "a Budget", value_name(budget, show=True), hint)
        if given.get("via") == "batch":
            for name in ("concurrency", "rate_limit", "budget"):
                if name in given:
                    hint = "leave it out"
                    if name == "budget":
                        hint += ': client.estimate(calls, via="batch") says what they will cost'
                    got = 'given together with via="batch"'
                    raise InvalidParamsError(name, "", got, hint)
        return cls(**given)


_CHOICES: Final = {
    "on_error": ("return", "raise", "skip"),
    "order": ("completion", "input"),
    "via": ("live", "batch"),
}


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in choices:
        expected = " or ".join(f'"{choice}"' for choice in choices)
        raise InvalidParamsError(name, expected, value_name(value, show=True))


def _check_concurrency(value: Any) -> None:
    if value == "auto":
        return
    expected = f'1 to {MOST_AT_ONCE}, or "auto"'
    if type(value) is not int or not 1 <= value <= MOST_AT_ONCE:
        raise InvalidParamsError("concurrency", expected, value_name(value, show=True))


def _check_rate_limit(value: Any) -> None:
    if value is None or value == "auto" or isinstance(value, PerMinute):
        return
    hint = "write PerMinute(requests=500)" if type(value) in (int, float) else ""
    expected = 'PerMinute(...), "auto" or None'
    raise InvalidParamsError("rate_limit", expected, value_name(value, show=True), hint)


_INSTEAD: Final = {
    **dict.fromkeys(
        "batchsize maxconcurrency maxparallel maxworkers njobs numproc numthreads numworkers"
        " nworkers parallelism processes semaphore threads workers".split(),
        "write concurrency=...",
    ),
    **dict.fromkeys("rpm requestsperminute".split(), "write rate_limit=PerMinute(requests=...)"),
    **dict.fromkeys("tpm tokensperminute".split(), "write rate_limit=PerMinute(tokens=...)"),
    **dict.fromkeys("maxcost costusd maxcostusd".split(), "write budget=Budget(cost_usd=...)"),
    **dict.fromkeys(
        "callback callbacks onresult progresscallback".split(),
        "the loop over the run has the results, and on_progress=... is told how many there are",
    ),
    **dict.fromkeys("progressbar showprogress tqdm verbose".split(), "write progress=True"),
    **dict.fromkeys(
        "maxretries retries retry".split(),
        "write client.with_options(max_retries=...).map(...)",
    ),
    "timeout": "write client.with_options(timeout=...).map(...)",
    **dict.fromkeys("ordered preserveorder".split(), 'write order="input"'),
    **dict.fromkeys("cache checkpoint output path".split(), 'write journal="run.jsonl"'),
    **dict.fromkeys("returnexceptions raiseonerror".split(), 'write on_error="return" or "raise"'),
}
"""What to write for the names that other libraries have, folded."""


def _unknown(name: str) -> InvalidParamsError:
    from meshapi_core.params.wrong_names import no_such_parameter

    return no_such_parameter(name, ("template", *Plan.__struct_fields__), instead=_INSTEAD)
