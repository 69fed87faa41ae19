"""Stored prompts."""

from meshapi_core.types._base import ResponseList
from meshapi_core.types.templates import (
    CreateTemplateParams,
    TemplateMessage,
    TemplateSummary,
    UpdateTemplateParams,
)
from support.endpoint_rows import Row

TEMPLATE = {
    "id": "0190",
    "name": "support-agent",
    "owner": "o",
    "is_global": False,
    "description": None,
    "system": "You help {{company}}.",
    "messages": [{"role": "user", "content": "Hi", "name": "x"}],
    "variables": ["company"],
    "params": {"temperature": 0},
    "creator_name": "c",
    "created_at": "2026-05-12T00:00:00Z",
    "updated_at": "2026-05-13T00:00:00Z",
    "new": 1,
}
VALUE = TemplateSummary(
    id="0190",
    name="support-agent",
    owner="o",
    system="You help {{company}}.",
    messages=[{"role": "user", "content": "Hi", "name": "x"}],
    variables=["company"],
    params={"temperature": 0},
    creator_name="c",
    created_at="2026-05-12T00:00:00Z",
    updated_at="2026-05-13T00:00:00Z",
)
ID = "a/../b?x#"
PATH = "/v1/templates/a%2F..%2Fb%3Fx%23"


def update(json: object, *args: object, **kwargs: object) -> Row:
    return Row(
        "templates.update",
        PATH,
        method="PATCH",
        args=(ID, *args),
        kwargs=kwargs,
        json=json,
        response=TEMPLATE,
        value=VALUE,
    )


ROWS = [
    Row(
        "templates.create",
        "/v1/templates",
        args=(
            CreateTemplateParams(
                name="support-agent",
                system="You help {{company}}.",
                messages=[TemplateMessage(role="user", content="Hi"), {"role": "user", "new": 1}],
                params={"temperature": 0, "seed": None},
                variables=[],
            ),
        ),
        json={
            "name": "support-agent",
            "system": "You help {{company}}.",
            "messages": [{"role": "user", "content": "Hi"}, {"role": "user", "new": 1}],
            "params": {"temperature": 0, "seed": None},
            "variables": [],
        },
        status=201,
        response=TEMPLATE,
        value=VALUE,
    ),
    Row(
        "templates.create",
        "/v1/templates",
        kwargs={
            "name": "n",
            "description": None,
            "messages": [TemplateMessage(role="user", content="Hi")],
            "params": {"temperature": 0.5},
            "team_id": "t",
        },
        json={
            "name": "n",
            "messages": [{"role": "user", "content": "Hi"}],
            "params": {"temperature": 0.5},
            "team_id": "t",
        },
        response=TEMPLATE,
        value=VALUE,
    ),
    Row(
        "templates.create",
        "/v1/templates",
        kwargs={"params": CreateTemplateParams(name="n")},
        json={"name": "n"},
        response=TEMPLATE,
        value=VALUE,
    ),
    Row(
        "templates.list",
        "/v1/templates",
        method="GET",
        response=[TEMPLATE],
        value=ResponseList([VALUE]),
    ),
    Row(
        "templates.list",
        "/v1/templates",
        method="GET",
        kwargs={"team_id": "t", "member_owner": None},
        query="team_id=t",
        response=None,
        value=ResponseList(),
    ),
    Row("templates.get", PATH, method="GET", args=(ID,), response=TEMPLATE, value=VALUE),
    update({"model": "openai/gpt-4o"}, UpdateTemplateParams(model="openai/gpt-4o")),
    update(
        {"description": None, "params": None, "variables": []},
        UpdateTemplateParams(description=None, params=None, variables=[]),
    ),
    update(
        {"description": None, "params": {"seed": None}, "messages": None},
        description=None,
        params={"seed": None},
        messages=None,
    ),
    update({"params": None}, params=None),
    update({"name": "n"}, params=UpdateTemplateParams(name="n")),
    update(
        {"messages": [{"role": "user", "content": "Hi"}]},
        messages=[TemplateMessage(role="user", content="Hi")],
    ),
    update({}, UpdateTemplateParams()),
    Row("templates.delete", PATH, method="DELETE", args=(ID,), status=204),
    Row(
        "templates.delete",
        "/v1/templates/t",
        method="DELETE",
        kwargs={"template_id": "t"},
        response=b"",
        response_type="",
    ),
]
