"""A made-up suite whose clock moves only by what its tests say, and which notes what happens to them.

No machine disturbs it unless told so: no timing decides anything.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.sessions import write

CLOCK = """
    '''A clock that is moved by what is timed.'''
    now_s = 0.0

    def now():
        move(1e-9)  # a clock that stands still has no precision
        return now_s

    def move(seconds):
        global now_s
        now_s += seconds
"""


CALM = """
    from laptime.busy import Disturbance

    Disturbance.void = lambda self, wall_s, cpu_s: False
"""
"""A conftest: whatever else this machine does, no round is void."""


COMMON = """
    import time
    from contextlib import contextmanager
    from itertools import count
    from pathlib import Path

    import pytest
    import shopclock

    HERE = Path(__file__).parent

    def note(event):
        with open(HERE / "log.txt", "a") as log:
            log.write(event + "\\n")

    def is_one(answer):
        assert 1 == answer, f"not one: {answer}"

    def opened(name, seconds=1.0, answer=lambda: 1):
        @contextmanager
        def work():
            def run():
                shopclock.move(seconds() if callable(seconds) else seconds)
                time.sleep(0.016)  # so long that a visit has one round
                return answer()

            note(f"open {name}")
            try:
                yield run
            except GeneratorExit:  # nobody closed it: it was swept up
                note(f"lost {name}")
                raise
            except BaseException:
                note(f"close {name}")
                raise
            note(f"close {name}")

        return work

    def raced(lap, name, seconds=1.0, answer=lambda: 1, group="shop", **settings):
        lap(opened(name, seconds, answer), is_one, group=group, workload=group, label=name,
            **{"first": name == "sequential", **settings})

    @pytest.fixture(autouse=True)
    def visit(request):
        note(f"up {request.node.name}")
        yield
        note(f"down {request.node.name}")
"""


TICKING = ("--benchmark-timer=shopclock.now", "--benchmark-json=out.json")


def session(directory: Path, *arguments: str, conftest: str = CALM, **tests: str) -> Path:
    """A suite."""
    write(directory, shopclock=CLOCK, conftest=conftest, **{name: (COMMON, text) for name, text in tests.items()})
    return directory


def log(directory: Path) -> list[str]:
    """What happened, in order."""
    return (directory / "log.txt").read_text().splitlines()


def visits(directory: Path) -> list[str]:
    """Which tests were visited, in order."""
    return [event.removeprefix("up ") for event in log(directory) if event.startswith("up ")]
