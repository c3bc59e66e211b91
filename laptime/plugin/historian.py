"""Stores every session in which something was timed, and lets pytest-benchmark's flags work on the store."""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from laptime import git, libraries, machine
from laptime.history import (
    DESELECTED,
    FAILED,
    KEY,
    SKIPPED,
    Difference,
    Entry,
    Fingerprint,
    HistoryError,
    Result,
    Run,
    addition,
    as_written,
    differences,
    from_json,
    inputs_differences,
    inputs_of,
    select,
    shown_text,
    to_json,
    unsaved,
)
from laptime.plugin.benchmarks import benchmark_session, is_benchmark, is_timing, with_storage

if TYPE_CHECKING:
    from laptime.history.store import Store

_MOVED = "changed while it ran"
_LOOK_BACK = 50
"""`--benchmark-compare` without a name looks through so many runs for one that can be compared."""


class Historian:
    """Hooks that note what was checked out and what failed, and store the run at the end."""

    def __init__(self, config: pytest.Config, url: str) -> None:
        self._config = config
        self._url = url
        self._run_id = uuid.uuid4().hex
        self._at_start: git.Commit | None = None
        self._session: pytest.Session | None = None
        self._not_timed: dict[str, Result] = {}
        self._complete = True
        self._label = config.getoption("benchmark_save") or config.getoption("benchmark_autosave")
        self._fingerprint: Fingerprint | None = None
        self._said: tuple[str, dict[str, bool]] | None = None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """What is measured is what is checked out now."""
        if is_timing(session.config) and session.items:  # a test may ask for its benchmark when it runs
            self._at_start = git.head(self._config.rootpath)
            self._session = session

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """What was left out on purpose is not gone."""
        for item in filter(is_benchmark, items):
            self._not_timed[item.nodeid] = Result(item.nodeid, DESELECTED)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A benchmark that fails leaves no timing, but that it failed."""
        session = benchmark_session(self._config)
        asked = session is not None and any(bench.fullname == item.nodeid for bench in session.benchmarks[-1:])
        report = yield
        if is_benchmark(item) and report.passed and report.when == "setup":
            self._not_timed.pop(item.nodeid, None)  # a plugin runs it once more
        if (is_benchmark(item) or asked) and not report.passed:
            outcome = FAILED if report.failed else SKIPPED
            self._not_timed[item.nodeid] = Result(item.nodeid, outcome, _reason(report))
        return report

    def pytest_keyboard_interrupt(self) -> None:
        """What ended before is a result; what did not run is not gone."""
        self._complete = False

    def pytest_internalerror(self) -> None:
        """The same."""
        self._complete = False

    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        """Every file that pytest-benchmark writes of this session is this run, and can be imported as it."""
        if self._at_start is not None:
            output_json[KEY] = self._addition()

    def pytest_sessionfinish(self) -> None:
        """Store the run; where that can't be done, leave it beside."""
        timed = benchmark_session(self._config)
        if self._at_start is None or timed is None or not (timed.benchmarks or self._ran):
            return
        try:
            document = as_written(self._document(timed))
        except Exception as error:  # noqa: BLE001 (whatever a hook of the suite raises; or what holds itself)
            self._said = (f"the run was not stored: {type(error).__name__}: {error}", {"red": True})
            return
        try:
            run = from_json(document)
        except HistoryError as error:
            self._fail(document, str(error), importable=False)
            return
        try:
            from laptime.history.store import Store  # SQLAlchemy: only where a run is to be stored

            store = Store(self._url, self._config.rootpath, create=True, say=self._tell)
            store.append(run)
        except HistoryError as error:
            self._fail(document, str(error))
            return
        why = git.complaint(self._config.rootpath) if run.commit.id is None else None
        self._tell(f"stored run {run.id[:10]} in {_nearby(store.name)}" + (f", of no commit: {why}" if why else ""))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> Generator[None, None, None]:
        """Say where the run is, also where pytest-benchmark raises because it became slower."""
        try:
            return (yield)
        finally:
            if self._said is not None:
                line, markup = self._said
                terminalreporter.ensure_newline()
                terminalreporter.write_line(f"laptime: {line}", **markup)

    def _document(self, session: Any) -> dict[str, Any]:
        """What pytest-benchmark would save, made by its own hooks."""
        hook = self._config.hook
        commit_info = hook.pytest_benchmark_generate_commit_info(config=self._config)
        hook.pytest_benchmark_update_commit_info(config=self._config, commit_info=commit_info)
        document: dict[str, Any] = hook.pytest_benchmark_generate_json(
            config=self._config,
            benchmarks=session.benchmarks,
            include_data=True,
            machine_info=session.get_machine_info(),
            commit_info=commit_info,
        )
        hook.pytest_benchmark_update_json(config=self._config, benchmarks=session.benchmarks, output_json=document)
        return document

    @property
    def _ran(self) -> bool:
        return any(result.outcome != DESELECTED for result in self._not_timed.values())

    def _addition(self) -> dict[str, Any]:
        assert self._at_start is not None
        assert self._session is not None
        commit = self._at_start
        if self._fingerprint is None:
            self._fingerprint = fingerprint(self._config.rootpath)
        if git.head(self._config.rootpath) != commit:
            commit = replace(commit, changes=_MOVED)
        return addition(
            self._run_id,
            commit,
            self._fingerprint,
            machine.host(),
            list(self._not_timed.values()),
            label=self._label,
            complete=self._complete and not (self._session.shouldstop or self._session.shouldfail),
        )

    def _fail(self, document: dict[str, Any], why: str, *, importable: bool = True) -> None:
        try:
            path = unsaved(document, self._run_id, self._config.rootpath)
        except OSError as error:
            self._said = (f"the run was not stored: {why}; nor could it be written beside: {error}", {"red": True})
            return
        command = f"laptime import {shlex.quote(str(path))}"
        self._said = (
            f"the run was not stored: {why}\nlaptime: it is kept: {command if importable else path}",
            {"red": True},
        )

    def _tell(self, line: str) -> None:
        before = f"{self._said[0]}\nlaptime: " if self._said else ""
        self._said = (before + line, {})


class Storage:
    """In the place of pytest-benchmark's file storage: `--benchmark-save` and `--benchmark-compare` on the store."""

    def __init__(self, config: pytest.Config, url: str) -> None:
        self._config = config
        self._url = url

    def __str__(self) -> str:
        return self.location

    @property
    def location(self) -> str:
        """For messages."""
        return shown_text(self._url, self._config.rootpath)

    def save(self, output_json: dict[str, Any], save: str) -> None:
        """The session's one run is stored at the end, labelled with this name."""

    def load(self, *names: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The newest run that a name stands for, or of all, that can be compared with this session."""
        from laptime.history.store import Store

        try:
            store = Store(self._url, self._config.rootpath, create=True)
            root = self._config.rootpath
            named = [select(store, name, root).entries for name in names] or [tuple(store.entries(limit=_LOOK_BACK))]
            for entries in filter(None, named):
                run = _comparable(store, entries, fingerprint(root))
                yield run.id[:10], _normalised(to_json(run))
        except HistoryError as error:
            raise pytest.UsageError(f"--benchmark-compare: {error}") from None


def _comparable(store: Store, entries: Sequence[Entry], now: Fingerprint) -> Run:
    """The first of these runs that can be compared. Raises `HistoryError` where none can."""
    known = store.fingerprints(entry.fingerprint_no for entry in entries)
    for entry in entries:
        if not differences(known[entry.fingerprint_no], now):
            return store.load([entry.no])[0]
    told = _told(differences(known[entries[0].fingerprint_no], now))
    raise HistoryError(f"run {entries[0].id[:10]} can't be compared with this session: {told}")


def _told(found: Sequence[Difference]) -> str:
    return "; ".join(f"{one.what} {one.base}, now {one.head}" for one in found)


class Referee:
    """Keeps pytest-benchmark from comparing a benchmark with one of other inputs, and from passing it unseen."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, None, None]:
        """Before pytest-benchmark compares."""
        session = benchmark_session(self._config)
        if session is not None and session.compared_mapping:
            for bench in filter(None, list(session.benchmarks)):  # one that failed has nothing to tell
                self._judge(session, bench)
        return (yield)

    def _judge(self, session: Any, bench: Any) -> None:
        now = inputs_of(as_written(bench.as_dict()))
        for mapping in session.compared_mapping.values():
            stored = mapping.get(bench.fullname)
            if stored is None:
                continue
            found = inputs_differences(inputs_of(stored), now)
            if found:
                del mapping[bench.fullname]
                told = _told(found)
                session.logger.warning(f"laptime: {bench.fullname} is not compared, its inputs differ: {told}")
                if session.compare_fail:
                    session.performance_regressions.append((bench.name, f"can't be compared: {told}"))


def install(config: pytest.Config, url: str, *, chosen: bool) -> Historian:
    """Register what stores the session; where the store was named, pytest-benchmark's flags use it too."""
    historian = Historian(config, url)
    config.pluginmanager.register(historian, "laptime-historian")
    if chosen:
        with_storage(Storage(config, url))
        config.pluginmanager.register(Referee(config), "laptime-referee")
    return historian


def fingerprint(root: Path) -> Fingerprint:
    """Of this session, as far as it got."""
    names = libraries.installed(root)
    return Fingerprint(machine.machine(), machine.interpreter(), names, tuple(libraries.loaded(names)))


def _reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2])
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash is not None else report.longreprtext).strip().split("\n", 1)[0]


def _normalised(document: dict[str, Any]) -> dict[str, Any]:
    for bench in document["benchmarks"]:
        mean = bench["stats"].get("mean")
        bench["stats"].setdefault("ops", 1 / mean if mean else 0)  # came with 3.1
    return document


def _nearby(name: str) -> str:
    try:
        return str(Path(name).relative_to(Path.cwd()))
    except (ValueError, OSError):  # a test may have removed the directory that it left the session in
        return name
