"""Scripts over HTTP, for programs in any language."""

import json
from typing import Any

import pytest

from meshapi.gateway.scripts import engine
from meshapi.testing import LocalGateway
from support.chat_calls import ask, complete, text_of
from support.gateway_calls import call, get, post

RAIN: dict[str, Any] = {"text": "rain", "respond": "No."}


def test_scripts_are_added_and_have_their_turn(gateway: LocalGateway) -> None:
    added = post(gateway, "/__gateway/scripts", RAIN)
    assert added.status == 201
    place = "POST /__gateway/scripts: [0]"
    row = {"place": place, "on": "'rain'", "used": 0, "times": None}
    assert added.json() == {"added": [row]}
    assert text_of(complete(gateway, ask("Rain?"))) == "No."
    assert get(gateway, "/__gateway/scripts").json() == {"scripts": [{**row, "used": 1}]}


def test_unused_scripts_and_mistakes_are_told(gateway: LocalGateway) -> None:
    post(gateway, "/__gateway/scripts", {"scripts": [RAIN], "strict": True})
    try:
        response = complete(gateway, ask("Snow?"))
        assert response.code == (501, "not_scripted")
        assert response.headers["X-Should-Retry"] == "false"
        told = get(gateway, "/__gateway/unused").json()
    finally:
        gateway.strict = False
    assert [one["on"] for one in told["unused"]] == ["'rain'"]
    assert told["mistakes"] == [response.error["message"]]


def test_requests_are_told_with_their_bodies_but_no_token(gateway: LocalGateway) -> None:
    complete(gateway, ask("Rain?", model="openai/gpt-4o"))
    (told,) = get(gateway, "/__gateway/requests").json()["requests"]
    assert (told["method"], told["path"]) == ("POST", "/v1/chat/completions")
    assert (told["model"], told["text"]) == ("openai/gpt-4o", "Rain?")
    assert told["body"]["messages"] == [{"role": "user", "content": "Rain?"}]
    assert told["headers"]["authorization"] == "..."
    assert gateway.token not in str(told)


def test_a_body_that_quotes_a_token_is_told_without_it(gateway: LocalGateway) -> None:
    other = "rsk_test_by_mistake"
    question = f'{gateway.token} and "{other}"'
    body = {**ask(question, model="openai/gpt-4o"), "user": gateway.token}
    call(gateway, "POST", f"/v1/chat/completions?key={other}", body, Cookie=f"session={other}")
    (told,) = get(gateway, "/__gateway/requests").json()["requests"]
    assert gateway.token not in str(told)
    assert other not in str(told)
    assert told["text"] == told["body"]["messages"][0]["content"] == '••• and "•••"'


def test_a_body_that_is_nested_deeply_is_told(gateway: LocalGateway) -> None:
    for depth in (100, 900, 990, 2000, 100_000):
        post(gateway, "/v1/moderations", b'{"model":"a","x":' + b"[" * depth + b"]" * depth + b"}")
        told = get(gateway, "/__gateway/requests")
        assert told.status == 200
    assert len(told.json()["requests"]) == 5


def test_a_reset_forgets_all(gateway: LocalGateway) -> None:
    post(gateway, "/__gateway/scripts", RAIN)
    assert call(gateway, "POST", "/__gateway/reset").status == 200
    assert get(gateway, "/__gateway/scripts").json() == {"scripts": []}
    assert get(gateway, "/__gateway/requests").json() == {"requests": []}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/__gateway/scripts"),
        ("GET", "/__gateway/scripts"),
        ("GET", "/__gateway/unused"),
        ("GET", "/__gateway/requests"),
        ("POST", "/__gateway/reset"),
    ],
)
def test_without_the_token_nothing_is_told(gateway: LocalGateway, method: str, path: str) -> None:
    response = call(gateway, method, path, RAIN, token="rsk_test_wrong")
    assert response.code == (401, "unauthorized")
    assert gateway._state.scripts.all() == []


@pytest.mark.parametrize("given", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_a_script_needs_the_header_that_web_pages_cannot_send(
    gateway: LocalGateway, given: Any
) -> None:
    body = json.dumps(RAIN).encode()
    response = call(gateway, "POST", "/__gateway/scripts", body, Content_Type=given)
    assert response.code == (422, "validation_error")
    message = response.error["message"]
    assert 'expected the header "Content-Type: application/json", got ' in message
    assert message.endswith("none" if given is None else repr(given))
    assert get(gateway, "/__gateway/scripts").json() == {"scripts": []}


def test_a_wrong_script_says_where(gateway: LocalGateway) -> None:
    response = post(gateway, "/__gateway/scripts", {"respond": {"error": {"status": 200}}})
    assert response.code == (422, "validation_error")
    expected = "[0].respond.error: status: expected an error, 400 to 599, got 200"
    assert expected in response.error["message"]


@pytest.mark.parametrize(
    ("limit", "most"), [("_MOST_SCRIPTS", 3), ("_MOST_BYTES", 60_000)], ids=["number", "bytes"]
)
def test_scripts_have_a_bound(
    gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    monkeypatch.setattr(engine, limit, most)
    large = {"text": "rain", "respond": {"body": {"x": [[]] * 300}}}
    assert post(gateway, "/__gateway/scripts", {"scripts": [large, large]}).status == 201
    response = post(gateway, "/__gateway/scripts", {"scripts": [RAIN, large], "strict": True})
    assert response.code == (409, "conflict")
    # Not even those that would have fitted.
    assert len(gateway._state.scripts.all()) == 2
    assert not gateway.strict
    gateway.reset()
    assert post(gateway, "/__gateway/scripts", {"scripts": [large, large]}).status == 201


def test_it_is_never_scripted_itself(gateway: LocalGateway) -> None:
    gateway.next_error(500)
    assert get(gateway, "/__gateway/scripts").status == 200
