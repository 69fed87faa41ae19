"""/v1/templates of the local gateway, and templates in chat."""

from typing import Any

import pytest

from meshapi.testing import LocalGateway
from support.gateway_calls import Response, call, get, post

PATH = "/v1/templates"


def create(gateway: LocalGateway, name: str = "support", **members: Any) -> Any:
    response = post(gateway, PATH, {"name": name, **members})
    assert response.status == 201
    return response.json()


def chat(gateway: LocalGateway, template: str, question: str = "Hi", **members: Any) -> Response:
    messages = [{"role": "user", "content": question}]
    body = {"messages": messages, "template": template, **members}
    return post(gateway, "/v1/chat/completions", body)


def update(gateway: LocalGateway, template_id: str, **members: Any) -> Response:
    return call(gateway, "PATCH", f"{PATH}/{template_id}", members)


def test_a_template_is_made_listed_and_got(gateway: LocalGateway) -> None:
    made = create(gateway, system="For {{company}}.", variables=["company"], params={"n": 2})
    assert made["id"]
    assert (made["owner"], made["is_global"], made["messages"]) == ("local", False, None)
    assert made["created_at"].endswith("Z")
    other = create(gateway, "other")
    assert get(gateway, PATH).json() == [made, other]
    assert get(gateway, f"{PATH}/{made['id']}").json() == made


def test_an_update_changes_what_it_names_and_null_clears(gateway: LocalGateway) -> None:
    made = create(gateway, description="old", model="openai/gpt-4o")
    changed = update(gateway, made["id"], description=None, system="Be brief.").json()
    assert (changed["description"], changed["system"]) == (None, "Be brief.")
    assert (changed["name"], changed["model"]) == ("support", "openai/gpt-4o")
    assert get(gateway, f"{PATH}/{made['id']}").json() == changed
    assert update(gateway, made["id"], name=None).faults == [("string_type", ["body", "name"])]


def test_a_deleted_template_is_gone(gateway: LocalGateway) -> None:
    path = f"{PATH}/{create(gateway)['id']}"
    gone = call(gateway, "DELETE", path)
    assert (gone.status, gone.body) == (204, b"")
    for method in ("GET", "PATCH", "DELETE"):
        assert call(gateway, method, path).code == (404, "not_found")
    assert get(gateway, PATH).json() == []


def test_bad_templates_are_refused(gateway: LocalGateway) -> None:
    assert post(gateway, PATH, {}).faults == [("missing", ["body", "name"])]
    assert post(gateway, PATH, {"name": ""}).faults == [("string_too_short", ["body", "name"])]
    response = post(gateway, PATH, {"name": "a", "messages": [{"role": "me"}]})
    assert response.faults == [("literal_error", ["body", "messages", 0, "role"])]
    assert create(gateway)["id"] == get(gateway, PATH).json()[0]["id"]


def test_chat_takes_model_messages_and_settings_from_a_template(gateway: LocalGateway) -> None:
    made = create(
        gateway,
        system="You work for {{company}}, {{ company }}!",
        messages=[{"role": "user", "content": [{"type": "text", "text": "{{greeting}} there"}]}],
        model="openai/gpt-4o",
        params={"n": 2, "max_tokens": 3, "stream": True},
    )
    variables = {"company": "Acme {{x}}", "greeting": "Good day"}
    for key in (made["id"], "support"):
        body = chat(gateway, key, "Count to 9", variables=variables, max_tokens=2).json()
        assert body["model"] == "openai/gpt-4o"
        texts = [choice["message"]["content"] for choice in body["choices"]]
        assert texts[0] == "1 2"
        assert len(texts) == 2
        # "You work for Acme {{x}}, Acme {{x}}!", "Good day there" and the question.
        assert body["usage"]["prompt_tokens"] == 7 + 3 + 3
    body = chat(gateway, "support", variables=variables, model="openai/o4-mini").json()
    assert body["model"] == "openai/o4-mini"


def test_the_newest_of_a_name_counts(gateway: LocalGateway) -> None:
    create(gateway, model="openai/gpt-4o")
    create(gateway, model="openai/o4-mini")
    assert chat(gateway, "support").json()["model"] == "openai/o4-mini"


def test_chat_refuses_a_template_that_is_unknown_or_lacks_a_variable(
    gateway: LocalGateway,
) -> None:
    assert chat(gateway, "nothing").code == (404, "not_found")
    create(gateway, system="{{a}} {{b}}", variables=["c"])
    response = chat(gateway, "support", variables={"a": "1"})
    assert response.faults == [
        ("missing", ["body", "variables", "c"]),
        ("missing", ["body", "variables", "b"]),
    ]
    create(gateway, "odd", params={"temperature": "hot"})
    assert chat(gateway, "odd").faults == [("float_type", ["template", "params", "temperature"])]


@pytest.mark.parametrize("stream", [False, True])
def test_chat_streams_with_a_template_as_it_asks(gateway: LocalGateway, stream: bool) -> None:
    create(gateway, params={"stream": not stream})
    kind = chat(gateway, "support", stream=stream).headers["content-type"]
    assert kind.startswith("text/event-stream") is stream
