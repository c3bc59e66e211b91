"""The replay server: a process of its own, loopback only, that plays cassettes at their recorded pace.

Run as ``python -m laptime.replay.server``; `laptime.replay.ReplayServer` does. It is told what to do by lines
of JSON on its standard input and answers each with one on its standard output; it ends when its input does,
so that it never outlives the process that started it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import socket
import ssl
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from laptime.cassette import CassetteError, load
from laptime.replay.connection import Connection, House
from laptime.replay.latency import Latency, LatencyError
from laptime.replay.limits import Limits, LimitsError
from laptime.replay.stage import Stage
from laptime.replay.timer import Timer

HOST = "127.0.0.1"
MAX_PORT = 65_535
BACKLOG = 65_535
"""The system makes of it what it allows: a client in a full queue would wait a second for its connection."""
FILES_KEPT_BACK = 64
"""Files that the server needs for itself, beside one for each connection."""
WATCH_S = 2.0


class Control:
    """The commands of the parent process."""

    def __init__(self, loop: asyncio.AbstractEventLoop, house: House) -> None:
        self._loop = loop
        self._house = house
        self._timer = Timer(loop)
        self._stages: list[Stage] = []

    async def obey(self, command: dict[str, Any]) -> dict[str, Any]:
        """Carry out one command; an error that its sender caused is an answer."""
        try:
            match command["do"]:
                case "load":
                    return await self._load(command)
                case "begin":
                    # what the last round left behind is collected now rather than in the middle of this one
                    gc.collect()
                    number = command["stage"]
                    for stage in self._stages if number is None else [self._stages[number]]:
                        stage.begin(command["round"])
                    return {}
                case "end":
                    stage = self._stages[command["stage"]]
                    log = list(stage.log) if command["log"] else []
                    return {
                        "served": stage.served,
                        "unmatched": stage.unmatched,
                        "refused": stage.refused,
                        "log": log,
                    }
                case "close":
                    self._stages[command["stage"]].close()
                    return {}
                case "log":
                    return {"log": self._stages[command["stage"]].take_log()}
                case unknown:
                    return {"error": "ValueError", "message": f"no such command: {unknown!r}"}
        except (CassetteError, LatencyError, LimitsError, OSError) as error:
            return {"error": type(error).__name__, "message": str(error)}

    async def _load(self, command: dict[str, Any]) -> dict[str, Any]:
        cassette, latency = load(Path(command["path"])), Latency.parse(command["latency"])
        limits = {origin: Limits.parse(text) for origin, text in command["limits"].items()}
        every = limits.pop("*", Limits())
        if unknown := limits.keys() - set(cassette.origins):
            raise LimitsError(
                f"limits: {', '.join(sorted(unknown))} was not recorded in {cassette.path}; there are "
                + ", ".join(cassette.origins)
            )
        latency.refuse_untimed(cassette)
        tls, port = command["tls"], command["port"]
        stage = Stage(self._timer)
        urls: dict[str, str] = {}
        with ExitStack() as opened:
            # the answers hold the replay's addresses: first the ports, then the answers, then the clients
            sockets = {}
            for origin in cassette.origins:
                sockets[origin] = opened.enter_context(_bound(port))
                urls[origin] = f"{'https' if tls else 'http'}://{HOST}:{sockets[origin].getsockname()[1]}"
                port = port and port + 1
            stage.set(cassette, latency, urls, {origin: limits.get(origin, every) for origin in cassette.origins})
            opened.callback(stage.close)
            for origin, bound in sockets.items():
                connect = partial(Connection, stage, stage.origins[origin], self._house)
                listener = await self._loop.create_server(connect, sock=bound, ssl=_context(tls))
                # not as an argument: asyncio would try that many accepts in a row, though the files have run out
                bound.listen(BACKLOG)
                stage.listeners.append(listener)
            opened.pop_all()
        self._stages.append(stage)
        # what was loaded stays: collections need not look at it again
        gc.collect()
        gc.freeze()
        return {
            "stage": len(self._stages) - 1,
            "urls": urls,
            "sha256": cassette.sha256,
            "passes": cassette.passes or 1,
            "latency": str(latency),
        }


def _bound(port: int) -> socket.socket:
    if not 0 <= port <= MAX_PORT:
        raise OSError(f"port {port}: expected 0 to {MAX_PORT}")
    bound = socket.socket()
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, port))
    except OSError as error:
        bound.close()
        raise OSError(f"port {port}: {error.strerror}; choose another, or 0 for any that is free") from error
    return bound


def _context(tls: Mapping[str, str] | None) -> ssl.SSLContext | None:
    if tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls["certificate"])
    context.set_alpn_protocols(["http/1.1"])
    return context


def _room() -> int:
    """For how many connections there are files, the limit raised as far as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # macOS: the system's limit is lower than the hard one
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    return MAX_PORT if soft == resource.RLIM_INFINITY else max(soft - FILES_KEPT_BACK, 1)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    house = House(_room())
    control = Control(loop, house)
    reader = asyncio.StreamReader(limit=2**20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    watch = asyncio.create_task(_watch(house, os.getppid()))
    _say({"ready": True})
    while line := await reader.readline():
        command = json.loads(line)
        _say(await control.obey(command) | {"number": command.get("number")})
    watch.cancel()


async def _watch(house: House, parent: int) -> None:
    """A forked worker that outlives the parent keeps our input open: look at the parent itself too."""
    while os.getppid() == parent:
        await asyncio.sleep(WATCH_S)
        house.sweep()
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
