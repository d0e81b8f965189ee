"""Which network addresses the daemon may talk to on behalf of a repository."""

from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Azure, Google Cloud, OpenStack; link-local anyway
        "fd00:ec2::254",  # AWS over IPv6
        "fd20:ce::254",  # Google Cloud over IPv6
        "100.100.100.200",  # Alibaba Cloud
        "192.0.0.192",  # Oracle Cloud
        "168.63.129.16",  # Azure's host agent
    )
)
_TRANSLATED = (
    IPv6Network("64:ff9b::/96"),  # RFC 6052
    IPv6Network("64:ff9b:1::/48"),  # RFC 8215, by networks' own translators
    IPv6Network("::ffff:0:0:0/96"),  # RFC 2765
)
"""Prefixes before an IPv4 address that a gateway translates to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPolicy:
    """Refuses link-local and metadata addresses; ``allow`` names exceptions.

    Loopback is allowed unless said otherwise: the daemon runs on laptops and beside
    relays, and who may write a URL is who may deploy. Addresses of clouds' metadata
    services hand out credentials to whoever asks from the machine, so no URL in a
    repository may reach them, in any of IPv6's ways of writing an IPv4 address.
    """

    allow: tuple[Network, ...] = ()
    allow_loopback: bool = True

    def refusal(self, address: str) -> str | None:
        """Return why the address may not be connected to, or None."""
        plain = _plain(ip_address(address.partition("%")[0]))
        if any(plain in network for network in self.allow):
            return None
        if plain in METADATA:
            return f"{plain} is a cloud's metadata address"
        if plain.is_link_local:
            return f"{plain} is a link-local address"
        if plain.is_multicast:
            return f"{plain} is a multicast address"
        if (plain.is_loopback or plain.is_unspecified) and not self.allow_loopback:
            return f"{plain} is a loopback address"
        return None


def networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Return the networks that addresses or CIDRs name; ValueError on others."""
    return tuple(ip_network(text, strict=False) for text in texts)


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if any(address in network for network in _TRANSLATED):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address
