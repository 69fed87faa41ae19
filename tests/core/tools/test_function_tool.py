"""A function as a tool: its name, its description, its schema, and the arguments it gets."""

import enum
import functools
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional, TypedDict, Union

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import InvalidParamsError
from meshapi_core.tools import FunctionTool, InvalidArguments


class Unit(enum.Enum):
    CELSIUS = "C"
    FAHRENHEIT = "F"


@dataclass
class Place:
    city: str
    country: str = "FR"


class Window(msgspec.Struct):
    days: Annotated[int, msgspec.Meta(ge=1, le=7)]


class Extras(TypedDict, total=False):
    wind: bool


def forecast(
    place: Place,
    window: Annotated[Window, "how far to look ahead"],
    unit: Unit = Unit.CELSIUS,
    detail: Literal["low", "high"] = "low",
    extras: Optional[Extras] = None,
    tags: tuple[str, ...] = (),
) -> str:
    """Return the weather forecast
    of a place.

    It is never wrong.

    Args:
        place: where it is,
            and in which country
        detail (str): how much to say.
        unit, tags: further wishes.

    Returns:
        The forecast.
    """
    return ""


def test_the_schema_is_that_of_the_signature() -> None:
    tool = FunctionTool(forecast)
    assert (tool.name, tool.description) == ("forecast", "Return the weather forecast of a place.")
    schema = tool.parameters
    assert schema["type"] == "object"
    assert schema["required"] == ["place", "window"]
    assert schema["additionalProperties"] is False
    properties = schema["properties"]
    assert [*properties] == ["place", "window", "unit", "detail", "extras", "tags"]
    assert properties["place"]["description"] == "where it is, and in which country"
    assert properties["window"]["description"] == "how far to look ahead"
    assert properties["detail"] == {
        "description": "how much to say.",
        "enum": ["high", "low"],
        "default": "low",
    }
    assert properties["tags"]["description"] == "further wishes."
    assert {"Place", "Window", "Unit", "Extras"} <= schema["$defs"].keys()
    json.dumps(schema)


def test_arguments_have_the_annotated_types() -> None:
    text = (
        '{"place":{"city":"Paris"},"window":{"days":2},"unit":"F","extras":{"wind":true},'
        '"tags":["a","b"]}'
    )
    assert FunctionTool(forecast).decode(text) == (
        (),
        {
            "place": Place("Paris"),
            "window": Window(2),
            "unit": Unit.FAHRENHEIT,
            "detail": "low",
            "extras": {"wind": True},
            "tags": ("a", "b"),
        },
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"window":{"days":2}}', "place"),
        ('{"place":{"city":"Paris"},"window":{"days":9}}', "window"),
        ('{"place":{"city":"Paris"},"window":{"days":2},"wind":1}', "wind"),
        ('{"place":{"city":5},"window":{"days":2}}', "city"),
        ('{"place":{"city":"Paris"},"window":{"days":2},"unit":"K"}', "unit"),
        ('{"place":', "JSON"),
        ("[1]", "object"),
        ("null", "object"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_with_the_reason(text: str, told: str) -> None:
    with pytest.raises(InvalidArguments, match=told):
        FunctionTool(forecast).decode(text)


@given(st.text())
def test_any_text_is_decoded_or_refused(text: str) -> None:
    try:
        FunctionTool(forecast).decode(text)
    except InvalidArguments:
        pass


@given(st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8) | st.none()))
def test_what_the_schema_requires_is_what_the_function_gets(arguments: dict[str, Any]) -> None:
    def add(a: int, b: int = 3) -> int:
        return a + b

    fits = (
        "a" in arguments
        and arguments.keys() <= {"a", "b"}
        and all(type(value) is int for value in arguments.values())
    )
    try:
        positional, keywords = FunctionTool(add).decode(json.dumps(arguments))
    except InvalidArguments:
        assert not fits
    else:
        assert fits
        assert add(*positional, **keywords) == arguments["a"] + arguments.get("b", 3)


def test_nothing_at_all_stands_for_no_arguments() -> None:
    def now() -> str:
        return ""

    assert FunctionTool(now).decode("") == ((), {})
    assert FunctionTool(now).parameters["properties"] == {}


def test_an_annotation_wins_over_the_docstring_and_keeps_its_limits() -> None:
    def wait(days: Annotated[int, msgspec.Meta(ge=1), "from here"], hours: int = 0) -> None:
        """Wait.

        Args:
            days: from there
            hours: from everywhere
        """

    properties = FunctionTool(wait).parameters["properties"]
    assert properties["days"] == {"description": "from here", "type": "integer", "minimum": 1}
    assert properties["hours"]["description"] == "from everywhere"


def test_positional_parameters_and_odd_defaults_are_passed_as_the_function_wants_them() -> None:
    def odd(a: int, b: list[int] = [7], /, *, c: Unit = Unit.CELSIUS) -> Any:  # noqa: B006
        return a, b, c

    tool = FunctionTool(odd)
    positional, keywords = tool.decode('{"a":1}')
    assert odd(*positional, **keywords) == (1, [7], Unit.CELSIUS)
    positional, keywords = tool.decode('{"a":1,"b":[2],"c":"F"}')
    assert odd(*positional, **keywords) == (1, [2], Unit.FAHRENHEIT)


class Shop:
    def buy(self, thing: str) -> str:
        """Buy a thing."""
        return thing

    def __call__(self, amount: int) -> int:
        """Pay."""
        return amount

    async def wait(self) -> None:
        """Wait."""


class AsyncShop:
    async def __call__(self, amount: int) -> int:
        return amount


def test_methods_partials_and_objects_are_functions_too() -> None:
    shop = Shop()
    assert FunctionTool(shop.buy).decode('{"thing":"tea"}') == ((), {"thing": "tea"})
    assert (FunctionTool(shop).name, FunctionTool(shop).description) == ("Shop", "Pay.")
    bound = FunctionTool(functools.partial(forecast, unit=Unit.CELSIUS))
    assert bound.name == "forecast"
    assert "unit" not in bound.parameters["properties"]
    assert not FunctionTool(shop.buy).is_async
    assert FunctionTool(shop.wait).is_async
    assert FunctionTool(AsyncShop()).is_async
    assert FunctionTool(functools.partial(AsyncShop().__call__, 1), name="pay").is_async


def unannotated(city) -> None:  # type: ignore[no-untyped-def]
    pass


def starred(*cities: str) -> None:
    pass


def double_starred(city: str, **more: Any) -> None:
    pass


def unknown_type(city: "Citty") -> None:  # type: ignore[name-defined]  # noqa: F821
    pass


def not_json(city: str, shop: Shop) -> None:
    pass


def nested(shops: list[Union[Shop, None]]) -> None:
    pass


def streams() -> Any:
    yield 1


def très(city: str) -> None:
    pass


@pytest.mark.parametrize(
    ("function", "field"),
    [
        (unannotated, "function.city"),
        (starred, "function.cities"),
        (double_starred, "function.more"),
        (unknown_type, "function"),
        (not_json, "function.shop"),
        (nested, "function.shops"),
        (streams, "function"),
        (lambda: None, "function.__name__"),
        (très, "function.__name__"),
        (print, "function.args"),
        (Shop, "function"),
        (Window, "function"),
        (Shop.buy, "function.self"),
        (dict.fromkeys, "function.iterable"),
        (5, "function"),
        (None, "name"),
    ],
)
def test_what_a_model_could_not_be_told_of_is_refused(function: Any, field: str) -> None:
    with pytest.raises(InvalidParamsError) as raised:
        FunctionTool(function)
    if function is print and sys.version_info < (3, 10):
        field = "function"  # Its signature is not known there.
    assert raised.value.field == field


@pytest.mark.parametrize("name", ["", "two words", "a.b", "x" * 65, 5])
def test_a_name_that_no_provider_takes_is_refused(name: Any) -> None:
    with pytest.raises(InvalidParamsError) as raised:
        FunctionTool(forecast, name=name)
    assert raised.value.field == "name"


def test_a_tool_can_be_made_by_hand() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = FunctionTool(print, name="show", description="Show it.", parameters=schema, strict=True)
    assert (tool.name, tool.description, tool.parameters) == ("show", "Show it.", schema)
    assert tool.decode('{"anything":1}') == ((), {"anything": 1})
    with pytest.raises(InvalidParamsError, match="parameters"):
        FunctionTool(print, name="show", parameters={"type": "array"})
    with pytest.raises(InvalidParamsError, match="deferred=True"):
        FunctionTool(name="show", parameters=schema)
    assert FunctionTool(name="show", parameters=schema, deferred=True).deferred


@pytest.mark.parametrize(
    ("docstring", "description"),
    [
        (None, ""),
        ("One line.", "One line."),
        ("Two\n    lines.\n\n    More.", "Two lines."),
        ("Args:\n    a: x", ""),
    ],
)
def test_the_description_is_the_first_paragraph(docstring: Any, description: str) -> None:
    def function() -> None:
        pass

    function.__doc__ = docstring
    assert FunctionTool(function).description == description


@given(st.text())
def test_no_docstring_is_too_odd(docstring: str) -> None:
    def function(city: str) -> None:
        pass

    function.__doc__ = docstring
    made: Callable[..., Any] = FunctionTool(function).decode
    assert made('{"city":"Paris"}') == ((), {"city": "Paris"})


class Chain(msgspec.Struct):
    link: "Optional[Chain]" = None


def unknown_result(city: "str", days: "Optional[int]" = None) -> "Frame":  # type: ignore[name-defined]  # noqa: F821
    raise NotImplementedError


@functools.wraps(unknown_result)
def wrapper(*args: Any, **more: Any) -> Any:
    raise NotImplementedError


@pytest.mark.parametrize("function", [unknown_result, wrapper, functools.partial(unknown_result)])
def test_the_annotation_of_the_result_may_be_for_type_checkers_alone(function: Any) -> None:
    tool = FunctionTool(function)
    assert [*tool.parameters["properties"]] == ["city", "days"]
    assert tool.decode('{"city":"Paris","days":2}') == ((), {"city": "Paris", "days": 2})


def test_no_nesting_is_too_deep() -> None:
    def follow(chain: Chain) -> None: ...

    tool = FunctionTool(follow)
    for depth in (10, 500, 5_000, 500_000):
        text = '{"link":' * depth + "null" + "}" * depth
        try:
            tool.decode(f'{{"chain":{text}}}')
        except InvalidArguments:
            assert depth > 10


@pytest.mark.parametrize(
    ("extras", "told"),
    [
        (("words",), "words"),
        ((msgspec.Meta(description="meta"),), "meta"),
        ((msgspec.Meta(description="meta"), "words"), "words"),
        ((msgspec.Meta(min_length=1),), "of the docstring"),
        (("",), "of the docstring"),
        ((5, object()), "of the docstring"),
    ],
)
def test_a_parameter_is_described_by_its_annotation_or_the_docstring(
    extras: "tuple[Any, ...]", told: str
) -> None:
    def find(city: Any) -> None:
        """Find it.

        Args:
            city: of the docstring
        """

    annotated: Any = Annotated
    find.__annotations__ = {"city": annotated[(str, *extras)]}
    assert FunctionTool(find).parameters["properties"]["city"]["description"] == told


def test_a_field_of_pydantic_describes_a_parameter() -> None:
    pydantic = pytest.importorskip("pydantic")

    def find(city: Any) -> None:
        raise NotImplementedError

    find.__annotations__ = {"city": Annotated[str, pydantic.Field(description="the city")]}
    properties = FunctionTool(find).parameters["properties"]
    assert properties == {"city": {"type": "string", "description": "the city"}}


def test_parameters_may_be_models_of_pydantic() -> None:
    pydantic = pytest.importorskip("pydantic")
    part = pydantic.create_model(
        "Part", name=(str, ...), size=(Annotated[int, pydantic.Field(ge=0)], 3)
    )
    order = pydantic.create_model("Order", parts=(list[part], ...))

    def place(order: Any, more: Any = None) -> Any:
        return order, more

    place.__annotations__ = {"order": order, "more": Optional[part]}
    tool = FunctionTool(place)
    assert tool.parameters["properties"]["order"]["properties"]["parts"]["items"] == {
        "$ref": "#/$defs/Order_Part"
    }
    assert "Order_Part" in tool.parameters["$defs"]
    _, keywords = tool.decode('{"order":{"parts":[{"name":"a"}]},"more":{"name":"b"}}')
    assert keywords["order"].parts[0].size == 3
    assert keywords["more"].name == "b"
    with pytest.raises(InvalidArguments, match=r"parts.*size.*greater than or equal to 0"):
        tool.decode('{"order":{"parts":[{"name":"a","size":-1}]}}')


def test_a_class_and_its_methods_are_told_from_functions() -> None:
    with pytest.raises(InvalidParamsError) as raised:
        FunctionTool(Window)
    assert str(raised.value) == (
        "function: expected a function, got the class Window; write a function; its parameters may"
        " be of that class"
    )
    with pytest.raises(InvalidParamsError, match="pass the method of an object"):
        FunctionTool(Shop.buy)
