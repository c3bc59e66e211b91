"""The replay server: a process of its own, loopback only, that plays cassettes at their recorded pace.

Run as ``python -m laptime.replay.server``; `laptime.replay.ReplayServer` does. It is told what to do by lines
of JSON on its standard input and answers each with one on its standard output; it ends when its input does,
so that it never outlives the process that started it.

The wait is counted from the moment a request was read, on an absolute deadline: what this process does
meanwhile doesn't add to it. Nagle's algorithm is off (with it a kept-alive request costs 44 ms).
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, cast

import httptools

from laptime.cassette import CassetteError, load
from laptime.replay import wire
from laptime.replay.latency import Latency, LatencyError
from laptime.replay.script import Script, Take, scripts
from laptime.replay.timer import Timer

HOST = "127.0.0.1"
MAX_PORT = 65_535
BACKLOG = 1024
ORPHAN_CHECK_S = 2.0


class Stage:
    """One loaded cassette: a port for each of its origins, and what was served in the round."""

    def __init__(self, timer: Timer) -> None:
        self.timer = timer
        self.scripts: list[Script] = []
        self.listeners: list[asyncio.Server] = []
        self.pass_number = 0
        self.begin(0)

    def begin(self, pass_number: int) -> None:
        """Start a round that plays this recorded pass."""
        self.pass_number = pass_number
        self.served: Counter[str] = Counter()
        self.unmatched: list[str] = []
        self.log: list[tuple[str, int, int, int, int]] = []
        for script in self.scripts:
            script.begin()


class Connection(asyncio.Protocol):  # its public methods are asyncio's and httptools' callbacks
    """One client's connection; requests that arrive together are answered in order."""

    def __init__(self, stage: Stage, script: Script) -> None:
        self._stage = stage
        self._script = script
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Callable[[], None]] = deque()
        self._busy = False
        self._fresh = True
        self._target = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self._transport = cast(asyncio.Transport, transport)
        self._accepted_ns = time.monotonic_ns()
        self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:  # noqa: D102
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._reject(501, "Not Implemented", "laptime replay: protocol upgrades are not recorded\n")
        except httptools.HttpParserError as error:
            self._reject(400, "Bad Request", f"laptime replay: not HTTP/1.1: {error}\n")

    def on_message_begin(self) -> None:  # noqa: D102
        self._target = b""

    def on_url(self, url: bytes) -> None:  # noqa: D102
        self._target += url

    def on_message_complete(self) -> None:  # noqa: D102
        if self._parser.should_upgrade():
            return  # refused in `data_received`
        answer = partial(
            self._answer,
            self._parser.get_method(),
            self._target,
            time.monotonic_ns(),
            self._parser.should_keep_alive(),
        )
        if self._busy:
            self._waiting.append(answer)
        else:
            answer()

    def _answer(self, method: bytes, target: bytes, read_ns: int, keep_alive: bool) -> None:
        self._busy = True
        stage = self._stage
        part = self._script.find(method, target)
        if part is None:
            stage.unmatched.append(f"{method.decode('latin-1')} {target.decode('latin-1')}")
            refusal = self._script.unmatched(method, target)
            self._transport.write(refusal.head + refusal.body)
            self._done(keep_alive)
            return
        take = part.takes[stage.pass_number % len(part.takes)]
        ready_ns = read_ns
        if self._fresh:
            # a client connects, then sends: what is left of the recorded connect goes before the wait
            self._fresh = False
            ready_ns = max(read_ns, self._accepted_ns + take.connect_ns)
        due_ns = ready_ns + take.wait_ns
        self._play(part.name, take, 0, read_ns, due_ns, 0, keep_alive)

    def _play(
        self, name: str, take: Take, number: int, read_ns: int, due_ns: int, first_ns: int, keep_alive: bool
    ) -> None:
        """Write the pieces that are due, then come back for the next one."""
        pieces = take.pieces
        while number < len(pieces):
            piece_due_ns = due_ns + pieces[number].offset_ns
            now_ns = time.monotonic_ns()
            if now_ns < piece_due_ns:
                self._stage.timer.at(
                    piece_due_ns,
                    partial(self._play, name, take, number, read_ns, due_ns, first_ns, keep_alive),
                )
                return
            if self._transport.is_closing():
                return  # the client left: an answer that nobody read was not served
            self._transport.write(pieces[number].data)
            first_ns = first_ns or now_ns
            number += 1
        stage = self._stage
        stage.served[name] += 1
        stage.log.append((name, read_ns, due_ns, first_ns, time.monotonic_ns()))
        self._done(keep_alive)

    def _done(self, keep_alive: bool) -> None:
        if not keep_alive:
            self._transport.close()
            return
        if self._waiting:
            # not from within: a thousand pipelined requests would nest as deep
            asyncio.get_running_loop().call_soon(self._waiting.popleft())
        else:
            self._busy = False

    def _reject(self, status: int, reason: str, text: str) -> None:
        refusal = wire.refuse(status, reason, text, close=True)
        self._transport.write(refusal.head + refusal.body)
        self._transport.close()


class Control:
    """The commands of the parent process."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer = Timer(loop)
        self._stages: list[Stage] = []

    async def obey(self, command: dict[str, Any]) -> dict[str, Any]:
        """Carry out one command; an error that its sender caused is an answer."""
        try:
            match command["do"]:
                case "load":
                    return await self._load(Path(command["path"]), Latency.parse(command["latency"]), command["port"])
                case "begin":
                    # what the last round left behind is collected now rather than in the middle of this one
                    gc.collect()
                    self._stages[command["stage"]].begin(command["pass"])
                    return {}
                case "end":
                    stage = self._stages[command["stage"]]
                    log = stage.log if command["log"] else []
                    return {"served": stage.served, "unmatched": stage.unmatched, "log": log}
                case unknown:
                    return {"error": "ValueError", "message": f"no such command: {unknown!r}"}
        except (CassetteError, LatencyError, OSError) as error:
            return {"error": type(error).__name__, "message": str(error)}

    async def _listen(self, stage: Stage, script: Script, port: int) -> int:
        if not 0 <= port <= MAX_PORT:  # uvloop would take it modulo 65,536
            raise OSError(f"port {port}: expected 0 to {MAX_PORT}")
        listener = await self._loop.create_server(partial(Connection, stage, script), HOST, port, backlog=BACKLOG)
        stage.listeners.append(listener)
        number: int = listener.sockets[0].getsockname()[1]
        return number

    async def _load(self, path: Path, latency: Latency, port: int) -> dict[str, Any]:
        cassette = load(path)
        stage = Stage(self._timer)
        ports: dict[str, int] = {}
        try:
            for origin, script in scripts(cassette, latency):
                stage.scripts.append(script)
                ports[origin] = await self._listen(stage, script, port)
                port = port and port + 1
        except BaseException:
            for listener in stage.listeners:
                listener.close()
            raise
        self._stages.append(stage)
        # what was loaded stays: collections need not look at it again
        gc.collect()
        gc.freeze()
        return {
            "stage": len(self._stages) - 1,
            "ports": ports,
            "sha256": cassette.sha256,
            "passes": cassette.passes or 1,
            "latency": str(latency),
        }


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    control = Control(loop)
    reader = asyncio.StreamReader(limit=2**20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    orphan_check = asyncio.create_task(_end_with_parent(os.getppid()))
    _say({"ready": True})
    while line := await reader.readline():
        _say(await control.obey(json.loads(line)))
    orphan_check.cancel()


async def _end_with_parent(parent: int) -> None:
    """A forked worker that outlives the parent keeps our input open: look at the parent itself too."""
    while os.getppid() == parent:
        await asyncio.sleep(ORPHAN_CHECK_S)
    os._exit(0)


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> NoReturn:
    """Serve until the standard input ends."""
    gc.disable()  # `Control` collects between rounds
    try:
        import uvloop  # not on every platform
    except ImportError:
        asyncio.run(_serve())
    else:
        uvloop.run(_serve())
    sys.exit(0)


if __name__ == "__main__":
    main()
