# -*- coding: utf-8 -*-
"""Make the corpus: JSON files that real releases of pytest-benchmark wrote.

Run it with the interpreter of a virtual environment that holds pytest and pytest-benchmark (Python 2.7 or later):

    python make.py PLACE KIND FILE

PLACE is where the benchmarks run: outside (of any repository), commit (a git repository with one commit), dirty (the
same, with a change that isn't committed), unborn (a git repository without a commit) or below (a folder of the
repository with one commit). KIND is json (--benchmark-json), save (--benchmark-save) or save-data (--benchmark-save
with --benchmark-save-data). FILE is put beside this script, as it was written but for the machine's name and for all
but three of the processor's flags.
"""

from __future__ import print_function

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile

SUITE = u'''# -*- coding: utf-8 -*-
import pytest


def work(amount):
    return sum(range(int(amount)))


@pytest.mark.benchmark(max_time=0.0002, min_rounds=3)
def test_plain(benchmark):
    assert benchmark(work, 50) == 1225


@pytest.mark.parametrize("boat, knots", [("ferry", 12.5), ("row boat", 0.1)])
def test_cross(benchmark, boat, knots):
    benchmark.pedantic(work, args=(knots * 100,), rounds=5)


@pytest.mark.benchmark(group="harbour", disable_gc=True, warmup=True, warmup_iterations=2)
def test_moor(benchmark):
    if hasattr(benchmark, "extra_info"):
        benchmark.extra_info["quay"] = {"berths": [4, 7], "depth": {"low": 2.5, "high": None}, "open": True}
        benchmark.extra_info["note"] = u"M\\u00f6we"
    benchmark.pedantic(work, args=(200,), rounds=4, iterations=3)


class TestTide(object):
    def test_once(self, benchmark):
        benchmark.pedantic(work, args=(100,), rounds=1)
'''

IDENTITY = {
    "GIT_AUTHOR_NAME": "Heron",
    "GIT_AUTHOR_EMAIL": "heron@example.org",
    "GIT_AUTHOR_DATE": "2024-01-01T10:00:00+01:00",
    "GIT_COMMITTER_NAME": "Heron",
    "GIT_COMMITTER_EMAIL": "heron@example.org",
    "GIT_COMMITTER_DATE": "2024-01-02T12:00:00+00:00",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def write(path, text):
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path))
    with io.open(path, "a", encoding="utf-8", newline="\n") as file:
        file.write(text)


def prepare(place, project):
    """Put the project where it's to run; the folder to run in."""

    def git(*arguments):
        subprocess.check_call(("git",) + arguments, cwd=project, env=dict(os.environ, **IDENTITY))

    root = os.path.join(project, "pier") if place == "below" else project
    suite = os.path.join(root, "benchmarks", "test_harbour.py")
    write(suite, SUITE)
    write(os.path.join(root, "pytest.ini"), u"[pytest]\n")
    if place != "outside":
        git("init", "--quiet")
        git("symbolic-ref", "HEAD", "refs/heads/main")
    if place in ("commit", "dirty", "below"):
        git("add", ".")
        git("commit", "--quiet", "--message", "Put the benchmarks in")
    if place == "dirty":
        write(suite, u"\n# changed\n")
    return root


def run(place, kind, project):
    """Run the benchmarks; the text of the file that was written."""
    root = prepare(place, project)
    output = os.path.join(os.path.dirname(project), "output")
    os.mkdir(output)
    options = {
        "json": ["--benchmark-json=" + os.path.join(output, "all.json")],
        "save": ["--benchmark-save=harbour", "--benchmark-storage=" + output],
        "save-data": ["--benchmark-save=harbour", "--benchmark-save-data", "--benchmark-storage=" + output],
    }[kind]
    environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    for name in ("PYTEST_ADDOPTS", "PYTHONPATH"):
        environment.pop(name, None)
    subprocess.check_call([sys.executable, "-m", "pytest", "benchmarks"] + options, cwd=root, env=environment)
    (written,) = [os.path.join(top, name) for top, _, names in os.walk(output) for name in names]
    print("written as", os.path.relpath(written, output))
    with io.open(written, encoding="ascii", newline="") as file:
        return file.read()


def scrub(text):
    """The file's text without the machine's name, and with three of the processor's flags; else as it was."""
    text, count = re.subn(r'("node": )"[^"]*"', r'\1"corpus"', text)
    assert count == 1, count
    return re.sub(r'("flags": \[(?:\s*"\w+",){2}\s*"\w+")[^\]]*?(\s*\])', r"\1\2", text)


def main():
    place, kind, name = sys.argv[1:]
    folder = tempfile.mkdtemp()
    try:
        project = os.path.join(folder, "harbour")
        os.mkdir(project)
        text = scrub(run(place, kind, project))
    finally:
        shutil.rmtree(folder)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    with io.open(path, "w", encoding="ascii", newline="") as file:
        file.write(text)


if __name__ == "__main__":
    main()
