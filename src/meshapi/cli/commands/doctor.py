"""`meshapi doctor`: what is wrong between this machine and the gateway, and what to do."""

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Union

from meshapi.cli import exit_codes
from meshapi.cli.command import Command
from meshapi.cli.connecting import within
from meshapi.cli.options import add_connection
from meshapi.cli.output import Output
from meshapi.cli.terminal import printable

if TYPE_CHECKING:
    from meshapi import MeshAPI
    from meshapi.cli.diagnosis.findings import Finding

_TIMEOUT = 10.0

_BASE_URL = (
    "check the base URL; a firewall may be in the way, or a proxy may be needed (HTTPS_PROXY)."
    " For a local gateway, run `meshapi gateway`"
)
_PROXY = "check the address of the proxy, or unset the variable that names it"


def _run(arguments: Namespace, output: Output) -> int:
    wrong = 0
    for finding in _findings(arguments):
        wrong += not finding.ok
        mark = output.paint.good("ok   ") if finding.ok else output.paint.bad("wrong")
        output.say(f"{mark}  {finding.name:<11}  {printable(finding.detail)}")
        if finding.advice:
            output.say(f"       {'':<11}  {printable(finding.advice)}")
        output.record(finding._asdict())
    return exit_codes.FAILED if wrong else exit_codes.DONE


def _findings(arguments: Namespace) -> "Iterator[Finding]":
    from meshapi.cli.diagnosis.findings import well, wrong
    from meshapi.cli.diagnosis.settings import check_token

    token = check_token(os.environ)
    yield token
    client = _client(arguments, with_token=token.ok)
    if isinstance(client, str):
        yield wrong("settings", client, "`meshapi doctor --help` shows what can be set")
        return
    with client:
        yield well("base URL", str(client.config.base_url))
        reached = yield from _way(client, arguments.timeout or _TIMEOUT)
        if reached and token.ok:
            from meshapi.cli.diagnosis.gateway import check_gateway

            yield from check_gateway(client)


def _client(arguments: Namespace, *, with_token: bool) -> "Union[MeshAPI, str]":
    """A client that does not try again, or why there is none."""
    from meshapi import MeshAPI

    try:
        return MeshAPI(
            base_url=arguments.base_url,
            token=None if with_token else "none",
            timeout=within(arguments.timeout or _TIMEOUT),
            max_retries=0,
        )
    except (TypeError, ValueError) as error:
        return str(error)


def _way(client: "MeshAPI", timeout: float) -> "Generator[Finding, None, bool]":
    """Check the way to the gateway; return whether it leads there."""
    from urllib.parse import urlsplit

    from meshapi.cli.diagnosis.findings import well
    from meshapi.cli.diagnosis.network import (
        Place,
        check_certificate,
        check_connection,
        check_name,
        check_permitted,
    )
    from meshapi_core import Origin, Proxies

    url = urlsplit(str(client.config.base_url))
    secure = url.scheme == "https"
    origin = Origin(url.scheme, url.hostname or "", url.port or (443 if secure else 80))
    route = Proxies.of_environment(os.environ).route(origin)
    place = Place("the gateway", origin.host, origin.port, _BASE_URL)
    if route.proxy is not None:
        place = Place(route.where, route.proxy.origin.host, route.proxy.origin.port, _PROXY)
    yield well("proxy", route.where or "none")
    refused = check_permitted(origin, route)
    if refused is not None:
        yield refused
        return False
    finding, addresses = check_name(place)
    yield finding
    if not addresses:
        return False
    finding, address = check_connection(place, addresses, timeout)
    yield finding
    if address is None:
        return False
    if secure and route.proxy is None:
        finding = check_certificate(place, address, timeout)
        yield finding
        return finding.ok
    return True


def _add_arguments(parser: ArgumentParser) -> None:
    add_connection(parser)


DOCTOR = Command(
    "doctor",
    "find out why calls fail",
    _run,
    _add_arguments,
    "Check the token, the way to the gateway, its certificate, this machine's clock and the key,"
    " and say what to do. The exit status is 1 if something is wrong.",
)
