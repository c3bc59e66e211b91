"""What a store promises of runs: each is stored once and whole, and is found, listed and thinned."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from laptime.history import SKIPPED, Filter, Result, from_json, to_json
from laptime.history.store import Store
from tests.support.histories import FINGERPRINT, START, benchmark, big, commit, document, run
from tests.support.stores import (
    HERE,
    NAMES,
    every_run,
    opened,
    refused,
)

# Storing and loading


def test_what_was_appended_is_loaded(store_url):
    """A run comes back equal, in every part."""
    stored = run(
        {"test_a": [0.1, 0.2, 0.3], "test_b[1]": 0.5},
        number=3,
        commit=commit("abc", 5, branch="topic", changes="d" * 64),
        failed={"test_c": "ValueError: no"},
        label="before",
        complete=False,
    )
    store = opened(store_url)
    assert store.append(stored)
    assert [stored] == every_run(store) == every_run(Store(store_url, HERE))


def test_the_same_run_twice_adds_nothing(store_url):
    """The id decides: the second one says False, and the first stays as it was."""
    store, first = opened(store_url), run({"test_a": 1.0}, label="first")
    assert [True, False, False] == [
        store.append(first),
        store.append(first),
        store.append(replace(run({"test_b": 2.0}), label="second")),
    ]
    assert [first] == every_run(store)
    assert ["test_a"] == store.names()


def test_any_name_is_kept(store_url):
    """Whatever pytest makes a node id of: it is found by its name, by a part of it, and no other is."""
    store = opened(store_url)
    runs = [run({name: 0.25 + number}, number=number) for number, name in enumerate(NAMES.values())]
    assert all(store.append(one) for one in runs)
    assert runs[::-1] == every_run(store)
    for number, one in enumerate(runs):
        (kept,) = (result.fullname for result in one.results)
        assert [0.25 + number] == [point.wall for point in store.series(kept)]
        assert kept in store.names(kept)
        assert one.id in [entry.id for entry in store.entries(Filter(benchmark=kept))]


def test_labels_and_branches_may_be_called_anything(store_url):
    """Both come from people and from git, which take nearly every byte; each is found again."""
    runs = [
        run({"test_a": 1.0}, number=number, label=name, commit=commit("abc", branch=name))
        for number, name in enumerate(NAMES.values())
    ]
    store = opened(store_url)
    assert all(store.append(one) for one in runs)
    assert runs[::-1] == every_run(store)
    for one in runs:
        assert [one.id] == [entry.id for entry in store.entries(Filter(label=one.label))]
        assert [one.id] == [entry.id for entry in store.entries(Filter(branch=one.commit.branch))]


def test_anything_can_be_asked_for(store_url):
    """What the terminal hands over need not be text: there is just nothing of that name."""
    store = opened(store_url)
    store.append(run({"test_a": 1.0}))
    for name in ("\udce9", "a\0b", "'", "%", "\\", "x" * 20_000):
        assert ([], []) == (store.series(name), store.names(name))
        for part in ("label", "branch", "benchmark", "commit", "id_prefix", "commit_prefix"):
            which = Filter(**{part: name})
            assert ([], []) == (store.entries(which), store.numbers(which))


def test_a_run_may_hold_nothing_but_failures(sqlite_url):
    """That nothing worked is history too."""
    stored = run({}, failed={"test_a": "no", "test_b": "neither"})
    store = opened(sqlite_url)
    store.append(stored)
    assert [stored] == every_run(store)
    assert [(0, 2)] == [(entry.timed, entry.failed) for entry in store.entries()]
    assert [] == store.series("test_a")
    assert {} == store.every_series()


def test_what_was_skipped_says_why_or_not(sqlite_url):
    """A note may be missing, and may be of any length."""
    notes = {"a": None, "b": "", "c": "why\n" * 10_000, "d": "NUL \0 and \udce9"}
    stored = replace(run({"test_z": 1.0}), results=tuple(Result(name, SKIPPED, note) for name, note in notes.items()))
    store = opened(sqlite_url)
    store.append(stored)
    assert [stored] == every_run(store)


def test_results_without_rounds_have_their_statistics(sqlite_url):
    """`--benchmark-save` without its data keeps the median only."""
    one = benchmark("test_a", [0.1, 0.2, 0.4])
    del one["stats"]["data"]
    stored = from_json(document([one]))
    store = opened(sqlite_url)
    store.append(stored)
    (loaded,) = every_run(store)
    assert stored == loaded
    assert {} == loaded.results[0].rounds
    assert {"wall": 0.2} == loaded.results[0].values


def test_figures_are_kept_to_the_last_bit(store_url):
    """No database rounds them."""
    figures = [0.0, 5e-324, 1e-9, 0.1 + 0.2, 2.0**53 + 2, 1e300]
    stored = run({"test_all": figures, **{f"test_{figure!r}": [figure] for figure in figures}})
    store = opened(store_url)
    store.append(stored)
    (loaded,) = every_run(store)
    assert [one.rounds for one in stored.results] == [one.rounds for one in loaded.results]
    assert figures == [store.series(f"test_{figure!r}")[0].wall for figure in figures]


def test_a_run_may_be_large(store_url):
    """More benchmarks than a statement takes parameters."""
    stored = run({f"test_{number}": [0.5] for number in range(1000)})
    store = opened(store_url)
    store.append(stored)
    assert [stored] == every_run(store)


def test_runs_may_be_many(sqlite_url, few_at_once):
    """More runs than are fetched at once; they come in the order that was asked for."""
    store = opened(sqlite_url)
    runs = [run({"test_a": 1.0, f"test_{number}": 1.0}, number=number) for number in range(21)]
    for one in runs:
        store.append(one)
    assert runs[::-1] == every_run(store)
    assert [runs[2], runs[20], runs[0]] == store.load([store.ids()[runs[number].id] for number in (2, 20, 0)])
    assert [one.id for one in runs[::-1]] == [one.id for one in store.each(store.numbers())]
    assert [2] * 21 == [entry.timed for entry in store.entries()]


def test_the_earliest_and_the_latest_time_are_kept(store_url):
    """A clock may be wrong by any number of years."""
    store = opened(store_url)
    made = [
        from_json({**document([benchmark("test_a", [1.0])], number=number), "datetime": moment})
        for number, moment in enumerate(("0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00"))
    ]
    for one in made:
        store.append(one)
    assert made[::-1] == every_run(store)


def test_a_run_that_is_not_there_is_said(sqlite_url):
    """Its number may be of another store."""
    with refused("12345"):
        opened(sqlite_url).load([12345])


def test_no_runs_are_loaded_of_no_numbers(sqlite_url):
    """Nothing is asked for, and nothing given."""
    store = opened(sqlite_url)
    assert ([], [], {}, {}) == (store.load([]), store.entries(), store.fingerprints([]), store.inputs([]))


# Lists and filters


@pytest.fixture
def listed(store_url):
    """A store of five runs, appended in no order of time."""
    store = opened(store_url)
    runs = [
        run({"test_a": 1.0}, number=0, commit=commit("aa", 0)),
        run({"test_a": 2.0, "test_B[x]": 1.0}, number=1, commit=commit("ab", 1, branch="topic"), label="one"),
        run({"test_a": 3.0}, number=2, commit=commit("ab", 1, branch=None, changes="c" * 64), failed={"test_f": "no"}),
        run({"test_a": 4.0}, number=3),
        run({"test_a": 5.0}, number=4, commit=commit("aa", 0), label="one"),
    ]
    for number in (3, 0, 4, 1, 2):
        store.append(runs[number])
    return store, [one.id for one in runs]


def test_the_newest_run_is_first(listed):
    """The time of the run decides, not that of its storing."""
    store, ids = listed
    assert ids[::-1] == [entry.id for entry in store.entries()]
    assert [store.ids()[one] for one in ids[::-1]] == store.numbers()


def test_of_two_runs_of_one_moment_the_one_stored_last_is_first(sqlite_url):
    """So that the order never changes."""
    store = opened(sqlite_url)
    first, second = (replace(run({"test_a": 1.0}, number=number), at=START) for number in (1, 2))
    store.append(first)
    store.append(second)
    assert [second.id, first.id] == [entry.id for entry in store.entries()]


FILTERED = [
    (Filter(), [4, 3, 2, 1, 0]),
    (Filter(branch="main"), [4, 0]),
    (Filter(branch="topic"), [1]),
    (Filter(branch="mai"), []),
    (Filter(since=START + timedelta(minutes=2)), [4, 3, 2]),
    (Filter(since=START + timedelta(minutes=2, microseconds=1)), [4, 3]),
    (Filter(benchmark="test_B"), [1]),
    (Filter(benchmark="[x]"), [1]),
    (Filter(benchmark="test_f"), [2]),
    (Filter(benchmark="test_b"), []),
    (Filter(benchmark="test%a"), []),
    (Filter(benchmark="test.a"), []),
    (Filter(label="one"), [4, 1]),
    (Filter(label="ONE"), []),
    (Filter(label="on_"), []),
    (Filter(commit=commit("ab").id), [2, 1]),
    (Filter(commit="ab"), []),
    (Filter(commit_prefix="ab"), [2, 1]),
    (Filter(commit_prefix="a"), [4, 2, 1, 0]),
    (Filter(commit_prefix="a_"), []),
    (Filter(commit_prefix="AB"), []),
    (Filter(branch="main", label="one"), [4]),
    (Filter(benchmark=""), [4, 3, 2, 1, 0]),
]


def test_a_filter_leaves_what_it_says(listed):
    """Every condition has to hold; upper case is not lower case, and nothing is a wildcard."""
    store, ids = listed
    expected = [(which, [ids[number] for number in numbers]) for which, numbers in FILTERED]
    assert expected == [(which, [entry.id for entry in store.entries(which)]) for which, _ in FILTERED]
    by_number = {number: one for one, number in store.ids().items()}
    assert expected == [(which, [by_number[number] for number in store.numbers(which)]) for which, _ in FILTERED]


def test_a_run_is_found_by_the_beginning_of_its_id(listed):
    """As many digits as somebody likes to write."""
    store, ids = listed
    assert [ids[2]] == [entry.id for entry in store.entries(Filter(id_prefix=ids[2][:12]))]


def test_a_list_may_be_cut(listed):
    """`limit` and `skip` count from the newest."""
    store, ids = listed
    assert ids[:1:-1] == [entry.id for entry in store.entries(limit=3)]
    assert [ids[2]] == [entry.id for entry in store.entries(limit=1, skip=2)]
    assert [] == store.entries(limit=1, skip=5)
    assert [ids[1], ids[0]] == [entry.id for entry in store.entries(skip=3)]
    assert [] == store.entries(limit=0)


def test_an_entry_tells_of_its_run(listed):
    """Without loading its rounds."""
    store, ids = listed
    (entry,) = store.entries(Filter(id_prefix=ids[2]))
    assert (ids[2], START + timedelta(minutes=2), None, True) == (entry.id, entry.at, entry.label, entry.complete)
    assert commit("ab", 1, branch=None, changes="c" * 64) == entry.commit
    assert (1, 1) == (entry.timed, entry.failed)
    assert {entry.fingerprint_no: FINGERPRINT} == store.fingerprints([entry.fingerprint_no])


def test_names_are_sorted(listed):
    """All of them, or those that contain a text."""
    store, _ = listed
    assert ["test_B[x]", "test_a", "test_f"] == store.names()
    assert ["test_a"] == store.names("_a")
    assert [] == store.names("%")


def test_a_series_is_one_benchmark_from_the_oldest_run_on(listed):
    """With what tells whether two points can be compared."""
    store, ids = listed
    points = store.series("test_a")
    assert [1.0, 2.0, 3.0, 4.0, 5.0] == [point.wall for point in points]
    assert [store.ids()[one] for one in ids] == [point.run_no for point in points]
    assert [False, False, True, False, False] == [point.dirty for point in points]
    assert [commit("aa").id, None] == [points[0].commit_id, points[3].commit_id]
    assert {"timer": "perf_counter", "disable_gc": False} == store.inputs([points[0].inputs_no])[points[0].inputs_no]
    assert {"test_a": points, "test_B[x]": store.series("test_B[x]")} == store.every_series()
    assert [] == store.series("test_f")
    assert [] == store.series("missing")


def test_equal_documents_are_stored_once(sqlite_url):
    """A machine tells the same in each of its runs."""
    store = opened(sqlite_url)
    for number in range(5):
        store.append(run({f"test_{n}": 1.0 for n in range(4)}, number=number))
    assert 1 == len({entry.fingerprint_no for entry in store.entries()})
    assert 1 == len({point.inputs_no for points in store.every_series().values() for point in points})


# Thinning


@pytest.fixture
def thinned(store_url):
    """A store with one run, thinned, and the run as it was."""
    rounds = [value / 1000 for value in range(101)]
    random.Random(1).shuffle(rounds)
    many = benchmark("test_many", rounds)
    many["extra_info"] = {"rounds": {"cpu_s": [2 * one for one in rounds], "wall_s": rounds}}
    made = [many, benchmark("test_few", [0.1, 0.2])]
    store, stored = opened(store_url), from_json(document(made, failed={"test_f": "no"}))
    store.append(stored)
    assert 1 == store.thin(store.numbers())
    return store, stored


def test_thinning_keeps_figures_and_quantiles(thinned):
    """0, 5, 25, 50, 75, 95 and 100 per cent of the rounds; the run's figures are those of all."""
    store, stored = thinned
    (loaded,) = every_run(store)
    few, many = (next(one for one in loaded.results if one.fullname == name) for name in ("test_few", "test_many"))
    before = next(one for one in stored.results if one.fullname == "test_many")
    assert before.values == many.values == {"wall": 0.05, "cpu": 0.1}
    assert (0.0, 0.005, 0.025, 0.05, 0.075, 0.095, 0.1) == many.rounds["wall"]
    assert tuple(2 * one for one in many.rounds["wall"]) == many.rounds["cpu"]
    assert many.thinned
    assert (False, {"wall": (0.1, 0.2)}) == (few.thinned, few.rounds)
    assert [0.05] == [point.wall for point in store.series("test_many")]


def test_thinning_twice_changes_nothing(thinned):
    """Quantiles of quantiles would be others."""
    store, _ = thinned
    before = every_run(store)
    assert 0 == store.thin(store.numbers())
    assert before == every_run(store)


def test_a_thinned_run_is_exported_with_statistics_and_without_data(thinned):
    """Quantiles would be taken for rounds; what had few rounds still has them."""
    store, stored = thinned
    exported = {one["fullname"]: one for one in to_json(every_run(store)[0])["benchmarks"]}
    original = {one["fullname"]: one for one in to_json(stored)["benchmarks"]}
    many, whole = exported["test_many"], original["test_many"]
    assert {**whole["stats"], "data": None} == {**many["stats"], "data": None}
    assert "data" not in many["stats"]
    assert set() == {"cpu_s", "wall_s"} & many["extra_info"]["rounds"].keys()
    assert original["test_few"] == exported["test_few"]


def test_a_thinned_export_has_the_same_figures(thinned):
    """A store that is moved by export and import says the same."""
    store, stored = thinned
    again = from_json(json.loads(json.dumps(to_json(every_run(store)[0]))))
    assert [one.values for one in stored.results] == [one.values for one in again.results]


def test_thinning_a_run_that_is_not_there_thins_nothing(sqlite_url):
    """Another may have been quicker."""
    assert 0 == opened(sqlite_url).thin([12345])


def test_shrinking_gives_space_back(tmp_path):
    """Of a file; its runs stay."""
    path = tmp_path / "history.db"
    store = opened(str(path))
    for number in range(10):
        store.append(replace(big(number, 20)))
    before = path.stat().st_size
    store.thin(store.numbers())
    kept = every_run(store)
    store.shrink()
    assert path.stat().st_size < before
    assert kept == every_run(store)


def test_shrinking_a_server_is_nothing(store_url):
    """Both kinds take the word."""
    store = opened(store_url)
    store.append(big())
    store.shrink()
    assert [big()] == every_run(store)
