"""The dask variants: which are run, and what can't be used as a cluster. test_dask_clusters.py has real ones."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from functools import partial

import pytest

from benchmarks.cases import cases
from benchmarks.study import asked_for
from tests.support import ROOT
from tests.support.here import pytest as pytest_here
from tests.support.sessions import USAGE, closed_port
from workloads import cluster
from workloads.model import CannotRun

pytest.importorskip("distributed", reason="dask.distributed is an extra")


# which are run


def names(tier: str, *expressions: str, **settings: object) -> list[str]:
    """Of the dask variants that are run at a tier, with these ``-k`` and the like."""
    named = partial(asked_for, expressions=expressions)
    found = (case.id("replay") for case in cases(tier, None, live=False, asked_for=named, **settings))
    return [name for name in found if "-dask-" in name]


@pytest.mark.parametrize("expression", ["", "primes", "not dask", "primes and not dask", "processes"])
def test_a_cluster_is_not_started_unasked(expression: str) -> None:
    """It takes seconds: the default tier has none of it, nor one that names dask to leave it out."""
    assert [] == names("default", expression)


@pytest.mark.parametrize("expression", ["dask", "hn_items and dask", "test_variant[primes-dask-w2-warm]"])
def test_a_cluster_is_started_where_it_is_asked_for(expression: str) -> None:
    """By -k, or by the name of a test: in the three races."""
    assert ["hn_items-dask-w2-warm", "quotes-dask-w2-html-warm", "primes-dask-w2-warm"] == [
        name for name in names("default", expression) if name.endswith("w2-warm") or "w2-html-warm" in name
    ]


def test_the_full_tier_has_it() -> None:
    """Unasked, cold and warm."""
    assert {"primes-dask-w8-cold", "primes-dask-w8-warm"} <= set(names("full"))


def test_figures_of_a_running_cluster_stand_under_names_of_their_own() -> None:
    """They are never taken for those of a cluster of the suite's own; and naming one is asking for it."""
    found = names("smoke", scheduler="tcp://127.0.0.1:8786")
    assert ["hn_items-dask-w2-cold-cluster", "hn_items-dask-w2-warm-cluster"] == found[:2]


@pytest.mark.parametrize(
    ("threads", "count", "expected"),
    [
        ({"a": 1, "b": 1, "c": 1}, 2, ["a", "b"]),
        ({"a": 4, "b": 4}, 8, ["a", "b"]),
        ({"a": 1, "b": 4, "c": 2}, 6, ["b", "c"]),
        ({"a": 1}, 1, ["a"]),
    ],
)
def test_so_many_threads_of_a_running_cluster_are_used_as_there_are_to_be_workers(threads, count, expected) -> None:
    """A worker with several threads counts as several."""
    assert expected == cluster.chosen(threads, count)


@pytest.mark.parametrize(("threads", "count"), [({"a": 1}, 2), ({"a": 4, "b": 4}, 2), ({}, 1)])
def test_a_running_cluster_that_is_too_small_can_not_be_measured(threads, count) -> None:
    """Nor one whose workers can't be told apart into so many; the message says what there is, and what to do."""
    with pytest.raises(CannotRun, match=f"no {count} of the cluster's workers .* --workers"):
        cluster.chosen(threads, count)


# what can't be used


def test_a_scheduler_that_is_not_there_is_told_at_once() -> None:
    """Nothing is run; the message says where, and the commands that start one."""
    with closed_port() as port:
        ended = pytest_here(ROOT, "--tier=smoke", "-k", "noop", f"--dask=tcp://127.0.0.1:{port}")
    assert USAGE == ended.code
    assert f"--dask: no dask scheduler answers at tcp://127.0.0.1:{port}: " in ended.text
    assert f"`PYTHONPATH=. dask scheduler --host 127.0.0.1 --port {port}`" in ended.text
    assert "nothing was timed" not in ended.text


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["silence", "HTTP"])
def test_what_listens_but_is_no_scheduler_is_refused(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Soon, whether it says something else or nothing at all."""
    monkeypatch.setattr(cluster, "CONNECT_LIMIT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):  # the listener is closed
                while True:
                    connections.append(listener.accept()[0])
                    connections[-1].sendall(answer)

        connections: list[socket.socket] = []
        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(cluster.ClusterError, match="no dask scheduler answers at"):
            cluster.check(f"tcp://127.0.0.1:{listener.getsockname()[1]}", here=True)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for one in connections:
            one.close()


@pytest.mark.parametrize("host", ["192.0.2.1", "cluster.example", "[2001:db8::1]"])
def test_a_scheduler_on_another_machine_is_refused_with_a_replay(host: str) -> None:
    """Before anything is asked of it: what it runs could not reach the replay."""
    with pytest.raises(cluster.ClusterError, match=r"not on loopback.*--http=live"):
        cluster.check(f"tcp://{host}:8786", here=True)


@pytest.mark.parametrize(("host", "here"), [("127.0.0.1", True), ("::1", True), ("192.0.2.1", False)])
def test_a_machine_knows_its_own_addresses(host: str, here: bool) -> None:
    """Others belong to another one."""
    assert here is cluster._is_here(host)
