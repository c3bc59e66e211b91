"""The dask variants on a real scheduler and real workers, in processes that these tests start and end."""

from __future__ import annotations

import http.server
import json
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest

from tests.support import HANG_LIMIT_S, ROOT
from tests.support.documents import commands
from tests.support.sessions import OK, benchmarks, until
from tests.support.sessions import pytest as pytest_apart
from workloads import cluster, hn_items
from workloads.model import How

pytest.importorskip("distributed", reason="dask.distributed is an extra")
pytestmark = pytest.mark.slow

QUIET = ("--no-dashboard", "--host", "127.0.0.1")
SHOWN = ("primes-dask-w2-warm", "dask_tasks")
"""What the documents choose by -k."""


@dataclass(slots=True)
class Cluster:
    """A scheduler, and the workers that were started for it."""

    scheduler: str
    directory: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, path: Path = ROOT) -> None:
        """One more worker, of one thread, which finds modules under `path`; it runs as soon as it can."""
        options = ("--nthreads", "1", "--no-nanny", "--local-directory", str(self.directory), *QUIET)
        self.workers.append(
            subprocess.Popen(
                (sys.executable, "-P", "-m", "distributed.cli.dask_worker", self.scheduler, *options),
                env=os.environ | {"PYTHONPATH": str(path)},
                cwd=self.directory,
                stderr=subprocess.DEVNULL,
            )
        )

    def ready(self) -> None:
        """Wait until the scheduler knows each living worker, and no other."""
        from distributed import Client

        with Client(self.scheduler, set_as_default=False) as client:
            until(lambda: len(client.nthreads()) == len(self.workers))

    def end(self) -> None:
        """End the workers."""
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self.workers.clear()


@contextmanager
def started(directory: Path, path: Path = ROOT) -> Iterator[Cluster]:
    """A scheduler in a process of its own, which finds modules under `path`, without workers."""
    told = directory / "scheduler.json"
    command = (sys.executable, "-P", "-m", "distributed.cli.dask_scheduler", "--port", "0", *QUIET)
    with subprocess.Popen(
        (*command, "--scheduler-file", str(told)),
        env=os.environ | {"TMPDIR": str(directory), "PYTHONPATH": str(path)},
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            until(lambda: told.exists() and told.read_text().endswith("}"))
            cluster = Cluster(json.loads(told.read_text())["address"], directory)
            yield cluster
        finally:
            cluster.end()
            process.kill()


@pytest.fixture(scope="module")
def two_or_fewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of which a test may have killed workers."""
    with started(tmp_path_factory.mktemp("dask")) as cluster:
        yield cluster


@pytest.fixture
def two(two_or_fewer: Cluster) -> Cluster:
    """A cluster of two workers of one thread each."""
    for _ in range(2 - len(two_or_fewer.workers)):
        two_or_fewer.start()
    two_or_fewer.ready()
    return two_or_fewer


class Site(http.server.BaseHTTPRequestHandler):
    """Items, told only while the gate is open."""

    protocol_version = "HTTP/1.1"
    gate = threading.Event()
    asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        self.asked[self.path] += 1
        self.gate.wait(HANG_LIMIT_S)
        body = json.dumps({"path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 (its name in the base class)
        pass


@pytest.fixture
def site() -> Iterator[str]:
    """The URL of a site that answers once `Site.gate` is set."""
    Site.gate.clear()
    Site.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        Site.gate.set()
        server.shutdown()
        thread.join()


# answers


def test_what_the_documents_show_is_run_here() -> None:
    """Each command of docs/ways.md that starts a cluster chooses by one of these names."""
    shown = [command for command in commands("docs/ways.md") if "dask" in command]
    assert [f"pytest --benchmark-only -k {name}" for name in SHOWN] == shown


def test_a_local_cluster_answers_rightly_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """Each round's requests are sent anew, by processes of ours whose CPU is counted; the study too has its line."""
    chosen = ("quotes-dask-w2-html-warm", *SHOWN)
    arguments = ("--benchmark-only", "--tier=smoke", "--latency=none", "-k", " or ".join(chosen))
    ended = pytest_apart(ROOT, *arguments, f"--benchmark-json={tmp_path / 'out.json'}")
    assert OK == ended.code, ended.text
    studied = benchmarks(tmp_path / "out.json")
    saved, raced = (studied.pop(f"test_variant[{name}]") for name in chosen[:2])
    points = {(one["extra_info"]["study"]["line"], one["extra_info"]["study"]["x"]) for one in studied.values()}
    lines = ("plain loop", "processes, 2 workers", "dask, a local cluster, 2 workers")
    assert {(line, size_ms) for line in lines for size_ms in (1, 10)} == points
    assert {2} == set(saved["extra_info"]["rounds"]["requests"])
    assert {False} == {benchmark["extra_info"]["cpu_elsewhere"] for benchmark in (saved, raced)}


def test_a_running_cluster_answers_rightly(two: Cluster, tmp_path: Path) -> None:
    """In all three races; its CPU is not taken for the whole; what it is too small for is not run, with the reason."""
    arguments = ("--benchmark-only", "--tier=smoke", "--latency=none", "-k", "dask and not cold", "--workers=2,4")
    ended = pytest_apart(ROOT, *arguments, f"--dask={two.scheduler}", f"--benchmark-json={tmp_path / 'out.json'}")
    assert OK == ended.code, ended.text
    saved = benchmarks(tmp_path / "out.json")
    assert [
        f"test_variant[{one}-warm-cluster]" for one in ("hn_items-dask-w2", "quotes-dask-w2-html", "primes-dask-w2")
    ] == list(saved)
    assert {True} == {one["extra_info"]["cpu_elsewhere"] for one in saved.values()}
    assert 2 == len(re.findall(r"^[>=]? +dask-w2-warm-cluster .* ≥ ", ended.text, re.M))
    told = "laptime: hn_items-dask-w4-warm-cluster and 2 more did not run: no 4 of the cluster's workers (1, 1 threads)"
    assert told in ended.text


def test_a_lost_worker_takes_no_answer_with_it(two: Cluster, site: str) -> None:
    """One of two is killed while each waits for an answer: the other does its work again, and nothing is missing."""
    ids = tuple(range(1, 9))
    (variant,) = (one for one in hn_items.HN_ITEMS.variants if one.name == "dask")
    answers: list[hn_items.Answer] = []
    with variant.open(hn_items.Items(site, ids), How(2, scheduler=two.scheduler)) as work:
        thread = threading.Thread(target=lambda: answers.append(work()))
        thread.start()
        until(lambda: sum(Site.asked.values()) == 2)
        killed = two.workers.pop()
        killed.kill()
        killed.wait()
        Site.gate.set()
        thread.join()
    assert [({number: {"path": hn_items.path(number)} for number in ids}, {})] == answers
    assert {hn_items.path(number) for number in ids} == set(Site.asked)
    assert sum(Site.asked.values()) > len(ids)


# what can't be used


def test_a_cluster_without_workers_or_without_the_suite_is_refused(tmp_path: Path) -> None:
    """The first would wait for ever, and the second fail each task; the messages say how to start a worker."""
    with started(tmp_path) as bare:
        with pytest.raises(cluster.ClusterError, match=r"has no workers. Start one: .*dask worker"):
            cluster.check(bare.scheduler, here=True)
        (tmp_path / "workloads.py").touch()  # found first: an editable installation would find the suite
        bare.start(tmp_path)
        bare.ready()
        with pytest.raises(cluster.ClusterError, match=r"^the worker at .*No module named 'workloads.* PYTHONPATH"):
            cluster.check(bare.scheduler, here=True)
    (tmp_path / "blind").mkdir()
    with started(tmp_path / "blind", tmp_path) as blind:
        blind.start()
        blind.ready()
        with pytest.raises(cluster.ClusterError, match=r"^the scheduler at .*No module named 'workloads.* PYTHONPATH"):
            cluster.check(blind.scheduler, here=True)


def test_a_worker_on_another_machine_cannot_reach_the_replay(monkeypatch: pytest.MonkeyPatch, two: Cluster) -> None:
    """It is refused before anything is timed, unless the live sites are asked."""
    monkeypatch.setattr(cluster, "_is_here", lambda host: False)
    with pytest.raises(cluster.ClusterError, match=r"is on another machine.* --http=live"):
        cluster.check(two.scheduler, here=True)
    cluster.check(two.scheduler, here=False)
