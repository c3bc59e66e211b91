"""Three small projects, built like known ones with suites of pytest-benchmark: a codec, a converter, a checker.

Only the structure is theirs: where the files are, what they are called, how pytest is told, how tests are parametrized.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent


@dataclass(frozen=True, slots=True)
class Project:
    """A project.

    name        what it is called
    shape       what is known of its structure
    files       path -> text
    benchmarks  how many `arguments`, of the gate, choose
    code        the module that is changed
    slowed      the function or method in it that is made slower
    found_in    what the benchmarks' names have in common that call it
    """

    name: str
    shape: str
    files: Mapping[str, str]
    arguments: tuple[str, ...]
    benchmarks: int
    code: str
    slowed: str
    found_in: str

    def write(self, root: Path) -> None:
        """Write it into a directory."""
        for name, text in self.files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(dedent(text), encoding="utf-8")

    def comment(self, root: Path) -> None:
        """Change nothing that runs."""
        self._append(root, "\n# nothing\n")

    def slow(self, root: Path, share: float) -> None:
        """Have each call of one function take so much longer (0.1 is 10 %), computing."""
        self._append(root, dedent(_SLOWER).format(share=share, name=self.slowed))

    def _append(self, root: Path, text: str) -> None:
        path = root / self.code
        path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


_SLOWER = """

def slower(function):
    import time

    def slowed(*arguments, **named):
        started = time.perf_counter()
        found = function(*arguments, **named)
        until = time.perf_counter() + (time.perf_counter() - started) * {share}
        while time.perf_counter() < until:
            pass
        return found

    return slowed


{name} = slower({name})
"""

# files called benchmark_*.py that an argument names, one test for each data file beside them, groups

_CODEC = r"""
    import re

    TOKEN = re.compile(r'\s*(?:([\[\]{}:,])|"([^"]*)"|(-?\d+(?:\.\d+)?)|(true|false|null))')
    WORDS = {"true": True, "false": False, "null": None}
    END = object()


    def loads(text):
        return read(iter(TOKEN.findall(text)))


    def read(tokens):
        for mark, word, number, name in tokens:
            if mark == "[":
                return list(iter(lambda: read(tokens), END))
            if mark == "{":
                return {key: read(tokens) for key in iter(lambda: read(tokens), END)}
            if mark in ("]", "}"):
                return END
            if number:
                return float(number) if "." in number else int(number)
            if not mark:
                return WORDS[name] if name else word


    def dumps(value):
        if isinstance(value, str):
            return f'"{value}"'
        if isinstance(value, dict):
            return "{" + ",".join(f'"{key}":{dumps(one)}' for key, one in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ",".join([dumps(one) for one in value]) + "]"
        return "null" if value is None else str(value).lower()
"""
_PEOPLE = [{"name": f"person {n}", "age": n % 90, "tags": ["a", "b"], "active": n % 2 == 0} for n in range(60)]
_DATA = {
    "numbers": [n * 1.5 for n in range(600)],
    "people": _PEOPLE,
    "words": [f"word {n}" for n in range(800)],
    "nested": {f"key {n}": {"inner": [n, None, {"deep": True}]} for n in range(100)},
}
CODEC = Project(
    name="a codec",
    shape="bench/benchmark_*.py by argument, data files",
    files={
        "pytest.ini": "[pytest]\npython_files = benchmark_*.py\n",
        "tinycodec/__init__.py": _CODEC,
        "bench/__init__.py": "",
        "bench/data.py": """
            from pathlib import Path

            names = sorted(path.name for path in Path(__file__).parent.glob("*.json"))


            def read(name):
                return (Path(__file__).parent / name).read_text()
        """,
        **{f"bench/{name}.json": json.dumps(value, separators=(",", ":")) for name, value in _DATA.items()},
        "bench/benchmark_loads.py": """
            import json

            import pytest

            import tinycodec

            from .data import names, read


            @pytest.mark.benchmark(group="loads")
            @pytest.mark.parametrize("name", names)
            def test_loads(benchmark, name):
                benchmark.extra_info["library"] = "tinycodec"
                text = read(name)
                assert benchmark(tinycodec.loads, text) == json.loads(text)
        """,
        "bench/benchmark_dumps.py": """
            import json

            import pytest

            import tinycodec

            from .data import names, read


            @pytest.mark.benchmark(group="dumps")
            @pytest.mark.parametrize("name", names)
            def test_dumps(benchmark, name):
                value = json.loads(read(name))
                assert json.loads(benchmark(tinycodec.dumps, value)) == value
        """,
    },
    arguments=("--", "bench/benchmark_loads.py", "bench/benchmark_dumps.py"),
    benchmarks=8,
    code="tinycodec/__init__.py",
    slowed="loads",
    found_in="test_loads",
)

# src, tests parametrized over classes of converters, a directory beside the tests, options in pyproject.toml

CONVERTER = Project(
    name="a converter",
    shape="src, bench/ beside tests/, parametrized over classes",
    files={
        "pyproject.toml": """
            [project]
            name = "moulds"
            version = "1"

            [tool.pytest.ini_options]
            addopts = "-l --benchmark-sort=fullname --benchmark-warmup=true --benchmark-group-by=fullname"
            testpaths = ["tests"]

            [tool.laptime.gate]
            arguments = ["bench"]
        """,
        "src/moulds/__init__.py": """
            from moulds.converters import Careful, Converter

            __all__ = ["Careful", "Converter"]
        """,
        "src/moulds/converters.py": """
            from dataclasses import fields, is_dataclass
            from typing import get_args, get_origin


            class Converter:
                def structure(self, value, kind):
                    return self._structured(value, kind)

                def unstructure(self, value):
                    return self._plain(value)

                def _structured(self, value, kind):
                    if is_dataclass(kind):
                        return kind(**{one.name: self._structured(value[one.name], one.type) for one in fields(kind)})
                    if get_origin(kind) is list:
                        (inner,) = get_args(kind)
                        return [self._structured(one, inner) for one in value]
                    return kind(value)

                def _plain(self, value):
                    if is_dataclass(value):
                        return {one.name: self._plain(getattr(value, one.name)) for one in fields(value)}
                    if isinstance(value, list):
                        return [self._plain(one) for one in value]
                    return value


            class Careful(Converter):
                def _structured(self, value, kind):
                    if isinstance(kind, type) and not is_dataclass(kind) and not isinstance(value, kind):
                        raise TypeError(f"{value!r} is no {kind.__name__}")
                    return super()._structured(value, kind)
        """,
        "tests/test_converters.py": """
            from moulds import Converter


            def test_numbers():
                assert Converter().structure(["1"], list[int]) == [1]
        """,
        "bench/__init__.py": "",
        "bench/shapes.py": """
            from dataclasses import dataclass


            @dataclass
            class Point:
                x: int
                y: int


            @dataclass
            class Path:
                name: str
                points: list[Point]


            def a_path(points):
                return {"name": "a path", "points": [{"x": n, "y": -n} for n in range(points)]}
        """,
        "bench/test_converters.py": """
            import pytest
            from moulds import Careful, Converter

            from .shapes import Path, Point, a_path


            @pytest.mark.parametrize("converter_class", [Converter, Careful])
            @pytest.mark.parametrize("points", [50, 200])
            def test_structure(benchmark, converter_class, points):
                found = benchmark(converter_class().structure, a_path(points), Path)
                assert found.points[-1] == Point(points - 1, 1 - points)


            @pytest.mark.parametrize("converter_class", [Converter, Careful])
            @pytest.mark.parametrize("points", [50, 200])
            def test_unstructure(benchmark, converter_class, points):
                converter = converter_class()
                path = converter.structure(a_path(points), Path)
                assert benchmark(converter.unstructure, path) == a_path(points)
        """,
    },
    arguments=(),
    benchmarks=8,
    code="src/moulds/converters.py",
    slowed="Converter.unstructure",
    found_in="test_unstructure",
)

# tests/benchmarks below tests, a conftest.py at each level, classes, pedantic, markers, everything strict

CHECKER = Project(
    name="a checker",
    shape="tests/benchmarks, conftests, classes, pedantic, strict",
    files={
        "pyproject.toml": """
            [project]
            name = "checked"
            version = "1"

            [tool.pytest.ini_options]
            testpaths = ["tests"]
            xfail_strict = true
            filterwarnings = ["error"]
            addopts = ["--strict-markers", "--strict-config", "--benchmark-columns", "min,mean,stddev,outliers,rounds"]
            markers = ["thorough: takes longer than the others"]
        """,
        "checked/__init__.py": """
            from checked.schema import Invalid, Schema

            __all__ = ["Invalid", "Schema"]
        """,
        "checked/schema.py": """
            class Invalid(ValueError):
                pass


            class Schema:
                def __init__(self, rule):
                    self.rule = rule

                def validate(self, value):
                    errors = []
                    found = self._check(self.rule, value, (), errors)
                    if errors:
                        raise Invalid(errors)
                    return found

                def dump(self, value):
                    return self._dumped(self.rule, value)

                def _check(self, rule, value, place, errors):
                    if isinstance(rule, dict):
                        return {
                            name: self._check(inner, value.get(name), (*place, name), errors)
                            for name, inner in rule.items()
                        }
                    if isinstance(rule, list):
                        return [self._check(rule[0], one, (*place, at), errors) for at, one in enumerate(value)]
                    try:
                        return rule(value)
                    except (TypeError, ValueError) as error:
                        errors.append((place, str(error)))

                def _dumped(self, rule, value):
                    if isinstance(rule, dict):
                        return {name: self._dumped(inner, value[name]) for name, inner in rule.items()}
                    if isinstance(rule, list):
                        return [self._dumped(rule[0], one) for one in value]
                    return str(value)
        """,
        "tests/conftest.py": """
            import pytest


            @pytest.fixture(scope="session")
            def amount():
                return 20
        """,
        "tests/test_schema.py": """
            import pytest
            from checked import Invalid, Schema


            def test_wrong():
                with pytest.raises(Invalid):
                    Schema(int).validate("x")
        """,
        "tests/benchmarks/__init__.py": "",
        "tests/benchmarks/conftest.py": """
            import pytest
            from checked import Schema


            @pytest.fixture(scope="session")
            def amount(amount):
                return 5 * amount


            @pytest.fixture(params=["flat", "nested"])
            def case(request, amount):
                if request.param == "flat":
                    return Schema([int]), [str(n) for n in range(10 * amount)]
                rule = [{"name": str, "place": {"x": int, "y": float}}]
                return Schema(rule), [{"name": f"n{n}", "place": {"x": n, "y": "0.5"}} for n in range(amount)]
        """,
        "tests/benchmarks/test_schemas.py": """
            import pytest
            from checked import Invalid, Schema


            @pytest.mark.benchmark(group="schemas")
            class TestSchemas:
                def test_validate(self, benchmark, case):
                    schema, value = case
                    assert len(benchmark(schema.validate, value)) == len(value)

                def test_dump(self, benchmark, case):
                    schema, value = case
                    found = schema.validate(value)
                    assert len(benchmark(schema.dump, found)) == len(value)


            @pytest.mark.parametrize("wrong", [1, 200], ids=lambda wrong: f"{wrong}-wrong")
            def test_errors(benchmark, wrong):
                schema = Schema([int])
                value = ["x"] * wrong + ["1"] * (400 - wrong)

                @benchmark
                def found():
                    try:
                        schema.validate(value)
                    except Invalid as error:
                        return len(error.args[0])

                assert benchmark.stats.stats.rounds > 0


            def test_fresh_input(benchmark):
                def set_up():
                    return ([str(n) for n in range(800)],), {}

                assert benchmark.pedantic(Schema([int]).validate, setup=set_up, rounds=20)[-1] == 799


            @pytest.mark.thorough
            @pytest.mark.parametrize("count", [20_000])
            def test_many(benchmark, count):
                assert len(benchmark(Schema([int]).validate, ["1"] * count)) == count
        """,
    },
    arguments=("-m", "not thorough"),
    benchmarks=7,
    code="checked/schema.py",
    slowed="Schema.dump",
    found_in="test_dump",
)

CROWD = Project(
    name="a crowd",
    shape="flat, one parametrized test, more benchmarks than there is time for",
    files={
        "pyproject.toml": """
            [project]
            name = "crowd"
            version = "1"

            [tool.pytest.ini_options]
            testpaths = ["benchmarks"]
        """,
        "crowd.py": """
            def count(size):
                total = 0
                for number in range(size):
                    total += number * number % 7
                return total


            def count_alone(size):
                return count(size)
        """,
        "benchmarks/test_crowd.py": """
            import crowd
            import pytest


            @pytest.mark.parametrize("number", range(199))
            def test_count(benchmark, number):
                assert benchmark(crowd.count, 1000 * (number % 20 + 1)) > 0


            def test_alone(benchmark):
                assert benchmark(crowd.count_alone, 10_000) > 0
        """,
    },
    arguments=(),
    benchmarks=200,
    code="crowd.py",
    slowed="count_alone",
    found_in="test_alone",
)

ALL = (CODEC, CONVERTER, CHECKER)
