"""/v1/chat/compare of the local gateway."""

from typing import Any

import pytest

from meshapi.testing import LocalGateway
from support.gateway_calls import Response, post

PATH = "/v1/chat/compare"
TWO = ["openai/gpt-4o", "google/gemini-2.5-flash"]


def compare(
    gateway: LocalGateway, models: list[str], question: str = "What is 2+2?", **members: Any
) -> Response:
    messages = [{"role": "user", "content": question}]
    return post(gateway, PATH, {"models": models, "messages": messages, **members})


def told(response: Response) -> list[tuple[Any, Any]]:
    """Names and data of the events of a complete stream."""
    assert response.headers.get_content_type() == "text/event-stream"
    *events, done = response.events()
    assert (done.name, done.data) == (None, "[DONE]")
    return [(event.name, event.json()) for event in events]


def named(events: list[tuple[Any, Any]], name: str) -> list[Any]:
    return [payload for found, payload in events if found == name]


class TestWholeResponses:
    def test_have_a_result_for_each_model_and_a_verdict(self, gateway: LocalGateway) -> None:
        response = compare(gateway, TWO)
        body = response.json()
        assert (body["object"], body["models"]) == ("compare.completion", TWO)
        assert body["comparison_id"].startswith("cmp_")
        assert [result["model"] for result in body["results"]] == TWO
        first = body["results"][0]
        assert (first["content"], first["error"]) == ("2 + 2 = 4.", None)
        assert first["response_body"]["choices"][0]["message"]["content"] == first["content"]
        assert first["request_id"] == f"{response.headers['x-request-id']}::{TWO[0]}"
        assert first["usage"] == {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
        assert "2 + 2 = 4." in body["comparison"]
        assert "the same" in body["comparison"]
        assert body["comparison_usage"]["total_tokens"] > 0
        assert (body["partial"], body["skip_comparison"]) == (False, False)
        assert body["comparison_model"] == "openai/gpt-4o-mini"

    def test_have_no_verdict_if_it_is_skipped(self, gateway: LocalGateway) -> None:
        body = compare(gateway, TWO, skip_comparison=True).json()
        assert (body["comparison"], body["comparison_model"]) == (None, None)
        assert (body["comparison_usage"], body["skip_comparison"]) == (None, True)

    def test_name_a_model_once(self, gateway: LocalGateway) -> None:
        assert compare(gateway, [*TWO, TWO[0]]).json()["models"] == TWO

    def test_follow_what_is_said_for_one_model(self, gateway: LocalGateway) -> None:
        body = compare(
            gateway,
            TWO,
            "Count to 5",
            max_tokens=4,
            model_overrides=[{"model": TWO[0], "max_tokens": 2, "system_prompt": "Be brief."}],
            comparison_instructions="Prefer short ones.",
        ).json()
        assert [result["content"] for result in body["results"]] == ["1 2", "1 2 3 4"]
        assert body["results"][0]["usage"]["prompt_tokens"] == 5
        assert "differ" in body["comparison"]
        assert "Prefer short ones." in body["comparison"]

    def test_begin_with_their_template(self, gateway: LocalGateway) -> None:
        template = {"name": "short", "system": "Be {{how}}.", "params": {"max_tokens": 2}}
        assert post(gateway, "/v1/templates", template).status in (200, 201)
        members = {"template": "short", "variables": {"how": "brief"}}
        body = compare(gateway, TWO, "Count to 5", **members).json()
        assert [result["content"] for result in body["results"]] == ["1 2", "1 2"]
        assert body["results"][0]["usage"]["prompt_tokens"] == 5
        assert compare(gateway, TWO, template="none").code == (404, "not_found")

    def test_fall_back_from_a_judge_that_is_unknown(self, gateway: LocalGateway) -> None:
        body = compare(gateway, TWO, comparison_model="acme/none").json()
        assert body["comparison_fallback_used"] is True
        assert body["comparison_model"] == "openai/gpt-4o-mini"
        known = compare(gateway, TWO, comparison_model=TWO[1]).json()
        assert (known["comparison_fallback_used"], known["comparison_model"]) == (False, TWO[1])

    @pytest.mark.parametrize(
        ("model", "code"),
        [
            ("acme/none", "model_not_found"),
            ("openai/gpt-image-1", "upstream_error"),
            ("mesh/rate-limited", "upstream_error"),
            ("mesh/flaky", "upstream_error"),
            ("mesh/broken-stream", "upstream_error"),
            ("mesh/error-in-stream", "gateway_timeout"),
            ("mesh/stall", "gateway_timeout"),
        ],
    )
    def test_go_on_when_one_model_fails(self, gateway: LocalGateway, model: str, code: str) -> None:
        body = compare(gateway, [model, TWO[0]]).json()
        failed, good = body["results"]
        assert isinstance(failed["error"], str)
        assert failed["error_code"] == code
        assert "content" not in failed
        assert good["content"] == "2 + 2 = 4."
        assert body["partial"] is True
        assert model in body["comparison"]

    def test_are_a_nested_502_when_all_fail(self, gateway: LocalGateway) -> None:
        models = ["acme/none", "mesh/rate-limited"]
        response = compare(gateway, models)
        assert response.status == 502
        error = response.json()["detail"]["error"]
        assert error["code"] == "all_models_failed"
        assert [detail["model"] for detail in error["details"]] == models
        assert error["details"][0]["error_code"] == "model_not_found"
        assert compare(gateway, models, stream=True).status == 502
        assert compare(gateway, ["mesh/stall"]).status == 502


class TestStreams:
    def test_with_a_verdict_go_answers_results_verdict(self, gateway: LocalGateway) -> None:
        events = told(compare(gateway, [*TWO, "acme/none"], stream=True))
        names = [name for name, _ in events]
        assert names[:5] == ["meta", "model_chunk", "model_chunk", "model_chunk", "model_done"]
        assert set(names[5:-1]) == {"comparison_chunk"}
        assert names[-1] == "done"
        meta = events[0][1]
        assert (meta["models"], meta["skip_comparison"]) == ([*TWO, "acme/none"], False)
        one, _, failed = named(events, "model_chunk")
        assert (one["delta"], one["error"]) == ("2 + 2 = 4.", None)
        assert one["usage"]["total_tokens"] == 8
        assert isinstance(failed["error"], str)
        assert failed["error_code"] == "model_not_found"
        (results,) = named(events, "model_done")
        assert [result["model"] for result in results["results"]] == meta["models"]
        verdict = named(events, "comparison_chunk")
        assert verdict[-1] == {"delta": "", "finish_reason": "stop"}
        done = events[-1][1]
        assert done["comparison_id"] == meta["comparison_id"]
        assert (done["partial"], done["comparison_fallback_used"]) == (True, False)
        whole = compare(gateway, [*TWO, "acme/none"]).json()
        assert "".join(chunk["delta"] for chunk in verdict) == whole["comparison"]

    def test_without_one_go_word_by_word_side_by_side(self, gateway: LocalGateway) -> None:
        events = told(compare(gateway, TWO, "Count to 2", stream=True, skip_comparison=True))
        assert events[0][1]["comparison_model"] is None
        chunks = named(events, "model_chunk")
        assert [(chunk["model"], chunk["delta"]) for chunk in chunks] == [
            (TWO[0], "1"),
            (TWO[1], "1"),
            (TWO[0], " 2"),
            (TWO[1], " 2"),
        ]
        ends = named(events, "model_stream_done")
        assert [(end["model"], end["finish_reason"], end["error"]) for end in ends] == [
            (TWO[0], "stop", None),
            (TWO[1], "stop", None),
        ]
        done = events[-1][1]
        assert (done["skip_comparison"], done["partial"]) == (True, False)

    def test_without_one_tell_where_a_model_failed(self, gateway: LocalGateway) -> None:
        models = ["mesh/error-in-stream", TWO[0]]
        response = compare(gateway, models, "Count to 4", stream=True, skip_comparison=True)
        events = told(response)
        said = [chunk["delta"] for chunk in named(events, "model_chunk")]
        assert said == ["1", "1", " 2", " 2", " 3", " 4"]
        failed, good = named(events, "model_stream_done")
        assert (failed["model"], failed["error_code"]) == (models[0], "gateway_timeout")
        assert isinstance(failed["error"], str)
        assert good["error"] is None
        assert events[-1][1]["partial"] is True


class TestJudgesThatFail:
    @pytest.mark.parametrize("stream", [False, True])
    def test_fail_before_the_response(self, gateway: LocalGateway, stream: bool) -> None:
        def ask(judge: str) -> Response:
            return compare(gateway, TWO, stream=stream, comparison_model=judge)

        assert ask("mesh/rate-limited").code == (429, "rate_limit_exceeded")
        assert [ask("mesh/flaky").status for _ in range(3)] == [503, 503, 200]

    def test_break_off_half_way(self, gateway: LocalGateway) -> None:
        response = compare(gateway, TWO, stream=True, comparison_model="mesh/broken-stream")
        assert response.broken
        names = [event.name for event in response.events()]
        assert names[0] == "meta"
        assert "done" not in names
        assert compare(gateway, TWO, comparison_model="mesh/broken-stream").broken

    def test_send_an_error_half_way(self, gateway: LocalGateway) -> None:
        response = compare(gateway, TWO, stream=True, comparison_model="mesh/error-in-stream")
        *_, failure, done = response.events()
        assert (failure.name, done.data) == (None, "[DONE]")
        assert failure.json()["error"]["code"] == "gateway_timeout"
        whole = compare(gateway, TWO, comparison_model="mesh/error-in-stream")
        assert whole.code == (504, "gateway_timeout")


@pytest.mark.parametrize(
    ("body", "kind", "where"),
    [
        ({"models": TWO}, "missing", ["messages"]),
        ({"models": [], "messages": [{"role": "user"}]}, "too_short", ["models"]),
        ({"models": ["m"] * 11, "messages": [{"role": "user"}]}, "too_long", ["models"]),
        ({"models": TWO, "messages": []}, "too_short", ["messages"]),
        ({"models": TWO, "messages": [{"role": "me"}]}, "literal_error", ["messages", 0, "role"]),
        (
            {"models": TWO, "messages": [{"role": "user"}], "model_overrides": [{}]},
            "missing",
            ["model_overrides", 0, "model"],
        ),
        (
            {"models": TWO, "messages": [{"role": "user"}], "temperature": 3},
            "less_than_equal",
            ["temperature"],
        ),
    ],
)
def test_a_bad_body_is_refused(
    gateway: LocalGateway, body: dict[str, Any], kind: str, where: list[Any]
) -> None:
    assert post(gateway, PATH, body).faults[0] == (kind, ["body", *where])
