"""Names that are refused: which one was probably meant, or where it belongs.

This module is loaded only when something is wrong.
"""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.field_paths import within
from meshapi_core.params.unknown_names import folded, nearest

__all__ = ["MESSAGE", "did_you_mean", "no_such_field", "no_such_parameter"]

MESSAGE: Final = '{"role": "user", "content": "..."}'
"""A message as one would write it."""


# Names in other libraries, folded: in lower case, without underscores; and our names for the same.
_SAME: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(
        "maxtokens maxtokenstosample maxnewtokens maxoutputtokens numpredict maxlength".split(),
        ("max_tokens", "max_output_tokens"),
    ),
    **dict.fromkeys(
        "engine deployment deploymentid deploymentname modelid modelname".split(),
        ("model", "models", "model_id"),
    ),
    **dict.fromkeys(
        "k topn count limit maxresults numresults pagesize perpage".split(),
        ("top_k", "max_results", "limit", "n"),
    ),
    **dict.fromkeys(
        "bestof candidatecount nchoices ncompletions numberofimages numimages".split(), ("n",)
    ),
    **dict.fromkeys(
        "prompt text q question input inputtext description".split(),
        ("input", "prompt", "query", "text", "content"),
    ),
    **dict.fromkeys("messages message conversation".split(), ("input",)),
    **dict.fromkeys(
        "audio audiofile document file filepath path upload".split(), ("file", "content", "image")
    ),
    **dict.fromkeys(
        "instructions systeminstruction systemprompt".split(), ("instructions", "system")
    ),
    **dict.fromkeys("format outputformat".split(), ("response_format", "output_format", "format")),
    **dict.fromkeys("items prompts requests rows tasks".split(), ("calls",)),
    "backoff": ("initial_delay",),
    "filename": ("file_name", "name"),
    "functioncall": ("tool_choice",),
    "functions": ("tools",),
    **dict.fromkeys("outputtype textformat".split(), ("response_format",)),
    "maxkeepaliveconnections": ("max_keepalive",),
    "maxretry": ("max_retries",),
    "p": ("top_p",),
    "randomseed": ("seed",),
    "stopsequences": ("stop",),
    "thinking": ("reasoning",),
    "userid": ("user",),
}

_SYSTEM: Final = frozenset(
    "developer instructions preamble system systeminstruction systemprompt".split()
)
_PROMPT: Final = frozenset("conversation history input prompt question query text".split())
_SCHEMA: Final = frozenset("jsonschema outputformat responsemodel responseschema schema".split())
_SCHEMA_FORM: Final = '{"type": "json_schema", "json_schema": {"name": "...", "schema": ...}}'
_OF_THE_CLIENT: Final = {
    "apikey": "token",
    "authtoken": "token",
    "baseurl": "base_url",
    "httpclient": "httpx_client",
    "token": "token",
}
_OPTIONS: Final = {
    "budget": "budget",
    "extrabody": "extra_body",
    "extraheaders": "extra_headers",
    "extraquery": "extra_query",
    "headers": "extra_headers",
    "maxretries": "max_retries",
    "requesttimeout": "timeout",
    "retries": "max_retries",
    "timeout": "timeout",
}
_OF_RUNS: Final = frozenset(
    "concurrency journal maxconcurrency onerror ratelimit retryfailed template".split()
)

_MOST_SUGGESTED: Final = 3
_MOST_LISTED: Final = 10
_SHORTEST_BEGINNING: Final = 4
# difflib's ratio from which on names are alike: `freq_penalty` and `frequency_penalty` are, `size`
# and `style` are not.
_ALIKE: Final = 0.75


def _meant(name: str, known: Collection[str]) -> list[str]:
    """Return the known names that a name may mean, the likeliest first."""
    found = nearest(name, known)
    if not found:
        found = [other for other in _SAME.get(folded(name), ()) if other in known][:1]
    if found:
        return found[:_MOST_SUGGESTED]
    short = folded(name)
    names = {folded(other): other for other in sorted(known)}
    if len(short) < _SHORTEST_BEGINNING:
        return []
    begun = [other for start, other in names.items() if start.startswith(short)]
    if begun:
        return begun[:_MOST_SUGGESTED]
    # Imported here, as few wrong names need it.
    import difflib

    return [names[alike] for alike in difflib.get_close_matches(short, names, 1, _ALIKE)]


def _one_of(names: Iterable[str]) -> str:
    """Return names as a choice: `a`, `a or b`, `a, b or c`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Return the question "did you mean ...?" about a name; "" if no known name is like it."""
    found = _meant(name, known)
    return f"did you mean {_one_of(found)}?" if found else ""


def no_such_parameter(
    name: str,
    known: Iterable[str],
    *,
    instead: Mapping[str, str] = MappingProxyType({}),
    takes_body: bool = False,
) -> InvalidParamsError:
    """Return the error for a keyword that a method does not take.

    Args:
        known: the parameters of the method.
        instead: what to do instead, for names of which that is known; the names are folded.
        takes_body: whether `extra_body` could send it anyway.
    """
    names = {*known}
    hint = instead.get(folded(name), "")
    if folded(name) == "reasoningeffort" and "reasoning" in names:
        hint = 'write reasoning={"effort": "..."}'
    hint = hint or did_you_mean(name, names) or _within(folded(name), names)
    hint = hint or _elsewhere(folded(name))
    if not hint and len(names) <= _MOST_LISTED:
        hint = _listed("parameter", names)
    if not hint and takes_body:
        hint = "to send it anyway, use client.with_options(extra_body=...)"
    return InvalidParamsError(within("", name), "", "no such parameter", hint)


def no_such_field(
    name: str, known: Collection[str], owner: str, field: str = ""
) -> InvalidParamsError:
    """Return the error for a field that a class does not have.

    Args:
        known: the fields of the class.
        owner: the name of the class.
        field: the path of the object.
    """
    hint = did_you_mean(name, known) or _within(folded(name), known)
    if not hint:
        few = len(known) <= _MOST_LISTED
        hint = _listed("field", known) if few else f"help({owner}) lists the fields"
    return InvalidParamsError(within(field, name), "", f"no such field in {owner}", hint)


def _listed(kind: str, names: Iterable[str]) -> str:
    """Return what to do when few names are known: a list of them."""
    known = sorted(name for name in names if name != "params")
    if len(known) < 2:
        return f"the only {kind} is {known[0]}" if known else "leave it out"
    return f"the {kind}s are {', '.join(known[:-1])} and {known[-1]}"


def _within(name: str, known: Collection[str]) -> str:
    """Return the parameter in which a value belongs, by its folded name; "" if there is none."""
    if name in _SYSTEM:
        for holder in ("messages", "input"):
            if holder in known:
                return f'put it first in {holder}, with role "system"'
    if name in _PROMPT and "messages" in known:
        return f"write messages=[{MESSAGE}]"
    if name in _SCHEMA and "response_format" in known:
        return f"write response_format={_SCHEMA_FORM}; parse() takes a type"
    return ""


def _elsewhere(name: str) -> str:
    """Return where an option of a client belongs; "" if a folded name is not one."""
    if name in _OPTIONS:
        return f"use client.with_options({_OPTIONS[name]}=...)"
    if name == "idempotencykey":
        return 'use client.with_options(extra_headers={"idempotency-key": "..."})'
    if name in _OF_THE_CLIENT:
        return f"pass {_OF_THE_CLIENT[name]}=... to the client"
    if name in _OF_RUNS:
        return 'client.map(...) takes it, also for batches with via="batch"'
    if name == "validationretries":
        return "only parse() takes it"
    return ""
