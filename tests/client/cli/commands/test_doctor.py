"""The command `meshapi doctor`: each layer that can fail, with what to do about it."""

import json
import ssl
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Optional

import pytest

from meshapi import MeshAPI
from meshapi.cli import main
from meshapi.cli.diagnosis.findings import Finding
from meshapi.cli.diagnosis.gateway import check_gateway
from meshapi.cli.diagnosis.network import Place, check_certificate, check_connection, check_name
from meshapi.cli.diagnosis.settings import check_token
from meshapi.testing import LocalGateway
from support.certificates import serving
from support.scripted_server import ScriptedServer, answering


def findings(capfd: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Finding]:
    code = main(["doctor", "--json", *arguments])
    out, err = capfd.readouterr()
    found = {line["name"]: Finding(**line) for line in map(json.loads, out.splitlines())}
    assert err == ""
    assert code == (0 if all(one.ok for one in found.values()) else 1)
    assert all(one.ok != bool(one.advice) for one in found.values())
    return found


def response(status: str, body: bytes, *headers: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers])
    return head.encode() + b"\r\n\r\n" + body


class TestDoctor:
    def test_all_is_well(self, gateway: LocalGateway, capfd: pytest.CaptureFixture[str]) -> None:
        names = "token,base URL,proxy,name,connection,gateway,clock,key,latency"
        found = findings(capfd)
        assert list(found) == names.split(",")
        assert all(one.ok for one in found.values())

    def test_a_wrong_token_is_told_and_not_shown(
        self,
        gateway: LocalGateway,
        capfd: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("MESHAPI_TOKEN", "rsk_test_0123456789_wxyz")
        assert main(["doctor"]) == 1
        out = capfd.readouterr().out
        assert "wrong  key          refused: " in out
        assert "ends in wxyz" in out
        assert "0123" not in out

    def test_without_a_token_the_way_is_checked_all_the_same(
        self,
        gateway: LocalGateway,
        capfd: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.delenv("MESHAPI_TOKEN")
        found = findings(capfd)
        assert not found["token"].ok
        assert list(found)[-1] == "connection"
        assert found["connection"].ok

    def test_a_blocked_network_is_not_asked_for_a_name(
        self,
        gateway: LocalGateway,
        capfd: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("MESHAPI_BLOCK_NETWORK", "1")
        found = findings(capfd, "--base-url", "https://gateway.invalid")
        assert list(found)[-1] == "network"
        assert found["network"].advice == "unset MESHAPI_BLOCK_NETWORK"
        assert "network" not in findings(capfd)

    def test_a_closed_port_is_where_the_way_ends(
        self, gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
    ) -> None:
        found = findings(capfd, "--base-url", "http://127.0.0.1:1")
        assert list(found)[-1] == "connection"
        assert "meshapi gateway" in found["connection"].advice

    def test_a_proxy_is_named_without_its_password(
        self,
        gateway: LocalGateway,
        capfd: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("MESHAPI_PROXY", "http://user:secret@127.0.0.1:1")
        found = findings(capfd)
        assert "MESHAPI_PROXY" in found["proxy"].detail
        assert not found["connection"].ok
        assert "proxy" in found["connection"].advice
        assert "secret" not in str(found)

    @pytest.mark.parametrize("url", ["ftp://127.0.0.1", "http://", "http://a:b@127.0.0.1"])
    def test_a_base_url_that_cannot_be_used_is_told(
        self, url: str, gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
    ) -> None:
        found = findings(capfd, "--base-url", url)
        assert list(found)[-1] == "settings"
        assert not found["settings"].ok


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "MESHAPI_TOKEN is not set"),
        ({"MESHAPI_TOKEN": " "}, "MESHAPI_TOKEN is not set"),
        ({"MESHAPI_TOKEN": "rsk_test_short"}, "MESHAPI_TOKEN"),
        ({"MESHAPI_API_KEY": "rsk_test_0123456789"}, "MESHAPI_API_KEY, ends in 6789"),
        ({"MESHAPI_TOKEN": "rsk a"}, "MESHAPI_TOKEN has characters that no token has"),
        ({"MESHAPI_TOKEN": "rsk_é"}, "MESHAPI_TOKEN has characters that no token has"),
        (
            {"MESHAPI_TOKEN": "rsk_test_a", "MESHAPI_API_KEY": "rsk_test_b"},
            "MESHAPI_TOKEN and MESHAPI_API_KEY differ",
        ),
    ],
)
def test_of_a_token_at_most_the_end_is_shown(variables: dict[str, str], said: str) -> None:
    assert check_token(variables).detail == said


HTML = b"<!doctype html><title>Sign in</title>"


@pytest.mark.parametrize(
    ("sent", "name", "said"),
    [
        (response("200 OK", HTML, "Content-Type: text/html"), "gateway", "not a gateway's"),
        (response("302 Found", b"", "Location: http://10.0.0.1/"), "gateway", "not a gateway's"),
        (response("403 Forbidden", HTML, "Content-Type: text/html"), "gateway", "not a gateway's"),
        (response("503 Busy", b'{"error": {"message": "busy"}}'), "gateway", "busy"),
        (response("429 Wait", b'{"error": {"message": "wait"}}'), "key", "accepted, but wait"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "gateway", ""),
    ],
)
def test_what_is_not_a_gateways_response_is_recognised(sent: bytes, name: str, said: str) -> None:
    with ScriptedServer(answering(sent)) as server:
        client = MeshAPI(base_url=server.url, token="rsk_test_cli", max_retries=0)
        with client:
            found = [one for one in check_gateway(client) if not one.ok]
    assert [one.name for one in found] == [name]
    assert said in found[0].detail
    assert found[0].advice


@pytest.mark.parametrize(
    ("ahead", "said"),
    [(0.0, None), (3600.0, "3600 s ahead of the gateway's"), (-90.0, "90 s behind the gateway's")],
)
def test_a_clock_that_is_wrong_is_told(ahead: float, said: Optional[str]) -> None:
    now = float(int(time.time()))
    sent = response("200 OK", b"{}", f"Date: {formatdate(now, usegmt=True)}")
    with ScriptedServer(answering(sent, sent)) as server:
        client = MeshAPI(base_url=server.url, token="rsk_test_cli", max_retries=0)
        with client:
            found = list(check_gateway(client, lambda: now + ahead))
    (clock,) = (one for one in found if one.name == "clock")
    assert clock.ok is (said is None)
    assert said is None or clock.detail == said


def test_a_name_without_an_address_is_told() -> None:
    # Too long for the domain name system, so that none is asked.
    finding, addresses = check_name(Place("the gateway", "a" * 64 + ".test", 443, "look"))
    assert (finding.ok, addresses) == (False, [])
    assert "online" in finding.advice


@pytest.fixture
def secure_port() -> Iterator[int]:
    def greet(peer) -> None:
        try:
            peer.start_tls(serving("other.test"))
        except (OSError, ssl.SSLError):
            return

    with ScriptedServer(greet) as server:
        yield int(server.url.rpartition(":")[2])


def test_a_certificate_that_nobody_trusts_is_told(secure_port: int) -> None:
    place = Place("the gateway", "127.0.0.1", secure_port, "look")
    finding, address = check_connection(place, [("127.0.0.1", secure_port)], 10)
    assert finding.ok
    assert address is not None
    finding = check_certificate(place, address, 10)
    assert not finding.ok
    assert finding.detail.startswith("not trusted: ")
    assert "SSL_CERT_FILE" in finding.advice


def test_a_server_without_tls_is_told() -> None:
    with ScriptedServer(answering(b"HTTP/1.1 400 Bad\r\n\r\n")) as server:
        port = int(server.url.rpartition(":")[2])
        place = Place("the gateway", "127.0.0.1", port, "look")
        finding = check_certificate(place, ("127.0.0.1", port), 10)
    assert finding.detail.startswith("no TLS: ")
