"""IP addresses and networks as rules compare them."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any


def network_test(networks: Sequence[str]) -> Callable[[Any], bool]:
    """Whether an address lies in any of them; an address alone is a network of one. Raises ValueError."""
    wanted = [_network(each) for each in networks]

    def test(value: Any) -> bool:
        address = _address(value)
        return address is not None and any(address in network for network in wanted)

    return test


def _network(text: str) -> Any:
    try:
        address = _address(text)
        return ip_network(text if address is None else address, strict=False)
    except ValueError as problem:
        raise ValueError(
            f"'{text}' is not an address or a network like 10.0.0.0/8 or 2001:db8::/32"
        ) from problem


def _address(value: Any) -> IPv4Address | IPv6Address | None:
    """An IPv4 address written as an IPv6 one (::ffff:10.0.0.1) is the IPv4 address."""
    try:
        address = ip_address(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
