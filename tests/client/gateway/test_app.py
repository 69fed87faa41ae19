"""The list of endpoints: each module is in the folder for its path, and none is left out."""

import pkgutil
import sys

from starlette.routing import Route

from meshapi.gateway import app, endpoints
from meshapi.gateway.state import GatewayState

ROOM = "meshapi.gateway.endpoints."


def test_each_module_with_routes_is_on_the_list() -> None:
    names = {info.name for info in pkgutil.walk_packages(endpoints.__path__, ROOM)}
    loaded = {name for name in names if hasattr(sys.modules.get(name), "routes")}
    listed = {routes.__module__ for routes in app._ENDPOINTS}
    assert names <= set(sys.modules), "imported by nothing"
    assert loaded == {name for name in listed if name.startswith(ROOM)}


def test_what_is_below_v1_is_below_the_folder_too() -> None:
    for routes in app._ENDPOINTS:
        room = routes.__module__.replace("meshapi.gateway.realtime", f"{ROOM}realtime")
        for route in routes(GatewayState("rsk_test_app", 0)):
            if isinstance(route, Route) and route.path.startswith("/v1/"):
                first = route.path.split("/")[2].replace("-", "_")
                assert room.startswith(f"{ROOM}{first}"), route.path
