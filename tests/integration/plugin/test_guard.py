"""Nothing but loopback: what the guard refuses, and what it leaves alone.

It is put up in processes of their own, never in this one: an audit hook can't be removed. What it must refuse are
reserved addresses and names only, and where it is down nothing is asked that could leave this machine.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.attempts import ATTEMPTS
from tests.support.sessions import closed_port, run, write

V4, V6, MAPPED = "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"
NAME, LOOKALIKE = "name.invalid", "localhost.evil.example"
NO_IPV6 = not Path("/proc/net/if_inet6").exists() and sys.platform == "linux"

SINGLE = """
    '''Each attempt at each host, in this one process.'''
    import importlib.util, json, sys
    import attempts
    from laptime import guard

    plan, port, uvloop = json.loads(sys.argv[1])
    if uvloop == "before":
        import uvloop
    guard.up("notes")
    if uvloop == "looked for":
        importlib.util.find_spec("uvloop")
    attempts.port = port
    outcomes = {}
    for name, how, host in plan:
        noted = len(guard.noted("notes"))
        text = getattr(attempts, how)(getattr(attempts, name), host)
        outcomes[f"{name}, {how}, {host}"] = [text, guard.noted("notes")[noted:]]
    print(json.dumps(outcomes))
"""

ON_SOCKETS = ("connect", "connect_ex", "sendto", "sendmsg", "create_connection", "getaddrinfo", "getaddrinfo_of_bytes")
IN_CLIENTS = ("http_client", "urllib_request", "requests", "httpx")
ON_LOOPS = (
    "httpx_client",
    "aiohttp_client",
    "loop_create_connection",
    "loop_create_datagram_endpoint",
    "loop_getaddrinfo",
)
DIRECT = (
    *((name, "outcome", host) for name in ON_SOCKETS for host in (V4, V6, MAPPED, NAME, LOOKALIKE)),
    *((name, "outcome", host) for name in ("gethostbyname", "gethostbyname_ex") for host in (V4, NAME, LOOKALIKE)),
    *((name, "outcome", host) for name in ("gethostbyaddr", "getnameinfo") for host in (V4, V6)),
    *((name, "outcome", host) for name in IN_CLIENTS for host in (V4, V6, NAME)),
    *((name, "on_asyncio", host) for name in ON_LOOPS for host in (V4, V6, NAME)),
    *((name, "on_asyncio", V4) for name in ("loop_sock_connect", "loop_getnameinfo")),
)
ON_UVLOOP = (
    *((name, "on_uvloop", host) for name in ON_LOOPS for host in (V4, V6, NAME)),
    *((name, "on_uvloop", V4) for name in ("loop_sock_connect", "loop_getnameinfo")),
)
ON_UVLOOP_AS_WELL = tuple((name, "on_uvloop", host) for name in ON_LOOPS[2:] for host in (V4, NAME))
"""Enough to show that the same patches are there, without the time that clients take to import."""
LOOPBACK = (
    *((name, "outcome", host) for name in ON_SOCKETS for host in ("127.0.0.1", "localhost", "127.1.2.3")),
    *((name, "outcome", "localhost") for name in ("gethostbyname", "gethostbyname_ex", *IN_CLIENTS)),
    *((name, "outcome", "127.0.0.1") for name in ("gethostbyaddr", "getnameinfo")),
    *((name, "on_asyncio", "localhost") for name in ON_LOOPS),
    *((name, "on_uvloop", "localhost") for name in ON_LOOPS),
    *((name, "on_uvloop", "127.0.0.1") for name in ("loop_sock_connect", "loop_getnameinfo")),
)


def tried(
    directory: Path, plan: tuple[tuple[str, str, str], ...], uvloop: str = "after"
) -> dict[str, tuple[str, list[str]]]:
    """What became of each attempt of a plan in one process, and what the guard noted of it."""
    write(directory, attempts=ATTEMPTS, single=SINGLE)
    with closed_port() as port:
        ended = run(directory, sys.executable, "-W", "ignore", "single.py", json.dumps([plan, port, uvloop]))
    assert 0 == ended.code, ended.text
    found: dict[str, tuple[str, list[str]]] = json.loads(ended.text.splitlines()[-1])
    return found


def objection(attempt: str, text: str, noted: list[str]) -> str:
    """What an attempt's outcome lacks to be a refusal that names the host and is noted with it; nothing where it is."""
    host = attempt.rpartition(", ")[2]
    if not noted or not all(host in note for note in noted):
        return f"noted: {noted}; it ended in:\n{text}"
    if attempt.startswith("httpx_client") and host != NAME:  # anyio doesn't say why
        return "" if "All connection attempts failed" in text else text
    said = [line for line in text.splitlines() if "laptime: a " in line and "was refused: a replay must" in line]
    return "" if said and all(host in line for line in said) else text


def objections(outcomes: dict[str, tuple[str, list[str]]]) -> dict[str, str]:
    """Those attempts that were not refused as they must be."""
    found = {attempt: objection(attempt, *outcome) for attempt, outcome in outcomes.items()}
    return {attempt: text for attempt, text in found.items() if text}


def test_an_attempt_to_leave_is_refused(tmp_path: Path) -> None:
    """It raises with the address in its message, and is noted with it, however it is made.

    A name is refused before it is looked up, also where `connect` and `sendto` would look it up themselves: no question
    leaves this machine.
    """
    outcomes = tried(tmp_path, DIRECT)
    assert len(DIRECT) == len(outcomes)
    assert {} == objections(outcomes)
    assert [] == [attempt for attempt, (text, _) in outcomes.items() if "gaierror" in text]


def test_loopback_is_left_alone(tmp_path: Path) -> None:
    """What attempts to reach a closed port of this machine are told comes from the machine, not from the guard."""
    outcomes = tried(tmp_path, LOOPBACK)
    assert len(LOOPBACK) == len(outcomes)
    assert {} == {
        attempt: text for attempt, (text, noted) in outcomes.items() if "was refused: a replay" in text or noted
    }


@pytest.mark.parametrize("uvloop", ["before", "after", "looked for"])
def test_uvloop_is_no_way_out(tmp_path: Path, uvloop: str) -> None:
    """Though libuv connects by itself: imported before or after, or after one had looked whether it is there."""
    pytest.importorskip("uvloop")
    plan = ON_UVLOOP if uvloop == "before" else ON_UVLOOP_AS_WELL
    outcomes = tried(tmp_path, plan, uvloop)
    assert len(plan) == len(outcomes)
    assert {} == objections(outcomes)


LOCAL_SERVERS = """
    import asyncio, os, socket, sys
    from laptime import guard

    def reached(server, client, address):
        with server, client:
            client.connect(address)
            server.accept()[0].close()
        return True

    guard.up("notes")
    places = [(socket.AF_INET, "127.0.0.1")]
    if sys.argv[1] == "with IPv6":
        places.append((socket.AF_INET6, "::1"))
    for family, host in places:
        server = socket.create_server((host, 0), family=family)
        assert reached(server, socket.socket(family), server.getsockname())
    unix = socket.socket(socket.AF_UNIX)
    unix.bind("unix.sock")
    unix.listen()
    assert reached(unix, socket.socket(socket.AF_UNIX), "unix.sock")
    first, second = socket.socketpair()
    first.sendmsg([b"x"])
    assert b"x" == second.recv(1)
    connected, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    other.bind(("127.0.0.1", 0))
    connected.connect(other.getsockname())
    connected.send(b"y")
    connected.sendmsg([b"z"])
    assert [b"y", b"z"] == [other.recv(1), other.recv(1)]
    for one in (first, second, connected, other):
        one.close()

    async def served():
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "localhost", 0)
        reader, writer = await asyncio.open_connection("localhost", server.sockets[0].getsockname()[1])
        assert b"" == await reader.read()
        writer.close()
        server.close()

    asyncio.run(served())
    try:
        import uvloop
    except ImportError:
        pass
    else:
        uvloop.run(served())
    assert [] == guard.noted("notes")
"""


def test_servers_on_this_machine_can_be_reached(tmp_path: Path) -> None:
    """Over IPv4, IPv6, Unix sockets and pairs of sockets, on asyncio and uvloop; nothing is noted."""
    write(tmp_path, servers=LOCAL_SERVERS)
    ended = run(tmp_path, sys.executable, "servers.py", "without IPv6" if NO_IPV6 else "with IPv6")
    assert (0, "") == (ended.code, ended.text)


DOWN = """
    import multiprocessing, socket
    from laptime import guard

    def numeric():
        '''A look-up of what needs none: nothing leaves, guarded or not.'''
        return socket.getaddrinfo("192.0.2.1", 9, flags=socket.AI_NUMERICHOST)[0][4]

    def refusal():
        try:
            numeric()
        except guard.Escape as error:
            return str(error)

    if __name__ == "__main__":
        assert refusal() is None
        guard.up("nowhere/notes")
        assert "192.0.2.1" in refusal(), "also where it can't be noted"
        guard.down()
        assert refusal() is None
        for method in multiprocessing.get_all_start_methods():
            with multiprocessing.get_context(method).Pool(1) as pool:
                assert pool.apply(refusal) is None, method
        guard.up("notes")
        assert "192.0.2.1" in refusal(), "again"
        assert 1 == len(guard.noted("notes"))
        guard.down()
        assert refusal() is None
"""


def test_once_it_is_down_nothing_is_refused(tmp_path: Path) -> None:
    """Neither here nor in workers that start then, by any method; it can be put up again, and needs no file."""
    write(tmp_path, down=DOWN)
    ended = run(tmp_path, sys.executable, "down.py")
    assert (0, "") == (ended.code, ended.text)
