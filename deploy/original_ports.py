"""The original system's five ports, for clients that know its services by them."""

from collections.abc import Mapping

from deploy.embedded import usable_port

SERVICES = {
    "auth": "management",
    "flags": "management",
    "rules": "management",
    "evaluate": "evaluation",
    "analytics": "management",
}
"""In the order of their ports, and which of our processes stands for each."""


def claim(first: int) -> dict[str, int]:
    """By service. Raises EmbeddedError for one that is taken: clients would not find another."""
    ports = enumerate(SERVICES, start=first)
    return {service: usable_port(f"the original's {service}", port) for port, service in ports}


def ports_of(process: str, ports: Mapping[str, int]) -> str:
    """As a setting."""
    return ",".join(str(port) for service, port in ports.items() if SERVICES[service] == process)


def described(ports: Mapping[str, int]) -> str:
    return ", ".join(f"{port} {service}" for service, port in ports.items())
