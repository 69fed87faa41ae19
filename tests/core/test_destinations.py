from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.bodies import FileSource
from meshapi_core.calls import SignedPut
from meshapi_core.config import MeshAPIConfig
from meshapi_core.destinations import is_public
from meshapi_core.errors import ResponseDecodeError

TOKEN = "rsk_test_0123456789abcdef"
PUBLIC = "https://gateway.example/mesh"


def sent_to(url: str, base_url: str = PUBLIC):
    put = SignedPut(url=url, content_type="a/b", source=FileSource(b"x"))
    return put.request(MeshAPIConfig(base_url=base_url, token=TOKEN)).origin


def refused(url: str, base_url: str = PUBLIC) -> str:
    with pytest.raises(ResponseDecodeError) as caught:
        sent_to(url, base_url)
    assert "s3cret" not in str(caught.value)
    assert caught.value.error_code in ("unsafe_url", "parse_error")
    return caught.value.error_code


def spellings(address: int) -> list[str]:
    """The spellings of an IPv4 address that systems, and attackers, use."""
    a, b, c, d = address.to_bytes(4, "big")
    return [
        f"{a}.{b}.{c}.{d}",
        f"{a}.{b}.{c}.{d}.",
        f"{a}.{b}.{(c << 8) + d}",
        f"{a}.{(b << 16) + (c << 8) + d}",
        str(address),
        hex(address),
        f"0{address:o}",
        f"0x{a:x}.{b}.0{c:o}.0x{d:X}",
        f"00{a:o}.0{b:o}.0{c:o}.0{d:o}",
        "".join(chr(0xFF10 + int(digit)) if digit != "." else "." for digit in f"{a}.{b}.{c}.{d}"),
        f"{a}\u3002{b}\u3002{c}\u3002{d}",
        f"[::ffff:{a}.{b}.{c}.{d}]",
        f"[::{a}.{b}.{c}.{d}]",
        f"[::ffff:{a << 8 | b:x}:{c << 8 | d:x}]",
        f"[64:ff9b::{a}.{b}.{c}.{d}]",
        f"[2002:{a << 8 | b:x}:{c << 8 | d:x}::1]",
        f"{a}%2e{b}.{c}.{d}",
    ]


NOT_PUBLIC = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.1.2.3",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_in_the_callers_own_network_is_refused_in_any_spelling(address):
    for spelling in spellings(int(IPv4Address(address))):
        refused(f"https://{spelling}/f?sig=s3cret")
        refused(f"https://{spelling}:8443/f?sig=s3cret")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "localhost.localdomain",
        "ip6-loopback",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[fe80::1]",
        "[fe80::1%25eth0]",
        "[fc00::1]",
        "[fd12:3456::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
        "[2001:db8::1]",
        "[64:ff9b:1::1]",
        "[100::1]",
        "1.2.3.999",
        "0x",
        "127.0.0.0.1",
        "4294967296",
    ],
)
def test_special_addresses_and_local_names_are_refused(host):
    refused(f"https://{host}/f?sig=s3cret")


@pytest.mark.parametrize(
    "host",
    "storage.example 8.8.8.8 172.15.0.1 172.32.0.1 100.63.0.1 100.128.0.1 [2606:4700::1111]"
    " [2a00:1450:4001::200e] 127.storage.example 10.example 11.1 [::ffff:8.8.8.8]"
    " [64:ff9b::8.8.8.8] xn--mnchen-3ya.example".split(),
)
def test_public_addresses_and_names_are_where_it_may_go(host):
    assert str(sent_to(f"https://{host}/f?sig=s3cret")) == f"https://{host}"


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_no_address_is_public_that_python_takes_for_another(address):
    if is_public(str(address)):
        assert address.is_global or (isinstance(address, IPv6Address) and address.ipv4_mapped)
        assert not address.is_multicast


@given(st.one_of(st.ip_addresses(v=4)))
def test_a_mapped_address_is_as_public_as_the_one_that_it_stands_for(address):
    for spelling in (f"::ffff:{address}", f"64:ff9b::{address}", f"::ffff:{address}%eth0"):
        assert is_public(spelling) == is_public(str(address))
    assert not is_public(f"::{address}")


def test_https_stays_https():
    assert refused("http://storage.example/f?sig=s3cret") == "unsafe_url"
    sent_to("http://storage.example/f", "http://gateway.example")
    sent_to("https://storage.example/f", "http://gateway.example")


@pytest.mark.parametrize(
    "base_url", ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:1", "http://10.0.0.1"]
)
@pytest.mark.parametrize("host", ["127.0.0.2", "2130706434", "localhost", "192.168.0.1", "[::1]"])
def test_a_gateway_in_the_callers_own_network_may_send_there(base_url, host):
    assert str(sent_to(f"http://{host}/f?sig=s3cret", base_url)) == f"http://{host}"


def test_the_gateway_itself_is_a_place_to_go():
    assert str(sent_to("https://gateway.example/f")) == "https://gateway.example"


def test_the_error_names_the_host_and_nothing_else():
    with pytest.raises(ResponseDecodeError) as caught:
        sent_to("https://169.254.169.254/latest/meta-data?sig=s3cret")
    assert caught.value.message == (
        "no request is sent to 169.254.169.254, which the response names: its address is not public"
    )
