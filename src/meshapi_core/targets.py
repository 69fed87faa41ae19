"""Checks of what becomes the first line of a request: the method, path and query of a `Call`.

Any program can make calls, and a path is appended to the origin as it is: `rerank` would make it
`https://api.example.comrerank`, `.evil.example/x` would lead to another server, and a line break
would begin another header. So anything that is not plainly a path is refused when the call is made.

Source: https://www.rfc-editor.org/rfc/rfc3986 (sections 3.3 and 5.2.4),
    https://url.spec.whatwg.org/#path-state (a backslash is a slash; %2e is a dot)
"""

import re
from functools import lru_cache
from typing import cast

from meshapi_core._json_kinds import value_name
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.plain_values import refuse_odd

__all__ = ["check_path", "check_query", "check_target"]

# One slash, because a server's name follows two; then printable ASCII, without the fragment that
# clients cut off (#), the backslash that they take for a slash, and the dot segments that they
# resolve.
_IS_PATH = re.compile(r"(?!/[/\\])(?![^?]*/(?:\.|%2[eE]){1,2}(?:[/?]|\Z))/[!\"$-\[\]-~]*").fullmatch
# CONNECT asks for a connection to another server, whatever its target.
_IS_METHOD = re.compile(r"(?!CONNECT\Z)[A-Z][A-Z-]*").fullmatch

_PATH = "a percent-encoded path that begins with one /, without # and dot segments"


def check_path(field: str, path: object) -> None:
    """Raise unless a value is the path of a request, with or without a query.

    Raises:
        InvalidParamsError: it is not. The message does not show the query.
    """
    if isinstance(path, str) and _IS_PATH(path):
        return
    if not isinstance(path, str):
        raise InvalidParamsError(field, "str", value_name(path))
    hint = "encode its variable parts with path_segment()"
    if "://" in path or path[:2] == "//":
        hint = "base_url names the server"
    elif path[:1] != "/":
        hint = "begin it with /"
    raise InvalidParamsError(field, _PATH, _shown(path), hint)


def _shown(path: str) -> str:
    place = path.partition("?")[0]
    return ascii(place if len(place) <= 40 else f"{place[:40]}...")


def check_target(method: str, path: str) -> None:
    """Raise unless these are an HTTP method in capitals and the path of a request.

    Raises:
        InvalidParamsError: one of them is not.
    """
    # Only plain str: the cache would keep an object of another type alive, with all it refers to.
    if type(method) is str and type(path) is str and _is_target(method, path):
        return
    _check_method(method)
    check_path("path", path)


# Most programs call the same few endpoints again and again.
@lru_cache(maxsize=128)
def _is_target(method: str, path: str) -> bool:
    return _IS_METHOD(method) is not None and _IS_PATH(path) is not None


def _check_method(method: object) -> None:
    if not isinstance(method, str):
        raise InvalidParamsError("method", "str", value_name(method))
    if not _IS_METHOD(method):
        hint = f"write {method.upper()!r}" if _IS_METHOD(method.upper()) else ""
        expected = "a method in capitals, such as 'POST'"
        raise InvalidParamsError("method", expected, value_name(method, show=True), hint)


def check_query(query: object) -> None:
    """Raise unless a query is a tuple of pairs of str.

    Raises:
        InvalidParamsError: it is something else. The message shows no value.
    """
    hint = "encode_query() makes them of any parameters"
    if not isinstance(query, tuple):
        raise InvalidParamsError("query", "a tuple of pairs of str", value_name(query), hint)
    for index, pair in enumerate(cast("tuple[object, ...]", query)):
        field = f"query[{index}]"
        given = value_name(pair)
        items = cast("tuple[object, ...]", pair) if type(pair) is tuple else ()
        if len(items) != 2:
            raise InvalidParamsError(field, "a pair of str", given, hint)
        for item in items:
            if not isinstance(item, str):
                raise InvalidParamsError(field, "a pair of str", f"{value_name(item)} in it", hint)
            refuse_odd(item, field)
