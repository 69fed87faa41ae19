"""The SOCKS5 machine: the same for any cut of the bytes, and a typed error for any wrong one."""

import socket
import threading

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from python_socks.sync import Proxy as PythonSocks

from meshapi_core import Finished, Origin, Proxies, Write
from meshapi_core.proxies.socks5 import SOCKS5Tunnel

NAME = Origin("https", "gateway.example", 8443)
PLAIN = Origin("http", "gateway.example", 80)
USER = "socks5h://us.er:w0rd@p:1"
NOBODY = "socks5h://p:1"

# RFC 1928, sections 3 to 6; RFC 1929.
NO_CREDENTIALS, CREDENTIALS = b"\x05\x00", b"\x05\x02"
ACCEPTED = b"\x01\x00"
BOUND = [
    b"\x01\x7f\x00\x00\x01\x00\x50",
    b"\x04" + bytes(16) + b"\x00\x50",
    b"\x03\x05bound\x00\x50",
    b"\x03\x00\x00\x00",
    b"\x03\xff" + bytes(257),
]
OPENED = [b"\x05\x00\x00" + bound for bound in BOUND]


def run(received: "list[bytes]", url: str = NOBODY, origin: Origin = NAME, host=None):
    """What a machine wrote, whether it is open, its error, and the bytes for the tunnel."""
    tunnel = Proxies.through(url).route(origin).tunnel(host)
    assert isinstance(tunnel, SOCKS5Tunnel)
    written, waiting = [], list(received)
    while not isinstance(action := tunnel.next_action(), Finished):
        if isinstance(action, Write):
            assert action.data
            written.append(bytes(action.data))
        elif waiting:
            tunnel.receive_data(waiting.pop(0))
            assert len(tunnel._received) <= sum(map(len, received))
        else:
            return written, "waits", b""
    failure = tunnel.failure
    if failure is not None:
        tunnel.receive_data(b"more")
        assert tunnel.failure is failure
        assert tunnel.trailing_data == b""
        assert "w0rd" not in f"{failure.error}"
        return written, (failure.error.error_code, failure.stage), b""
    return written, "open", tunnel.trailing_data + b"".join(waiting)


def cuts(data: bytes, at: "list[int]") -> "list[bytes]":
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[a:b] for a, b in zip(places, places[1:])]


GREETING = b"\x05\x01\x00"
REQUEST = b"\x05\x01\x00\x03\x0fgateway.example\x20\xfb"


@pytest.mark.parametrize("opened", OPENED)
def test_a_tunnel_without_credentials(opened):
    written, end, rest = run([NO_CREDENTIALS, opened])
    assert (written, end, rest) == ([GREETING, REQUEST], "open", b"")


def test_a_tunnel_with_credentials():
    written, end, _ = run([CREDENTIALS, ACCEPTED, OPENED[0]], USER)
    assert end == "open"
    assert written == [b"\x05\x02\x00\x02", b"\x01\x05us.er\x04w0rd", REQUEST]


def test_credentials_are_not_sent_to_a_proxy_that_wants_none():
    written, end, _ = run([NO_CREDENTIALS, OPENED[0]], USER)
    assert (written, end) == ([b"\x05\x02\x00\x02", REQUEST], "open")


def test_credentials_are_utf_8_and_a_password_may_be_empty():
    written, _, _ = run([CREDENTIALS], "socks5://%C3%BC@p")
    assert written[1] == b"\x01\x02\xc3\xbc\x00"


def test_what_is_written_does_not_show_the_password():
    tunnel = Proxies.through(USER).route(NAME).tunnel()
    tunnel.next_action()
    tunnel.receive_data(CREDENTIALS)
    assert "w0rd" not in repr(tunnel.next_action())


@pytest.mark.parametrize(
    ("host", "coded"),
    [
        ("10.0.0.1", b"\x01\x0a\x00\x00\x01"),
        ("2001:db8::1", b"\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x01"),
        ("fe80::1%lo", b"\x04\xfe\x80" + bytes(13) + b"\x01"),
        ("10.0.0", b"\x03\x0610.0.0"),
        ("x" * 63 + ".example", b"\x03\x47" + b"x" * 63 + b".example"),
    ],
)
def test_an_address_is_sent_as_an_address_and_a_name_as_a_name(host, coded):
    expected = b"\x05\x01\x00" + coded + b"\x01\xbb"
    origin = Origin("https", host, 443)
    assert run([NO_CREDENTIALS], origin=origin)[0][1] == expected
    assert run([NO_CREDENTIALS], "socks5://p", Origin("https", "s", 443), host)[0][1] == expected


@given(
    st.sampled_from([NO_CREDENTIALS, CREDENTIALS + ACCEPTED]),
    st.sampled_from(OPENED),
    st.binary(max_size=8),
    st.lists(st.integers(0, 300), max_size=8),
)
@example(NO_CREDENTIALS, OPENED[0], b"", list(range(20)))
def test_any_cut_of_the_bytes_is_the_same(method, opened, rest, at):
    data = method + opened + rest
    assert run(cuts(data, at), USER) == run([data], USER)
    assert run([data], USER)[1:] == ("open", rest)


@given(
    st.sampled_from([NOBODY, USER]),
    st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=300).map(NO_CREDENTIALS.__add__),
        st.binary(max_size=300).map((CREDENTIALS + ACCEPTED).__add__),
        st.binary(max_size=300).map((NO_CREDENTIALS + b"\x05\x00\x00").__add__),
    ),
    st.lists(st.integers(0, 300), max_size=8),
    st.booleans(),
)
def test_any_bytes_open_a_tunnel_or_are_refused_or_waited_for(url, data, at, ended):
    pieces = [*cuts(data, at), *([b""] if ended else [])]
    _, end, _ = run(pieces, url)
    assert end == run([*([data] if data else []), *([b""] if ended else [])], url)[1]
    assert end in ("open", "waits") or end[0] in ("proxy_auth", "proxy_connect")
    assert end != "waits" or not ended


@given(st.integers(0, 6), st.integers(0, 255))
def test_a_wrong_byte_is_refused(position, byte):
    """Of the fixed bytes of all messages: versions, method, status, code, reserved byte, type."""
    places = [0, 1, 2, 3, 4, 5, 6, 7]
    data = bytearray(CREDENTIALS + ACCEPTED + OPENED[0])
    place = places[position]
    assume(byte != data[place] and (place != 7 or byte not in (1, 3, 4)))
    # It may also choose the method without credentials: then its next message is a wrong one.
    data[place] = byte
    _, end, _ = run([bytes(data)], USER)
    assert end[0] in ("proxy_auth", "proxy_connect")


@pytest.mark.parametrize(
    ("received", "url", "outcome", "words"),
    [
        (b"\x05\xff", NOBODY, ("proxy_auth", "verify"), "socks5h://user:password@"),
        (b"\x05\xff", USER, ("proxy_auth", "verify"), "check the user name"),
        (b"\x05\x02\x01\x01", USER, ("proxy_auth", "verify"), "check the user name"),
        (b"\x05\x02", NOBODY, ("proxy_connect", "verify"), "method 2"),
        (b"\x05\x01", USER, ("proxy_connect", "verify"), "method 1"),
        (b"\x04\x00", NOBODY, ("proxy_connect", "verify"), "begins with 4, not with 5"),
        (b"HTTP/1.1 400", NOBODY, ("proxy_connect", "verify"), "write http://"),
        (b"\x05\x00\x05\x01", NOBODY, ("proxy_connect", "connect"), "general failure"),
        (b"\x05\x00\x05\x02", NOBODY, ("proxy_connect", "verify"), "rules"),
        (b"\x05\x00\x05\x03", NOBODY, ("proxy_connect", "connect"), "network"),
        (b"\x05\x00\x05\x04", NOBODY, ("proxy_connect", "connect"), "unreachable"),
        (b"\x05\x00\x05\x05", NOBODY, ("proxy_connect", "connect"), "refused the connection"),
        (b"\x05\x00\x05\x06", NOBODY, ("proxy_connect", "connect"), "did not respond"),
        (b"\x05\x00\x05\x07", NOBODY, ("proxy_connect", "verify"), "CONNECT"),
        (b"\x05\x00\x05\x08", NOBODY, ("proxy_connect", "verify"), "kind of address"),
        (b"\x05\x00\x05\x63", NOBODY, ("proxy_connect", "verify"), "SOCKS reply 99"),
        (b"\x05\x00\x05\x00\x00\x02", NOBODY, ("proxy_connect", "verify"), "unknown type 2"),
        (b"\x05\x00\x05\x00\x01", NOBODY, ("proxy_connect", "verify"), "reserved byte is 1"),
    ],
)
def test_a_refusal_says_why_and_whether_another_attempt_may_help(received, url, outcome, words):
    assert run([received], url)[1] == outcome
    tunnel = Proxies.through(url).route(NAME).tunnel()
    while not isinstance(action := tunnel.next_action(), Finished):
        if not isinstance(action, Write):
            tunnel.receive_data(received)
    assert tunnel.failure is not None
    message = tunnel.failure.error.message
    assert message.startswith("the proxy socks5h://p:1 did not open a connection: ")
    assert words in message


@pytest.mark.parametrize("received", [b"", b"\x05", b"\x05\x00", b"\x05\x00\x05\x00\x00\x01\x7f"])
def test_a_proxy_that_closes_may_be_asked_again(received):
    pieces = [*([received] if received else []), b""]
    assert run(pieces)[1] == ("proxy_connect", "connect")


@pytest.mark.parametrize("url", [NOBODY, "socks5h://u:p@p:1"])
def test_a_proxy_that_hangs_up_without_a_word_may_want_credentials(url):
    tunnel = Proxies.through(url).route(NAME).tunnel()
    while not isinstance(action := tunnel.next_action(), Finished):
        if not isinstance(action, Write):
            tunnel.receive_data(b"")
    assert tunnel.failure is not None
    wants = "if it wants a user name and a password" in tunnel.failure.error.message
    assert wants is (url == NOBODY)


def test_bytes_before_a_plain_request_are_refused():
    data = NO_CREDENTIALS + OPENED[0] + b"HTTP/1.1 200 OK\r\n"
    assert run([data], origin=PLAIN)[1] == ("desync", "connect")


# Beside another implementation


def by_python_socks(url: str, host: str, port: int, answers: "list[bytes]") -> "list[bytes]":
    """What python-socks writes, as the messages between the proxy's."""
    written = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        place = f"127.0.0.1:{listener.getsockname()[1]}"

        def play() -> None:
            sock = listener.accept()[0]
            with sock:
                sock.settimeout(10)
                for answer in answers:
                    written.append(sock.recv(65536))
                    sock.sendall(answer)

        thread = threading.Thread(target=play, daemon=True)
        thread.start()
        # It has no scheme for names that the proxy looks up.
        url = url.replace("p:1", place).replace("5h:", "5:")
        proxy = PythonSocks.from_url(url, rdns=True)
        proxy.connect(host, port, timeout=10).close()
        thread.join(10)
    return written


@pytest.mark.parametrize("opened", OPENED[:3])
@pytest.mark.parametrize("host", ["gateway.example", "10.0.0.1", "2001:db8::1"])
@pytest.mark.parametrize(
    ("url", "answers"), [(NOBODY, [NO_CREDENTIALS]), (USER, [CREDENTIALS, ACCEPTED])]
)
def test_python_socks_writes_the_same_bytes(url, answers, host, opened):
    theirs = by_python_socks(url, host, 8443, [*answers, opened])
    ours, end, _ = run([*answers, opened], url, Origin("https", host, 8443))
    assert (ours, end) == (theirs, "open")
