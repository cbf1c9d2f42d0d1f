"""Where a request comes from: pages of other sites, those who speak for others, addresses."""

import ipaddress

import pytest

from crewd.policy.provenance import client_of, forwarded, limited_as, own_page, without_port

HOST = ("host", "127.0.0.1:3000")
PROXY = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8::/32"))


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ([], True),
        ([("origin", "http://127.0.0.1:3000")], True),
        ([("origin", "http://127.0.0.1:3000"), ("sec-fetch-site", "same-origin")], True),
        ([("sec-fetch-site", "none")], True),
        ([("origin", "http://127.0.0.1:8080")], False),
        ([("origin", "http://127.0.0.1")], False),
        ([("origin", "http://localhost:3000")], False),
        ([("origin", "https://127.0.0.1:3000")], False),
        ([("origin", "http://evil.example")], False),
        ([("origin", "http://127.0.0.1:3000.evil.example")], False),
        ([("origin", "http://evil@127.0.0.1:3001")], False),
        ([("origin", "null")], False),
        ([("origin", "")], False),
        ([("origin", "http://[")], False),
        ([("origin", "http://127.0.0.1:3000"), ("origin", "http://evil.example")], False),
        ([("sec-fetch-site", "cross-site")], False),
        ([("sec-fetch-site", "same-site")], False),
        ([("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")], False),
    ],
)
def test_a_page_of_another_site_is_known(headers: list[tuple[str, str]], own: bool) -> None:
    """By what browsers say of it, whatever else they say; another port is another site."""
    assert own_page([HOST, *headers], "http") is own


def test_a_port_that_goes_without_saying_is_the_same() -> None:
    """Browsers leave it out."""
    assert own_page([("host", "crewd.example"), ("origin", "https://crewd.example:443")], "https")
    assert own_page([("host", "crewd.example:443"), ("origin", "https://crewd.example")], "https")
    assert not own_page([("host", "crewd.example:443"), ("origin", "http://crewd.example")], "https")


@pytest.mark.parametrize(
    "name",
    [
        "forwarded",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-anything",
        "x-original-url",
        "cf-connecting-ip",
        "cdn-loop",
        "x-real-ip",
    ],
)
def test_who_speaks_for_others_is_known(name: str) -> None:
    """Whatever they say."""
    assert forwarded([HOST, (name, "")])
    assert not forwarded([HOST, ("accept", "*/*")])


@pytest.mark.parametrize(
    ("peer", "hops", "client"),
    [
        ("192.0.2.1", ["10.1.1.1"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", ["203.0.113.5, 192.0.2.7"], "192.0.2.7"),
        ("10.0.0.1", ["203.0.113.5", "192.0.2.7, 10.9.9.9"], "192.0.2.7"),
        ("10.0.0.1", ["nobody"], "10.0.0.1"),
        ("10.0.0.1", ["192.0.2.7, unknown, 10.2.2.2"], "10.2.2.2"),
        ("10.0.0.1", ["192.0.2.7:4711"], "192.0.2.7"),
        ("10.0.0.1", ["[2a00::7]:4711"], "2a00::7"),
        ("::ffff:10.0.0.1", ["2a00::7"], "2a00::7"),
    ],
)
def test_the_last_address_that_no_trusted_proxy_has_is_the_client_s(peer: str, hops: list[str], client: str) -> None:
    """Those before it anybody may have written; of a peer that is not trusted nothing is believed."""
    assert client_of(peer, [("x-forwarded-for", hop) for hop in hops], PROXY) == client
    assert client_of(peer, [("x-forwarded-for", hop) for hop in hops], ()) == peer


@pytest.mark.parametrize(
    ("client", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1"),
        ("unix", "unix"),
    ],
)
def test_addresses_that_one_client_has_are_counted_together(client: str, counted: str) -> None:
    """A network of IPv6 is one client."""
    assert limited_as(client) == counted


def test_a_host_is_named_with_or_without_its_port() -> None:
    """In any case."""
    assert [without_port(one) for one in ("LOCALHOST:3000", "[::1]:80", "a.b", "localhost:3000@evil")] == [
        "localhost",
        "[::1]",
        "a.b",
        "localhost:3000@evil",
    ]
