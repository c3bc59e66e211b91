"""A gate: `laptime gate` in real repositories. What it refuses is in test_gate_bad_input.py."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.support import outside_pytest
from tests.support.gates import (
    BENCHMARK,
    CANNOT,
    CODE,
    FAIL,
    GATE,
    NO_BLOCKS,
    NOBODY,
    PASS,
    QUICK,
    SETTINGS,
    commit,
    detail,
    gate,
    git,
    processes_in,
    project,
    state,
    tried,
    verdicts,
    write,
)
from tests.support.sessions import SHORT, Ended, suite, until

COMPARED = "[laptime: ]*the working tree .* against main .*: {count} benchmarks?, all on one CPU"

# what becomes of benchmarks

FATES = """
    import os, signal, stat, time
    from contextlib import suppress

    BASE, HEAD = {base}, {head}

    def work(count=10_000):
        return sum(range(count))

    def answer():
        return 42 if BASE else 43

    def hang():
        time.sleep(0 if BASE else 600)

    def is_far_slower():
        BASE or time.sleep(0.02)

    def exits():
        BASE or os._exit(3)

    def garbles():
        for number in () if BASE else map(int, os.listdir("/dev/fd")):
            with suppress(OSError):  # the directory's own is closed by now
                if number > 2 and stat.S_ISSOCK(os.fstat(number).st_mode):
                    os.write(number, b"garbage\\n")

    def is_killed():
        BASE or os.kill(os.getpid(), signal.SIGKILL)

    def fails_in_base():
        if BASE:
            raise ValueError("only BASE says so")
"""
FATE_BENCHMARKS = """
    import pytest, thing

    @pytest.fixture
    def slow_to_set_up():
        thing.hang()

    def test_hangs(benchmark):
        benchmark(thing.hang)

    def test_set_up_hangs(benchmark, slow_to_set_up):
        benchmark(thing.work)

    def test_exits(benchmark):
        benchmark(thing.exits)

    def test_garbles(benchmark):
        benchmark(thing.garbles)

    def test_is_killed(benchmark):
        benchmark(thing.is_killed)

    def test_wrong_answer(benchmark):
        assert benchmark(thing.answer) == 42, "the answer is wrong"

    def test_fails_in_base(benchmark):
        benchmark(thing.fails_in_base)

    def test_skipped_by_head(benchmark):
        if thing.HEAD:
            pytest.skip("not on HEAD's machine")
        benchmark(thing.work)
        assert benchmark.stats.stats.mean > 0

    @pytest.mark.skipif(thing.BASE, reason="not on BASE's machine")
    def test_skipped_by_base(benchmark):
        benchmark(thing.work)

    def test_pedantic_skipped_by_base(benchmark):
        if thing.BASE:
            pytest.skip("not on BASE's machine")
        assert benchmark.pedantic(thing.work, setup=lambda: ((3,), {}), rounds=2) == 3

    @pytest.mark.skip
    def test_skipped_by_both(benchmark):
        benchmark(thing.work)

    @pytest.mark.xfail(strict=True)
    def test_fails_as_expected(benchmark):
        assert benchmark(thing.work) == 0

    def test_calls_nothing(benchmark):
        thing.work()

    def test_calls_it_twice(benchmark):
        benchmark(thing.work)
        benchmark(thing.work)

    def test_set_up_and_arguments(benchmark):
        benchmark.pedantic(thing.work, setup=lambda: ((1,), {}), args=(1,))

    def test_set_up_and_iterations(benchmark):
        benchmark.pedantic(thing.work, setup=lambda: None, iterations=2)

    def test_far_slower(benchmark):
        benchmark(thing.is_far_slower)

    def test_fine(benchmark):
        assert benchmark(thing.work) == 49995000
        assert benchmark.stats.stats.mean > 0
"""
OLD_NAME = """
    def test_old_name(benchmark):
        benchmark(thing.work)
"""
NEW_ONES = """
    def test_new_name(benchmark):
        benchmark(thing.work)

    def test_new_and_exits(benchmark):
        benchmark(thing.exits)

    def test_new_and_wrong(benchmark):
        assert benchmark(thing.work) == 0, "wrong from the start"
"""


def test_what_is_broken_is_named_with_its_reason_and_the_others_are_run(tmp_path):
    """Whatever a benchmark does to its process, even where pytest is to stop at the first failure."""
    root = project(
        tmp_path / "project",
        {
            "pyproject.toml": SETTINGS + "    addopts = '-x --benchmark-disable --benchmark-only'\n",
            "thing/__init__.py": FATES.format(base=True, head=False),
            "benchmarks/test_thing.py": FATE_BENCHMARKS + OLD_NAME,
            "benchmarks/test_lost.py": BENCHMARK.replace("work", "lost"),
            "benchmarks/test_other.py": BENCHMARK.replace("test_work", "test_other"),
        },
        {
            "thing/__init__.py": FATES.format(base=False, head=True),
            "benchmarks/test_thing.py": FATE_BENCHMARKS + NEW_ONES,
            "benchmarks/test_lost.py": BENCHMARK.replace("import thing", "import thing, no_such_module"),
            "benchmarks/test_other.py": BENCHMARK.replace("import thing", "import thing; assert thing.HEAD").replace(
                "test_work", "test_other"
            ),
        },
    )
    ended = gate(root, "main", NO_BLOCKS, "--round-limit=3s", limit_s=180)
    assert FAIL == ended.code, ended.text
    broken = {
        "test_hangs": "HEAD: it hung: nothing was heard of it for 3 s",
        "test_set_up_hangs": "HEAD: it hung: nothing was heard of it for 6 s",
        "test_exits": "HEAD: its process ended (exit code 3)",
        "test_garbles": "HEAD: its process wrote b'garbage' to the gate's own socket",
        "test_is_killed": "HEAD: its process ended (killed by SIGKILL)",
        "test_wrong_answer": "the answer is wrong",
        "test_fails_in_base": "only BASE says so",
        "test_calls_nothing": "it does not call its `benchmark` fixture",
        "test_calls_it_twice": "FixtureAlreadyUsed",
        "test_set_up_and_arguments": "Can't use `args` or `kwargs` if `setup` returns the arguments",
        "test_set_up_and_iterations": "Can't use more than 1 `iterations` with a `setup` function",
        "test_lost": "HEAD: benchmarks/test_lost.py can't be collected",
        "test_other": "BASE: can't be collected with HEAD's harness",
        "test_new_and_exits": "HEAD: its process ended (exit code 3)",
        "test_new_and_wrong": "wrong from the start",
    }
    others = {
        **dict.fromkeys(("test_old_name", "test_skipped_by_head"), "missing"),
        **dict.fromkeys(("test_new_name", "test_skipped_by_base", "test_pedantic_skipped_by_base"), "new"),
        **dict.fromkeys(("test_fine", "test_far_slower"), "unresolved"),
    }
    assert dict.fromkeys(broken, "broken") | others == verdicts(ended), ended.text
    for name, said in broken.items():
        assert said in detail(ended, name), ended.text
    assert "skipped on both sides: 2 benchmarks" in ended.text
    assert ": 2 benchmarks, all on one CPU" in ended.text  # what is slower is not hung, by how much ever


def test_where_the_only_benchmark_dies_on_base_it_is_broken(tmp_path):
    """Which says nothing of whether BASE bears HEAD's benchmarks; what is new is run all the same."""
    root = project(
        tmp_path / "project",
        {"thing/__init__.py": FATES.format(base=False, head=True), "benchmarks/test_thing.py": EXITS + FINE},
        {"thing/__init__.py": FATES.format(base=True, head=False), "benchmarks/test_thing.py": EXITS + FINE + OLD_NAME},
    )
    ended = gate(root, "main", NO_BLOCKS, "-k", "exits or old_name")
    assert FAIL == ended.code, ended.text
    assert {"test_exits": "broken", "test_old_name": "new"} == verdicts(ended), ended.text
    assert "BASE: its process ended (exit code 3)" in detail(ended, "test_exits")


EXITS = """
    import thing

    def test_exits(benchmark):
        benchmark(thing.exits)
"""
FINE = """
    def test_fine(benchmark):
        benchmark(thing.work)
"""

KINDS = """
    import multiprocessing, threading, time
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

    import pytest, thing

    @pytest.fixture(scope="session")
    def store():
        made = {}
        yield made
        made.clear()

    @pytest.fixture
    def background():
        over = threading.Event()
        thread = threading.Thread(target=over.wait)
        thread.start()
        yield
        over.set()
        thread.join()

    @pytest.mark.benchmark(group="sums", min_rounds=3)
    class TestSums:
        @pytest.mark.parametrize("count", [10, 1000], ids=["few of them", "a::b[c]"])
        def test_sum(self, benchmark, store, count):
            store[count] = benchmark(thing.work, count)
            assert store[count] == sum(range(count))

    def test_pedantic(benchmark):
        seen = []
        given = ((100,), {})
        found = benchmark.pedantic(
            lambda count: seen.append(count) or thing.work(count),
            setup=lambda: given, teardown=lambda count: seen.remove(count), rounds=2, warmup_rounds=1,
        )
        assert found == 4950
        assert seen == []

    def test_pedantic_iterations(benchmark):
        assert benchmark.pedantic(thing.work, args=(100,), iterations=7, rounds=2) == 4950

    def test_what_is_asked_of_it_after(benchmark):
        benchmark.extra_info["count"] = 3
        benchmark(thing.work)
        assert benchmark.stats.stats.max >= benchmark.stats.stats.min > 0
        assert benchmark.enabled and not benchmark.disabled

    def test_in_frozen_time(benchmark, monkeypatch):
        monkeypatch.setattr(time, "perf_counter", lambda: 5.0)
        benchmark(thing.work)

    def test_a_thread_in_the_background(benchmark, background):
        benchmark(thing.work)

    def test_a_thread_pool(benchmark):
        with ThreadPoolExecutor(2) as pool:
            assert list(benchmark(lambda: list(pool.map(thing.work, [10, 20])))) == [45, 190]

    @pytest.mark.parametrize("method", ["fork", "forkserver"])
    @pytest.mark.laptime_gate(multicore=False)
    def test_a_pool_of_processes(benchmark, method):
        def pooled():
            with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as pool:
                return list(pool.map(thing.work, [10, 20]))
        assert benchmark.pedantic(pooled, rounds=1) == [45, 190]
"""
WOVEN = """
    def test_woven(benchmark):
        pytest.importorskip("aspectlib")
        benchmark.weave(thing.work)
        assert thing.work(10) == 45
"""


def test_whatever_pytest_benchmark_offers_is_measured_as_it_is(tmp_path):
    """And what this plugin offers: all answers are right, nothing is broken."""
    root = tmp_path / "project"
    root.mkdir()
    suite(root, test_shop=(SHORT,))
    commit(
        root,
        {
            "pyproject.toml": SETTINGS.replace('["benchmarks"]', '["benchmarks", "test_shop.py"]'),
            "thing/__init__.py": CODE,
            "benchmarks/test_kinds.py": KINDS + WOVEN,
        },
    )
    write(root, {"thing/__init__.py": CODE + "    # a comment\n"})
    ended = gate(root, "main", NO_BLOCKS)
    assert CANNOT == ended.code, ended.text
    assert {"unresolved"} == set(verdicts(ended).values()), ended.text  # there was no time for blocks
    skipped = 1 if "skipped on both sides: 1 benchmark" in ended.text else 0  # where aspectlib is absent
    assert f": {12 - skipped} benchmarks" in ended.text


# whose code runs, and of which files

WITNESS = """
    import json, os
    from pathlib import Path

    import pytest, thing

    @pytest.mark.parametrize("word", ["a b", "x[y]"])
    def test_work(benchmark, word):
        benchmark(thing.work)
        root = ROOT
        files = {
            str(path.relative_to(root)): os.readlink(path) if path.is_symlink() else path.read_text()
            for path in root.rglob("*")
            if (path.is_symlink() or path.is_file()) and path.suffix != ".pyc"
        }
        said = {"word": word, "thing": thing.__file__, "cwd": os.getcwd(), "root": str(root), "files": files}
        Path(os.environ["WITNESS"], thing.SIDE).write_text(json.dumps(said))
"""


@pytest.fixture
def witness(tmp_path):
    """The environment in which `WITNESS` says what it saw, and what was seen: side -> what it said."""
    import json

    directory = tmp_path / "witness"
    directory.mkdir()
    return {"WITNESS": str(directory)}, lambda: {
        path.name: json.loads(path.read_text()) for path in directory.iterdir()
    }


def sides(root: Path, place: str, *, settings: str = SETTINGS, env: dict[str, str]) -> Path:
    """A project whose code says which side it is."""
    files = {"pyproject.toml": settings, "benchmarks/test_thing.py": WITNESS}
    commit(root, {**files, f"{place}/__init__.py": f"SIDE = 'base'\n{CODE}".replace("\n    ", "\n")})
    write(root, {f"{place}/__init__.py": f"SIDE = 'head'\n{CODE}".replace("\n    ", "\n")})
    return root


FINDER = """
    import importlib.machinery, importlib.util, sys

    MAPPING = {{"thing": {package!r}}}

    class Finder:
        @classmethod
        def find_spec(cls, name, path=None, target=None):
            if name in MAPPING:
                return importlib.util.spec_from_file_location(name, MAPPING[name] + "/__init__.py")

    def install():
        sys.meta_path.append(Finder)
"""


@pytest.mark.parametrize("how", ["path", "finder"])
def test_each_side_runs_its_own_code_however_it_is_installed(tmp_path, witness, how):
    """On the path by a .pth file, or by the finder of setuptools; a copy that is installed too is not loaded.

    A startup file stands in for an installation's: it runs at the same moment.
    """
    env, seen = witness
    place = {"path": "lib/thing", "finder": "python/lib/thing"}[how]
    root = sides(tmp_path / "project", place, env=env)
    site = tmp_path / "site-packages"
    package = str(root / place)
    starts = {
        "path": f"import sys; sys.path.append({str(root / 'lib')!r})",
        "finder": "import __editable___thing_finder; __editable___thing_finder.install()",
    }
    write(site, {"sitecustomize.py": starts[how], "__editable___thing_finder.py": FINDER.format(package=package)})
    if how == "path":
        write(site, {"thing/__init__.py": "raise RuntimeError('the installed one')\n"})
    ended = gate(root, "main", NO_BLOCKS, env={**env, "PYTHONPATH": str(site)})
    assert CANNOT == ended.code, ended.text
    assert {"unresolved"} == set(verdicts(ended).values()), ended.text  # there was no time for blocks
    found = seen()
    assert {"base", "head"} == set(found), ended.text
    for one in found.values():
        assert one["thing"] == f"{one['root']}/{place}/__init__.py"
    assert found["base"]["root"] != found["head"]["root"]


def test_each_side_has_the_files_that_git_would_have(tmp_path, witness):
    """Whatever they are called, and of the working tree also what was not committed; nobody else's are touched."""
    env, seen = witness
    root, other = tmp_path / "project", tmp_path / "other"
    commit(other, {"inside.py": ""})
    outside = write(
        tmp_path / "outside", {"test_outside.py": "import thing\n\ndef test_o(benchmark):\n    benchmark(thing.work)\n"}
    )
    settings = SETTINGS.replace('["benchmarks"]', '["benchmarks", "linked", "../../outside_tests"]')
    odd = {"data/with space": "s", "data/ünï": "u", "data/new\nline": "n"}
    gone = {"data/gone.txt": "g"}
    git_files = {".gitattributes": "benchmarks export-ignore\ndata export-ignore\n", ".gitignore": "ignored*\n"}
    write(root, {})
    root.mkdir(exist_ok=True)
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(other), "sub")
    (root / "linked").symlink_to(outside)
    (root / "data").mkdir()
    (root / "data" / "link").symlink_to("with space")
    sides_files = {"thing/__init__.py": f"SIDE = 'base'\n{CODE}".replace("\n    ", "\n")}
    commit(
        root,
        {"pyproject.toml": settings, "benchmarks/test_thing.py": WITNESS, **odd, **gone, **git_files, **sides_files},
    )
    write(root, {"thing/__init__.py": f"SIDE = 'head'\n{CODE}".replace("\n    ", "\n"), "data/gone.txt": None})
    write(root, {"data/staged": "1", "data/untracked": "1", "ignored.txt": "1"})
    git(root, "add", "data/staged")
    ended = gate(root, "main", NO_BLOCKS, env=env)
    assert CANNOT == ended.code, ended.text
    assert {"unresolved"} == set(verdicts(ended).values()), ended.text  # there was no time for blocks
    base, head = (
        {
            name: text
            for name, text in seen()[side]["files"].items()
            if name.startswith(("data", "ign", "sub", "benchm"))
        }
        for side in ("base", "head")
    )
    assert {
        **odd,
        **gone,
        "data/link": "with space",
        "benchmarks/test_thing.py": (root / "benchmarks/test_thing.py").read_text(),
    } == base
    assert base | {"data/staged": "1", "data/untracked": "1"} == {**head, **gone}
    assert ["test_outside.py"] == [path.name for path in outside.glob("*.py")]


def test_a_project_within_a_repository_is_gated_from_wherever_it_is_called(tmp_path, witness):
    """By absolute paths through a link, and node ids with spaces and brackets; BASE need not have the directory."""
    env, seen = witness
    toplevel = tmp_path / "everything"
    commit(toplevel, {"README": "of all", "pyproject.toml": "[tool.ruff]\n"})
    (toplevel / "parts" / "one").mkdir(parents=True)
    root = sides(toplevel / "parts" / "one", "thing", env=env)
    (tmp_path / "link").symlink_to(root)
    (root / "benchmarks" / "new").mkdir()
    node = f"{tmp_path / 'link'}/benchmarks/test_thing.py::test_work[a b]"
    ended = gate(root / "benchmarks" / "new", "main", NO_BLOCKS, "--", node, env=env)
    assert CANNOT == ended.code, ended.text
    assert ": 1 benchmark, all on one CPU" in ended.text
    found = seen()
    assert {"base", "head"} == set(found), ended.text
    for one in found.values():
        assert one["word"] == "a b"
        assert one["root"].endswith("/parts/one")
        assert one["cwd"] == f"{one['root']}/benchmarks/new"
        assert one["thing"] == f"{one['root']}/thing/__init__.py"


# what a gate leaves: nothing

WAITS = """
    import os, time
    from pathlib import Path

    import pytest, thing

    def test_broken(benchmark):
        assert benchmark(thing.work) == 0, "a known failure"

    def test_waits(benchmark):
        benchmark(thing.work)

        started = Path(os.environ["STARTED"])
        started.touch()
        time.sleep(600)
"""


@pytest.fixture
def waiting(tmp_path) -> tuple[Path, dict[str, str], Path]:
    """A project with a benchmark that does not end, its environment, and the file that it makes."""
    root = project(tmp_path / "project", {"benchmarks/test_thing.py": WAITS.replace("{", "{")})
    (tmp_path / "temporary").mkdir()
    started = tmp_path / "started"
    return root, {"STARTED": str(started), "TMPDIR": str(tmp_path / "temporary")}, started


def test_nothing_in_the_repository_is_touched(tmp_path):
    """No file, no time of one, no reference, no work tree; not even the index is refreshed."""
    root = project(tmp_path / "project", head={"thing/__init__.py": CODE + "    # new\n", "untracked": "1"})
    git(root, "config", "core.fsmonitor", "false")
    git(root, "update-index", "--split-index")
    git(root, "tag", "v1")
    os.utime(root / "pyproject.toml", (1, 1))  # git would refresh what it noted of it
    before = state(root)
    ended = gate(root, "v1", NO_BLOCKS, "--", "--benchmark-autosave")
    assert CANNOT == ended.code, ended.text
    assert before == state(root)


@pytest.mark.parametrize(("number", "times"), [(signal.SIGINT, 2), (signal.SIGTERM, 1)])
def test_an_interrupted_gate_says_what_it_knows_and_leaves_nothing(waiting, tmp_path, number, times):
    """In the middle of a round, while one side stands still; in its outputs too."""
    root, env, started = waiting
    before = state(root)

    def interrupt(process: subprocess.Popen[bytes]) -> None:
        until(lambda: started.exists() or process.poll() is not None)
        for _ in range(times):
            process.send_signal(number)
            time.sleep(0.1)

    written = tmp_path / "gate.json"
    ended = gate(root, "main", NO_BLOCKS, f"--output={written}", env=env, during=interrupt)
    assert "Traceback" not in ended.text
    assert "interrupted" in ended.text
    if times == 1:
        found = json.loads(written.read_text())
        assert (FAIL, True) == (found["exit_code"], found["interrupted"])
        assert FAIL == ended.code, ended.text
        assert {"test_broken": "broken"} == verdicts(ended), ended.text
    assert ended.code in (FAIL, CANNOT, -number), ended.text  # who is hit again at the very end dies of it
    assert [] == list(Path(env["TMPDIR"]).iterdir())
    assert before == state(root)


def test_a_killed_gate_leaves_nothing(waiting, tmp_path):
    """Neither processes, of which one stands still, nor files, nor what an earlier gate wrote."""
    root, env, started = waiting
    before = state(root)
    temporary = Path(env["TMPDIR"])
    written = tmp_path / "gate.json"
    written.write_text("of an earlier gate")

    def kill(process: subprocess.Popen[bytes]) -> None:
        until(lambda: started.exists() or process.poll() is not None)
        assert processes_in(temporary)
        process.kill()

    ended = gate(root, "main", NO_BLOCKS, f"--output={written}", env=env, during=kill)
    assert -signal.SIGKILL == ended.code, ended.text
    assert not written.exists()
    until(lambda: not processes_in(temporary) and not list(temporary.iterdir()), 20)
    assert before == state(root)


LITTLE_ROOM = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.mark.parametrize("head", [(), ("main",)], ids=["working tree", "commit"])
def test_without_room_for_the_files_nothing_is_measured_and_nothing_left(tmp_path, head):
    """The system's limit of files' sizes stands in for a full disk; it is the same error to whom it meets."""
    root = project(tmp_path / "project", {"large": "x" * 200_000})
    git(root, "tag", "v1")
    commit(root, {})
    ended = subprocess.run(
        (sys.executable, "-c", LITTLE_ROOM, *GATE[1:], "v1", *head),
        cwd=root,
        env={**outside_pytest(), **NOBODY, **QUICK, "TMPDIR": str(tmp_path)},
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert CANNOT == ended.returncode, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "can't be written to" in ended.stderr
    assert ["project"] == [path.name for path in tmp_path.iterdir()]


def test_two_gates_at_once_are_no_trouble_though_nobody_reads_one(tmp_path):
    """Each has files and processes of its own; a reader that left (`| head -1`) makes no pass of a failure."""
    root = project(tmp_path / "project", {"benchmarks/test_thing.py": BENCHMARK + "        assert False\n"})
    before = state(root)
    other = []

    def another(_: subprocess.Popen[bytes]) -> None:  # of which nobody reads a word
        reading, writing = os.pipe()
        os.close(reading)
        with open(writing, "wb") as closed:  # noqa: PTH123 (a descriptor)
            other.append(
                subprocess.run(
                    (*GATE, "--no-history", "main", NO_BLOCKS),
                    cwd=root,
                    env={**outside_pytest(), **NOBODY, **QUICK},
                    stdout=closed,
                    stderr=closed,
                    timeout=120,
                    check=False,
                )
            )

    ended = gate(root, "main", NO_BLOCKS, during=another)
    assert {"test_work": "broken"} == verdicts(ended), ended.text
    assert [FAIL, FAIL] == [ended.code, other[0].returncode], ended.text
    assert before == state(root)


# what is known to be true

TRUTHS = """
    import time

    def spin(seconds):
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    def work():
        spin({seconds})
"""
TRUTH_BENCHMARKS = """
    import thing

    def test_called(benchmark):
        benchmark(thing.work)

    def test_pedantic(benchmark):
        benchmark.pedantic(thing.work, setup=lambda: None, rounds=5)
"""
GROWING = """

    def test_grows(benchmark):
        kept = [0] * 50_000
        benchmark(lambda: kept.extend(range(2_000)) or sum(kept))
"""


LENIENT = """
    [tool.laptime.gate]
    limit = "10%"
"""
"""Fewer blocks tell that nothing changed by more."""


def undisturbed(root: Path, *arguments: str) -> Ended:
    """A gate to its end; tried again where it finds that something else is at work here, which it has to say."""
    return tried(lambda: gate(root, "main", "--max-time=4m", *arguments, limit_s=300), lambda ended: ended.text)


def in_src(root: Path, head: str) -> Path:
    """A project whose package is in src and is not installed; HEAD's code is what is given."""
    code = "src/thing/__init__.py"
    base = {
        "thing/__init__.py": None,
        code: TRUTHS.format(seconds=0.010),
        "benchmarks/test_thing.py": TRUTH_BENCHMARKS,
    }
    return project(root, base, {code: head})


INTENDED = """
    [[tool.laptime.gate.accept]]
    benchmark = "*::test_pedantic"
    up_to = "40%"
    why = "two more milliseconds are worth it"
    until = "2999-12-31"
"""


@pytest.mark.serial
def test_12_ms_instead_of_10_are_a_regression_unless_they_are_intended(tmp_path):
    """Of two that both become slower, each is shown; the one that sets up each of its rounds is accepted."""
    root = in_src(tmp_path / "project", TRUTHS.format(seconds=0.012))
    write(root, {"pyproject.toml": SETTINGS + INTENDED})
    ended = undisturbed(root, "--complete")
    assert FAIL == ended.code, ended.text
    assert {"test_called": "regressed", "test_pedantic": "accepted"} == verdicts(ended), ended.text
    assert "accepted up to 40 % until 2999-12-31: two more milliseconds are worth it" in ended.text
    assert "FAILED: 1 regressed" in ended.text


@pytest.mark.serial
def test_a_comment_is_no_regression(tmp_path):
    """Of both of them, nor of a third, of which each call takes longer than the one before: that is said."""
    root = in_src(tmp_path / "project", TRUTHS.format(seconds=0.010) + "    # a comment\n")
    limits = LENIENT + '    [tool.laptime.gate.benchmarks."*::test_grows"]\n    limit = "30%"\n'
    write(root, {"benchmarks/test_thing.py": TRUTH_BENCHMARKS + GROWING, "pyproject.toml": SETTINGS + "\n" + limits})
    git(root, "commit", "--quiet", "--message=one that grows", "benchmarks", "pyproject.toml")
    ended = undisturbed(root)
    assert PASS == ended.code, ended.text
    found = verdicts(ended)
    assert {"test_called", "test_grows", "test_pedantic"} == set(found), ended.text
    assert {"unchanged"} == {found["test_called"], found["test_pedantic"]}, ended.text
    remarks = [line for line in ended.text.splitlines() if "each call takes longer than the one before" in line]
    assert ["test_grows"] == [line.split()[0].rstrip(":") for line in remarks], ended.text


def heads_of(process: subprocess.Popen[bytes]) -> list[int]:
    """The processes of a gate in which pytest runs HEAD's code, now: they write into a log of that name."""
    found = []
    for child in psutil.Process(process.pid).children():
        with suppress(OSError):
            found += [child.pid] if Path(f"/proc/{child.pid}/fd/1").readlink().name == "HEAD" else []
    return found


# runs on the same CPU while that process does, and sleeps while it waits for its turn
FOLLOW = """
import os, sys, time

process = sys.argv[1]
try:
    while True:
        os.sched_setaffinity(0, os.sched_getaffinity(int(process)))
        with open(f"/proc/{process}/stat") as status:
            runs = status.read().rpartition(")")[2].split()[0] == "R"
        if not runs:
            time.sleep(0.001)
except OSError:  # it ended
    pass
"""


@pytest.mark.serial
def test_what_begins_to_run_beside_it_voids_blocks_and_not_verdicts(tmp_path):
    """Over four blocks of a gate that is in its third: at its worst, which is on one side only."""
    root = in_src(tmp_path / "project", TRUTHS.format(seconds=0.010) + "    # a comment\n")
    write(root, {"pyproject.toml": SETTINGS + LENIENT})

    def disturb(process: subprocess.Popen[bytes]) -> None:
        seen: set[int] = set()

        def another() -> bool:
            return process.poll() is not None or not seen.issuperset(heads_of(process))

        for block in range(COLLECTED_AND_TRIED + 2 + 4):
            until(another, limit_s=120)
            new = set(heads_of(process)) - seen
            seen.update(new)
            if block >= COLLECTED_AND_TRIED + 2:
                followers.extend(subprocess.Popen((sys.executable, "-c", FOLLOW, str(pid))) for pid in new)

    followers: list[subprocess.Popen[bytes]] = []
    ended = gate(root, "main", "--max-time=4m", "-k", "called", during=disturb, limit_s=300)
    assert [0] * 4 == [follower.wait(10) for follower in followers]
    assert PASS == ended.code, ended.text
    assert re.search(r"\d+ blocks, [4-9] void", ended.text), ended.text
    # where little is left of the time it may end without one
    assert verdicts(ended)["test_called"] in ("unchanged", "unresolved"), ended.text


COLLECTED_AND_TRIED = 2
"""Pairs of sides before the first block."""
