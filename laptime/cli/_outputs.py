"""What a gate writes, where, and in which form: standard output, files, and what GitHub Actions reads."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from laptime import files, git
from laptime.cli import _foreseen
from laptime.cli._store import say
from laptime.cli._terminal import WIDTH, color, lead_nowhere, show, tell, width
from laptime.gate import GateError
from laptime.history import scrub

if TYPE_CHECKING:
    from laptime.gate.decision.noise import Noise
    from laptime.report.gate_words import Told

TABLE, MARKDOWN, JSON, JUNIT = "table", "markdown", "json", "junit"
FORMS = (TABLE, MARKDOWN, JSON, JUNIT)
_SUFFIXES = {".txt": TABLE, ".md": MARKDOWN, ".json": JSON, ".xml": JUNIT}
_SCHEMA = "gate.schema.json"


def add(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument(
        "--format", choices=FORMS, default=TABLE, help="what standard output gets (default: %(default)s)"
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="write the result there too, by its suffix: .txt table, .md Markdown, .json JSON, .xml JUnit; may be "
        "given several times",
    )
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of the JSON, and do nothing else")


def print_schema() -> None:
    """The schema of what the JSON is."""
    from importlib.resources import files as inside

    show(inside("laptime.report").joinpath(_SCHEMA).read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class _Content:
    """Something to write, in each form that it has; `terminal` is the table as wide as the terminal."""

    forms: Mapping[str, Callable[[], str]]
    terminal: Callable[[], str]
    summary: Callable[[int], str]
    annotations: Callable[[], list[str]]


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where to, each in its form: standard output, and files by their paths, without links.

    base, head  what was asked for, for those that can't be answered
    """

    form: str
    files: Mapping[Path, str]
    base: str | None
    head: str | None

    @classmethod
    def of(cls, options: argparse.Namespace) -> Self:
        """What is asked for. Raises `GateError` where it can't be written; what was written earlier is removed."""
        found, wrong = _removed(options.output)
        if wrong:
            raise wrong[0]
        if options.self_test and JUNIT in (options.format, *found.values()):
            raise GateError("--self-test: it has no JUnit form: nothing is judged. Choose another --format or suffix")
        against = options.against is not None  # then what stands in BASE's place is HEAD
        base, head = (options.against, options.base) if against else (options.base, options.head)
        return cls(options.format, found, base, head)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Write what keeps a gate from measuring, too."""
        try:
            yield
        except KeyboardInterrupt:
            self._error("interrupted before anything was known")
            raise
        except _foreseen() as error:
            self._error(scrub(str(error)))
            raise

    def report(self, told: Told) -> bool:
        """Write what was found; whether all of it could be written."""
        from laptime.report import gate, gate_json, gate_junit, gate_markdown, github

        def table(width: int, *, color: bool) -> str:
            return gate.terminal(told.report, told.alone, strict=told.strict, width=width, color=color)

        return self._write(
            _Content(
                forms={
                    TABLE: lambda: table(WIDTH, color=False),
                    MARKDOWN: lambda: gate_markdown.report(told),
                    JSON: lambda: gate_json.report(told),
                    JUNIT: lambda: gate_junit.report(told),
                },
                terminal=lambda: table(width(), color=color()),
                summary=lambda most: gate_markdown.report(told, most),
                annotations=lambda: github.annotated(told),
            )
        )

    def noise(self, found: list[Noise], settings: list[str]) -> bool:
        """Write what a self-test found; whether all of it could be written."""
        from laptime.report import gate, gate_json, gate_markdown

        def table(width: int, *, color: bool) -> str:
            advice = "Settings that ask no more of this machine than it can tell, for pyproject.toml:"
            more = "".join(f"{line}\n" for line in ("", advice, "", *settings)) if settings else ""
            return gate.noise(found, width=width, color=color) + more

        return self._write(
            _Content(
                forms={
                    TABLE: lambda: table(WIDTH, color=False),
                    MARKDOWN: lambda: gate_markdown.noise(found, settings),
                    JSON: lambda: gate_json.noise(found, settings),
                },
                terminal=lambda: table(width(), color=color()),
                summary=lambda most: gate_markdown.noise(found, settings, most),
                annotations=list,
            )
        )

    def nothing(self, message: str) -> bool:
        """Write that there was nothing to compare; whether all of it could be written."""
        from laptime.report import gate_json, gate_junit, gate_markdown
        from laptime.report.console import plain

        message = scrub(message)
        return self._write(
            _Content(
                forms={
                    TABLE: lambda: f"laptime gate: {plain(message)}\n",
                    MARKDOWN: lambda: gate_markdown.nothing(message),
                    JSON: lambda: gate_json.nothing(message),
                    JUNIT: lambda: gate_junit.nothing(message),
                },
                terminal=lambda: "",  # it is said on standard error
                summary=lambda most: gate_markdown.nothing(message, most),
                annotations=list,
            )
        )

    def _error(self, message: str) -> None:
        from laptime.report import gate_json, gate_junit, gate_markdown, github
        from laptime.report.console import plain

        shown = "\n".join(map(plain, message.splitlines()))
        self._write(
            _Content(
                forms={
                    TABLE: lambda: f"laptime gate: could not be measured: {shown}\n",
                    MARKDOWN: lambda: gate_markdown.error(message),
                    JSON: lambda: gate_json.error(
                        message, self.base and scrub(self.base), self.head and scrub(self.head)
                    ),
                    JUNIT: lambda: gate_junit.error(message),
                },
                terminal=lambda: "",  # it is said on standard error
                summary=lambda most: gate_markdown.error(message, most),
                annotations=lambda: github.error(message),
            )
        )

    def _write(self, content: _Content) -> bool:
        complete = True
        for path, form in self.files.items():
            try:
                files.write_whole(path, content.forms[form]())
            except OSError as error:
                say(f"{path}: can't be written: {error}")
                complete = False
        try:
            show(content.terminal() if self.form == TABLE else content.forms[self.form]())
        except OSError as error:
            lead_nowhere(sys.stdout)
            say(f"standard output can't be written: {error}")
            complete = False
        if os.environ.get("GITHUB_ACTIONS") == "true":
            _to_github(content)
        return complete


def remove(words: Sequence[str]) -> None:
    """What earlier gates wrote where this one was to write, whose words can't be read."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    parser.add_argument("--output", type=Path, action="append", default=[])
    with suppress(argparse.ArgumentError):
        _removed(parser.parse_known_args(words)[0].output)


def _removed(asked: Iterable[Path]) -> tuple[dict[Path, str], list[GateError]]:
    """Each file and its form, without what it held, and what is wrong with those that can't be written.

    So that is known before all is measured; and what is left of an earlier gate is neither taken for this one's, should
    it be refused or killed, nor part of HEAD where that is the working tree.
    """
    found: dict[Path, str] = {}
    wrong = []
    for given in asked:
        try:
            path, form = _checked(given)
            if path in found:
                raise GateError(f"--output {given}: it is named twice: each output needs a file of its own")
            files.write_whole(path, "")
            path.unlink()
            found[path] = form
        except GateError as error:
            wrong.append(error)
        except OSError as error:
            wrong.append(GateError(f"--output {given}: can't be written: {error.strerror}; name another place"))
    return found, wrong


def _checked(given: Path) -> tuple[Path, str]:
    """The file that is meant, and its form. Raises `GateError`."""
    form = _SUFFIXES.get(given.suffix.lower())
    if form is None:
        known = ", ".join(f"{suffix} ({name})" for suffix, name in _SUFFIXES.items())
        raise GateError(f"--output {given}: expected a file whose suffix says the form: {known}")
    path = Path(os.path.realpath(given))
    if path.is_dir():
        raise GateError(f"--output {given}: it is a directory: name a file in it")
    if not path.parent.is_dir():
        raise GateError(f"--output {given}: there is no directory {path.parent}: make it first")
    if path.is_symlink() or not files.is_writable(path):  # the link that is left leads to itself
        raise GateError(f"--output {given}: it is no ordinary file, and would be replaced by one: name another")
    if git.is_tracked(path):
        raise GateError(
            f"--output {given}: git tracks it, and a gate does not touch what is part of HEAD: name another file"
        )
    return path, form


def _to_github(content: _Content) -> None:
    """The summary of the step, and annotations; neither decides anything."""
    from laptime.report.github import SUMMARY_BYTES

    for line in content.annotations():
        tell(line)  # on standard error: the runner reads both streams, and a program may read the other
    name = os.environ.get("GITHUB_STEP_SUMMARY")
    if not name:
        return
    path = Path(name)
    try:
        there = path.stat().st_size if path.exists() else 0
        text = content.summary(SUMMARY_BYTES - there - 1)
        if text:
            with path.open("a", encoding="utf-8") as file:
                file.write("\n" + text if there else text)
        else:
            say("the step's summary is full: this result is not in it")
    except OSError as error:
        say(f"the step's summary was not written: {error}")
