"""How a recorded pace becomes the moments at which bytes are due."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist, mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laptime.cassette import Cassette, CassetteError, Timing, load
from laptime.replay import Latency, LatencyError
from laptime.replay.latency import JITTER_SIGMA, Due, jittered
from tests.support import Exchange, write_cassette

MS = 1_000_000  # nanoseconds
WHOLE = ((0, 1.0),)


def timing(*, connect: float = 30.0, chunks: tuple[tuple[float, int], ...] = ((0.0, 100),)) -> Timing:
    """A pass that waited for 200 ms."""
    return Timing(connect_ms=connect, ssl_ms=20.0, send_ms=1.0, wait_ms=200.0, receive_ms=9.0, chunks=chunks)


# Reading a mode


@pytest.mark.parametrize(
    ("text", "latency"),
    [
        ("recorded", Latency("recorded")),
        ("none", Latency("none")),
        ("scale:0.1", Latency("scale", 0.1)),
        ("scale:2", Latency("scale", 2.0)),
        ("scale:1e-3", Latency("scale", 0.001)),
        ("fixed:50ms", Latency("fixed", 50.0)),
        ("fixed:0.5ms", Latency("fixed", 0.5)),
        ("  recorded\n", Latency("recorded")),
        ("recorded+jitter:7", Latency("recorded", jitter=7)),
        ("scale:0.1+jitter:0", Latency("scale", 0.1, 0)),
        ("fixed:50ms+jitter:-3", Latency("fixed", 50.0, -3)),
    ],
)
def test_a_mode_is_read_as_it_is_written(text: str, latency: Latency) -> None:
    """Each mode of the command line is understood, blanks around it or not."""
    assert latency == Latency.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "fast", "RECORDED", "recorded:2", "none:1"),
        *("scale", "scale:", "scale:0", "scale:-1", "scale:x", "scale:nan", "scale:inf", "scale:1e7", "scale:50ms"),
        *("fixed", "fixed:", "fixed:50", "fixed:ms", "fixed:0ms", "fixed:-5ms", "fixed:5s", "fixed:infms"),
        *("recorded+jitter:", "recorded+jitter:x", "recorded+jitter:1.5", "recorded+jitter", "+jitter:1", "jitter:1"),
        *("recorded+jitter:1+jitter:2", "recorded+jitter:" + "9" * 5000),
    ],
)
def test_any_other_mode_is_refused(text: str) -> None:
    """What isn't a mode is quoted, with the modes that are."""
    with pytest.raises(LatencyError) as refused:
        Latency.parse(text)
    assert f"latency {text!r}: expected recorded, scale:0.1, fixed:50ms or none" == str(refused.value)


@pytest.mark.parametrize(
    "text", ["recorded", "none", "scale:0.1", "fixed:50ms", "scale:0.25+jitter:0", "fixed:1000000ms"]
)
def test_a_mode_is_shown_as_it_is_written(text: str) -> None:
    """The text of a mode is what one writes on the command line for it."""
    assert text == str(Latency.parse(text))


@given(
    kind=st.sampled_from(["scale", "fixed"]),
    value=st.floats(1e-6, 1e6),
    jitter=st.none() | st.integers(-(2**70), 2**70),
)
def test_the_text_of_a_mode_is_all_of_it(kind: str, value: float, jitter: int | None) -> None:
    """A mode read from the text of another has the same text: so it travels to the server."""
    latency = Latency.parse(str(Latency(kind, value, jitter)))
    assert (kind, jitter) == (latency.mode, latency.jitter)
    assert latency.value == pytest.approx(value, rel=1e-14)
    assert latency == Latency.parse(str(latency))


@pytest.mark.parametrize("make", [lambda: Latency.parse("none+jitter:1"), lambda: Latency("none").with_jitter(1)])
def test_where_nothing_waits_nothing_is_jittered(make: Callable[[], Latency]) -> None:
    """It is refused, however it is asked for."""
    with pytest.raises(LatencyError, match=r"^jitter: there are no waits to vary with latency none$"):
        make()


def test_jitter_may_be_put_on_and_taken_off() -> None:
    """The pace stays."""
    assert Latency("scale", 0.5, 7) == Latency("scale", 0.5).with_jitter(7)
    assert Latency("scale", 0.5) == Latency("scale", 0.5, 7).with_jitter(None)
    assert Latency("none") == Latency("none").with_jitter(None)


# Jitter

REQUESTS = [f"GET /items/{number}" for number in range(40)]
SEEDS = st.integers(-(2**70), 2**70)


@given(seed=SEEDS, order=st.permutations(range(12)))
def test_arrival_order_does_not_change_what_is_drawn(seed: int, order: list[int]) -> None:
    """The same for the same seed, request, occurrence and round, whatever was drawn before."""
    asked = [
        (request, occurrence, number)
        for request in ("GET /a", "GET /b")
        for occurrence in range(3)
        for number in (0, 1)
    ]
    drawn = {one: jittered(5, seed, *one) for one in asked}
    again = {asked[place]: jittered(5, seed, *asked[place]) for place in order}
    assert drawn == again


def test_each_of_them_changes_what_is_drawn() -> None:
    """Another seed, request, occurrence or round is another draw, as far as there is anything to draw."""
    first = [jittered(1000, 1, request, 0, 0) for request in REQUESTS]
    others = [
        [jittered(1000, 2, request, 0, 0) for request in REQUESTS],
        [jittered(1000, 1, request, 1, 0) for request in REQUESTS],
        [jittered(1000, 1, request, 0, 1) for request in REQUESTS],
        [jittered(1000, 1, request + "?", 0, 0) for request in REQUESTS],
    ]
    assert [True] * 4 == [sum(a == b for a, b in zip(first, other, strict=True)) < 5 for other in others]


def test_an_occurrence_is_not_a_round() -> None:
    """Nor is a seed an occurrence: figures that stand side by side don't run together."""
    assert 4 == len(
        {jittered(10**6, *key) for key in [(1, "a", 11, 1), (11, "a", 1, 1), (1, "a", 1, 11), (1, "1 a", 1, 1)]}
    )


def test_passes_are_drawn_as_often_as_each_other() -> None:
    """So the waits are distributed as they were recorded; none is stretched."""
    draws = [jittered(5, 3, request, occurrence, 0) for request in REQUESTS for occurrence in range(250)]
    assert {1.0} == {factor for _, factor in draws}
    counts = Counter(number for number, _ in draws)
    assert [0, 1, 2, 3, 4] == sorted(counts)
    assert [True] * 5 == [abs(counts[number] - 2000) < 5 * 40 for number in counts]  # the draws are always the same


def test_an_only_pass_is_stretched() -> None:
    """By a log-normal factor of median 1 that varies as much as sites were found to."""
    draws = [jittered(1, 3, request, occurrence, 0) for request in REQUESTS for occurrence in range(250)]
    assert {0} == {number for number, _ in draws}
    logs = [math.log(factor) for _, factor in draws]
    assert 0 == pytest.approx(mean(logs), abs=0.01)
    assert JITTER_SIGMA == pytest.approx(stdev(logs), rel=0.03)
    quantiles = [NormalDist(0, JITTER_SIGMA).inv_cdf(share) for share in (0.05, 0.25, 0.5, 0.75, 0.95)]
    found = sorted(logs)
    assert quantiles == pytest.approx([found[int(share * 10_000)] for share in (0.05, 0.25, 0.5, 0.75, 0.95)], abs=0.02)


@given(
    passes=st.integers(1, 1000),
    seed=SEEDS,
    request=st.text(st.characters(codec="utf-8"), max_size=30),
    occurrence=st.integers(0, 10**9),
    round_number=st.integers(0, 10**9),
)
def test_what_is_drawn_can_be_played(passes: int, seed: int, request: str, occurrence: int, round_number: int) -> None:
    """One of the passes, and a factor that makes no wait endless or negative; whatever letters the request has."""
    number, factor = jittered(passes, seed, request, occurrence, round_number)
    assert 0 <= number < passes
    assert 0.05 < factor < 20


# Due times


@pytest.mark.parametrize(
    ("mode", "due"),
    [
        ("recorded", Due(30 * MS, 200 * MS, ((0, 0.25), (10 * MS, 1.0)))),
        ("scale:0.1", Due(3 * MS, 20 * MS, ((0, 0.25), (1 * MS, 1.0)))),
        ("scale:2", Due(60 * MS, 400 * MS, ((0, 0.25), (20 * MS, 1.0)))),
        ("fixed:50ms", Due(0, 50 * MS, WHOLE)),
        ("fixed:0.5ms", Due(0, MS // 2, WHOLE)),
        ("none", Due(0, 0, WHOLE)),
    ],
)
def test_each_mode_says_when_the_parts_are_due(mode: str, due: Due) -> None:
    """Recorded times as they were or scaled; or one wait for all, no connecting, and the body in one piece."""
    assert due == Latency.parse(mode).due(timing(chunks=((0.0, 25), (10.0, 75))))


def test_a_pass_over_an_open_connection_charges_none() -> None:
    """Where no connection was made (-1 in the side-car), none is charged."""
    assert 0 == Latency.parse("recorded").due(timing(connect=-1.0)).connect_ns


@pytest.mark.parametrize(("mode", "wait_ns"), [("fixed:7ms", 7 * MS), ("none", 0)])
def test_what_was_never_timed_has_a_due_time_too(mode: str, wait_ns: int) -> None:
    """Without a side-car the modes that state their own wait apply."""
    assert Due(0, wait_ns, WHOLE) == Latency.parse(mode).due(None)


@pytest.mark.parametrize(
    ("chunks", "shares"),
    [
        ((), WHOLE),
        (((0.0, 0),), WHOLE),
        (((3.0, 80),), ((3 * MS, 1.0),)),
        (((0.0, 10), (1.0, 30), (2.5, 60)), ((0, 0.1), (MS, 0.4), (2_500_000, 1.0))),
        (((0.0, 50), (1.0, 0), (1.0, 50)), ((0, 0.5), (MS, 0.5), (MS, 1.0))),
    ],
    ids=["no body", "an empty piece", "one piece", "three pieces", "an empty piece within"],
)
def test_chunks_become_shares_of_the_body(
    chunks: tuple[tuple[float, int], ...], shares: tuple[tuple[int, float], ...]
) -> None:
    """Each piece ends at its share of the bytes recorded so far, and the last at all of them."""
    assert shares == Latency.parse("recorded").due(timing(chunks=chunks)).chunks


# Modes that need a side-car


def refusal(latency: Latency, cassette: Cassette) -> str:
    """What is said against playing the cassette so; nothing where it can be."""
    try:
        latency.refuse_untimed(cassette)
    except CassetteError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("mode", ["recorded", "scale:0.5"])
def test_the_recorded_pace_needs_a_side_car(tmp_path: Path, mode: str) -> None:
    """A cassette that was never timed is refused by the modes that play its times, with two ways out."""
    cassette = load(write_cassette(tmp_path / "quotes.yaml", Exchange(), timed=False))
    said = refusal(Latency.parse(mode), cassette)
    parts = [f"{cassette.path}: no side-car quotes.timings.json", "--http=record -k quotes", "--latency fixed:50ms"]
    assert parts == [part for part in parts if part in said]


@pytest.mark.parametrize(
    ("mode", "timed"), [("fixed:5ms", False), ("none", False), ("recorded", True), ("fixed:5ms", True)]
)
def test_other_modes_and_timed_cassettes_need_none(tmp_path: Path, mode: str, timed: bool) -> None:
    """A mode that states its own wait plays any cassette, and a cassette with a side-car plays in every mode."""
    cassette = load(write_cassette(tmp_path / "quotes.yaml", Exchange(), timed=timed))
    assert "" == refusal(Latency.parse(mode), cassette)
