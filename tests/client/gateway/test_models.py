"""Which model can do what in the local gateway."""

import itertools

import pytest

from meshapi.gateway import models
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.models import (
    CHAT_MODELS,
    EMBEDDING_MODELS,
    FAILING_MODELS,
    FAILING_REALTIME_MODELS,
    IMAGE_MODELS,
    MODELS,
    REALTIME_MODELS,
    SPEECH_MODELS,
    TRANSCRIPTION_MODELS,
    VIDEO_MODELS,
    choose,
    choose_from,
    choose_realtime,
)

SETS = {
    "DEFAULT_MODEL": CHAT_MODELS,
    "DEFAULT_EMBEDDING_MODEL": EMBEDDING_MODELS,
    "DEFAULT_IMAGE_MODEL": IMAGE_MODELS,
    "DEFAULT_VIDEO_MODEL": VIDEO_MODELS,
    "DEFAULT_SPEECH_MODEL": SPEECH_MODELS,
    "DEFAULT_TRANSCRIPTION_MODEL": TRANSCRIPTION_MODELS,
}


def test_every_model_has_one_use() -> None:
    sets = [*SETS.values(), REALTIME_MODELS]
    assert frozenset().union(*sets) == {model.id for model in MODELS}
    assert not any(one & other for one, other in itertools.combinations(sets, 2))
    assert len({model.id for model in MODELS}) == len(MODELS)


@pytest.mark.parametrize("name", SETS)
def test_every_default_can_do_what_it_is_the_default_for(name: str) -> None:
    default: str = getattr(models, name)
    known = SETS[name]
    assert choose_from(known, None, default) == choose_from(known, "auto", default) == default
    assert default in known


@pytest.mark.parametrize(
    "name",
    [
        "openai/gpt-4o-mini",
        "openai/gpt-4o",
        "openai/o4-mini",
        "openai/gpt-5-nano",
        "openai/text-embedding-3-small",
        "openai/gpt-image-1",
        "openai/gpt-4o-realtime-preview",
        "openai/gpt-realtime-mini",
        "anthropic/claude-sonnet-4.5",
        "anthropic/claude-haiku-4.5",
        "google/gemini-2.5-flash",
    ],
)
def test_the_models_of_the_official_examples_are_known(name: str) -> None:
    assert name in {model.id for model in MODELS}


def test_failing_models_are_accepted_everywhere() -> None:
    for name in FAILING_MODELS:
        assert choose(name, []) == choose_realtime(name) == name
        for known in SETS.values():
            assert choose_from(known, name, "default") == name


def test_the_first_model_that_can_chat_is_chosen() -> None:
    assert choose(None, []) == "openai/gpt-4o-mini"
    assert choose("acme/none", ["openai/gpt-image-1", "openai/gpt-4o"]) == "openai/gpt-4o"
    with pytest.raises(GatewayError, match=r"acme/none") as caught:
        choose("acme/none", ["openai/gpt-image-1"])
    assert (caught.value.status, caught.value.error["code"]) == (404, "model_not_found")


def test_a_model_for_something_else_is_told_from_an_unknown_one() -> None:
    with pytest.raises(GatewayError) as caught:
        choose_from(IMAGE_MODELS, "openai/gpt-4o", "default")
    assert caught.value.status == 400
    assert caught.value.error["code"] == "model_capability_not_supported"
    with pytest.raises(GatewayError) as caught:
        choose_from(IMAGE_MODELS, "acme/none", "default")
    assert caught.value.status == 404


def test_realtime_has_failing_models_of_its_own_and_no_default() -> None:
    for name in REALTIME_MODELS | FAILING_REALTIME_MODELS:
        assert choose_realtime(name) == name
        with pytest.raises(GatewayError) as caught:
            choose(name, [])
        assert caught.value.error["code"] == "model_capability_not_supported"
    for missing in (None, ""):
        with pytest.raises(GatewayError) as caught:
            choose_realtime(missing)
        assert (caught.value.status, caught.value.error["code"]) == (400, "invalid_request")
