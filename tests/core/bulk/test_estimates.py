"""Estimates: model tokens from sizes, and money from the gateway's prices."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import Call, InvalidParamsError
from meshapi_core.bulk import (
    GUESSED_OUTPUT,
    MEDIA_TOKENS,
    Estimate,
    EstimatedTokens,
    estimate_calls,
    estimated_tokens,
)
from meshapi_core.endpoints import (
    Audio,
    Compare,
    Completions,
    Embeddings,
    Images,
    Models,
    Moderations,
    Responses,
)
from meshapi_core.flows import Pause
from meshapi_core.readers import JSONReader
from meshapi_core.types import ModelInfo, ModelPricing
from support.driving import Driven

LETTERS = st.text(st.characters(min_codepoint=97, max_codepoint=122))


def chat(content: Any = "x", model: Optional[str] = "m", **fields: Any) -> Call[Any]:
    messages = [{"role": "user", "content": content}]
    return Completions.create.build(model=model, messages=messages, **fields)


@given(st.lists(LETTERS, min_size=1, max_size=20))
def test_input_is_about_a_quarter_of_the_letters(texts: list[str]) -> None:
    messages = [{"role": "user", "content": text} for text in texts]
    found = estimated_tokens(Completions.create.build(model="m", messages=messages))
    letters = sum(map(len, texts))
    assert 0 <= found.input - letters / 4 <= 4 * len(texts) + 1
    assert (found.model, found.output, found.others) == ("m", GUESSED_OUTPUT, ())
    assert found.total == found.input + GUESSED_OUTPUT


@given(st.binary(max_size=300), st.sampled_from(["chat/completions", "embeddings", "responses"]))
def test_any_body_has_an_estimate(body: bytes, path: str) -> None:
    call = Call(method="POST", path=f"/v1/{path}", body=body, reader=JSONReader(object))
    found = estimated_tokens(call)
    assert 0 <= found.input <= len(body) / 4 + 1


@pytest.mark.parametrize(
    ("fields", "expected", "output"),
    [
        ({}, None, GUESSED_OUTPUT),
        ({}, 50, 50),
        ({"max_tokens": 70}, None, 70),
        ({"max_tokens": 70}, 50, 50),
        ({"max_tokens": 70}, 500, 70),
        ({"max_completion_tokens": 7, "max_tokens": 70}, None, 7),
        ({"max_tokens": 70, "n": 3}, None, 210),
        ({"n": 2}, 50, 100),
    ],
)
def test_output_is_the_limit_or_a_guess(
    fields: dict[str, Any], expected: Optional[int], output: int
) -> None:
    assert estimated_tokens(chat(**fields), expected).output == output


def test_each_kind_of_call_has_an_estimate() -> None:
    response = Responses.create.build(model="m", input="x" * 400, max_output_tokens=9)
    assert estimated_tokens(response) == EstimatedTokens("m", 100, 9)
    embedding = Embeddings.create.build(model="m", input=["x" * 200, "x" * 200])
    assert estimated_tokens(embedding) == EstimatedTokens("m", 101, 0)
    moderation = Moderations.create.build(model="m", input="x" * 400)
    assert estimated_tokens(moderation) == EstimatedTokens("m", 100, 0)
    image = Images.generate.build(model="m", prompt="x" * 400)
    assert estimated_tokens(image) == EstimatedTokens("m", 100, None)
    transcript = Audio.transcribe.build(model="m", file=b"RIFF")
    assert estimated_tokens(transcript) == EstimatedTokens("m", 0, None)
    assert estimated_tokens(Models.list.build()) == EstimatedTokens("", 0, 0)


def test_a_comparison_asks_several_models() -> None:
    messages: Any = [{"role": "user", "content": "x" * 400}]
    asked = {"models": ["a", "b"], "messages": messages, "max_tokens": 10}
    found = estimated_tokens(Compare.create.build(**asked, comparison_model="c"))
    assert (found.model, found.others) == ("a", ("b", "c"))
    assert found.total == 3 * (found.input + 10)
    assert estimated_tokens(Compare.create.build(**asked, skip_comparison=True)).others == ("b",)


@pytest.mark.parametrize("size", [1_000, 4_000_000])
def test_a_picture_counts_the_same_whatever_its_size(size: int) -> None:
    picture = {"url": "data:image/png;base64," + "A" * size}
    content = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": picture}]
    assert MEDIA_TOKENS < estimated_tokens(chat(content)).input < MEDIA_TOKENS + 50


def test_audio_counts_the_same_whatever_its_size() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "A" * 100_000, "format": "wav"}}
    assert MEDIA_TOKENS < estimated_tokens(chat([audio])).input < MEDIA_TOKENS + 50


def test_schemas_count() -> None:
    function = {"name": "f", "description": "x" * 400, "parameters": {"type": "object"}}
    bare = estimated_tokens(chat()).input
    found = estimated_tokens(chat(tools=[{"type": "function", "function": function}]))
    assert bare + 100 < found.input < bare + 150


def model(name: str = "m", **prices: Any) -> ModelInfo:
    return ModelInfo(id=name, pricing=ModelPricing(**prices))


PRICED = model(prompt_usd_per_1m="1", completion_usd_per_1m="10")


def estimate(calls: Any, *models: ModelInfo, **options: Any) -> Estimate:
    given = {"template": None, "prices": None, "output_tokens": None, "via": "live", **options}
    driven = Driven(lambda driven, call: [*models])
    found = driven.run(estimate_calls(calls, **given, takes_async=False))
    assert isinstance(found, Estimate)
    return found


def test_an_estimate_has_tokens_and_money() -> None:
    call = Embeddings.create.build(model="e", input="x" * 4_000)
    answer = Responses.create.build(model="m", input="x" * 400, max_output_tokens=50)
    found = estimate([answer, call, answer], PRICED, model("e", prompt_usd_per_1k="0.001"))
    assert (found.calls, found.unpriced) == (3, 0)
    assert (found.input_tokens, found.output_tokens) == (1_200, 100)
    assert found.cost_usd == Decimal("0.0012") + Decimal("0.001")
    assert found.by_model == {
        "m": Estimate(calls=2, input_tokens=200, output_tokens=100, cost_usd=Decimal("0.0012")),
        "e": Estimate(calls=1, input_tokens=1_000, cost_usd=Decimal("0.001")),
    }
    assert str(found) == (
        "3 calls, about 1,200 model tokens of input and 100 of output: about 0.0022 US dollars"
    )


def test_the_models_are_asked_for_once_and_not_if_they_are_given() -> None:
    driven = Driven(lambda driven, call: [PRICED])
    flow = estimate_calls([chat()] * 3, None, None, None, "live", takes_async=False)
    priced = driven.run(flow)
    assert [call.path for call in driven.calls] == ["/v1/models"]
    flow = estimate_calls([chat()] * 3, None, iter([PRICED]), None, "live", takes_async=False)
    driven = Driven(lambda driven, call: pytest.fail("asked for the models"))
    assert driven.run(flow) == priced


def test_what_has_no_price_is_counted() -> None:
    image = Images.generate.build(model="m", prompt="x")
    found = estimate([chat(), chat(model="other"), chat(model=None), image], PRICED)
    assert (found.calls, found.unpriced) == (4, 4)
    assert found.by_model["other"].unpriced == 1
    assert found.by_model["(no model named)"].calls == 1
    assert "without 4 that have no known price" in str(found)
    # A picture of the same model makes its output, and so its price, unknown.
    assert estimate([chat()], PRICED).unpriced == 0


def test_a_call_that_runs_no_model_costs_nothing() -> None:
    found = estimate([Models.list.build()])
    assert found == Estimate(calls=1)


def test_a_long_context_and_a_request_have_prices_of_their_own() -> None:
    tiered = model(
        prompt_usd_per_1m="1",
        completion_usd_per_1m="0",
        long_context_input_usd_per_1m="2",
        request_usd="0.5",
    )
    tiered = tiered.model_copy(update={"standard_context_threshold": 1_000})
    short = Responses.create.build(model="m", input="x" * 4_000)
    long = Responses.create.build(model="m", input="x" * 8_000)
    found = estimate([short, long, short], tiered)
    assert found.cost_usd == Decimal("1.5") + Decimal("0.002") + Decimal("0.004")
    assert [*found.by_model] == ["m"]
    assert found.by_model["m"].calls == 3


def test_batches_have_prices_of_their_own() -> None:
    both = model(
        prompt_usd_per_1m="2",
        completion_usd_per_1m="8",
        batch_input_usd_per_1m="1",
        batch_output_usd_per_1m="4",
    )
    half = estimate([chat()], both, via="batch").cost_usd
    assert 2 * half == estimate([chat()], both).cost_usd
    # A gateway that names none for batches does not ask more for them.
    assert estimate([chat()], PRICED, via="batch") == estimate([chat()], PRICED)


@given(st.lists(st.integers(0, 3_000), max_size=30))
def test_the_estimate_is_the_sum_of_each(sizes: list[int]) -> None:
    tiered = PRICED.model_copy(update={"standard_context_threshold": 300})
    calls = [chat("x" * size, max_tokens=10) for size in sizes]
    found = estimate(calls, tiered)
    each = [estimate([call], tiered) for call in calls]
    assert found.cost_usd == sum(one.cost_usd for one in each)
    assert found.input_tokens == sum(one.input_tokens for one in each)
    assert found.output_tokens == 10 * len(sizes)


def test_rows_and_what_is_expected_of_each_answer() -> None:
    rows = [{"text": "x" * 400}] * 2
    found = estimate(rows, PRICED, template=chat("{text}"), output_tokens=20)
    assert found.output_tokens == 40
    assert found.input_tokens > 200


def test_many_calls_let_others_run() -> None:
    driven = Driven(lambda driven, call: [PRICED])
    driven.run(estimate_calls([chat()] * 2_500, None, None, None, "live", takes_async=False))
    assert driven.pauses == [0, 0]


async def _calls() -> AsyncIterator[Call[Any]]:
    yield chat()


@pytest.mark.parametrize(
    ("calls", "options", "text"),
    [
        ([5], {}, "calls[0]: expected a Call"),
        ([], {"output_tokens": -1}, "output_tokens: expected a number of model tokens, at least 0"),
        ([], {"output_tokens": True}, "output_tokens: expected"),
        ([], {"via": "mail"}, "via: expected 'live' or 'batch', got 'mail'"),
        ([], {"prices": "m"}, "prices: expected models, got str"),
        ([], {"prices": ["m"]}, "prices[0]: expected ModelInfo, got str"),
        ([], {"prices": 5}, "prices: expected models, got int"),
        (_calls(), {}, "calls: expected an iterable, got an async iterable; AsyncMeshAPI takes it"),
        ([{}], {"template": "Say {x}"}, "template: expected a Call with placeholders"),
    ],
)
def test_wrong_arguments_are_refused(calls: Any, options: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidParamsError) as caught:
        estimate(calls, **options)
    assert text in str(caught.value)


def test_nothing_is_sent_for_wrong_arguments() -> None:
    driven = Driven(lambda driven, call: pytest.fail("sent something"))
    with pytest.raises(InvalidParamsError):
        driven.run(estimate_calls(5, None, None, None, "live", takes_async=True))
    with pytest.raises(InvalidParamsError):
        driven.run(estimate_calls([], None, None, "many", "live", takes_async=True))


def test_pauses_are_steps_of_no_length() -> None:
    flow = estimate_calls([chat()] * 1_000, None, [PRICED], None, "live", takes_async=False)
    assert next(flow) == Pause(0)


def test_a_page_with_a_picture_in_it_is_text_and_takes_no_time() -> None:
    # A search that tries each part of the picture in two ways would take an hour.
    page = f'<p>base64</p><img src="data:image/png;base64,{"A" * 400_000}"><p>{"b" * 400_000}\n'
    messages = [{"role": "user", "content": page}]
    found = estimated_tokens(Completions.create.build(model="m", messages=messages))
    assert found.input == pytest.approx(200_000, rel=0.01)
