"""Nothing but loopback: what the guard refuses, in which processes, and what it leaves alone.

It is put up in processes of their own, never in this one: an audit hook can't be removed. What it must refuse are
reserved addresses and names only, and where it is down nothing is asked that could leave this machine.
"""

from __future__ import annotations

import ipaddress
import json
import multiprocessing
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from laptime.guard import is_local
from tests.support.sessions import closed_port, run, write

V4, V6, MAPPED = "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"
NAME, LOOKALIKE = "name.invalid", "localhost.evil.example"
START_METHODS = multiprocessing.get_all_start_methods()
NO_IPV6 = not Path("/proc/net/if_inet6").exists() and sys.platform == "linux"

ATTEMPTS = """
    '''Ways to reach a host, by name.'''
    import asyncio, http.client, socket, traceback, urllib.request

    port = 9

    def made(host, kind=socket.SOCK_STREAM):
        one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
        one.settimeout(5)
        return one

    def url(host):
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    # Python's own sockets

    def connect(host):
        with made(host) as one:
            one.connect((host, port))

    def connect_ex(host):
        with made(host) as one:
            one.connect_ex((host, port))

    def sendto(host):
        with made(host, socket.SOCK_DGRAM) as one:
            one.sendto(b"x", (host, port))

    def sendmsg(host):
        with made(host, socket.SOCK_DGRAM) as one:
            one.sendmsg([b"x"], [], 0, (host, port))

    def create_connection(host):
        socket.create_connection((host, port), timeout=5).close()

    def getaddrinfo(host):
        socket.getaddrinfo(host, port)

    def getaddrinfo_of_bytes(host):
        socket.getaddrinfo(host.encode(), port)

    def gethostbyname(host):
        socket.gethostbyname(host)

    def gethostbyname_ex(host):
        socket.gethostbyname_ex(host)

    def gethostbyaddr(host):
        socket.gethostbyaddr(host)

    def getnameinfo(host):
        socket.getnameinfo((host, port), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)

    # clients

    def http_client(host):
        http.client.HTTPConnection(host, port, timeout=5).request("GET", "/")

    def urllib_request(host):
        urllib.request.urlopen(url(host), timeout=5)

    def requests(host):
        import requests
        requests.get(url(host), timeout=5)

    def httpx(host):
        import httpx
        httpx.get(url(host), timeout=5)

    # event loops

    async def httpx_client(host):
        import httpx
        async with httpx.AsyncClient(timeout=5) as client:
            await client.get(url(host))

    async def aiohttp_client(host):
        import aiohttp
        async with aiohttp.ClientSession() as client, client.get(url(host)):
            pass

    async def loop_create_connection(host):
        await asyncio.get_running_loop().create_connection(asyncio.Protocol, host, port)

    async def loop_create_datagram_endpoint(host):
        await asyncio.get_running_loop().create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=(host, port)
        )

    async def loop_getaddrinfo(host):
        await asyncio.get_running_loop().getaddrinfo(host, port)

    async def loop_getnameinfo(host):
        await asyncio.get_running_loop().getnameinfo((host, port))

    async def loop_sock_connect(host):
        with made(host) as one:
            one.setblocking(False)
            await asyncio.get_running_loop().sock_connect(one, (host, port))

    def outcome(call, *arguments):
        '''What came of it, with all that led to it.'''
        try:
            call(*arguments)
        except Exception as error:
            return "".join(traceback.format_exception(error))
        return ""

    def on_asyncio(call, host):
        return outcome(asyncio.run, call(host))

    def on_uvloop(call, host):
        import uvloop
        return outcome(uvloop.run, call(host))
"""

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


def names(plan: tuple[tuple[str, str, str], ...]) -> list[str]:
    """The attempts of a plan, by the names that `tried` gives them."""
    return [", ".join(attempt) for attempt in plan]


def is_refused(attempt: str, text: str, noted: list[str]) -> None:
    """Hold an attempt's outcome to be a refusal that names the host."""
    host = attempt.rpartition(", ")[2]
    assert noted, f"not noted; it ended in:\n{text}"
    assert all(host in note for note in noted)
    if attempt.startswith("httpx_client") and host != NAME:
        assert "All connection attempts failed" in text, "anyio doesn't say why"
    else:
        said = [line for line in text.splitlines() if "laptime: a " in line and "was refused: a replay must" in line]
        assert said, text
        assert all(host in line for line in said)


# what is local


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


# in one process


@pytest.fixture(scope="module")
def refused(tmp_path_factory) -> dict[str, tuple[str, list[str]]]:
    """What became of attempts to leave."""
    return tried(tmp_path_factory.mktemp("refused"), DIRECT)


@pytest.mark.parametrize("attempt", names(DIRECT))
def test_an_attempt_to_leave_is_refused(refused: dict[str, tuple[str, list[str]]], attempt: str) -> None:
    """It raises with the address in its message, and is noted with it, however it is made."""
    is_refused(attempt, *refused[attempt])


@pytest.fixture(scope="module")
def allowed(tmp_path_factory) -> dict[str, tuple[str, list[str]]]:
    """What became of attempts to reach a closed port of this machine."""
    return tried(tmp_path_factory.mktemp("allowed"), LOOPBACK)


@pytest.mark.parametrize("attempt", names(LOOPBACK))
def test_loopback_is_left_alone(allowed: dict[str, tuple[str, list[str]]], attempt: str) -> None:
    """Whatever is said there comes from whoever listens, or doesn't."""
    text, noted = allowed[attempt]
    assert (False, []) == ("was refused: a replay" in text, noted)


@pytest.fixture(scope="module", params=["before", "after", "looked for"])
def refused_on_uvloop(tmp_path_factory, request) -> dict[str, tuple[str, list[str]]]:
    """What became of attempts on an event loop that was imported before or after the guard went up."""
    pytest.importorskip("uvloop")
    return tried(tmp_path_factory.mktemp("uvloop"), ON_UVLOOP, request.param)


@pytest.mark.parametrize("attempt", names(ON_UVLOOP))
def test_uvloop_is_no_way_out(refused_on_uvloop: dict[str, tuple[str, list[str]]], attempt: str) -> None:
    """Though libuv connects by itself: imported before or after, or after one had looked whether it is there."""
    is_refused(attempt, *refused_on_uvloop[attempt])


def test_a_name_is_refused_before_it_is_looked_up(tmp_path: Path) -> None:
    """Also where `connect` and `sendto` would look it up themselves: no question leaves this machine."""
    plan = tuple((name, "outcome", NAME) for name in ("connect", "connect_ex", "sendto", "sendmsg"))
    found = tried(tmp_path, plan)
    assert [False] * 4 == ["gaierror" in text for text, _ in found.values()]


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
    import multiprocessing, socket, sys
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
        with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
            assert pool.apply(refusal) is None
        guard.up("notes")
        assert "192.0.2.1" in refusal(), "again"
        assert 1 == len(guard.noted("notes"))
        guard.down()
        assert refusal() is None
"""


@pytest.mark.parametrize("method", START_METHODS)
def test_once_it_is_down_nothing_is_refused(tmp_path: Path, method: str) -> None:
    """Neither here nor in workers that start then; it can be put up again, and needs no file to refuse."""
    write(tmp_path, down=DOWN)
    ended = run(tmp_path, sys.executable, "down.py", method)
    assert (0, "") == (ended.code, ended.text)


# in workers

WORKERS = """
    '''Attempts in workers of every kind.'''
    import json, multiprocessing, os, sys
    from concurrent.futures import ProcessPoolExecutor
    from attempts import connect, getaddrinfo, outcome
    from laptime import guard

    def attempt():
        return [outcome(connect, "192.0.2.1"), outcome(getaddrinfo, "name.invalid"), os.getpid()]

    def nested(method):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
            return pool.submit(attempt).result()

    def put(queue):
        queue.put(attempt())

    class Own:
        def __init__(self, queue):
            super().__init__()
            self.queue = queue

        def run(self):
            put(self.queue)

    class ForkOwn(Own, multiprocessing.get_context("fork").Process): pass
    class ForkserverOwn(Own, multiprocessing.get_context("forkserver").Process): pass
    class SpawnOwn(Own, multiprocessing.get_context("spawn").Process): pass

    def from_process(context, start):
        queue = context.SimpleQueue()
        process = start(queue)
        process.start()
        found = queue.get()
        process.join()
        return found

    def main(method, uses):
        context = multiprocessing.get_context(method)
        guard.up("notes")
        with context.Pool(1) as pool:
            print(json.dumps(["Pool", pool.apply(attempt)]))
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            print(json.dumps(["ProcessPoolExecutor", pool.submit(attempt).result()]))
            print(json.dumps(["a pool in a worker", pool.submit(nested, method).result()]))
        own = {"fork": ForkOwn, "forkserver": ForkserverOwn, "spawn": SpawnOwn}[method]
        print(json.dumps(["Process with its own run", from_process(context, own)]))
        target = lambda queue: context.Process(target=put, args=(queue,))
        print(json.dumps(["Process", from_process(context, target)]))
        print(json.dumps(["notes", guard.noted("notes")]))

    if __name__ == "__main__":
        main(*sys.argv[1:], None)
"""
KINDS = ("Pool", "ProcessPoolExecutor", "a pool in a worker", "Process with its own run", "Process")


@pytest.fixture(scope="module", params=START_METHODS)
def in_workers(tmp_path_factory, request) -> dict[str, list]:
    """What became of two attempts in each kind of worker, and what was noted."""
    directory = write(tmp_path_factory.mktemp("workers"), attempts=ATTEMPTS, workers=WORKERS)
    ended = run(directory, sys.executable, "-W", "ignore", "workers.py", request.param)
    assert 0 == ended.code, ended.text
    return dict(map(json.loads, ended.text.splitlines()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_can_leave_no_more_than_its_parent(in_workers: dict[str, list], kind: str) -> None:
    """However it was started: its attempts raise, and are noted with its own process's number."""
    connected, looked_up, pid = in_workers[kind]
    assert "laptime: a connection to 192.0.2.1:9 was refused" in connected
    assert "laptime: a look-up of name.invalid was refused" in looked_up
    own = [note.removesuffix(f" (process {pid})") for note in in_workers["notes"] if note.endswith(f" {pid})")]
    # the worker of one pool may have the number of an ended one's
    assert ["a connection to 192.0.2.1:9", "a look-up of name.invalid"] == own[:2]


def test_what_many_processes_note_is_whole(tmp_path: Path) -> None:
    """One line for each attempt, though they write into one file at once."""
    many = """
        import multiprocessing, sys
        from attempts import connect, outcome
        from laptime import guard

        def often(number):
            for _ in range(250):
                outcome(connect, f"192.0.2.{number}")

        if __name__ == "__main__":
            guard.up("notes")
            with multiprocessing.get_context("fork").Pool(4) as pool:
                pool.map(often, range(4), chunksize=1)
            notes = [note.partition(" (")[0] for note in guard.noted("notes")]
            assert sorted(notes) == [f"a connection to 192.0.2.{number}:9" for number in range(4) for _ in range(250)]
    """
    write(tmp_path, attempts=ATTEMPTS, many=many)
    ended = run(tmp_path, sys.executable, "many.py")
    assert (0, "") == (ended.code, ended.text)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="CPython has sub-interpreters since 3.14")
@pytest.mark.parametrize("first", ["", "import concurrent.interpreters"], ids=["guard first", "interpreters first"])
def test_a_sub_interpreter_can_leave_no_more_than_its_process(tmp_path: Path, first: str) -> None:
    """Its audit hooks are its own; it has no path to laptime; and what was imported before the guard is no way out."""
    interpreters = """
        import sys
        {first}
        from laptime import guard

        ATTEMPT = '''
        import sys; sys.path[:] = {path!r}
        from attempts import connect, getaddrinfo, outcome
        said = [outcome(connect, "192.0.2.1"), outcome(getaddrinfo, "name.invalid")]
        assert all("was refused" in one for one in said), said
        '''.replace("        ", "")

        guard.up("notes")
        from concurrent.futures import InterpreterPoolExecutor
        with InterpreterPoolExecutor(2) as pool:
            path = list(sys.path)
            sys.path.clear()  # the new ones have a path of their own
            list(pool.map(exec, [ATTEMPT.format(path=path)] * 2, [{{}}, {{}}]))
        assert len(guard.noted("notes")) == 4, guard.noted("notes")
        guard.down()
        from concurrent.interpreters import create
        one = create()
        one.exec("import sys; assert len(sys.meta_path) == %d, sys.meta_path" % METAS)
        one.close()
    """
    source = interpreters.replace("{{}}", "{}").replace("{first}", first).replace("METAS", "3")
    write(tmp_path, attempts=ATTEMPTS, interpreters=source)
    ended = run(tmp_path, sys.executable, "-W", "ignore", "interpreters.py")
    assert (0, "") == (ended.code, ended.text)
