"""Where clients may connect to while the network is blocked."""

from ipaddress import IPv4Address
from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import InvalidParamsError, NetworkBlockedError, NetworkGuard, Origin


def refused(guard: NetworkGuard, host: str, proxy: Optional[str] = None) -> str:
    way = None if proxy is None else Origin("http", proxy, 3128)
    failure = guard.refusal(Origin("https", host, 443), way, "tests/test_a.py::test_b (call)")
    if failure is None:
        return ""
    error = failure.error
    assert isinstance(error, NetworkBlockedError)
    assert error.test == "tests/test_a.py::test_b"
    assert error.error_code == "network_blocked"
    assert failure.stage == "verify"
    return error.host


LOCAL = "127.0.0.1 127.1 0x7f000001 ::1 ::ffff:127.0.0.1 localhost LOCALHOST. app.localhost".split()
FOREIGN = (
    "api.example.test 0.0.0.0 10.0.0.1 128.0.0.1 :: ::2 notlocalhost 127.0.0.1.example".split()
)


@pytest.mark.parametrize("host", LOCAL)
def test_without_a_list_this_machine_is_allowed(host):
    assert refused(NetworkGuard(), host) == ""


@pytest.mark.parametrize("host", FOREIGN)
def test_without_a_list_every_other_host_is_refused(host):
    assert refused(NetworkGuard(), host) == host
    assert refused(NetworkGuard(), "localhost", host) == host, "the proxy counts, too"


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_an_address_is_allowed_if_it_is_loopback(address):
    assert (refused(NetworkGuard(), str(address)) == "") == address.is_loopback


@given(st.lists(st.sampled_from(LOCAL + FOREIGN)), st.sampled_from(LOCAL + FOREIGN))
def test_a_list_replaces_the_default(allow, host):
    guard = NetworkGuard.of(allow)
    if host in allow:
        assert refused(guard, host.upper()) == ""
    elif not {"localhost", "LOCALHOST."} & {host}:
        assert refused(guard, host)


def test_addresses_are_compared_as_addresses():
    assert refused(NetworkGuard.of(["[::1]"]), "0:0:0:0:0:0:0:1") == ""


@pytest.mark.parametrize(
    ("allow", "message"),
    [
        (
            "localhost",
            r"allow: expected a list of host names, got str; write allow=\['localhost'\]",
        ),
        (1, "allow: expected a list of host names, got int"),
        ([1], r"allow\[0\]: expected a host name or an address, got int"),
        (["a", "https://a.test/v1"], r"allow\[1\]: .* got a URL; leave out https:// and the path"),
        (["a.test:443"], "leave out the port"),
        (["*.test"], "write each host in full"),
        (["10.0.0.0/8"], "write each host in full"),
        ([""], "expected a host name or an address, got ''"),
        (["a b"], "expected a host name or an address, got 'a b'"),
    ],
)
def test_a_wrong_list_is_refused(allow, message):
    with pytest.raises(InvalidParamsError, match=message):
        NetworkGuard.of(allow)


@pytest.mark.parametrize("text", ["1", "true", " YES ", "on"])
def test_the_variable_blocks(text):
    guard = NetworkGuard.of_variable(text)
    assert guard is not None
    assert guard.allow is None


@pytest.mark.parametrize("text", ["", "0", "no", "False", "off", " "])
def test_the_variable_does_not_block(text):
    assert NetworkGuard.of_variable(text) is None


def test_another_value_of_the_variable_is_refused():
    expected = r"MESHAPI_BLOCK_NETWORK \(environment\): expected 1 or 0, got 'yes please'"
    with pytest.raises(InvalidParamsError, match=expected):
        NetworkGuard.of_variable("yes please")
    with pytest.raises(InvalidParamsError) as caught:
        NetworkGuard.of_variable("rsk_test_in_the_wrong_variable")
    assert "rsk_test" not in str(caught.value)


@given(st.text(max_size=20))
def test_the_message_says_the_host_the_test_and_what_to_do(test: str):
    failure = NetworkGuard.of([]).refusal(Origin("https", "a.test", 443), None, test)
    assert failure is not None
    assert "a.test" in failure.error.message
    for way_out in ("FakeGateway", "LocalGateway", "cassette()", "block_network(allow=['a.test'])"):
        assert way_out in failure.error.message
