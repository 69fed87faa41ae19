"""Calls that users of the official package know from pydantic."""

import json

import pytest
from interop.questions import ask, batch_items

from meshapi import (
    BatchObject,
    ChatCompletionParams,
    ChatCompletionResponse,
    CreateBatchParams,
)


def test_parameters_are_pydantic_enough():
    params = ask("hello").model_copy(update={"temperature": 0.5})
    compact = {
        "messages": [{"role": "user", "content": "hello"}],
        "model": "openai/gpt-4o-mini",
        "temperature": 0.5,
    }
    assert params.model_dump(exclude_none=True) == compact
    assert json.loads(params.model_dump_json(exclude_none=True)) == compact
    assert params.model_dump()["max_tokens"] is None
    assert ChatCompletionParams.model_validate(compact) == params
    assert ChatCompletionParams.model_validate_json(json.dumps(compact)) == params
    with pytest.raises(ValueError, match="no_such_field"):
        ChatCompletionParams.model_validate({**compact, "no_such_field": 1})


def test_responses_are_pydantic_enough(client):
    response = client.chat.completions.create(ask("What is 2+2?"))
    tree = response.model_dump(exclude_none=True)
    assert tree["choices"][0]["message"] == {"role": "assistant", "content": "2 + 2 = 4."}
    assert json.loads(response.model_dump_json(exclude_none=True)) == tree
    assert ChatCompletionResponse.model_validate(tree) == response
    assert ChatCompletionResponse.model_validate_json(response.model_dump_json()) == response
    assert response.model_copy(update={"model": "other"}).model == "other"
    assert response.model != "other"


def test_open_responses_keep_what_they_do_not_name(client):
    batch = client.batches.create(CreateBatchParams(requests=batch_items()))
    assert batch.completion_window == "24h"
    assert batch.model_extra["completion_window"] == "24h"
    assert batch.model_dump()["completion_window"] == "24h"
    assert BatchObject.model_validate(batch.model_dump()).completion_window == "24h"
