"""Make the corpus: cassettes that real releases of vcrpy wrote through real HTTP clients.

Serve the made-up origin with one interpreter, and start it anew for each recording, as /again counts its visits:

    python make.py origin

Record with the interpreter of a virtual environment that holds vcrpy and the client (Python 3.6 or later):

    python make.py record CLIENT FILE [PATH ...]

CLIENT is requests, urllib3, httpx, httpx-async, aiohttp or tornado; or requests-objects or aiohttp-objects, which
send request bodies that are neither bytes nor text; or requests-following, httpx-following or aiohttp-following, which
follow a redirect. FILE ends in .yaml or .json, which names the serializer. The PATHs are left out, such as those whose
bodies the JSON serializer can't hold. What the client saw is put under FILE's name into expected.json beside it. A
request that fails while it is recorded is left out and named.

make27.py does the same with Python 2.7.
"""

import asyncio
import atexit
import base64
import gzip
import io
import json
import os
import sys
import zlib
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

HOST, PORT = "127.0.0.1", 8902
ORIGIN = "http://{}:{}".format(HOST, PORT)
TEXT = "Three herons stand in the shallow harbour, and the tide takes its time. ".encode() * 3
COOKIES = [("Set-Cookie", "heron=grey; Path=/"), ("Set-Cookie", "tide=low; Path=/")]


class Page(NamedTuple):
    """One answer of the origin."""

    body: bytes
    media: str = "text/plain; charset=utf-8"
    status: int = 200
    headers: Tuple[Tuple[str, str], ...] = ()
    reason: Optional[str] = None


class Origin(BaseHTTPRequestHandler):
    """The origin, which answers the same from each start on."""

    protocol_version = "HTTP/1.1"
    visits = 0

    def version_string(self) -> str:
        return "harbour"

    def date_time_string(self, timestamp: Optional[float] = None) -> str:
        return "Mon, 01 Jan 2024 00:00:00 GMT"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def sent(self) -> bytes:
        """The request's body, chunked or not."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while True:
            size = int(self.rfile.readline(), 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                return body

    def page(self, path: str, sent: bytes) -> Page:
        """The page at a path, before its coding."""
        if self.command == "POST":
            answer = {"length": len(sent), "base64": base64.b64encode(sent).decode()}
            return Page(json.dumps(answer).encode(), "application/json")
        if path == "/json":
            answer = {"place": "Caf\u00e9 am See", "seats": 12, "open": True}
            return Page(json.dumps(answer, ensure_ascii=False).encode(), "application/json")
        if path == "/binary":
            return Page(bytes(range(256)), "application/octet-stream")
        if path == "/moved":
            return Page(b"It moved.", status=302, headers=(("Location", ORIGIN + "/json"),))
        if path == "/again":
            Origin.visits += 1
            return Page(b"first" if Origin.visits == 1 else b"second")
        if path == "/headers":
            return Page(b"headers", headers=(*COOKIES, ("X-Name", "caf\u00e9")))
        if path == "/cookies":
            return Page(b"cookies", headers=tuple(COOKIES))
        if path == "/bare":
            return Page(b"no reason given", reason="")
        if path == "/query":
            return Page(self.path.encode())
        if path in ("/gzip", "/chunked", "/deflate", "/br"):
            return Page(TEXT)
        return Page(b"no such page", status=404)

    def coded(self, path: str, body: bytes) -> Tuple[Optional[str], bytes]:
        """The content coding of a path, if the client asks for it, and the body in it."""
        coding = {"/gzip": "gzip", "/chunked": "gzip", "/deflate": "deflate", "/br": "br"}.get(path)
        if coding is None or coding not in self.headers.get("Accept-Encoding", ""):
            return None, body
        if coding == "br":
            import brotli

            return coding, brotli.compress(body)
        return coding, gzip.compress(body, mtime=0) if coding == "gzip" else zlib.compress(body)

    def answer(self) -> None:
        path = self.path.partition("?")[0]
        sent = self.sent()
        if path == "/empty":
            self.send_response(204)
            self.end_headers()
            return
        page = self.page(path, sent)
        coding, body = self.coded(path, page.body)
        self.send_response(page.status, page.reason)
        self.send_header("Content-Type", page.media)
        if coding:
            self.send_header("Content-Encoding", coding)
        for name, value in page.headers:
            self.send_header(name, value)
        if path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            half = len(body) // 2
            body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:half], body[half:], b""))
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = answer


class Server(ThreadingMixIn, HTTPServer):
    daemon_threads = True


class Step(NamedTuple):
    """One request to record: at most one of json, form and data is its body."""

    method: str
    target: str
    json: Optional[Any] = None
    form: Optional[Any] = None
    data: Any = None
    headers: Dict[str, str] = {}
    follow: bool = False

    @property
    def url(self) -> str:
        return ORIGIN + self.target

    def plain(self) -> Tuple[Any, Dict[str, str]]:
        """The body and headers for a client that makes no JSON of its own."""
        if self.json is None:
            return self.data, self.headers
        return json.dumps(self.json), {**self.headers, "Content-Type": "application/json"}


class Answer(NamedTuple):
    """What the client saw."""

    status: int
    location: Optional[str]
    body: bytes
    past: Tuple[Any, ...] = ()


Fetch = Callable[[Step], Answer]
JSON = {"Content-Type": "application/json"}
STEPS = [
    Step("GET", "/json"),
    Step("GET", "/gzip"),
    Step("GET", "/chunked"),
    Step("GET", "/deflate"),
    Step("GET", "/br", headers={"Accept-Encoding": "br"}),
    Step("GET", "/binary"),
    Step("GET", "/empty"),
    Step("HEAD", "/json"),
    Step("GET", "/moved"),
    Step("GET", "/again"),
    Step("GET", "/again"),
    Step("POST", "/echo", json={"boat": "Möwe", "berth": 4}),
    Step("POST", "/echo", data='{"boat": "Robbe", "berth": 5}', headers=JSON),
    Step("POST", "/form", form={"boat": "Möwe", "note": "two words"}),
    Step("POST", "/upload", data=b"\x00\xff\x80heron", headers={"Content-Type": "application/octet-stream"}),
    Step("GET", "/query?b=2&a=1"),
    Step("GET", "/missing"),
    Step("GET", "/bare"),
    Step("GET", "/cookies"),
    Step("GET", "/headers"),
]


def answer_of(response: Any) -> Answer:
    """What requests or httpx saw."""
    past = tuple(answer_of(one) for one in response.history)
    return Answer(response.status_code, response.headers.get("Location"), response.content, past)


def with_requests() -> Fetch:
    import requests

    session = requests.Session()

    def fetch(step: Step) -> Answer:
        response = session.request(
            step.method,
            step.url,
            json=step.json,
            data=step.form or step.data,
            headers=step.headers,
            allow_redirects=step.follow,
        )
        return answer_of(response)

    return fetch


def with_urllib3() -> Fetch:
    import urllib3

    pool = urllib3.PoolManager()

    def fetch(step: Step) -> Answer:
        if step.form:
            response = pool.request("POST", step.url, fields=step.form, encode_multipart=False, redirect=False)
        else:
            body, headers = step.plain()
            headers = {"Accept-Encoding": "gzip, deflate", **headers}
            response = pool.urlopen(step.method, step.url, body=body, headers=headers, redirect=False)
        return Answer(response.status, response.headers.get("Location"), response.data)

    return fetch


def httpx_arguments(client: Any, step: Step) -> Dict[str, Any]:
    """The request of a step, with what httpx calls raw bodies and redirects in this release."""
    import inspect

    arguments: Dict[str, Any] = {"json": step.json, "data": step.form, "headers": step.headers}
    names = inspect.signature(client.request).parameters
    if step.data is not None:
        arguments["content" if "content" in names else "data"] = step.data
    arguments["follow_redirects" if "follow_redirects" in names else "allow_redirects"] = step.follow
    return arguments


def with_httpx() -> Fetch:
    import httpx

    client = httpx.Client()

    def fetch(step: Step) -> Answer:
        response = client.request(step.method, step.url, **httpx_arguments(client, step))
        return answer_of(response)

    return fetch


def with_httpx_async() -> Fetch:
    import httpx

    loop = asyncio.new_event_loop()
    client = httpx.AsyncClient()

    def fetch(step: Step) -> Answer:
        coroutine = client.request(step.method, step.url, **httpx_arguments(client, step))
        response = loop.run_until_complete(coroutine)
        return answer_of(response)

    return fetch


def with_aiohttp() -> Fetch:
    import aiohttp

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    async def start() -> Any:
        return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    session = loop.run_until_complete(start())
    atexit.register(lambda: loop.run_until_complete(session.close()))

    async def request(step: Step) -> Answer:
        arguments: Dict[str, Any] = {"json": step.json} if step.json is not None else {"data": step.form or step.data}
        response = await session.request(
            step.method, step.url, headers=step.headers, allow_redirects=step.follow, **arguments
        )
        # a redirect that aiohttp follows shows its user no body
        past = tuple(Answer(one.status, one.headers.get("Location"), b"") for one in response.history)
        return Answer(response.status, response.headers.get("Location"), await response.read(), past)

    return lambda step: loop.run_until_complete(request(step))


def with_tornado() -> Fetch:
    from urllib.parse import urlencode

    from tornado.httpclient import AsyncHTTPClient, HTTPRequest
    from tornado.ioloop import IOLoop

    AsyncHTTPClient.configure("tornado.simple_httpclient.SimpleAsyncHTTPClient")
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)

    async def request(step: Step) -> Answer:
        body, headers = step.plain()
        body = urlencode(step.form) if step.form else body
        call = HTTPRequest(step.url, step.method, headers, body, follow_redirects=False)
        response = await AsyncHTTPClient().fetch(call, raise_error=False)
        if response.code == 599:
            raise response.error
        return Answer(response.code, response.headers.get("Location"), response.body or b"")

    return lambda step: IOLoop.current().run_sync(lambda: request(step))


def chunks() -> Iterator[bytes]:
    yield b"grey "
    yield b"heron"


async def achunks() -> Any:
    for chunk in chunks():
        yield chunk


def form() -> Any:
    """A form with a text and a file, as aiohttp sends it in parts."""
    import aiohttp

    data = aiohttp.FormData()
    data.add_field("boat", "Möwe")
    data.add_field("log", b"\x00\xffheron", filename="log.bin", content_type="application/octet-stream")
    return data


OBJECTS: Dict[str, List[Callable[[], Step]]] = {
    "requests-objects": [
        lambda: Step("POST", "/upload", data=io.BytesIO(b"\x00\xffheron")),
        lambda: Step("POST", "/upload", data=chunks()),
    ],
    "aiohttp-objects": [
        lambda: Step("POST", "/upload", data=io.BytesIO(b"grey heron")),
        lambda: Step("POST", "/upload", data=achunks()),
        lambda: Step("POST", "/form", data=form()),
        lambda: Step("POST", "/upload", form=[("boat", "tern"), ("boat", "gull")]),
        lambda: Step("POST", "/upload", json=["tern", 2, None, {"gull": 1.5}]),
    ],
}
FOLLOWING = [Step("GET", "/moved", follow=True)]
CLIENTS: Dict[str, Callable[[], Fetch]] = {
    "requests": with_requests,
    "urllib3": with_urllib3,
    "httpx": with_httpx,
    "httpx-async": with_httpx_async,
    "aiohttp": with_aiohttp,
    "tornado": with_tornado,
}


def encoded(body: bytes) -> str:
    return base64.b64encode(body).decode()


def entries(step: Step, answer: Answer) -> List[Dict[str, Any]]:
    """What the client saw of a step, one entry for each interaction."""
    found = []
    method, target = step.method, step.target
    for one in (*answer.past, answer):
        # the origin says what came over the wire
        sent = json.loads(one.body)["base64"] if method == "POST" else None
        found.append(
            {
                "method": method,
                "target": target,
                "request_body": sent,
                "status": one.status,
                "body": encoded(one.body),
                "location": one.location,
            }
        )
        method, target = "GET", (one.location or "")[len(ORIGIN) :]
    return found


def record(client: str, file: str, *left_out: str) -> None:
    """Record the steps into a new file, and what the client saw into expected.json."""
    import vcr

    if os.path.exists(file):
        os.remove(file)
    name, _, kind = client.partition("-")
    if kind == "objects":
        steps = [make() for make in OBJECTS[client]]
    else:
        steps = FOLLOWING if kind == "following" else STEPS
    serializer = "json" if file.endswith(".json") else "yaml"
    seen: List[Dict[str, Any]] = []
    with vcr.VCR().use_cassette(file, serializer=serializer) as cassette:
        fetch = CLIENTS[name if kind in ("objects", "following") else client]()
        for number, step in enumerate(steps, 1):
            if step.target in left_out:
                continue
            try:
                answer = fetch(step)
            except Exception as error:
                print("left out: {} {} ({}): {!r}".format(step.method, step.target, number, error))
                continue
            seen += entries(step, answer)
        if len(cassette) != len(seen):
            raise SystemExit("{}: {} recorded, {} seen".format(file, len(cassette), len(seen)))
    keep(file, seen)


def keep(file: str, seen: List[Dict[str, Any]]) -> None:
    """Put what a client saw into expected.json beside the file."""
    beside = os.path.join(os.path.dirname(os.path.abspath(file)), "expected.json")
    expected = {}
    if os.path.exists(beside):
        with open(beside) as stream:
            expected = json.load(stream)
    expected[os.path.basename(file)] = seen
    with open(beside, "w") as stream:
        json.dump(expected, stream, indent=1, sort_keys=True)
        stream.write("\n")


def main(arguments: List[str]) -> None:
    if arguments == ["origin"]:
        Server((HOST, PORT), Origin).serve_forever()
    elif arguments[:1] == ["record"] and len(arguments) >= 3:
        record(*arguments[1:])
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
