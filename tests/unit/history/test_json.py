"""pytest-benchmark's JSON becomes a run and comes out again as it was; what isn't of its kind is refused in words."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from laptime.git import Commit
from laptime.history import FAILED, PASSED, SKIPPED, Fingerprint, HistoryError, Run, from_json, inputs_of, to_json
from laptime.history.store import Store
from tests.support import TESTS
from tests.support.histories import FINGERPRINT, START, benchmark, commit, document

CORPUS = sorted((TESTS / "benchmark_corpus").glob("*.json"))
DOCUMENTS = [json.loads(path.read_bytes()) for path in CORPUS]


def by_name(made: dict[str, Any]) -> list[Any]:
    """A document's benchmarks, in the order of their names."""
    return sorted(made["benchmarks"], key=lambda one: one["fullname"])


def beside(made: dict[str, Any]) -> dict[str, Any]:
    """What a document holds beside its benchmarks and what laptime adds."""
    return {key: value for key, value in made.items() if key not in ("benchmarks", "laptime")}


def in_order(made: Run) -> str:
    """A run as a text; NaN within a document equals nothing, and is kept."""
    return json.dumps(asdict(made), sort_keys=True, default=str)


def one(**changes: Any) -> dict[str, Any]:
    """A document of one benchmark, with some of its keys changed."""
    return {**document([benchmark("test_a", [0.1, 0.2, 0.4])]), **changes}


def with_benchmark(**changes: Any) -> dict[str, Any]:
    """The same, with the benchmark changed."""
    return document([{**benchmark("test_a", [0.1, 0.2, 0.4]), **changes}])


def with_stats(**changes: Any) -> dict[str, Any]:
    """The same, with its statistics changed."""
    made = benchmark("test_a", [0.1, 0.2, 0.4])
    return document([{**made, "stats": {**made["stats"], **changes}}])


def with_key(**changes: Any) -> dict[str, Any]:
    """The same, with laptime's own key changed."""
    made = one()
    return {**made, "laptime": {**made["laptime"], **changes}}


# What real files hold


def test_the_corpus_is_there():
    """All files of its README."""
    assert 32 == len(CORPUS)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_every_version_s_file_comes_out_as_it_went_in(path):
    """Nothing of it is lost; what is added stands under one key, and it gives the same run again.

    Each holds five timed benchmarks, with a median each, and rounds where the file has them.
    """
    original = json.loads(path.read_bytes())
    made = from_json(original)
    exported = json.loads(json.dumps(to_json(made)))
    assert by_name(original) == by_name(exported)
    assert beside(original) == beside(exported)
    assert made == from_json(exported)
    assert 5 == len(made.results)
    for result, written in zip(made.results, by_name(original), strict=True):
        assert (PASSED, False) == (result.outcome, result.thinned)
        assert pytest.approx(written["stats"]["median"], rel=1e-9) == result.values["wall"]
        assert tuple(written["stats"].get("data") or ()) == result.rounds.get("wall", ())
        assert "::()::" not in result.fullname


def test_a_file_is_the_same_run_however_it_is_written():
    """The id is of its content: order and spaces don't count, figures do."""
    for original in DOCUMENTS:
        turned = json.loads(json.dumps(dict(reversed(original.items())), indent=1))
        other = copy.deepcopy(original)
        other["benchmarks"][0]["stats"]["max"] += 1
        assert from_json(original).id == from_json(turned).id != from_json(other).id
    assert len(DOCUMENTS) == len({from_json(original).id for original in DOCUMENTS})


def read(name: str) -> Any:
    """The run of a file of the corpus."""
    return from_json(json.loads((CORPUS[0].parent / f"{name}.json").read_bytes()))


def test_a_new_file_by_eye():
    """5.3.1, with data, in a repository."""
    original = json.loads((CORPUS[0].parent / "v5.3.1-with-data.json").read_bytes())
    made = read("v5.3.1-with-data")
    assert (
        Commit(
            original["commit_info"]["id"],
            datetime.fromisoformat(original["commit_info"]["time"]).astimezone(UTC),
            original["commit_info"]["branch"],
            None,
        )
        == made.commit
    )
    assert datetime.fromisoformat(original["datetime"]) == made.at
    assert ("AMD EPYC", "x86_64", "Linux") == tuple(
        made.fingerprint.machine[key] for key in ("cpu", "architecture", "OS")
    )
    assert {"implementation": "CPython", "version": "3.13.0", "compiler": "GCC 12.2.0"} == made.fingerprint.interpreter
    assert ({"pytest-benchmark": "5.3.1"}, ("pytest-benchmark",)) == (
        made.fingerprint.libraries,
        made.fingerprint.loaded,
    )
    assert (None, True) == (made.label, made.complete)
    assert all(result.rounds for result in made.results)


def test_an_old_file_by_eye():
    """3.0.0 under Python 2.7: a time without an offset is UTC, and a class is written as it is now."""
    original = json.loads((CORPUS[0].parent / "v3.0.0-with-data.json").read_bytes())
    made = read("v3.0.0-with-data")
    assert datetime.fromisoformat(original["datetime"]).replace(tzinfo=UTC) == made.at
    assert any("::()::" in written["fullname"] for written in original["benchmarks"])
    assert "2.7.18" == made.fingerprint.interpreter["version"]


@pytest.mark.parametrize("name", [path.stem for path in CORPUS if "dirty" in path.stem])
def test_changes_of_another_suite_are_unknown_ones(name):
    """That there were some is told, and not which."""
    assert "unknown" == read(name).commit.changes
    assert read(name).commit.dirty


@pytest.mark.parametrize("name", [path.stem for path in CORPUS if "unborn" in path.stem or "stats-only" in path.stem])
def test_without_a_commit_there_is_none(name):
    """Outside of a repository, and before its first commit."""
    assert Commit() == read(name).commit


def test_a_repository_s_branch_is_told():
    """In whatever folder of it."""
    assert ["main", "main"] == [read(name).commit.branch or "main" for name in ("v5.3.1-below", "v5.3.1-with-data")]
    assert None not in {read(name).commit.id for name in ("v5.3.1-below", "v5.3.1-with-data")}


# What a session of laptime adds


def test_a_session_s_document_says_what_it_was():
    """Its id, label, commit and fingerprint, and what was not timed."""
    made = from_json(
        document(
            [benchmark("test_b", [1.0])],
            commit=commit("ab", 2, changes="d" * 64),
            failed={"test_a": "ValueError: no"},
            label="before",
            complete=False,
        )
    )
    assert (START, "before", False, FINGERPRINT) == (made.at, made.label, made.complete, made.fingerprint)
    assert commit("ab", 2, changes="d" * 64) == made.commit
    assert [("test_a", FAILED, "ValueError: no"), ("test_b", PASSED, None)] == [
        (result.fullname, result.outcome, result.note) for result in made.results
    ]


def test_cpu_time_and_memory_are_figures_too():
    """The median of the rounds' CPU time, and the peak as it stands."""
    made = benchmark("test_a", [0.1, 0.2], peak_pss_bytes=1024)
    made["extra_info"]["rounds"] = {"cpu_s": [0.3, 0.5], "wall_s": [0.1, 0.2]}
    (result,) = from_json(document([made])).results
    assert pytest.approx({"wall": 0.15, "cpu": 0.4, "memory": 1024}) == result.values
    assert {"wall": (0.1, 0.2), "cpu": (0.3, 0.5)} == result.rounds


@pytest.mark.parametrize("copied", [[0.1, 0.2], [0.1, 0.3], [], None, "text"])
def test_rounds_that_stand_twice_come_out_twice(copied):
    """And those that differ come out as they were."""
    made = benchmark("test_a", [0.1, 0.2])
    made["extra_info"]["rounds"] = {"cpu_s": [0.3, 0.5], "wall_s": copied, "more": [1]}
    original = copy.deepcopy(document([made]))
    assert original == to_json(from_json(document([made])))


def test_reading_changes_nothing_of_a_document():
    """Who made it may go on with it."""
    made = benchmark("test_a", [0.1, 0.2])
    made["extra_info"]["rounds"] = {"cpu_s": [0.3, 0.5], "wall_s": [0.1, 0.2]}
    original = document([made], failed={"test_b": "no"})
    before = copy.deepcopy(original)
    to_json(from_json(original))["benchmarks"][0]["extra_info"]["mine"] = 1
    assert before == original


def test_inputs_are_what_makes_results_comparable():
    """Of extra_info and options; what holds more than a value is written as JSON."""
    made = benchmark("test_a", [1.0], tier="smoke", workers=4, http="replay", limits={"b": 1, "a": [2]}, more="else")
    (result,) = from_json(document([made])).results
    expected = {"tier": "smoke", "workers": 4, "http": "replay", "limits": '{"a": [2], "b": 1}'}
    assert {**expected, "timer": "perf_counter", "disable_gc": False} == result.inputs == inputs_of(made)


@pytest.mark.parametrize("made", [{}, {"extra_info": None, "options": None}, {"extra_info": ["tier"], "options": {}}])
def test_a_benchmark_that_tells_nothing_has_no_inputs(made):
    """Older files, and other suites', hold less."""
    assert {} == inputs_of(made)


# Any document


FIGURES = st.floats(min_value=0, max_value=1e300, allow_nan=False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
EXTRA = st.dictionaries(
    st.text(max_size=8) | st.sampled_from(["tier", "http", "workers", "answer"]), VALUES, max_size=4
)


@st.composite
def benchmarks(draw: Any) -> dict[str, Any]:
    """A benchmark of any shape that pytest-benchmark writes."""
    made = benchmark(
        draw(st.text(st.characters(), min_size=1, max_size=12)), draw(st.lists(FIGURES, min_size=1, max_size=9))
    )
    made["extra_info"] = draw(EXTRA)
    if draw(st.booleans()):
        cpu = draw(st.lists(FIGURES, min_size=1, max_size=5))
        made["extra_info"]["rounds"] = {"cpu_s": cpu, "wall_s": draw(st.sampled_from([cpu, made["stats"]["data"]]))}
    if draw(st.booleans()):
        del made["stats"]["data"]
    made["params"] = draw(VALUES)
    return made


@st.composite
def documents(draw: Any) -> dict[str, Any]:
    """A document with benchmarks of different names, with laptime's key or without."""
    some = draw(st.lists(benchmarks(), min_size=1, max_size=4, unique_by=lambda made: made["fullname"]))
    made = document(some, label=draw(st.none() | st.text(st.characters(), max_size=9)), complete=draw(st.booleans()))
    made["machine_info"] = draw(st.none() | EXTRA.map(lambda extra: {"node": "x", **extra, "cpu": {}}))
    if draw(st.booleans()):
        del made["laptime"]
    return {**draw(EXTRA), **made}


@settings(max_examples=25)
@given(made=documents())
def test_any_document_survives_store_and_export(made, tmp_path_factory):
    """What was imported comes out equal, out of the store as without it."""
    made = json.loads(json.dumps(made))
    try:
        read = from_json(made)
    except HistoryError as error:
        assume("more than once" not in str(error))  # two names that differ in what no database takes
        raise
    store = Store(str(tmp_path_factory.mktemp("store") / "history.db"), Path("/"), create=True)
    assert store.append(read)
    (loaded,) = store.load(store.numbers())
    assert read == loaded
    for exported in (to_json(read), to_json(loaded)):
        assert by_name(made) == by_name(exported)
        assert beside(made) == beside(exported)
        assert read == from_json(exported)


# What is refused

DEEP: Any = []
for _ in range(100_000):
    DEEP = [DEEP]
HUGE = 10**400

REFUSED = {
    "nothing": None,
    "a list": [],
    "a text": "benchmarks",
    "a number": 1,
    "an empty object": {},
    "benchmarks is no list": {"benchmarks": {}},
    "no benchmarks": {"benchmarks": [], "datetime": "2026-01-01T00:00:00"},
    "a benchmark is no object": {"benchmarks": [1], "datetime": "2026-01-01T00:00:00"},
    "a benchmark is nothing": {"benchmarks": [None]},
    "no stats": with_benchmark(stats=None),
    "stats is a list": with_benchmark(stats=[]),
    "no name": with_benchmark(fullname=None),
    "an empty name": with_benchmark(fullname=""),
    "a name that is a number": with_benchmark(fullname=3),
    "a name that is a list": with_benchmark(fullname=["test_a"]),
    "NaN": with_stats(data=[float("nan")]),
    "infinite": with_stats(data=[0.1, float("inf")]),
    "negative": with_stats(data=[0.1, -0.1]),
    "a huge round": with_stats(data=[HUGE]),
    "a round that is a boolean": with_stats(data=[0.1, True]),
    "a round that is a text": with_stats(data=[0.1, "0.2"]),
    "a round that is nothing": with_stats(data=[0.1, None]),
    "rounds that are a text": with_stats(data="0.1"),
    "rounds that are an object": with_stats(data={"0": 0.1}),
    "no median": with_stats(data=None, median=None),
    "a median that is NaN": with_stats(data=None, median=float("nan")),
    "a negative median": with_stats(data=None, median=-1),
    "a median that is a boolean": with_stats(data=None, median=True),
    "a median that is a text": with_stats(data=None, median="1"),
    "a huge median": with_stats(data=None, median=HUGE),
    "no time": one(datetime=None),
    "a time that is a number": one(datetime=1700000000),
    "a time that is a text": one(datetime="yesterday"),
    "a time that never was": one(datetime="2026-02-30T00:00:00"),
    "a time before all times": one(datetime="0001-01-01T00:00:00+14:00"),
    "a time after all times": one(datetime="9999-12-31T23:59:59-14:00"),
    "the same name twice": document([benchmark("test_a", [1.0]), benchmark("test_a", [2.0])]),
    "a name that failed and passed": document([benchmark("test_a", [1.0])], failed={"test_a": "no"}),
    "two names that are one": document([benchmark("x::()::test_a", [1.0]), benchmark("x::test_a", [2.0])]),
    "negative CPU time": with_benchmark(extra_info={"rounds": {"cpu_s": [-1]}}),
    "NaN as CPU time": with_benchmark(extra_info={"rounds": {"cpu_s": [float("nan")]}}),
    "deep extra_info": with_benchmark(extra_info={"deep": DEEP}),
    "deep inputs": with_benchmark(extra_info={"limits": DEEP}),
    "deep machine_info": one(machine_info=DEEP),
    "deep without a key": {**one(more=DEEP), "laptime": None},
    "deep options": with_benchmark(options=DEEP),
    "digits that are too many": one(more=10**5000),
    "machine_info is a list": {**one(machine_info=["x"]), "laptime": None},
    "the CPU is a text": {**one(machine_info={"cpu": "fast"}), "laptime": None},
    "commit_info is a text": {**one(commit_info="x"), "laptime": None},
    "options is a text": with_benchmark(options="x"),
    "a commit's time is a number": {**one(commit_info={"id": "a" * 40, "time": 3}), "laptime": None},
    "the key is a text": one(laptime="x"),
    "the key is a list": one(laptime=[1]),
    "a newer key": with_key(version=2),
    "a key of no version": with_key(version=None),
    "a version that is a text": with_key(version="1"),
    "a run that is no text": with_key(run=3),
    "a run that is short": with_key(run="abc"),
    "a run that is long": with_key(run="a" * 33),
    "a run with other digits": with_key(run="A" * 32),
    "a run with a line's end": with_key(run="a" * 31 + "\n"),
    "a run that is nothing": with_key(run=None),
    "a commit that is a text": with_key(commit="abc"),
    "a commit that is nothing": with_key(commit=None),
    "a commit's id that is a number": with_key(commit={"id": 3}),
    "a commit's id that is a list": with_key(commit={"id": ["a"]}),
    "a commit's id that is long": with_key(commit={"id": "a" * 65}),
    "a branch that is a number": with_key(commit={"id": "a" * 40, "branch": 3}),
    "changes that are a boolean": with_key(commit={"id": "a" * 40, "changes": True}),
    "changes that are long": with_key(commit={"id": "a" * 40, "changes": "a" * 65}),
    "a commit's bad time": with_key(commit={"id": "a" * 40, "at": "now"}),
    "a fingerprint that is nothing": with_key(fingerprint=None),
    "a fingerprint that is empty": with_key(fingerprint={}),
    "a fingerprint without machine": with_key(fingerprint={"interpreter": {}, "libraries": {}, "loaded": []}),
    "a machine that is a list": with_key(
        fingerprint={"machine": [["a", 1]], "interpreter": {}, "libraries": {}, "loaded": []}
    ),
    "a machine of pairs of numbers": with_key(
        fingerprint={"machine": [[1, 2], ["a", 3]], "interpreter": {}, "libraries": {}, "loaded": []}
    ),
    "an interpreter that is deep": with_key(
        fingerprint={"machine": {}, "interpreter": {"a": DEEP}, "libraries": {}, "loaded": []}
    ),
    "an interpreter of lists": with_key(
        fingerprint={"machine": {}, "interpreter": {"a": []}, "libraries": {}, "loaded": []}
    ),
    "a library's version that is a number": with_key(
        fingerprint={"machine": {}, "interpreter": {}, "libraries": {"a": 1}, "loaded": []}
    ),
    "loaded is a text": with_key(fingerprint={"machine": {}, "interpreter": {}, "libraries": {}, "loaded": "abc"}),
    "loaded holds lists": with_key(fingerprint={"machine": {}, "interpreter": {}, "libraries": {}, "loaded": [["a"]]}),
    "a host that is a list": with_key(host=["x"]),
    "a host that is a text": with_key(host="x"),
    "not_timed is a number": with_key(not_timed=1),
    "not_timed is nothing": with_key(not_timed=None),
    "not_timed holds texts": with_key(not_timed=["test_b"]),
    "not_timed without outcome": with_key(not_timed=[{"fullname": "test_b", "note": None}]),
    "an outcome that is none": with_key(not_timed=[{"fullname": "test_b", "outcome": "broken", "note": None}]),
    "what passed and was not timed": with_key(not_timed=[{"fullname": "test_b", "outcome": PASSED, "note": None}]),
    "what failed without a name": with_key(not_timed=[{"fullname": "", "outcome": FAILED, "note": None}]),
    "a label that is a list": with_key(label=["x"]),
}


@pytest.mark.parametrize("made", REFUSED.values(), ids=REFUSED)
def test_what_is_of_no_such_shape_is_refused(made):
    """In words, and before anything is stored."""
    with pytest.raises(HistoryError) as caught:
        from_json(made)
    assert 0 < len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (with_stats(data=[0.1, -0.1]), "benchmarks[0].stats.data"),
        (with_stats(data=None, median=None), "benchmarks[0].stats.median"),
        (with_benchmark(fullname=3), "benchmarks[0].fullname"),
        (with_key(version=2), "upgrade"),
        (with_key(run="abc"), "laptime.run"),
        (one(datetime="yesterday"), "2026-01-02T03:04:05"),
        ({"benchmarks": [], "datetime": "2026-01-01"}, "no benchmarks"),
    ],
)
def test_where_it_is_wrong_is_said(made, words):
    """A path within the document, and what was expected."""
    with pytest.raises(HistoryError) as caught:
        from_json(made)
    assert words in str(caught.value)


def test_nothing_says_what_the_changes_are_but_text():
    """Where a file of laptime's has no commit, there is none."""
    empty = {"id": None, "at": None, "branch": None, "changes": None}
    assert Commit() == from_json(with_key(commit=empty)).commit
    assert (
        Fingerprint()
        == from_json(
            with_key(fingerprint={"machine": {}, "interpreter": {}, "libraries": {}, "loaded": []})
        ).fingerprint
    )


def test_a_skipped_benchmark_comes_out_as_it_was():
    """With its note, or without one."""
    skipped = [
        {"fullname": name, "outcome": SKIPPED, "note": note} for name, note in (("test_b", "why"), ("test_c", None))
    ]
    made = with_key(not_timed=skipped)
    assert skipped == to_json(from_json(made))["laptime"]["not_timed"]


@settings(max_examples=50)
@given(data=st.data())
def test_a_document_that_was_changed_is_read_or_refused(data, tmp_path_factory):
    """Wherever anything is put in it: what is read can be stored, loaded and exported."""
    made = copy.deepcopy(
        data.draw(st.sampled_from([*DOCUMENTS, one(), document([benchmark("a", [1])], failed={"b": "c"})]))
    )
    for _ in range(data.draw(st.integers(1, 3))):
        place: Any = made
        while True:
            keys = sorted(place) if isinstance(place, dict) else range(len(place))
            if not keys:
                break
            key = data.draw(st.sampled_from(list(keys)))
            inner = place[key]
            if isinstance(inner, dict | list) and inner and data.draw(st.integers(0, 4)):
                place = inner
                continue
            if data.draw(st.integers(0, 5)):
                place[key] = data.draw(VALUES | st.sampled_from([float("nan"), HUGE, -1, True, "\0", "\udce9", inner]))
            else:
                del place[key]
            break
    try:
        read = from_json(made)
    except HistoryError:
        return
    store = Store(str(tmp_path_factory.mktemp("store") / "history.db"), Path("/"), create=True)
    assert store.append(read)
    (loaded,) = store.load(store.numbers())
    again = from_json(json.loads(json.dumps(to_json(loaded))))
    assert in_order(read) == in_order(loaded) == in_order(again)
