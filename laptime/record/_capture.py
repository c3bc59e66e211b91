"""What was said: one run of the requests under vcrpy, which writes the cassette, without its secrets."""

from __future__ import annotations

import inspect
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import vcr
from vcr.persisters.filesystem import FilesystemPersister
from vcr.request import Request

from laptime.record._errors import RecordError
from laptime.record._patience import MAX_TRIES, asked_wait_s
from laptime.redact import Secrets


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it was sent, secrets included: it is timed so, and never written."""

    method: str
    uri: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def capture(
    path: Path,
    run: Callable[[], object],
    secrets: Secrets,
    progress: Callable[[int, int], None],
    say: Callable[[str], None],
) -> list[Sent]:
    """Write the cassette; the requests in its order. A run that the origin turned away is waited for, and done again.

    Raises `RecordError`.
    """
    for left in reversed(range(MAX_TRIES)):
        path.unlink(missing_ok=True)
        ear = _Ear(path, secrets, progress)
        sent = ear.listen(run)
        if not ear.waits_s:
            return sent
        if left:
            say(f"the origin asks to wait {max(ear.waits_s):g} s (Retry-After); then everything is asked again")
            time.sleep(max(ear.waits_s))
    raise RecordError(f"the origin turned requests away (Retry-After) in each of {MAX_TRIES} tries")


_connected: set[int] | None = None
"""The threads that opened connections, while somebody wants to know."""


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect" and _connected is not None:
        _connected.add(threading.get_ident())


@cache
def _watch() -> None:
    """Once for each process: an audit hook can't be removed again, only be idle."""
    sys.addaudithook(_audit)


@contextmanager
def _one_thread(problems: list[RecordError]) -> Iterator[None]:
    """Note as a problem where several threads connect: what vcrpy then loses, it doesn't hear of at all."""
    global _connected
    _watch()
    connected: set[int] = set()
    _connected = connected
    try:
        yield
    finally:
        _connected = None
    if len(connected) > 1:
        problems.append(RecordError("asked from several threads, of which vcrpy loses requests: record with one"))


class _Ear:
    """Hears one run. What is wrong with it is remembered, for a run may swallow it; from then on nothing is sent."""

    def __init__(self, path: Path, secrets: Secrets, progress: Callable[[int, int], None]) -> None:
        self._path = path
        self._secrets = secrets
        self._progress = progress
        self._problems: list[RecordError] = []
        self._heard = 0
        self.waits_s: list[float] = []

    def listen(self, run: Callable[[], object]) -> list[Sent]:
        """The requests, secrets included, in the order of the cassette. Raises `RecordError`, and what `run` raises."""
        recorder = vcr.VCR(before_record_request=self._request, before_record_response=self._response)
        recorder.register_persister(_persister(self._problems))
        serializer = "json" if self._path.suffix == ".json" else "yaml"
        with recorder.use_cassette(str(self._path), serializer=serializer, record_mode=vcr.mode.ALL) as cassette:
            try:
                with _one_thread(self._problems):
                    answer = run()
            except Exception:
                # most clients raise where they are turned away
                if not self._problems and not self.waits_s:
                    raise
            else:
                if inspect.iscoroutine(answer):
                    answer.close()
                    self._problems.append(
                        RecordError("an `async def` is not run by calling it: give `asyncio.run` of it")
                    )
        if self._problems:
            raise self._problems[0]
        return [request.laptime_sent for request in cassette.requests]

    def _request(self, request: Request) -> Request:
        """A request as it is written; vcrpy asks for that several times, and before it is sent."""
        if self.waits_s:
            raise RecordError("the origin asked for patience")
        with self._remembered():
            body = _body(request, self._secrets)
        secrets, told = self._secrets, [(name, _text(value)) for name, value in request.headers.items()]
        headers = {name: secrets.header_value(name, value) for name, value in told if not secrets.header(name)}
        written = Request(request.method, secrets.uri(request.uri), secrets.body(body) or None, headers)
        # the one that it keeps carries its own original
        original = getattr(request, "laptime_sent", None)
        written.laptime_sent = original or Sent(request.method, request.uri, tuple(told), body)
        return written

    def _response(self, response: dict[str, Any]) -> dict[str, Any]:
        """A response as it is written."""
        self._heard += 1
        self._progress(self._heard, 0)
        secrets, headers = self._secrets, response["headers"]
        retry_after = next((values[0] for name, values in headers.items() if name.lower() == "retry-after"), None)
        with self._remembered():
            wait_s = asked_wait_s(response["status"]["code"], retry_after)
        if wait_s is not None:
            self.waits_s.append(wait_s)
        response["headers"] = {
            name: [secrets.header_value(name, value) for value in values]
            for name, values in headers.items()
            if not secrets.header(name)
        }
        return response

    @contextmanager
    def _remembered(self) -> Iterator[None]:
        if self._problems:
            raise self._problems[0]
        try:
            yield
        except RecordError as error:
            self._problems.append(error)
            raise


def _persister(problems: list[RecordError]) -> type:
    """vcrpy's own, but that it doesn't raise: that would leave the clients patched."""

    class Persister:
        load_cassette = staticmethod(FilesystemPersister.load_cassette)

        @staticmethod
        def save_cassette(cassette_path: str, cassette_dict: dict[str, Any], serializer: object) -> None:
            try:
                FilesystemPersister.save_cassette(cassette_path, cassette_dict, serializer)
            except TypeError as error:
                name = Path(cassette_path)
                problems.append(RecordError(f"{name.name} can't hold what was said; name it {name.stem}.yaml: {error}"))

    return Persister


def _text(value: str | bytes) -> str:
    """requests takes both."""
    return value if isinstance(value, str) else value.decode(errors="replace")


def _body(request: Request, secrets: Secrets) -> bytes:
    body = request.body
    if hasattr(body, "read"):
        body = body.read()
    elif hasattr(body, "__next__"):
        body = b"".join(body)
    if body is None:
        return b""
    if not isinstance(body, bytes | bytearray):
        raise RecordError(
            f"{request.method} {secrets.uri(request.uri)}: vcrpy doesn't keep how aiohttp encodes its `data=` or "
            "`json=`, so that it can't be timed; give it bytes and a Content-Type"
        )
    return bytes(body)
