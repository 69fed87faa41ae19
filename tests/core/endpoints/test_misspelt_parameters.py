"""Any endpoint: a parameter with one wrong letter is refused, and the message has the right one."""

import string
from inspect import Parameter, signature
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import InvalidParamsError, endpoints
from meshapi_core.endpoints import Resource, endpoint, flow_endpoint, stream_endpoint

# The parameters as one object, which are passed by position.
ONE_OBJECT = frozenset({"changes", "params"})
VARIABLE = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def parameters_of(declared: Any) -> "tuple[list[str], list[str]]":
    """The parameters of an endpoint, and those of them that its signature requires."""
    shown = list(signature(declared._build).parameters.values())[1:]
    names = [one.name for one in shown if one.kind not in VARIABLE]
    needed = [one.name for one in shown if one.default is Parameter.empty and one.name in names]
    for one in shown:
        if one.kind is Parameter.VAR_KEYWORD:
            # Without those that take any name.
            (fields,) = get_args(one.annotation) or (None,)
            names = [] if fields is None else [*names, *get_type_hints(fields)]
    return [name for name in names if name not in ONE_OBJECT], needed


def every_endpoint() -> "dict[str, tuple[Any, list[str], list[str]]]":
    kinds = (endpoint, stream_endpoint, flow_endpoint)
    found: dict[str, tuple[Any, list[str], list[str]]] = {}
    for exported in endpoints.__all__:
        resource = getattr(endpoints, exported)
        if isinstance(resource, type) and issubclass(resource, Resource):
            for name, declared in vars(resource).items():
                if isinstance(declared, kinds):
                    names, needed = parameters_of(declared)
                    if names:
                        found[f"{exported}.{name}"] = (declared, names, needed)
    return found


ENDPOINTS = every_endpoint()


@st.composite
def edited(draw: st.DrawFn, name: str) -> str:
    """The name with a letter less, a letter more, or another letter."""
    place = draw(st.integers(0, len(name) - 1))
    letter = draw(st.sampled_from(string.ascii_lowercase))
    rest = draw(st.sampled_from([name[place:], name[place + 1 :]]))
    return name[:place] + draw(st.sampled_from(["", letter])) + rest


def test_nearly_all_endpoints_have_parameters() -> None:
    assert len(ENDPOINTS) > 40
    assert {"Completions.create", "Rag.upload_file", "Batches.list"} <= ENDPOINTS.keys()


@given(st.data())
def test_a_name_with_one_wrong_letter_is_told_with_the_right_one(data: st.DataObject) -> None:
    declared, names, needed = ENDPOINTS[data.draw(st.sampled_from(sorted(ENDPOINTS)))]
    # A name of one letter with that letter changed is just another name.
    name = data.draw(st.sampled_from([name for name in names if len(name) > 1]))
    wrong = data.draw(edited(name).filter(lambda text: text and text not in {*names, *ONE_OBJECT}))
    given = {other: "x" for other in needed if other != name}
    with pytest.raises(InvalidParamsError) as caught:
        call = declared.build(**{**given, wrong: "x"})
        # A flow checks its parameters in its first step.
        next(call)
    assert caught.value.field == wrong or not wrong.isidentifier()
    _, asks, suggested = str(caught.value).partition("no such parameter; did you mean ")
    assert asks
    assert name in suggested.rstrip("?").replace(" or ", ", ").split(", ")
