"""Where a request comes from, by its headers: which site's page, through whom. Pure.

Rules:

1. Headers take away, they never give: by none of them does anybody become somebody.
2. What a browser sends along by itself (that it runs on this machine, a certificate) counts for a page of ours alone.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

FORWARDING = frozenset(
    {
        *("forwarded", "via", "x-forwarded", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip"),
        *("cf-connecting-ip", "cf-connecting-ipv6", "cf-ray", "cdn-loop", "fastly-client-ip"),
        *("x-envoy-external-address", "x-azure-clientip", "x-appengine-user-ip"),
    }
)
FORWARDING_PREFIXES = ("x-forwarded-", "x-original-")
"""Headers with which somebody says that they speak for somebody else: proxies' and content networks'."""
_OWN_SITES = ("same-origin", "none")
_PORTS = {"http": 80, "https": 443}
_IPV6 = 6
_IPV6_CLIENT_BITS = 64

Headers = Sequence[tuple[str, str]]
"""Names in lower case, and values."""
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


def values(headers: Headers, name: str) -> list[str]:
    """Return all values of a header."""
    return [value.strip() for key, value in headers if key == name]


def own_page(headers: Headers, scheme: str) -> bool:
    """Return whether it comes from a page of this very address, or from no page; ``scheme``: that of the connection."""
    sites = values(headers, "sec-fetch-site")
    origins = values(headers, "origin")
    hosts = values(headers, "host")
    if any(site not in _OWN_SITES for site in sites):
        return False
    return all(len(hosts) == 1 and _same(origin, scheme, hosts[0]) for origin in origins)


def _same(origin: str, scheme: str, host: str) -> bool:
    try:
        said, asked = urlsplit(origin), urlsplit(f"{scheme}://{host}")
        port, wanted = said.port or _PORTS.get(said.scheme), asked.port or _PORTS[scheme]
    except ValueError:
        return False
    return bool(said.hostname) and (said.scheme, said.hostname, port) == (scheme, asked.hostname, wanted)


def forwarded(headers: Headers) -> bool:
    """Return whether somebody says that they speak for somebody else."""
    return any(name in FORWARDING or name.startswith(FORWARDING_PREFIXES) for name, _ in headers)


def without_port(host: str) -> str:
    """Return the host of a header ``Host``, in lower case."""
    name, colon, port = host.strip().lower().rpartition(":")
    return name if colon and port.isascii() and port.isdecimal() else host.strip().lower()


def client_of(peer: str, headers: Headers, trusted: Iterable[Network]) -> str:
    """Return the address that a request comes from: the peer's, or what a trusted proxy says of it.

    Of ``X-Forwarded-For`` the last address counts that is not itself a trusted proxy's: those before it anybody may
    have written.
    """
    networks = tuple(trusted)
    hops = [hop.strip() for value in values(headers, "x-forwarded-for") for hop in value.split(",")]
    found = peer
    for hop in reversed(hops):
        if not _within(found, networks):
            break
        address = _address(hop)
        if address is None:
            break
        found = address
    return found


def limited_as(client: str) -> str:
    """Return under which name a client's attempts are counted: whoever has an IPv6 address has 2^64 of them."""
    ip = ip_of(client)
    if ip is None:
        return client
    if ip.version != _IPV6 or ip.is_loopback:
        return str(ip)
    return str(ipaddress.ip_network((ip, _IPV6_CLIENT_BITS), strict=False))


def ip_of(text: str) -> Ip | None:
    """Return the address, one of IPv4 in IPv6's clothes as what it is; None where it is none."""
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return mapped or ip


def is_loopback(host: str) -> bool:
    """Return whether it is an address of the loopback interface."""
    ip = ip_of(host)
    return ip is not None and ip.is_loopback


def _within(address: str, networks: Iterable[Network]) -> bool:
    ip = ip_of(address)
    return ip is not None and any(ip in network for network in networks)


def _address(hop: str) -> str | None:
    """Return the address of a hop, without its port."""
    host = hop.partition("]")[0].strip("[") if hop.startswith("[") else hop
    ip = ip_of(host.partition(":")[0] if host.count(":") == 1 else host)
    return None if ip is None else str(ip)
