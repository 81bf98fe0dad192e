"""Which addresses are public, and which server is which."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.model.errors import PathRefused
from voxgate_remotes.http.addresses import Origin, check_public, is_loopback, is_public, next_url


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946"])
def test_addresses_of_the_internet_are_public(address):
    assert is_public(address)
    check_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.10",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "233.1.2.3",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff0e::1",
        "2001:db8::1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "not an address",
        "",
    ],
)
def test_other_addresses_are_refused_without_being_named(address):
    assert not is_public(address)
    with pytest.raises(PathRefused) as caught:
        check_public(address)
    assert not address or address not in str(caught.value)


@given(st.ip_addresses(v=4))
def test_an_address_wrapped_in_another_is_as_public_as_alone(ip):
    number = int(ip)
    for wrapped in (f"::ffff:{ip}", f"64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}"):
        assert is_public(wrapped) == is_public(str(ip))


def test_a_server_is_a_scheme_a_host_and_a_port():
    home = Origin.of("http://Store.Example./a")
    assert home == Origin("http", "store.example", 80)
    assert home.is_home_of(Origin.of("http://store.example:80/b?c"))
    assert home.is_home_of(Origin.of("https://store.example/"))
    for other in ("http://store.example:8080/", "https://store.example:80/", "http://www.store.example/"):
        assert not home.is_home_of(Origin.of(other))
    assert not Origin.of("https://store.example").is_home_of(home)
    assert not Origin.of("http://store.example:81").is_home_of(Origin.of("https://store.example"))


def test_a_location_counts_from_where_it_was_said():
    assert next_url("http://h:1/a/b?c", "d") == "http://h:1/a/d"
    assert next_url("http://h:1/a/b", "/d#fragment") == "http://h:1/d"
    assert next_url("http://h/a", "//other/b") == "http://other/b"
    assert next_url("http://h/a", "HTTPS://other/b") == "HTTPS://other/b"


def test_this_machine_has_several_names():
    for name in ("localhost", "x.localhost", "127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"):
        assert is_loopback(name)
    for name in ("localhost.example", "128.0.0.1", "::2", "127.example"):
        assert not is_loopback(name)
