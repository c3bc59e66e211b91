"""A module of attempts to leave this machine, for processes in which the guard is put up."""

from __future__ import annotations

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
