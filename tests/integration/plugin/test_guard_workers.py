"""Nothing but loopback: the guard goes with every worker process and every sub-interpreter that is started."""

from __future__ import annotations

import json
import multiprocessing
import sys
from pathlib import Path

import pytest

from tests.support.attempts import ATTEMPTS
from tests.support.sessions import run, write

START_METHODS = multiprocessing.get_all_start_methods()

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


@pytest.mark.parametrize("method", START_METHODS)
def test_a_worker_can_leave_no_more_than_its_parent(tmp_path: Path, method: str) -> None:
    """However it was started: its attempts raise, and are noted with its own process's number."""
    write(tmp_path, attempts=ATTEMPTS, workers=WORKERS)
    ended = run(tmp_path, sys.executable, "-W", "ignore", "workers.py", method)
    assert 0 == ended.code, ended.text
    outcomes = dict(map(json.loads, ended.text.splitlines()))
    notes = outcomes.pop("notes")
    assert set(KINDS) == set(outcomes)
    for kind, (connected, looked_up, pid) in outcomes.items():
        assert "laptime: a connection to 192.0.2.1:9 was refused" in connected, kind
        assert "laptime: a look-up of name.invalid was refused" in looked_up, kind
        own = [note.removesuffix(f" (process {pid})") for note in notes if note.endswith(f" {pid})")]
        # the worker of one pool may have the number of an ended one's
        assert ["a connection to 192.0.2.1:9", "a look-up of name.invalid"] == own[:2], kind


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
