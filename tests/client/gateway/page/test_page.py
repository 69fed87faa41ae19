"""The page of the local gateway: what it gives, and to whom."""

import contextlib
import http.client
import json
import re
import socket
from collections.abc import Iterator
from typing import Any, Optional

import pytest

from meshapi import APIStatusError, MeshAPI, MeshAPIError, RetryPolicy
from meshapi.gateway.page.faults import FAULTS
from meshapi.testing import LocalGateway
from support.gateway_calls import TOKEN

MODEL = "openai/gpt-4o-mini"


def fetch(
    gateway: LocalGateway, path: str, method: str = "GET", **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", int(gateway.url.rpartition(":")[2]), 10)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=names)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def live(gateway: LocalGateway, since: int = 0) -> Iterator[dict[str, Any]]:
    """What the page is told, line by line."""
    with socket.create_connection(("127.0.0.1", int(gateway.url.rpartition(":")[2])), 10) as peer:
        peer.sendall(
            f"GET /__gateway/live?since={since} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        )
        response = http.client.HTTPResponse(peer)
        response.begin()
        assert response.status == 200
        for line in response:
            if line.strip():
                yield json.loads(line)


def ask(gateway: LocalGateway, question: str = "What is 2+2?", **options: Any) -> None:
    with MeshAPI(base_url=gateway.url, token=gateway.token) as client:
        messages = [{"role": "user", "content": question}]
        client.chat.completions.create(model=MODEL, messages=messages, **options)


def details(gateway: LocalGateway, number: int) -> dict[str, Any]:
    status, _, body = fetch(gateway, f"/__gateway/exchanges/{number}")
    assert status == 200
    found: dict[str, Any] = json.loads(body)
    return found


def test_the_page_is_one_file_that_loads_nothing(gateway: LocalGateway) -> None:
    status, headers, body = fetch(gateway, "/", Accept="text/html")
    assert status == 200
    page = body.decode()
    assert not re.search(r"(?:src|href)=\"(?!data:)|url\(|@import|https?://", page)
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "frame-ancestors 'none'" in policy


def test_programs_get_no_page(gateway: LocalGateway) -> None:
    status, _, body = fetch(gateway, "/")
    assert (status, json.loads(body)["error"]["code"]) == (404, "not_found")


def test_a_request_is_shown_with_its_response(gateway: LocalGateway) -> None:
    news = live(gateway)
    start = next(news)["version"]
    ask(gateway)
    lines: dict[int, dict[str, Any]] = {}
    for told in news:
        lines.update({line["number"]: line for line in told["changed"]})
        if any(line["state"] == "complete" for line in lines.values()):
            break
    (line,) = lines.values()
    assert (line["method"], line["path"], line["model"]) == ("POST", "/v1/chat/completions", MODEL)
    assert (line["status"], line["attempt"]) == (200, 1)
    assert line["version"] > start
    found = details(gateway, line["number"])
    assert json.loads(found["body"])["messages"][0]["content"] == "What is 2+2?"
    assert "2 + 2 = 4." in found["chunks"][0]["text"]


def test_a_stream_is_shown_chunk_by_chunk(gateway: LocalGateway) -> None:
    with MeshAPI(base_url=gateway.url, token=gateway.token) as client:
        messages = [{"role": "user", "content": "Count to 5."}]
        with client.chat.completions.stream(model=MODEL, messages=messages) as stream:
            count = len(list(stream))
    told = next(live(gateway))
    found = details(gateway, told["changed"][-1]["number"])
    assert len(found["chunks"]) >= count
    times = [chunk["at"] for chunk in found["chunks"]]
    assert times == sorted(times)


def test_retries_of_one_call_belong_together(gateway: LocalGateway) -> None:
    with MeshAPI(base_url=gateway.url, token=gateway.token) as client:
        patient = client.with_options(retry=RetryPolicy(initial_delay=0.001, max_delay=0.001))
        patient.chat.completions.create(
            model="mesh/flaky", messages=[{"role": "user", "content": "Hello!"}]
        )
    lines = next(live(gateway))["changed"][-3:]
    assert [line["status"] for line in lines] == [503, 503, 200]
    assert [line["attempt"] for line in lines] == [1, 2, 3]
    assert len({line["call"] for line in lines}) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_no_token_is_shown(gateway: LocalGateway, stream: bool) -> None:
    with MeshAPI(base_url=gateway.url, token=gateway.token) as client:
        messages = [{"role": "user", "content": f"Repeat: my key is {TOKEN}."}]
        if stream:
            with client.chat.completions.stream(model=MODEL, messages=messages) as chunks:
                list(chunks)
        else:
            client.chat.completions.create(model=MODEL, messages=messages)
        with client.realtime.connect(model="openai/gpt-realtime-mini"):
            pass
    fetch(gateway, f"/v1/models?api_key={TOKEN}", Authorization="Bearer rsk_test_somebody_elses")
    key = {"X_Api_Key": "rsk_test_by_mistake"}
    fetch(gateway, "/v1/rsk%5Ftest_by_mistake", **key)
    told = next(live(gateway))
    shown = json.dumps(told) + "".join(
        json.dumps(details(gateway, line["number"]), ensure_ascii=False) for line in told["changed"]
    )
    assert TOKEN not in shown
    assert "rsk_test_somebody_elses" not in shown
    assert "test_by_mistake" not in shown
    assert "•••" in shown


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
        ({"Sec_Fetch_Site": "cross-site"}, 401),
        ({"Sec_Fetch_Site": "same-site"}, 401),
        # A page of another program on this computer.
        ({"Origin": "http://127.0.0.1:1"}, 401),
        ({"Origin": "http://evil.example"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Origin": "null"}, 403),
        # A browser leaves out Sec-Fetch-Site for addresses like these.
        ({"Host": "0.0.0.0"}, 401),
        ({"Host": "192.168.1.7"}, 401),
        # A proxy on this computer, for another one.
        ({"X_Forwarded_For": "192.0.2.7"}, 401),
        ({"Forwarded": "for=192.0.2.7"}, 401),
        ({"Via": "1.1 proxy"}, 401),
        ({"Origin": "http://127.0.0.1:1", "Authorization": f"Bearer {TOKEN}"}, 200),
    ],
)
@pytest.mark.parametrize(
    "path", ["/__gateway/exchanges/{}", "/__gateway/exchanges", "/__gateway/faults"]
)
def test_pages_of_others_see_nothing(
    gateway: LocalGateway, path: str, headers: dict[str, str], status: int
) -> None:
    ask(gateway)
    number = next(live(gateway))["changed"][-1]["number"]
    method = "GET" if "{}" in path else "DELETE"
    found, answered, body = fetch(gateway, path.format(number), method, **headers)
    assert found == status
    assert answered["access-control-allow-origin"] is None
    assert status == 200 or b"2+2" not in body


def test_another_computer_needs_the_token() -> None:
    from starlette.testclient import TestClient

    from meshapi.testing import create_app

    app = create_app(token=TOKEN)
    for host, status in (("192.0.2.7", 401), ("127.0.0.1", 404), ("::ffff:127.0.0.1", 404)):
        with TestClient(app, "http://127.0.0.1", client=(host, 1)) as client:
            assert client.get("/__gateway/exchanges/1").status_code == status
            if status == 401:
                assert client.get("/__gateway/live").status_code == 401
            authorized = {"Authorization": f"Bearer {TOKEN}"}
            assert client.get("/__gateway/exchanges/1", headers=authorized).status_code == 404


@pytest.mark.parametrize("hosts", [None, ["gateway.example"]])
def test_a_name_that_resolves_to_this_computer_shows_nothing_without_the_token(
    hosts: Optional[list[str]],
) -> None:
    """DNS rebinding of a gateway that serves any name, or a tunnel to one with an allowed name."""
    from starlette.testclient import TestClient

    from meshapi.testing import create_app

    app = create_app(token=TOKEN, allowed_hosts=hosts)
    url = "http://gateway.example"
    headers = {"Origin": url, "Sec-Fetch-Site": "same-origin"}
    with TestClient(app, url, client=("127.0.0.1", 1), headers=headers) as client:
        for path in ("/__gateway/exchanges/1", "/__gateway/live"):
            assert client.get(path).status_code == 401
        assert client.post("/__gateway/faults/stall").status_code == 401
        authorized = {"Authorization": f"Bearer {TOKEN}"}
        assert client.get("/__gateway/exchanges/1", headers=authorized).status_code == 404


def watch(gateway: LocalGateway) -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", int(gateway.url.rpartition(":")[2])), 10)
    peer.sendall(b"GET /__gateway/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return peer


def test_no_more_pages_watch_than_there_is_room_for(gateway: LocalGateway) -> None:
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(watch(gateway)) for _ in range(25)]
        statuses = sorted(int(peer.recv(4096).split()[1]) for peer in peers)
        assert statuses == [200] * 20 + [503] * 5
    # Those who left make room, once the gateway has noticed.
    for _ in range(1000):
        with watch(gateway) as peer:
            if peer.recv(4096).startswith(b"HTTP/1.1 200"):
                return
    pytest.fail("there is no room")


def test_a_gateway_closes_under_pages_that_read_nothing() -> None:
    with contextlib.ExitStack() as stack:
        with LocalGateway(token=TOKEN) as gateway:
            peers = [stack.enter_context(watch(gateway)) for _ in range(3)]
            assert all(peer.recv(1) for peer in peers)
        for peer in peers:
            with contextlib.suppress(ConnectionResetError):
                while peer.recv(65536):
                    pass


def test_a_fault_is_switched_on_for_one_call(gateway: LocalGateway) -> None:
    assert fetch(gateway, "/__gateway/faults/unavailable", "POST")[0] == 201
    assert next(live(gateway))["waiting"] == ["503"]
    with MeshAPI(base_url=gateway.url, token=gateway.token, max_retries=0) as client:
        with pytest.raises(APIStatusError) as raised:
            client.models.list()
        assert raised.value.status == 503
        client.models.list()
    assert next(live(gateway))["waiting"] == []


def test_faults_are_switched_off(gateway: LocalGateway) -> None:
    fetch(gateway, "/__gateway/faults/stall", "POST")
    fetch(gateway, "/__gateway/faults/rate-limit", "POST")
    assert next(live(gateway))["waiting"] == ["falls silent", "429, wait 1 s"]
    assert fetch(gateway, "/__gateway/faults", "DELETE")[0] == 200
    ask(gateway)


def test_a_fault_that_there_is_not_is_refused(gateway: LocalGateway) -> None:
    status, _, body = fetch(gateway, "/__gateway/faults/none", "POST")
    assert (status, json.loads(body)["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_does_what_it_says(gateway: LocalGateway, name: str) -> None:
    fetch(gateway, f"/__gateway/faults/{name}", "POST")
    if name in ("stall", "slow"):
        # These take time; what they do is tested with the scripts.
        return
    with MeshAPI(base_url=gateway.url, token=gateway.token, max_retries=0) as client:
        messages: Any = [{"role": "user", "content": "Count to 5."}]
        with (
            pytest.raises(MeshAPIError),
            client.chat.completions.stream(model=MODEL, messages=messages) as stream,
        ):
            list(stream)
