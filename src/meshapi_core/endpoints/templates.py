"""Stored prompts: `/v1/templates`.

Source: https://developers.meshapi.ai/docs (templates)
"""

from typing import Any, Optional

from typing_extensions import Unpack

from meshapi_core.calls import Call
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint
from meshapi_core.endpoints._lists import list_endpoint
from meshapi_core.params.encoding import build_params, check, encode_params
from meshapi_core.paths import path_segment
from meshapi_core.queries import encode_query
from meshapi_core.readers import EmptyReader, JSONReader, ListReader
from meshapi_core.types._base import Params, ResponseList
from meshapi_core.types.templates import (
    CreateTemplateFields,
    CreateTemplateParams,
    TemplateSummary,
    UpdateTemplateFields,
    UpdateTemplateParams,
)

__all__ = ["Templates"]

_PATH = "/v1/templates"


class Templates(Resource[R_co]):
    """Prompts that the gateway stores; the `template` parameter of a call names one."""

    @endpoint
    def create(
        self,
        template: Optional[CreateTemplateParams] = None,
        **fields: Unpack[CreateTemplateFields],
    ) -> Call[TemplateSummary]:
        """Return a new template.

        For example, `templates.create(name="greet", system="Greet {{name}}.")`.

        Args:
            template: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `CreateTemplateParams`. `params` is a field of
                the template: the parameters that requests with this template are sent with.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid; nothing was sent.
            ConflictError: there already is a template with this name.
            MeshAPIError: as for `chat.completions.create`.
        """
        body = encode_params(CreateTemplateParams, template, fields)
        return Call(method="POST", path=_PATH, body=body, reader=JSONReader(TemplateSummary))

    @list_endpoint
    def list(
        self, *, team_id: Optional[str] = None, member_owner: Optional[str] = None
    ) -> Call[ResponseList[TemplateSummary]]:
        """Return the templates that the token may use.

        Args:
            team_id: return only the templates of this team.
            member_owner: return only the templates of this member; for administrators.

        Returns:
            A list; `[0].name` is the name of the first one.

        Raises:
            InvalidParamsError: a parameter is invalid; nothing was sent.
        """
        named = {"team_id": team_id, "member_owner": member_owner}
        query = encode_query(_ListParams, None, named)
        return Call(method="GET", path=_PATH, query=query, reader=ListReader(TemplateSummary))

    @endpoint
    def get(self, template_id: str) -> Call[TemplateSummary]:
        """Return one template.

        Raises:
            InvalidParamsError: the ID is empty, `.` or `..`.
            NotFoundError: there is no template with this ID.
        """
        return Call(method="GET", path=_template(template_id), reader=JSONReader(TemplateSummary))

    @endpoint
    def update(
        self,
        template_id: str,
        changes: Optional[UpdateTemplateParams] = None,
        **fields: Unpack[UpdateTemplateFields],
    ) -> Call[TemplateSummary]:
        """Change some fields of a template, and return it; the other fields stay as they are.

        For example, `templates.update(id, description=None)` clears the description.

        Args:
            changes: the changes as one object, instead of keywords.
            fields: the changes as keywords; see `UpdateTemplateParams`. None clears a field.

        Raises:
            InvalidParamsError: the ID is empty, `.` or `..`, or a parameter is unknown or invalid;
                nothing was sent.
            NotFoundError: there is no template with this ID.
        """
        given: dict[str, Any] = {**fields}
        if changes is None and not isinstance(given.get("params"), UpdateTemplateParams):
            # Elsewhere None means that a parameter is not given; here it clears the field.
            cleared = {name: None for name, value in given.items() if value is None}
            others = build_params(UpdateTemplateParams, None, given, {})
            changes, given = check({**others, **cleared}, UpdateTemplateParams), {}
        return Call(
            method="PATCH",
            path=_template(template_id),
            body=encode_params(UpdateTemplateParams, changes, given),
            reader=JSONReader(TemplateSummary),
        )

    @endpoint
    def delete(self, template_id: str) -> Call[None]:
        """Delete a template.

        Raises:
            InvalidParamsError, NotFoundError: as for `get`.
        """
        return Call(method="DELETE", path=_template(template_id), reader=EmptyReader())


class _ListParams(Params, kw_only=True):
    team_id: Optional[str] = None
    member_owner: Optional[str] = None


def _template(template_id: str) -> str:
    return f"{_PATH}/{path_segment('template_id', template_id)}"
