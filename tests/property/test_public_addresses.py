"""Nothing is ever sent to an address that is not the public's, however it is spelled."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.addresses import is_public
from workers.outbound import Forbidden, Outbound, resolve

OTHERS_IPV4 = [  # beside what ipaddress itself says, which depends on the version of Python
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
]
NOT_PUBLIC_IPV6 = [
    "::/8",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/32",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]
EVERY_IPV4 = st.ip_addresses(v=4)
PRIVATE_IPV4 = st.sampled_from(OTHERS_IPV4).flatmap(lambda each: st.ip_addresses(network=each))
PRIVATE_IPV6 = st.sampled_from(NOT_PUBLIC_IPV6).flatmap(lambda each: st.ip_addresses(network=each))
REFUSING = Outbound()


def embedding(address: IPv4Address) -> list[IPv6Address]:
    """Every way in which an IPv6 address may lead to an IPv4 one."""
    inside = int(address)
    return [
        IPv6Address(inside),
        IPv6Address(0xFFFF << 32 | inside),
        IPv6Address(0xFFFF << 48 | inside),
        IPv6Address(0x0064FF9B << 96 | inside),
        IPv6Address(0x2002 << 112 | inside << 80),
        IPv6Address(0x20010000 << 96 | inside ^ 0xFFFFFFFF),
    ]


@given(EVERY_IPV4 | PRIVATE_IPV4)
@example(IPv4Address("169.254.169.254"))
@example(IPv4Address("255.255.255.255"))
def test_an_ipv4_address_that_is_not_global_is_not_public(address: IPv4Address) -> None:
    private = not address.is_global or address.is_multicast or address.is_reserved
    private = private or any(address in IPv4Network(network) for network in OTHERS_IPV4)
    assert is_public(address) is not private


@given(st.ip_addresses(v=6) | PRIVATE_IPV6)
def test_an_ipv6_address_that_is_not_global_is_not_public(address: IPv6Address) -> None:
    private = not address.is_global or address.is_multicast or address.is_reserved or address.is_site_local
    private = private or any(address in IPv6Network(network) for network in NOT_PUBLIC_IPV6)
    if private:
        assert not is_public(address)


@given(EVERY_IPV4)
def test_an_ipv4_address_inside_an_ipv6_one_is_not_public(address: IPv4Address) -> None:
    assert not any(is_public(each) for each in embedding(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001:80b::200e", "2001:4860:4860::8888"]
)
def test_the_public_ones_are(address: str) -> None:
    assert is_public(ip_address(address))


def spellings(address: IPv4Address) -> list[str]:
    """As the system's resolver takes them."""
    number, parts = int(address), address.packed
    return [
        str(address),
        str(number),
        hex(number),
        f"0{number:o}",
        ".".join(f"0{part:o}" for part in parts),
        ".".join(hex(part) for part in parts),
        f"{parts[0]}.{number & 0xFFFFFF}",
        f"{parts[0]}.{parts[1]}.{number & 0xFFFF}",
        f"[::ffff:{address}]",
        f"[::{address}]",
        f"[64:ff9b::{address}]",
    ]


@settings(deadline=None)
@given(PRIVATE_IPV4)
def test_every_spelling_is_refused_when_registered_and_when_sent(address: IPv4Address) -> None:
    for host in spellings(address):
        url = f"https://{host}/hook"
        with pytest.raises(Forbidden, match="not a public address"):
            REFUSING.refuse_forbidden(url)


@settings(deadline=None)  # each starts a thread, which a busy machine may keep waiting
@given(PRIVATE_IPV4 | PRIVATE_IPV6, st.lists(st.just(ip_address("8.8.8.8")), max_size=2))
def test_one_private_address_among_those_of_a_name_is_enough(
    address: IPv4Address | IPv6Address, others: Sequence[IPv4Address]
) -> None:
    outbound = Outbound(resolve=lambda host, port: [*others, address])
    with pytest.raises(Forbidden, match="not a public address"):
        outbound.post("https://name.example/", b"", {})


def test_the_resolver_takes_these_spellings() -> None:
    """Else the test above would test nothing."""
    loopback = IPv4Address("127.0.0.1")
    assert all(resolve(host, 443) == [loopback] for host in spellings(loopback)[:8])


def test_without_tls_nothing_is_sent() -> None:
    for attempt in (REFUSING.refuse_forbidden, lambda url: REFUSING.post(url, b"", {})):
        with pytest.raises(Forbidden, match="https://"):
            attempt("http://8.8.8.8/")
