"""Templates: prompts that the gateway stores, with `{{variables}}` in them.

Source: MeshAPI templates, https://developers.meshapi.ai/docs
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Optional, Union

from msgspec import UNSET, UnsetType
from typing_extensions import TypedDict

from meshapi_core.types._base import Params, Record, ResponseModel
from meshapi_core.types._tagged import like

__all__ = [
    "CreateTemplateFields",
    "CreateTemplateParams",
    "TemplateMessage",
    "TemplateSummary",
    "UpdateTemplateFields",
    "UpdateTemplateParams",
]


class TemplateMessage(Record, kw_only=True):
    """One message of a template.

    Fields:
        role: as in `ChatMessage`.
        content: text, in which `{{name}}` stands for a variable.
    """

    role: str
    content: str


if TYPE_CHECKING:
    Messages = Sequence[Union[TemplateMessage, Mapping[str, Any]]]
else:
    # Sent as given, so that fields other than role and content are not lost.
    Messages = list[like(TemplateMessage)]


class CreateTemplateParams(Params, kw_only=True):
    """The parameters of `templates.create`; only `name` is required.

    Fields:
        name: for the `template` of a request.
        system: the system prompt.
        messages: the first messages of the conversation.
        model, params: defaults for requests that use the template.
        variables: the names of the variables; a request must give a value for each.
        team_id: the team to which the template belongs.
    """

    # Empty is the template's own way to have none.
    _calls_model: ClassVar = False
    name: str
    description: Optional[str] = None
    system: Optional[str] = None
    messages: Optional[Messages] = None
    model: Optional[str] = None
    params: Optional[dict[str, Any]] = None
    variables: Optional[list[str]] = None
    team_id: Optional[str] = None


class CreateTemplateFields(TypedDict, total=False):
    """The fields of `CreateTemplateParams` as keyword arguments."""

    name: str
    description: Optional[str]
    system: Optional[str]
    messages: Optional[Messages]
    model: Optional[str]
    # Also all the parameters as one object: the official SDK's name for that argument.
    params: Union[CreateTemplateParams, Mapping[str, Any], None]
    variables: Optional[Sequence[str]]
    team_id: Optional[str]


class UpdateTemplateParams(Params, kw_only=True):
    """The parameters of `templates.update`; the fields are those of `CreateTemplateParams`.

    A field that is not given stays as it is in the template, and None clears it. A field that was
    not given is `msgspec.UNSET`, which is false.
    """

    # Empty is the template's own way to have none.
    _calls_model: ClassVar = False
    name: Union[str, None, UnsetType] = UNSET
    description: Union[str, None, UnsetType] = UNSET
    system: Union[str, None, UnsetType] = UNSET
    messages: Union[Messages, None, UnsetType] = UNSET
    model: Union[str, None, UnsetType] = UNSET
    params: Union[dict[str, Any], None, UnsetType] = UNSET
    variables: Union[list[str], None, UnsetType] = UNSET


class UpdateTemplateFields(TypedDict, total=False):
    """The fields of `UpdateTemplateParams` as keyword arguments; None clears a field."""

    name: Optional[str]
    description: Optional[str]
    system: Optional[str]
    messages: Optional[Messages]
    model: Optional[str]
    # Also all the changes as one object: the official SDK's name for that argument.
    params: Union[UpdateTemplateParams, Mapping[str, Any], None]
    variables: Optional[Sequence[str]]


class TemplateSummary(ResponseModel, kw_only=True):
    """A template that the gateway stores.

    Fields:
        owner, org_id, team_id, creator_name, creator_email: to whom the template belongs.
        is_global: whether everybody can use it.
        created_at, updated_at: times in ISO 8601.
    """

    id: str = ""
    name: str = ""
    owner: Optional[str] = None
    org_id: Optional[str] = None
    team_id: Optional[str] = None
    is_global: bool = False
    description: Optional[str] = None
    system: Optional[str] = None
    messages: Optional[list[dict[str, Any]]] = None
    model: Optional[str] = None
    params: Optional[dict[str, Any]] = None
    variables: Optional[list[str]] = None
    creator_name: Optional[str] = None
    creator_email: Optional[str] = None
    created_at: str = ""
    updated_at: str = ""
