"""Which ready-made ways to run a function there are, what they are called, and what they need."""

from __future__ import annotations

import multiprocessing
import re
import sys

import pytest

from laptime.ways import Way, ways

ITEMS = (7, 1, 5, 3, 9)


@pytest.mark.parametrize(
    ("way", "name"),
    [
        (Way("sequential"), "sequential"),
        (Way("threads", 8, lifecycle="warm"), "threads-w8-warm"),
        (Way("processes", 2, "spawn", "cold"), "processes-w2-spawn-cold"),
        (Way("processes", 2, "spawn", "cold", chunk_size=16), "processes-w2-spawn-cold-c16"),
        (Way("interpreters", 4, lifecycle="cold"), "interpreters-w4-cold"),
        (Way("asyncio", 8, lifecycle="warm"), "asyncio-w8-warm"),
        (Way("dask", 2, lifecycle="warm"), "dask-w2-warm"),
        (Way("dask", 2, lifecycle="warm", scheduler="tcp://127.0.0.1:8786"), "dask-w2-warm-cluster"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_name_of_a_way_says_how_it_runs(way, name):
    """The kind, the workers, the start method, the lifecycle; then what is not as usual."""
    assert str(way) == name


# which ways there are


def names(*arguments, **keywords):
    return [str(way) for way in ways(*arguments, **keywords)]


def test_without_kinds_there_are_those_that_run_any_function():
    """The sequential one is the first; each pool is there with 2 and 8 workers, warm and cold."""
    assert names() == [
        "sequential",
        "threads-w2-warm",
        "threads-w2-cold",
        "threads-w8-warm",
        "threads-w8-cold",
        "processes-w2-forkserver-warm",
        "processes-w2-forkserver-cold",
        "processes-w8-forkserver-warm",
        "processes-w8-forkserver-cold",
    ]


def test_ways_come_in_the_order_given():
    """Kinds, workers, start methods and lifecycles."""
    given = {"workers": (4, 2), "start_methods": ("spawn", "fork"), "lifecycles": ("cold", "warm")}
    assert names("asyncio", "processes", "sequential", **given) == [
        "asyncio-w4-cold",
        "asyncio-w4-warm",
        "asyncio-w2-cold",
        "asyncio-w2-warm",
        "processes-w4-spawn-cold",
        "processes-w4-spawn-warm",
        "processes-w4-fork-cold",
        "processes-w4-fork-warm",
        "processes-w2-spawn-cold",
        "processes-w2-spawn-warm",
        "processes-w2-fork-cold",
        "processes-w2-fork-warm",
        "sequential",
    ]


def test_one_value_needs_no_tuple():
    """Of workers, start methods and lifecycles."""
    found = names("threads", "processes", workers=3, start_methods="spawn", lifecycles="warm")
    assert found == ["threads-w3-warm", "processes-w3-spawn-warm"]


def test_a_way_is_given_only_what_its_kind_takes():
    """A scheduler for dask, a chunk size for processes and interpreters."""
    kinds = ("sequential", "threads", "processes", "interpreters", "asyncio", "dask")
    found = names(*kinds, workers=2, lifecycles="warm", scheduler="tcp://127.0.0.1:8786", chunk_size=16)
    assert found == [
        "sequential",
        "threads-w2-warm",
        "processes-w2-forkserver-warm-c16",
        "interpreters-w2-warm-c16",
        "asyncio-w2-warm",
        "dask-w2-warm-cluster",
    ]


KINDS = "one or several, each once, of sequential, threads, processes, interpreters, asyncio, dask"
COUNTS = "one or several numbers from 1 on, each once, as in workers=(2, 8)"
METHODS = "one or several, each once, of " + ", ".join(multiprocessing.get_all_start_methods())


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        (["treads"], {}, f"kinds=('treads',): expected {KINDS}"),
        ([("threads", "asyncio")], {}, f"kinds=(('threads', 'asyncio'),): expected {KINDS}"),
        (["threads", "threads"], {}, f"kinds=('threads', 'threads'): expected {KINDS}"),
        ([], {"workers": 0}, f"workers=0: expected {COUNTS}"),
        ([], {"workers": (2, -1)}, f"workers=(2, -1): expected {COUNTS}"),
        ([], {"workers": True}, f"workers=True: expected {COUNTS}"),
        ([], {"workers": 2.0}, f"workers=2.0: expected {COUNTS}"),
        ([], {"workers": "28"}, f"workers='28': expected {COUNTS}"),
        ([], {"workers": None}, f"workers=None: expected {COUNTS}"),
        ([], {"workers": ()}, f"workers=(): expected {COUNTS}"),
        ([], {"workers": [2, 8, 2]}, f"workers=(2, 8, 2): expected {COUNTS}"),
        ([], {"start_methods": "forked"}, f"start_methods='forked': expected {METHODS}"),
        ([], {"start_methods": ("spawn", None)}, f"start_methods=('spawn', None): expected {METHODS}"),
        ([], {"lifecycles": "hot"}, "lifecycles='hot': expected one or several, each once, of warm, cold"),
        (["dask"], {"scheduler": 8786}, "scheduler=8786: expected an address, as in tcp://127.0.0.1:8786, or None"),
        (["dask"], {"scheduler": ""}, "scheduler='': expected an address, as in tcp://127.0.0.1:8786, or None"),
        ([], {"chunk_size": 0}, "chunk_size=0: expected a number from 1 on"),
        ([], {"chunk_size": True}, "chunk_size=True: expected a number from 1 on"),
    ],
)
def test_a_wrong_argument_is_refused(arguments, keywords, message):
    """The error names the argument, its value, and what is expected."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ways(*arguments, **keywords)


# what they need


@pytest.mark.parametrize("way", ways("sequential", "threads", "processes", "asyncio", workers=2), ids=str)
def test_what_the_standard_library_has_needs_nothing(way):
    """It runs on every Python that laptime runs on."""
    assert way.needs() is None


def test_dask_says_how_it_is_installed(monkeypatch):
    """Where the package is missing."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert Way("dask", 2, lifecycle="warm").needs() == "the package `distributed`: install the extra `laptime[dask]`"


def test_an_iterator_is_refused():
    """It would have no items left for the second round."""
    with pytest.raises(
        TypeError, match=r"^items=<tuple_iterator object at 0x\w+> can be gone through only once: pass a"
    ):
        Way("sequential").open(abs, iter(ITEMS))
