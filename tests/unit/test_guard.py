"""What the guard takes for this machine, and what not."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from laptime.guard import is_local

V4, V6, MAPPED = "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"
NAME, LOOKALIKE = "name.invalid", "localhost.evil.example"


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "localhost",
        "LocalHost",
        "localhost.",
        b"localhost",
        "localhost.localdomain",
        "ip6-localhost",
        "127.0.0.1",
        "127.1.2.3",
        "127.255.255.254",
        bytearray(b"127.0.0.1"),
        "127.1",
        "0.0.0.0",
        "::",
        "::1",
        "0:0:0:0:0:0:0:1",
        "::1%lo",
        "::ffff:127.0.0.1",
        "::FFFF:7f00:1",
    ],
)
def test_this_machine_is_local_however_it_is_spelled(host: object) -> None:
    """By name or number, as text or bytes, and where none is given."""
    assert is_local(host)


@pytest.mark.parametrize(
    "host",
    [
        V4,
        V6,
        MAPPED,
        NAME,
        LOOKALIKE,
        "127.0.0.1.evil.example",
        "xlocalhost",
        "evil-localhost",
        "localhost.example",
        "128.0.0.1",
        "126.255.255.255",
        "255.255.255.255",
        "<broadcast>",
        "10.0.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "3221225985",
        "0xc0000201",
        "192.513",
        "127.0.0.1 evil.example",
        "::2",
        "::1:1",
        "fe80::1%lo",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        b"name.invalid",
        "exämple.invalid",
        "\ud800.invalid",
        "127.0.0.1\0",
        " ",
    ],
    ids=repr,
)
def test_nothing_else_is_local(host: object) -> None:
    """Neither a private network, nor what only begins or ends like loopback."""
    assert not is_local(host)


@given(st.ip_addresses())
@example(ipaddress.ip_address("127.0.0.0"))
@example(ipaddress.ip_address("::ffff:127.255.255.255"))
@example(ipaddress.ip_address("::1"))
def test_an_address_is_local_as_the_standard_library_says(address: ipaddress.IPv4Address) -> None:
    """Loopback and the unspecified address, in every spelling; nothing else."""
    mapped = getattr(address, "ipv4_mapped", None) or address
    unspecified = mapped.packed[0] == 0 if mapped.version == 4 else mapped.is_unspecified
    expected = mapped.is_loopback or unspecified
    spellings = [str(address), address.exploded, str(address).upper(), str(address).encode()]
    assert [expected] * 4 == [is_local(spelled) for spelled in spellings]
