"""What a gate found, as a JUnit report that GitLab and Jenkins show: a test case a benchmark. Pure.

What XML can't hold is shown as `plain` shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from laptime.gate.decision.trial import UNRESOLVED
from laptime.gate.decision.verdicts import CANNOT, Row
from laptime.report.console import plain
from laptime.report.gate import details
from laptime.report.gate_words import Told, groups, line, notes, outcome

_NAME = "laptime gate"
_GATE = ("laptime", "gate")
"""The test case of what is of no single benchmark: its class and its name."""


def report(told: Told) -> str:
    """All of it."""
    found = told.report
    suite = _suite(found.seconds)
    properties = SubElement(suite, "properties")
    said = [("base", found.base), ("head", found.head), ("exit_code", str(told.code)), ("outcome", outcome(told))]
    for name, value in [*said, *(("remark", note) for note in notes(found))]:
        SubElement(properties, "property", name=name, value=plain(value))
    if told.code == CANNOT:
        _case(suite, *_GATE, error=outcome(told))
    for verdict, group in groups(found.rows):
        _benchmark(suite, told, verdict, group)
    for name in found.skipped:
        SubElement(_of(suite, told, name), "skipped", message="skipped on both sides")
    return _written(suite)


def error(message: str) -> str:
    """That it could not be measured."""
    suite = _suite(0.0)
    _case(suite, *_GATE, error=message)
    return _written(suite)


def nothing(message: str) -> str:
    """That there was nothing to compare, which is no failure."""
    suite = _suite(0.0)
    SubElement(_case(suite, *_GATE), "skipped", message=plain(message))
    return _written(suite)


def _benchmark(suite: Element, told: Told, verdict: str, group: Sequence[Row]) -> None:
    name = group[0].benchmark
    case = _of(suite, told, name)
    head = next((row.head for row in group if row.head is not None), None)
    if head is not None:
        case.set("time", f"{head.wall_s:.9f}")
    message = line(verdict, group, told.report.stopped)
    if told.fails(verdict):
        failure = SubElement(case, "failure", type=verdict, message=plain(f"{verdict}: {message}"))
        text = details(group, told.alone) or ["", verdict, f"  {message}", f"  {told.alone(name)}"]
        failure.text = _lines("\n".join(text[1:]))
    elif verdict == UNRESOLVED:
        SubElement(case, "skipped", type=verdict, message=plain(f"{verdict}: {message}"))
    else:
        SubElement(case, "system-out").text = plain(f"{verdict}: {message}")


def _of(suite: Element, told: Told, name: str) -> Element:
    """A benchmark's test case, named as pytest's own report names it."""
    address, bracket, parameters = name.partition("[")
    file, *names = address.split("::")
    if not names:
        return _case(suite, _GATE[0], name)
    classes = [file.removesuffix(".py").replace("/", "."), *names[:-1]]
    return _case(suite, ".".join(classes), names[-1] + bracket + parameters, file=told.file(name))


def _case(suite: Element, class_: str, name: str, *, file: str | None = None, error: str | None = None) -> Element:
    case = SubElement(suite, "testcase", classname=plain(class_), name=plain(name))
    if file is not None:
        case.set("file", plain(file))
    if error is not None:
        first = (error.splitlines() or [""])[0]
        SubElement(case, "error", type="GateError", message=plain(first)).text = _lines(error)
    return case


def _suite(seconds: float) -> Element:
    return Element("testsuite", name=_NAME, time=f"{seconds:.3f}")


def _written(suite: Element) -> str:
    cases = suite.findall("testcase")
    counts = {"tests": len(cases)}
    for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        counts[name] = sum(case.find(kind) is not None for case in cases)
    for name, count in counts.items():
        suite.set(name, str(count))
    root = Element("testsuites", {**{name: str(count) for name, count in counts.items()}, "name": _NAME})
    root.append(suite)
    ElementTree.indent(root)
    # in ASCII, so that it is the same, and valid, whatever the encoding of standard output
    text: bytes = ElementTree.tostring(root, encoding="us-ascii")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text.decode()}\n'


def _lines(text: str) -> str:
    return "\n".join(map(plain, text.splitlines()))
