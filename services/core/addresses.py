"""Who is at the other end of a connection: the one place that says it to everything that limits or logs by address."""

import ipaddress
from collections.abc import Sequence

from fastapi import Request

UNKNOWN = "unknown"
# Whoever has IPv6 has a network of this many bits for the asking (RFC 6177): one person, one address.
IPV6_PERSON = 64


def networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """Addresses and networks, comma-separated. Raises ValueError for anything else, also for names and `*`."""
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def client_address(request: Request) -> str:
    """The address to count and limit a request by: an IPv4 address, of an IPv6 address its network of 64 bits,
    `unknown` for what is none.

    The application's middleware has looked behind trusted proxies already (TRUSTED_PROXIES, and only those): the
    nearest address that is none of them counts.
    """
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, IPV6_PERSON), strict=False))


def is_loopback(host: str) -> bool:
    """Whether a host of an address bar or of a setting is this machine itself."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def split(text: str) -> Sequence[str]:
    """The parts of a comma-separated setting."""
    return [part.strip() for part in text.split(",") if part.strip()]
