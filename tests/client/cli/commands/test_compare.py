"""The command `meshapi compare`."""

import json
import sys
from typing import Any

import pytest

from meshapi.cli import comparison, main
from meshapi.testing import LocalGateway

TWO = "openai/gpt-4o,openai/o4-mini"


def test_answers_follow_one_another_in_the_order_of_the_models(
    gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "--models", TWO, "What", "is", "2+2?", "--system", "Be brief."]) == 0
    said = "openai/gpt-4o\n2 + 2 = 4.\n\nopenai/o4-mini\n2 + 2 = 4.\n"
    assert capfd.readouterr() == (said, "")
    body = gateway.requests[0].json()
    assert body["skip_comparison"] is True
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


def test_a_model_without_an_answer_is_named(
    gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "--models", "acme/none,openai/gpt-4o", "Hi"]) == 1
    out, err = capfd.readouterr()
    assert out.startswith(
        "acme/none\nno answer: Model 'acme/none' was not found.\n\nopenai/gpt-4o\n"
    )
    assert err == "meshapi: 1 of 2 models have no answer: acme/none\n"


def test_a_judge_compares_them(gateway: LocalGateway, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["--judge-model", "openai/gpt-4o-mini", "--judge-by", "style"]
    assert main(["compare", "-m", TWO, "Hi", *arguments]) == 0
    assert "\n\ncomparison\nAll answers are the same." in capfd.readouterr().out
    body = gateway.requests[0].json()
    assert body["comparison_instructions"] == "style"
    assert body["skip_comparison"] is False


def test_as_json_each_answer_is_a_line(
    gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "-m", "acme/none,openai/gpt-4o", "Hi", "--json", "--judge"]) == 1
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line.get("model") for line in lines[:2]] == ["acme/none", "openai/gpt-4o"]
    assert [bool(line["error"]) for line in lines[:2]] == [True, False]
    assert set(lines[2]) == {"comparison", "model"}


@pytest.mark.parametrize("models", ["", "openai/gpt-4o", "a,a", ",".join("abcdefghijk")])
def test_two_to_ten_models_can_be_compared(
    models: str, gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "--models", models, "Hi"]) == 2
    assert capfd.readouterr().err.startswith("meshapi: --models: expected 2 to 10 models, got ")
    assert gateway.requests == []


def test_panes_show_the_same_without_steering_the_terminal(monkeypatch: Any) -> None:
    pytest.importorskip("rich")
    from rich.console import Console

    answers = comparison.Answers(["a", "b"])
    answers.texts.update(a="[bold]one\x1b]0;title\x07", b="")
    answers.errors["b"] = "\x9b2Jno"
    console = Console(file=sys.stdout, width=60, no_color=True)
    with console.capture() as captured:
        console.print(comparison.panes(answers))
    shown = captured.get()
    assert "[bold]one]0;title" in shown
    assert "no answer: \\x9b2Jno" in shown
    assert not {"\x1b", "\x07", "\x9b"} & set(shown)
