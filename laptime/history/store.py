"""One history: runs go in whole, and come out as runs, lists and series; so do gates.

    store = Store(".benchmarks/history.db", directory, create=True)
    store.append(from_json(document))
    (newest,) = store.load(store.numbers(Filter())[:1])

Importing this module imports SQLAlchemy, which takes a quarter of a second: import it where it is used.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from laptime.history import _engine, _gates, _read, _url, _write
from laptime.history._model import Entry, Filter, Fingerprint, Gate, GateEntry, GateRatio, Point, Run
from laptime.history._proper import proper

_LOADED_AT_ONCE = 50


class Store:
    """A store that was checked to be one. Everything raises `HistoryError`, which names the store and no password."""

    def __init__(
        self, url: str, directory: Path, *, create: bool = False, say: Callable[[str], object] = lambda line: None
    ) -> None:
        """Open the store that `url` names (see `laptime.history.parse_url`); `create` makes it where there is none.

        An older one is upgraded, after a copy was made of it, and `say` is told so.
        """
        parsed = _url.parse(url, directory)
        self.name = _url.shown(parsed)
        self._engine = _engine.engine(parsed, create=create)
        weakref.finalize(self, self._engine.dispose)
        _engine.prepare(self._engine, parsed, create=create, say=say)

    def append(self, run: Run) -> bool:
        """Store a run, in one transaction; False, and nothing is changed, where it is there already."""
        with _engine.writing(self._engine, self.name) as connection:
            return _write.insert(connection, run)

    def thin(self, nos: Sequence[int]) -> int:
        """Keep of these runs' raw rounds the quantiles only; how many benchmarks' were thinned."""
        thinned = 0
        for no in nos:
            with _engine.writing(self._engine, self.name) as connection:
                thinned += _write.thin(connection, no)
        return thinned

    def shrink(self) -> None:
        """Give the space of what was thinned back to the system, where the store is a file."""
        _engine.shrink(self._engine, self.name)

    def entries(self, which: Filter | None = None, *, limit: int | None = None, skip: int = 0) -> list[Entry]:
        """Runs as a list shows them, the newest first."""
        with _engine.reading(self._engine, self.name) as connection:
            return _read.entries(connection, which or Filter(), limit, skip)

    def numbers(self, which: Filter | None = None) -> list[int]:
        """The numbers of runs in this store, the newest first."""
        with _engine.reading(self._engine, self.name) as connection:
            return _read.numbers(connection, which or Filter())

    def names(self, part: str | None = None) -> list[str]:
        """The benchmarks of runs whose name contains a text, sorted."""
        with _engine.reading(self._engine, self.name) as connection:
            return _read.names(connection, part)

    def ids(self) -> dict[str, int]:
        """The number of every run, by its id."""
        with _engine.reading(self._engine, self.name) as connection:
            return _read.ids(connection)

    def load(self, nos: Sequence[int]) -> list[Run]:
        """Whole runs, in the order asked for."""
        with _engine.reading(self._engine, self.name) as connection:
            return _read.load(connection, nos)

    def each(self, nos: Sequence[int]) -> Iterator[Run]:
        """The same one after the other, for more than memory holds."""
        for start in range(0, len(nos), _LOADED_AT_ONCE):
            yield from self.load(nos[start : start + _LOADED_AT_ONCE])

    def series(self, fullname: str) -> list[Point]:
        """Every run's figures of one benchmark, the oldest run first; what failed is left out."""
        with _engine.reading(self._engine, self.name) as connection:
            return _read.series(connection, fullname)

    def every_series(self) -> dict[str, list[Point]]:
        """The same for all benchmarks."""
        with _engine.reading(self._engine, self.name) as connection:
            return _read.every_series(connection)

    def fingerprints(self, nos: Iterable[int]) -> dict[int, Fingerprint]:
        """Fingerprints by the numbers that entries and points have."""
        with _engine.reading(self._engine, self.name) as connection:
            return {no: _read.fingerprint(one) for no, one in _read.contents(connection, set(nos)).items()}

    def inputs(self, nos: Collection[int]) -> dict[int, dict[str, Any]]:
        """Inputs by the numbers that points have."""
        with _engine.reading(self._engine, self.name) as connection:
            return _read.contents(connection, set(nos))

    def append_gate(self, gate: Gate) -> bool:
        """Store a gate, in one transaction; False, and nothing is changed, where it is there already.

        What is no gate (see `Gate`) is refused before the store is asked: the message names what of it is wrong.
        """
        checked = proper(gate)
        with _engine.writing(self._engine, self.name) as connection:
            return _gates.insert(connection, checked)

    def gates(self, which: Filter | None = None, *, limit: int | None = None, skip: int = 0) -> list[GateEntry]:
        """Gates as a list shows them, the newest first."""
        with _engine.reading(self._engine, self.name) as connection:
            return _gates.entries(connection, which or Filter(), limit, skip)

    def gate_numbers(self, which: Filter | None = None) -> list[int]:
        """The numbers of gates in this store, the newest first."""
        with _engine.reading(self._engine, self.name) as connection:
            return _gates.numbers(connection, which or Filter())

    def gate_ids(self) -> dict[str, int]:
        """The number of every gate, by its id."""
        with _engine.reading(self._engine, self.name) as connection:
            return _gates.ids(connection)

    def gate_names(self, part: str | None = None) -> list[str]:
        """The benchmarks of gates whose name contains a text, sorted."""
        with _engine.reading(self._engine, self.name) as connection:
            return _read.gate_names(connection, part)

    def gate_ratios(self, fullname: str) -> list[GateRatio]:
        """What every gate said of one benchmark, by each metric, the oldest gate first."""
        with _engine.reading(self._engine, self.name) as connection:
            return _gates.ratios(connection, fullname)

    def load_gates(self, nos: Sequence[int]) -> list[Gate]:
        """Whole gates, in the order asked for."""
        with _engine.reading(self._engine, self.name) as connection:
            return _gates.load(connection, nos)

    def each_gate(self, nos: Sequence[int]) -> Iterator[Gate]:
        """The same one after the other, for more than memory holds."""
        for start in range(0, len(nos), _LOADED_AT_ONCE):
            yield from self.load_gates(nos[start : start + _LOADED_AT_ONCE])
