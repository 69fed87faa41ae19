"""Scripts as JSON, from files and over HTTP.

A script is an object; only `respond` is required:

    {"text": "weather", "respond": {"reply": {"text": "Sunny."}}, "times": 2}

The conditions are `text`, `pattern` (a regular expression for the text), `model`, `path` and
`method`; `next` puts it before the others. `respond` is one response, or a list of responses that
are given in turn. A response is a text, or an object whose one field names its kind.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional, TypeVar, Union, cast

from meshapi.gateway.scripts import replies
from meshapi.gateway.scripts.conditions import Conditions
from meshapi.gateway.scripts.engine import Script, Scripts
from meshapi.gateway.scripts.values import Action, Body, Reply, ScriptedCall

_CONDITIONS = ("text", "pattern", "model", "path", "method")
_FIELDS = (*_CONDITIONS, "respond", "times", "next")
_REPLY = (
    *("text", "tool_calls", "finish_reason", "usage", "json", "refusal", "chunks"),
    *("embedding", "delay", "headers"),
)
_CALL = ("name", "arguments", "call_id", "raw_arguments")
_ERROR = ("status", "code", "message", "retry_after", "headers")

_Object = dict[str, Any]

T = TypeVar("T")


class WrongScripts(ValueError):
    """JSON that is not scripts; the message says what is wrong, and where."""


class _Parsed(NamedTuple):
    conditions: Conditions
    responses: Sequence[Action]
    times: Optional[int]
    place: str
    first: bool


def load_scripts(scripts: Scripts, file: Path) -> list[Script]:
    """Add the scripts of a JSON file, and have `reset` return to them.

    Raises:
        OSError: the file can't be read.
        WrongScripts: it is not JSON, or a script is wrong; then none is added.
    """
    try:
        value: object = json.loads(file.read_bytes().decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise WrongScripts(f"{file.name}:{error.lineno}:{error.colno}: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise WrongScripts(f"{file.name}: not UTF-8: byte {error.start}") from None
    except RecursionError:
        raise WrongScripts(f"{file.name}: nested too deeply") from None
    added = add_scripts(scripts, value, file.name)
    scripts.keep()
    return added


def add_scripts(scripts: Scripts, value: object, source: str) -> list[Script]:
    """Add scripts: one, a list of them, or an object with `scripts` and perhaps `strict`.

    Args:
        source: where they are from, for the message of `assert_all_used`.

    Raises:
        WrongScripts: one is wrong; then none is added.
        ValueError: there would be too many; then none is added, either.
    """
    strict: Any = None
    rows: Any = value
    at = ""
    if isinstance(value, dict) and "scripts" in value:
        given = _object(cast("object", value), source, ("scripts", "strict"))
        rows, strict, at = given["scripts"], given.get("strict"), "scripts"
        if strict is not None and not isinstance(strict, bool):
            raise WrongScripts(f"{source}: strict: expected true or false, got {strict!r}")
    if isinstance(rows, dict):
        rows = [rows]
    if not isinstance(rows, list):
        raise WrongScripts(f"{source}: expected a script or a list of scripts, got {_brief(rows)}")
    trial = Scripts()
    parsed: list[_Parsed] = []
    for number, row in enumerate(cast("list[object]", rows)):
        parsed.append(_parsed(row, f"{source}: {at}[{number}]"))
        with_place(parsed[-1].place, partial(_add, trial, parsed[-1]))
    added: list[Script] = []
    try:
        added.extend(_add(scripts, one) for one in parsed)
    except ValueError:
        scripts.withdraw(frozenset(added))
        raise
    if strict is not None:
        scripts.strict = strict
    return added


def _add(scripts: Scripts, one: _Parsed) -> Script:
    return scripts.add(
        one.conditions, one.responses, times=one.times, place=one.place, first=one.first
    )


def _parsed(value: object, place: str) -> _Parsed:
    given = _object(value, place, _FIELDS)
    text: Any = given.get("text")
    if given.get("pattern") is not None:
        if text is not None:
            raise WrongScripts(f"{place}: expected text or pattern, got both")
        text = _pattern(given["pattern"], place)
    given_next: Any = given.get("next", False)
    if not isinstance(given_next, bool):
        raise WrongScripts(f"{place}.next: expected true or false, got {given_next!r}")
    conditions = Conditions(text, *(given.get(name) for name in ("model", "path", "method")))
    if "respond" not in given:
        raise WrongScripts(f'{place}: respond is missing; {{"reply": {{}}}} is the gateway\'s own')
    responses: Any = given["respond"]
    many = isinstance(responses, list)
    rows = cast("list[object]", responses) if many else [responses]
    made = [
        _action(row, f"{place}.respond[{number}]" if many else f"{place}.respond")
        for number, row in enumerate(rows)
    ]
    return _Parsed(conditions, made, given.get("times"), place, given_next)


def _pattern(value: object, place: str) -> "re.Pattern[str]":
    if not isinstance(value, str):
        raise WrongScripts(f"{place}.pattern: expected a regular expression, got {value!r}")
    try:
        return re.compile(value)
    except re.error as error:
        raise WrongScripts(f"{place}.pattern: {value!r}: {error}") from None


def _action(value: object, place: str) -> Action:
    if isinstance(value, str):
        return replies.reply(value)
    given = _fields_of(value)
    known = ", ".join(_KINDS)
    if len(given) != 1 or next(iter(given)) not in _KINDS:
        raise WrongScripts(
            f"{place}: expected a text or an object with one of {known}, got {_brief(value)}"
        )
    ((kind, inner),) = given.items()
    place = f"{place}.{kind}"
    return with_place(place, partial(_KINDS[kind], inner, place))


def _fields_of(value: object) -> _Object:
    return cast("_Object", value) if isinstance(value, dict) else {}


def with_place(place: str, make: Callable[[], T]) -> T:
    """Return what a function returns; the error of a wrong value says where it is."""
    try:
        return make()
    except WrongScripts:
        raise
    except (TypeError, ValueError) as error:
        raise WrongScripts(f"{place}: {error}") from None


def _reply(value: object, place: str) -> Reply:
    given = dict(_object(value, place, _REPLY))
    calls: Any = given.pop("tool_calls", None)
    if calls is not None:
        if not isinstance(calls, list):
            raise WrongScripts(f"{place}.tool_calls: expected a list, got {_brief(calls)}")
        rows = cast("list[object]", calls)
        calls = [_call(row, f"{place}.tool_calls[{number}]") for number, row in enumerate(rows)]
    for name in ("chunks", "embedding"):
        _check(given.get(name), list, f"{place}.{name}", "a list")
    for name in ("usage", "headers"):
        _check(given.get(name), dict, f"{place}.{name}", "an object")
    return replies.reply(tool_calls=calls, **given)


def _call(value: object, place: str) -> ScriptedCall:
    given = dict(_object(value, place, _CALL))
    name = given.pop("name", None)
    return with_place(place, partial(replies.tool_call, name, **given))


def _error(value: object, place: str) -> Action:
    given = dict(_object(value, place, _ERROR))
    _check(given.get("headers"), dict, f"{place}.headers", "an object")
    return replies.error(given.pop("status", None), **given)


def _body(value: object, place: str) -> Body:
    _check(value, dict, place, "an object")
    return Body(cast("_Object", value))


def _fault(name: str, *fields: str) -> Callable[[object, str], Action]:
    def made(value: object, place: str) -> Action:
        given = {} if value is True else dict(_object(value, place, ("answer", *fields)))
        answer: Any = given.pop("answer", None)
        if answer is not None:
            answer = _action(answer, f"{place}.answer")
        if name == "cut":
            given.setdefault("after_bytes", None)
        make: Callable[..., Action] = getattr(replies, name)
        return make(answer, **given)

    return made


def _close(value: object, place: str) -> Action:
    return replies.close(**({} if value is True else _object(value, place, ("code", "reason"))))


_KINDS: Mapping[str, Callable[[object, str], Action]] = {
    "reply": _reply,
    "error": _error,
    "body": _body,
    "broken_stream": _fault("broken_stream"),
    "error_in_stream": _fault("error_in_stream", "status", "code", "message"),
    "stall": _fault("stall"),
    "slow": _fault("slow", "start", "pause"),
    "cut": _fault("cut", "after_bytes"),
    "close": _close,
}


def _object(value: object, place: str, known: Sequence[str]) -> _Object:
    if not isinstance(value, dict):
        raise WrongScripts(f"{place}: expected an object, got {_brief(value)}")
    found = cast("_Object", value)
    for name in found:
        if name not in known:
            raise WrongScripts(f"{place}: unknown field {name!r}: expected {', '.join(known)}")
    return found


def _check(value: object, kind: Union[type, tuple[type, ...]], place: str, wanted: str) -> None:
    if value is not None and not isinstance(value, kind):
        raise WrongScripts(f"{place}: expected {wanted}, got {_brief(value)}")


def _brief(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
