"""A process with everything imported that forks another for each recording: those are killed, at any step, for real."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import vcr

from tests.support import HANG_LIMIT_S

NURSERY = """
    '''Reads {"do": "record" or "publish", …} and {"wait": pid} from lines; answers {"pid"} and {"status"}.'''
    import io, json, os, resource, signal, sys
    from pathlib import Path

    import requests
    from laptime.cassette import load
    from laptime.record import _files, record

    STEPS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "socket.connect"}

    def countdown(stop, number):
        left = stop

        def step():
            nonlocal left
            if left == 0:
                left -= 1
                signal.raise_signal(number)
            left -= 1

        return step

    def watch_files(step):
        '''A step before each file that is opened for writing, renamed or removed, and each connection.'''

        def seen(event, arguments):
            if event in STEPS and (event != "open" or arguments[1] not in ("r", "rb", None) or arguments[2] & 3):
                step()

        sys.addaudithook(seen)

    def watch_publishing(step):
        '''A step before and after each replacement and write, and one in the middle of each write.'''
        replace = Path.replace

        def replaced(self, target):
            step()
            found = replace(self, target)
            step()
            return found

        def written(self, data, *args, **kwargs):
            data = data if isinstance(data, bytes) else data.encode()
            step()
            with io.open(self, "wb") as file:
                step()
                file.write(data[: len(data) // 2])
                file.flush()
                step()
                file.write(data[len(data) // 2 :])
            step()
            return len(data)

        Path.replace, Path.write_text, Path.write_bytes = replaced, written, written

    def work(order):
        step = countdown(order["stop"], signal.SIGINT if order["interrupt"] else signal.SIGKILL)
        path = Path(order["path"])
        if order["do"] == "publish":
            watch_publishing(step)
            _files.publish(Path(order["made"]), path)
        else:
            def run():
                with requests.Session() as client:
                    for target in order["targets"]:
                        client.get(order["url"] + target, timeout=60)

            watch_files(step)
            if order["most_bytes"] is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (order["most_bytes"],) * 2)
            record(path, run, "live", passes=5)

    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            answer = {"status": os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])}
        else:
            pid = os.fork()
            if not pid:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                os.dup2(os.open(os.devnull, os.O_RDWR), 1)
                try:
                    work(order)
                except KeyboardInterrupt:
                    os._exit(130)
                except OSError as error:
                    os._exit(error.errno)
                except BaseException as error:
                    sys.stderr.write(repr(error))
                    sys.stderr.flush()
                    os._exit(1)
                os._exit(0)
            answer = {"pid": pid}
        print(json.dumps(answer), flush=True)
"""


INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Nursery:
    """A process that forks others to record and to publish."""

    process: subprocess.Popen[str]

    def start(self, do: str, path: Path, **order: object) -> int:
        """Start one; the result is its id.

        stop        the step at which it ends itself: 0 is before anything else, -1 never
        interrupt   it does so by Ctrl-C rather than by a kill
        most_bytes  no file may become longer
        """
        settings = {"stop": -1, "interrupt": False, "most_bytes": None}
        whole = {"do": do, "path": str(path), **settings, **order}
        pid: int = self._ask(whole)["pid"]
        return pid

    def end(self, pid: int) -> int:
        """The exit code, negative where it was killed."""
        status: int = self._ask({"wait": pid})["status"]
        return status

    def do(self, do: str, path: Path, **order: Any) -> int:
        """Start one, and wait for its end."""
        return self.end(self.start(do, path, **order))

    def _ask(self, order: dict[str, object]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def nursery() -> Iterator[Nursery]:
    """The process, which ends with the block."""
    command = [sys.executable, "-c", dedent(NURSERY)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Nursery(process)
        assert process.stdin is not None
        process.stdin.close()
        assert 0 == process.wait(HANG_LIMIT_S)


def vcrpy_plays(path: Path) -> int:
    """How many interactions vcrpy itself finds in a file."""
    serializer = "json" if path.suffix == ".json" else "yaml"
    with vcr.VCR(serializer=serializer, record_mode=vcr.mode.NONE).use_cassette(str(path)) as cassette:
        return len(cassette.requests)
