"""One question for several models."""

from typing import Any

from interop.cases.grammar import CLAUDE, MODEL, case, chunks

from meshapi import (
    ChatMessage,
    CompareParams,
    ModelOverride,
)


def compare(question: str, *models: str, **fields: Any) -> CompareParams:
    return CompareParams(
        models=list(models or (MODEL, CLAUDE)),
        messages=[ChatMessage(role="user", content=question)],
        **fields,
    )


@case()
def compare_judges_answers():
    overrides = [ModelOverride(model=CLAUDE, temperature=0.1, max_tokens=3, system_prompt="Hm.")]
    yield lambda c: c.compare.create(
        compare(
            "Count to 5.",
            comparison_model="openai/gpt-4o",
            comparison_instructions="Which is longer?",
            model_overrides=overrides,
            temperature=0.5,
            max_tokens=50,
            cache=False,
        )
    )


@case()
def compare_without_a_judge():
    yield lambda c: c.compare.create(compare("What is 2+2?", skip_comparison=True))


@case()
def compare_with_a_model_that_fails():
    yield lambda c: c.compare.create(compare("Count to 3.", MODEL, "no/such"))


@case(refuses=1)
def compare_that_streams_is_refused_by_create():
    yield lambda c: c.compare.create(compare("hi", stream=True))


@case(fault="details of nested errors are lost")
def compare_with_models_that_all_fail():
    yield lambda c: c.compare.create(compare("hi", "no/such", "no/other"))


@case()
def compare_streams_with_a_judge():
    yield chunks(lambda c: c.compare.stream(compare("What is 2+2?")))


@case()
def compare_streams_without_a_judge():
    yield chunks(
        lambda c: c.compare.stream(compare("Count to 3.", skip_comparison=True, stream=True))
    )


@case(fault="one model that fails ends the stream")
def compare_streams_on_when_a_model_fails():
    yield chunks(lambda c: c.compare.stream(compare("Count to 3.", MODEL, "no/such")))
