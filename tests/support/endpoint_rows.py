"""The table of endpoints: what each sends for given arguments, and what it makes of a response.

`tests/support/rows/` has one module for each group of endpoints, with its `ROWS`.
`tests/client/test_endpoints.py` runs every row on every flavour, and fails if an endpoint has none.
"""

import importlib
import json
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from meshapi_core import endpoints
from meshapi_core.endpoints import Resource, endpoint, flow_endpoint, stream_endpoint
from meshapi_core.endpoints._descriptor import StreamEndpointAs
from meshapi_core.endpoints._pairs import TypedStreamEndpoint

JSON = "application/json"
FORM = "multipart/form-data; boundary=BOUNDARY"


@dataclass(frozen=True)
class Row:
    """One call of an endpoint, and its request and response as bytes.

    Attributes:
        endpoint: as a user writes it, without the client: "chat.completions.create".
        path, query: exactly as sent; the query without its question mark.
        json: the decoded body; None without a body, or if `body` is given.
        body: the exact bytes of the body; BOUNDARY stands for the boundary of a form.
        content_type: as sent, None without; the default is that of `json` or `body`.
        response: the body of the response: bytes, or JSON.
        value: what the call returns; for a stream the list of its chunks.
    """

    endpoint: str
    path: str
    method: str = "POST"
    query: str = ""
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    body: Optional[bytes] = None
    content_type: Optional[str] = ""
    accept: str = JSON
    status: int = 200
    response: Any = None
    response_type: str = JSON
    value: Any = None

    @property
    def expected_type(self) -> Optional[str]:
        """The Content-Type that must be sent."""
        if self.content_type != "":
            return self.content_type
        if self.body is not None:
            return FORM
        return None if self.json is None else JSON

    @property
    def response_bytes(self) -> bytes:
        """The body of the server's response."""
        if isinstance(self.response, bytes):
            return self.response
        return b"" if self.status == 204 else json.dumps(self.response).encode()

    def __str__(self) -> str:
        return self.endpoint


def all_rows() -> list[Row]:
    """All rows."""
    from support import rows

    names = [module.name for module in pkgutil.iter_modules(rows.__path__)]
    modules = [importlib.import_module(f"support.rows.{name}") for name in sorted(names)]
    return [row for module in modules for row in module.ROWS]


def endpoints_of(resource: type, prefix: str) -> Iterator[tuple[str, Any]]:
    """The endpoints that a resource class declares, by the names that users write."""
    for name in dir(resource):
        declared = getattr(resource, name)
        kinds = (endpoint, stream_endpoint, StreamEndpointAs, TypedStreamEndpoint, flow_endpoint)
        if isinstance(declared, kinds):
            yield f"{prefix}.{name}", declared


def all_endpoints(client: Any) -> dict[str, Any]:
    """Every endpoint of a client: its name, and its declaration."""
    found: dict[str, Any] = {}
    for name in dir(client):
        if not name.startswith("_"):
            _collect(getattr(client, name), name, found)
    return found


def declared(name: str) -> Any:
    """The declaration of the endpoint with a name."""
    from meshapi import MeshAPI

    return all_endpoints(MeshAPI(token="rsk_test_of_no_gateway"))[name]


def _collect(value: Any, prefix: str, found: dict[str, Any]) -> None:
    if not isinstance(value, Resource):
        return
    found.update(endpoints_of(type(value), prefix))
    for name, inner in vars(value).items():
        if not name.startswith("_"):
            _collect(inner, f"{prefix}.{name}", found)


def declared_resources() -> set[str]:
    """The names of all resource classes that the core exports."""
    exported = ((name, getattr(endpoints, name)) for name in dir(endpoints))
    return {
        name
        for name, value in exported
        if isinstance(value, type) and issubclass(value, Resource) and value is not Resource
    }
