"""The commands `meshapi models` and `meshapi usage`."""

import json

import pytest

from meshapi.cli import main
from meshapi.testing import LocalGateway


def rows(capfd: pytest.CaptureFixture[str]) -> list[list[str]]:
    return [line.split("\t") for line in capfd.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        (["haiku"], {"anthropic/claude-haiku-4.5"}),
        (
            ["--free"],
            {"google/gemma-3-27b-it:free", "meta-llama/llama-3.3-70b-instruct:free"},
        ),
        (["seedream", "--kind", "image"], {"bytedance/seedream-4-0"}),
        (["--kind", "image", "--provider", "bytedance"], {"bytedance/seedream-4-0"}),
        (["tts", "--provider", "openai"], {"openai/gpt-4o-mini-tts", "openai/tts-1"}),
    ],
)
def test_models_are_found(
    arguments: list[str], ids: set[str], gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", *arguments]) == 0
    assert {row[0] for row in rows(capfd)} == ids


def test_prices_and_contexts_are_shown(
    gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "GPT-4o", "mini", "--kind", "text", "--limit", "1"]) == 0
    assert rows(capfd) == [["openai/gpt-4o-mini", "text", "128,000", "0.15", "0.6"]]


def test_as_json_each_model_is_a_line_with_everything(
    gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "--sort", "price", "--json"]) == 0
    models = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert len(models) > 20
    assert all("pricing" in model for model in models)


def test_no_model_is_an_error(gateway: LocalGateway, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "zzz"]) == 1
    assert capfd.readouterr().err.startswith("meshapi: no model matches; ")


@pytest.mark.parametrize("option", ["--kind", "--sort"])
def test_a_wrong_word_is_refused(
    option: str, gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", option, "txt"]) == 2
    assert capfd.readouterr().err.startswith(f"meshapi: {option}: expected one of ")
    assert gateway.requests == []


def test_usage_has_the_balance_the_models_and_the_days(
    gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["chat", "Hi", "--model", "openai/gpt-4o"]) == 0
    capfd.readouterr()
    assert main(["usage", "--days", "2"]) == 0
    said = capfd.readouterr().out
    assert said.startswith("Balance: $100.00 available, $0.00 reserved\nRequests: 1, cost $0.0")
    assert "\nopenai/gpt-4o\t1\t$0.0" in said
    assert said.count("\n20") == 2
    assert main(["usage", "--json", "--model", "acme/none"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert set(found) == {"balance", "usage", "rate_limits"}
    assert found["usage"]["total_requests"] == 0
