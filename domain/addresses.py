"""Which IP addresses are the public's: where a webhook may lead."""

from ipaddress import IPv4Address, IPv6Address, ip_network

SPECIAL_IPV4 = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",  # this host
            "10.0.0.0/8",
            "100.64.0.0/10",  # behind a provider's NAT
            "127.0.0.0/8",
            "169.254.0.0/16",  # link-local; clouds answer with credentials at 169.254.169.254
            "172.16.0.0/12",
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
PUBLIC_IPV6 = ip_network("2000::/3")  # what is given out; loopback, NAT64, mapped lie outside
SPECIAL_IPV6 = tuple(
    map(
        ip_network,
        (
            "2001::/23",  # protocol assignments, among them Teredo, which leads to an IPv4 address
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: leads to the IPv4 address inside
            "2620:4f:8000::/48",  # a local sink for reverse look-ups
            "3fff::/20",  # documentation
        ),
    )
)
"""The IANA registries of special-purpose addresses (RFC 6890), as tables, since `ipaddress` knows others in
each version of Python."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is a single machine's on the public internet, and does not stand for another address."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in SPECIAL_IPV4)
    return address in PUBLIC_IPV6 and not any(address in network for network in SPECIAL_IPV6)
